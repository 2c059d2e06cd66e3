"""What the pages show is what is: the tables of the code, the sessions and the screens."""

import itertools
import re
import runpy
import sys
from pathlib import Path
from signal import SIGCHLD, SIGINT, SIGTERM

from PIL import Image

from chatpair.exchange.names import RESERVED
from chatpair.tap import Options
from tests.client.test_once import arrives
from tests.support.clients import spins_until
from tests.support.json_people import json_client
from tests.support.proxy import Proxy
from tests.support.server import Client, Process, Server, require

DOCS = Path(__file__).parents[2] / "docs"
STEP = re.compile(r"    (\w+)(?:([<>]) (.*)| closes)")
CLOCK = re.compile(r"^( *)\d\d:\d\d\b", re.MULTILINE)
KEY = re.compile(r'"key":"(.+?)"|Your key is (\S+)\.')
TIME = re.compile(r'"time":"[-\d]{10}T[:\d]{8}\.\d{3}Z"|^\[\w{3} \w{3} [ \d]\d [:\d]{8} \d{4}\]')


def test_the_reference_is_of_the_code() -> None:
    for path, text in runpy.run_path(str(DOCS / "reference.py"))["files"]().items():
        assert path.read_text() == text, f"run python docs/reference.py for {path.name}"


def test_the_readme_shows_what_is_seen() -> None:
    capture = runpy.run_path(str(DOCS / "capture.py"))
    with Process([sys.executable, str(DOCS / "capture.py")]) as script:
        assert script.wait() == 0
        seen = capture["block"](script.output.decode().removesuffix("\n"))
    _, rest = (DOCS.parent / "README.rst").read_text().split(capture["BEGIN"])
    shown = rest.split(capture["END"])[0]
    assert CLOCK.sub(r"\1HH:MM", seen) == CLOCK.sub(r"\1HH:MM", shown), (
        "run docs/capture.py --write"
    )


def test_the_picture_of_the_page_is_small_and_can_be_made(tmp_path: Path) -> None:
    assert ".. image:: web.png\n   :alt: " in (DOCS / "page.rst").read_text()
    script = runpy.run_path(str(DOCS / "web.py"))
    script["write"](tmp_path / "web.png")
    for file in (script["FILE"], tmp_path / "web.png"):
        assert file.stat().st_size < 60_000
        with Image.open(file) as picture:
            assert (picture.format, picture.size) == ("PNG", (script["WIDTH"], script["HEIGHT"]))


def test_the_sessions_are_what_happens(server: Server) -> None:
    page = (DOCS / "protocol.rst").read_text().splitlines()
    steps = [match for match in map(STEP.fullmatch, page) if match]
    assert {match[1] for match in steps} == {"alice", "bob", "carol"}
    clients: dict[str, Client] = {}
    keys: dict[str, str] = {}  # those of the page, and those of this run
    for who, direction, line in (step.groups() for step in steps):
        if direction is None:
            clients.pop(who).close()
            continue
        client = clients[who] if who in clients else clients.setdefault(who, server.client())
        if direction == ">":
            for ours, theirs in keys.items():
                line = line.replace(ours, theirs)
            client.says(line)
        else:
            told = client.line()
            if match := KEY.search(told):
                key = KEY.search(line)
                assert key is not None
                keys[str(key[1] or key[2])] = str(match[1] or match[2])
            for ours, theirs in keys.items():
                told = told.replace(theirs, ours)
            assert TIME.sub("TIME", told) == TIME.sub("TIME", line)


def test_the_programs_for_programs_are_some(server: Server) -> None:
    address = f"127.0.0.1:{server.port}"
    say = [sys.executable, str(DOCS / "say.py"), address, "build"]
    bob = server.client("bob")
    with Process([*say, "bob", "The build is done."]) as program:
        assert program.wait() == 0
        assert program.output == b"handed\n"
    assert bob.line() == "You are chatting with build."
    assert bob.text() == "The build is done."
    assert bob.line() == "Quit."
    with Process([*say, "carol", "hi"]) as program:
        assert program.wait() == 1
        assert program.output == b"The user carol does not exist. (unknown)\n"
    with Process(say) as program:
        assert program.wait() == 1
        program.wait_for("say.py HOST")
    with Process([*say[:2], "127.0.0.1:1", "build", "bob", "nobody is there"]) as program:
        spins_until(lambda: tries(program))
        assert program.stop() == -SIGTERM
    with Process([sys.executable, str(DOCS / "echo.py"), address, "echo"]) as echo:
        arrives(bob, "echo")
        with Process([*say, "echo", "hi"]) as program:
            assert program.wait() == 0
            assert program.output == b"confirmed\n"
        bob.calls("echo")
        bob.says("hello")
        assert bob.text() == "hello"
        echo.kill(SIGINT)
        assert echo.wait() == 0
        assert bob.line() == "Quit."


