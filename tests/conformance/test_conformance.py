"""Our server keeps each rule of the page, behind every door; what a wrong one breaks is found."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from chatpair.conformance.__main__ import CASES, main, play
from chatpair.conformance.case import Case
from chatpair.conformance.place import Place, place
from tests.support.certificates import made
from tests.support.cluster import Cluster
from tests.support.doors import LINES, through
from tests.support.forks import BIN
from tests.support.proxy import Proxy
from tests.support.server import TIMEOUT, Door, Process, Server

PAGE = Path(__file__).parents[2] / "docs" / "protocol.rst"
BY_NAME = {case.name: case for case in CASES}


def address_of(door: Door) -> str:
    if isinstance(door.address, str):
        return f"unix:{door.address}"
    kind = "haproxy:" if door.proxied else "tls:" if door.tls else ""
    return f"{kind}localhost:{door.address}"


@pytest.fixture(autouse=True)
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever speaks TLS trusts the authority of the tests."""
    monkeypatch.setenv("SSL_CERT_FILE", str(made().root))


@through(*LINES)
def test_our_server_passes(server: Server) -> None:
    command = [str(BIN / "chatpair-conformance"), address_of(server.door)]
    with Process([*command, "--timeout", str(TIMEOUT)]) as run:
        status = run.wait()
        *cases, last = run.output.decode().splitlines()
    assert status == 0, run.output.decode()
    left_out = 5 if server.door.tls else 0
    assert last == f"{len(CASES) - left_out} passed, 0 failed, {left_out} left out"
    assert all(line.startswith("passed  ") for line in cases)


def test_it_runs_where_text_is_not_written_in_utf_8(server: Server) -> None:
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = [*RUN, address_of(server.door), "--only", "every byte of a line"]
    with Process(command, env={**os.environ, **locale}) as run:
        assert run.wait() == 0, run.output.decode()
        assert run.output.startswith(b"passed  cuts at every byte of a line")


def test_a_cluster_passes_as_one_server(shared_cluster: Cluster) -> None:
    addresses = [address_of(node.door) for node in shared_cluster.nodes]
    with Process([*RUN, *addresses, "--timeout", str(TIMEOUT)]) as run:
        assert run.wait() == 0, run.output.decode()


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("case", CASES, ids=BY_NAME)
def test_the_rule_stands_on_the_page(case: Case) -> None:
    parts = re.split(r"^(.+)\n(?:-+|~+)\n", PAGE.read_text(), flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], map(words, parts[2::2]), strict=True))
    assert case.rule in sections[case.section]


def test_the_articles_server_passes_its_part() -> None:
    with Process([sys.executable, "-m", "tests.support.article_server"]) as server:
        port = server.wait_for(rb"(\d+)\n")[1].decode()
        with Process([*RUN, f"127.0.0.1:{port}", "--article", "--json"]) as run:
            assert run.wait() == 0
            found = [json.loads(line) for line in run.output.splitlines()]
        assert [it["case"] for it in found] == [it.name for it in CASES if it.is_articles]
        assert all(it["passed"] for it in found)
        nobody, report = os.pipe()
        os.close(nobody)
        command = [*RUN, f"127.0.0.1:{port}", "--article"]
        unread = subprocess.run(command, stdout=report, stderr=subprocess.PIPE, check=False)
        os.close(report)
        assert (unread.returncode, unread.stderr) == (1, b"")
        # It is none of ours.
        with Process([*RUN, f"127.0.0.1:{port}", "--plain-only", "--only", "case of"]) as run:
            assert run.wait() == 1
            shown = run.output.decode()
    assert shown.startswith(
        "FAILED  case of names\n        Upper and lower case are the same name.\n"
    )
    assert "(docs/protocol.rst, Before a name)" in shown
    assert "carol: 'Reuse' was due, and 'OK' came" in shown


RUN = [sys.executable, "-m", "chatpair.conformance"]


SPOILS = [
    (b"\r\n", b"\n", "ends of lines"),
    (b"Reuse", b"OK", "a name"),
    (b"Bad name: ", b"Reuse", "names that nobody can have"),
    ("ü".encode(), b"u", "cuts at every byte of a line"),
    (b"\xef\xbf\xbd", b"?", "bytes that are no text"),
    (b"[2Ja", b"\x1b[2Ja", "control characters"),
    (b"(hello)", b"(hellllo)", "backspaces"),
    (b"\xff\xfc", b"\xff\xfb", "telnet options are refused"),
    (b"Listening.", b"Quit.", "half closed and listening"),
    (b"] ", b"]  ", "a text"),
    (b" tried to reach you", b" reached you", "who tried"),
    (b"You are chatting", b"You are talking", "a call"),
    (b"does not exist", b"is not here", "a call to who is not there"),
    (b"Nobody is chatting", b"[ Nobody is chatting", "a text to nobody"),
    (b"No such command: /[x", b"[x: no such command", "brackets"),
    (b"*", b"", "who"),
    (b"be called again", b"be reached again", "do not disturb"),
    (b"say Back:", b"say Back:x", "a key"),
    (b'"key":"', b'"key":"x ', "a line that is held"),
    (b"abc", b"ab", "telnet is taken out"),
    (b" (again)", b"", "a key"),
    (b'"version":1', b'"version":2', "what the mode tells"),
    (b'"no-such"', b'"bad-line"', "commands that are unknown"),
    (b'"pair":2', b'"pair":1', "pairs are counted"),
    (b'"switched"', b'"bye"', "how a peer goes"),
    (b'Z"', b'"', "a message"),
    (b"\\n\\n", b"\\n", "a text of several lines"),
    (b'"tried"', b'"paired"', "a call that is taken back"),
    (b'"seq":3', b'"seq":4', "events are numbered"),
    (b'"handed"', b'"confirmed"', "handed"),
    (b'{"event":"pong"}', b'{"event":"status","id":1,"status":"confirmed"}', "confirmed"),
    (b'"missing"', b'"lost"', "says that are skipped"),
    (b'"id":30', b'"id":1', "each say has one outcome"),
    (b'"why":"nobody"', b'"why":"lost"', "said to a pair that is over"),
    (b'"held"', b'"left"', "a line that is held"),
    (b'"got":0', b'"got":7', "drops at every byte that is said"),
    (b'"seq":9', b'"seq":10', "what was seen is not told again"),
    (b'"bad-key"', b'"unknown"', "a line is taken over"),
    (b'"text":"700"', b'"text":"701"', "a peer that does not acknowledge"),
    (b"(0000002 ", b"(0000003 ", "a peer that does not read"),
]
"""What becomes of what the server tells, and the case whose rule that breaks."""


@pytest.fixture
def wrong(server: Server) -> Iterator[Proxy]:
    """A server that can be spoilt."""
    with Proxy(server.port) as proxy:
        yield proxy


def test_each_wrong_answer_breaks_a_rule(wrong: Proxy) -> None:
    at = [Place("tcp", "127.0.0.1", wrong.port)]
    for right, spoilt, name in SPOILS:
        wrong.spoil = lambda data, right=right, spoilt=spoilt: data.replace(right, spoilt)  # type: ignore[misc]
        assert play(BY_NAME[name], at, TIMEOUT).fault, (name, spoilt)


@pytest.mark.parametrize("case", CASES, ids=BY_NAME)
def test_no_case_passes_where_nothing_is_served(wrong: Proxy, case: Case) -> None:
    wrong.spoil = lambda _: b"Go away.\r\n" if case.name not in LINE_AND_CLOSE else b""
    assert play(case, [Place("tcp", "127.0.0.1", wrong.port)], TIMEOUT).fault


@pytest.mark.parametrize(
    ("later", "seconds"),
    [
        ("You are taking names too often; try again in a minute.", 61),
        ("The switchboard is not ready.", 5),  # as a node that had no answer of the others says
        ("The last call is still on its way.", 5),
    ],
)
def test_who_is_told_to_come_later_does(
    wrong: Proxy, monkeypatch: pytest.MonkeyPatch, later: str, seconds: int
) -> None:
    said: list[bytes] = []

    def at_first(data: bytes) -> bytes:
        said.append(data)
        return f"{later}\r\n".encode() if len(said) == 1 else data

    wrong.spoil = at_first
    waits: list[int] = []
    monkeypatch.setattr("chatpair.conformance.__main__.time", Mock(sleep=waits.append))
    at = [Place("tcp", "127.0.0.1", wrong.port)]
    assert not play(BY_NAME["a name"], at, TIMEOUT).fault
    assert waits == [seconds]
    wrong.spoil = lambda _: f"{later}\r\n".encode()
    assert play(BY_NAME["a name"], at, TIMEOUT).fault == f"alice: 'OK' was due, and '{later}' came"
    assert waits == [seconds] * 4


LINE_AND_CLOSE = ("http", "tls")
"""Cases where a line and a close are right."""


def test_what_is_no_server_or_no_address(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert main([f"127.0.0.1:{port}"]) == 2
    assert "can't be reached" in capsys.readouterr().err
    assert main([f"127.0.0.1:{port}", "--only", "no case at all"]) == 2
    assert capsys.readouterr().err == "There is no such case.\n"
    assert main([f"127.0.0.1:{port}", "--plain-only", "--only", "in json"]) == 2
    assert capsys.readouterr().err == "There is no such case.\n"
    with pytest.raises(SystemExit, match="2"):
        main(["localhost:65536"])
    with pytest.raises(SystemExit, match="2"):
        main(["localhost"])
    assert place("[::1]:9999") == Place("tcp", "::1", 9999)
    assert place("haproxy:chat.example.org:1") == Place("haproxy", "chat.example.org", 1)