def test_the_program_in_the_readme_is_one(server: Server) -> None:
    readme = (DOCS.parent / "README.rst").read_text()
    lines = readme.partition("In Python::\n\n")[2].partition("\n\n`For programs")[0]
    lines = lines.replace("localhost:9999", f"localhost:{server.port}")
    program = f"import asyncio\n\nasync def main():\n{lines}\n\nasyncio.run(main())"
    bob = server.client("bob")
    with Process([sys.executable, "-W", "error", "-c", program]) as build:
        assert bob.line() == "You are chatting with build."
        assert bob.text() == "The build is done."
        assert (build.wait(), build.output) == (0, b"")


def tries(program: Process) -> bool:
    """Tell whether a reactor runs that leaves SIGTERM to the kernel."""
    status = Path(f"/proc/{program.popen.pid}/status").read_text()
    handled = int(re.findall(r"SigCgt:\s+(\w+)", status)[0], 16)
    return bool(handled & 1 << SIGCHLD - 1 and not handled & 1 << SIGTERM - 1)


def test_the_words_that_are_no_names_are_told() -> None:
    told = set(re.findall(r"``(\w+)``", (DOCS / "by-hand.rst").read_text()))
    assert told >= RESERVED


LIMIT = re.compile(r"   \* - ``--([\w-]+)``\n     - ([\d,]+)\n")


def test_the_limits_are_those_of_the_options() -> None:
    written = dict(LIMIT.findall((DOCS / "internet.rst").read_text()))
    limits = {
        name: default for name, _, default, *_ in Options.optParameters if default is not None
    }
    assert {name: int(text.replace(",", "")) for name, text in written.items()} == limits


def test_haproxy_takes_the_configuration(tmp_path: Path) -> None:
    lines = (DOCS / "internet.rst").read_text().partition("In haproxy.cfg::\n\n")[2].splitlines()
    block = itertools.takewhile(lambda line: line.startswith("    ") or not line, lines)
    path = tmp_path / "haproxy.cfg"
    path.write_text("".join(f"{line[4:]}\n" for line in block))
    with Process([require("haproxy"), "-c", "-f", str(path)]) as process:
        assert process.wait() == 0
        assert b"WARNING" not in process.output.upper()


def test_the_second_client_loses_nothing_over_drops(server: Server) -> None:
    node = require("node")
    bob, _ = json_client(server, "bob")
    texts = [f"{number} grüße 👋" for number in range(40)]
    with Proxy(server.port, *[600, 40, 1_000] * 5) as proxy:
        program = [node, str(DOCS / "line.mjs"), "127.0.0.1", str(proxy.port), "build", "bob"]
        with Process(program) as line:
            line.write("".join(f"{text}\n" for text in texts).encode())
            line.wait_for("You are chatting with bob.")
            heard: list[str] = []
            while len(heard) < len(texts):
                event = bob.hears()
                bob.does("ack", seq=event["seq"])
                if event["event"] == "message":
                    heard.append(event["text"])
            assert heard == texts
            bob.does("say", id=1, text="I see")
            line.wait_for("bob: I see")
            line.close_input()
            assert line.wait() == 0
            assert b"did not arrive" not in line.output
        assert proxy.limits_left < 12


def test_the_second_client_tells_what_failed(server: Server) -> None:
    node = require("node")
    program = [node, str(DOCS / "line.mjs"), "127.0.0.1", str(server.port), "build"]
    with Process([*program, "bob"]) as line:
        assert line.wait() == 1
        assert line.output == b"The user bob does not exist.\n"
    bob, _ = json_client(server, "bob")
    with Process([*program, "bob"]) as line:
        line.close_input(b"hello\n")
        bob.events("paired", "message")
        bob.does("quit")
        assert line.wait() == 1
        assert b"It did not arrive (quit): hello\n" in line.output
    bob, _ = json_client(server, "bob")
    with Process([*program, "bob"]) as line:
        line.close_input(b"x" * 65_536)
        assert line.wait() == 1
        assert b"That line was not sent: " in line.output
    with Process(program[:3]) as line:
        assert line.wait() == 2
