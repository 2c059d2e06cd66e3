"""The ways to a real engine, who is let in, and what an engine must be."""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, TCPServer

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from benchmarks.servers import free_port
from chatpair.cluster.address import EngineAddress
from chatpair.cluster.connect import _probes, connect
from chatpair.cluster.scripts import HEARTBEAT, JOIN, LEAVE, LOCATE, NAMES, SWEEP
from tests.support.certificates import Authority, made, usual
from tests.support.cluster_engine import Kept
from tests.support.engine import Engine, Sentinel, permissions
from tests.support.reactor import Reactor
from tests.support.server import TIMEOUT

pytestmark = pytest.mark.engine

SCRIPTS = (JOIN, HEARTBEAT, LEAVE, NAMES, LOCATE, SWEEP)

NEEDS = "chatpair needs Valkey, or Redis 6.2 or newer"


def lines(log: Sequence[dict[str, object]]) -> list[str]:
    """Return what is in the log about engines, after their address."""
    found = [line for line in log if line.get("log_namespace") == "chatpair.cluster.engine"]
    return [str(line["log_format"]).format(**line) for line in found]


def tries(reactor: Reactor, url: str) -> list[str]:
    """Try to connect once, which is to be in vain; return what is in the log."""
    with capturedLogs() as log:
        kept = Kept(reactor, url)
        kept.start()
        reactor.until(lambda: lines(log))
        kept.stop()
    assert (kept.was_lost, kept.events, kept.refusal) == (True, [], "")
    return lines(log)


# Who is let in


@pytest.mark.parametrize("auth", ["secret", "default:secret"])
def test_a_password(tmp_path: Path, reactor: Reactor, auth: str) -> None:
    with (
        Engine(tmp_path, password="secret") as engine,
        capturedLogs() as log,
        Kept(reactor, engine.url, auth=auth) as kept,
    ):
        assert kept.command("PING") == b"PONG"
    assert "secret" not in repr(log)


@pytest.mark.parametrize(
    ("config", "auth", "database", "why"),
    [
        ("requirepass secret", "wrong", "", "refuses the password: WRONGPASS "),
        ("requirepass secret", "eve:wrong", "", "refuses the password of the user eve: WRONGPASS "),
        ("requirepass secret", "", "", "does not let in: NOAUTH "),
        ("", "wrong", "", "refuses the password: "),
        ('rename-command AUTH ""', "wrong", "", "refuses the password: ERR unknown command 'AUTH'"),
        ("", "", "/99", "has no database 99: ERR DB index is out of range"),
        (
            'rename-command XADD ""',
            "",
            "",
            f"does not do what is needed ({NEEDS}): ERR unknown command 'XADD'",
        ),
    ],
)
def test_who_is_not_let_in_is_told_why(
    tmp_path: Path, reactor: Reactor, config: str, auth: str, database: str, why: str
) -> None:
    with Engine(tmp_path, config) as engine:
        refusal = Kept(reactor, engine.url + database, auth=auth).is_refused()
    assert refusal.startswith(f"The engine at 127.0.0.1:{engine.port} {why}")
    assert "wrong" not in refusal.replace("WRONGPASS", "")
    assert len(refusal.splitlines()) == 1


def test_each_command_that_is_not_allowed_is_told_at_the_start(
    tmp_path: Path, reactor: Reactor
) -> None:
    calls = {each for one in SCRIPTS for each in re.findall(r"\bcall\('(\w+)'", one.text)}
    commands = {str(command[0]) for command in _probes("")} | {"SCRIPT|EXISTS", "SCRIPT|LOAD"}
    user = ["ACL", "SETUSER", "eve", "reset", "on", ">pw", *permissions().split()]

    with Engine(tmp_path) as engine:
        for rule in (*(f"-{name}" for name in sorted(calls | commands)), "resetkeys"):
            engine.command(*user, rule)
            refusal = Kept(reactor, engine.url, auth="eve:pw").is_refused()
            assert " does not allow what is needed (docs/cluster.rst has the permiss" in refusal
            name = rule.removeprefix("-").lower()
            assert (name if rule != "resetkeys" else "key") in refusal.lower().replace(" ", "|")


def test_a_password_that_is_changed_is_waited_for(tmp_path: Path, reactor: Reactor) -> None:
    with (
        Engine(tmp_path, password="secret") as engine,
        capturedLogs() as log,
        Kept(reactor, engine.url, auth="secret") as kept,
    ):
        engine.command("CONFIG", "SET", "requirepass", "other")
        engine.password = "other"
        engine.command("CLIENT", "KILL", "TYPE", "normal")
        kept.until("lost")
        reactor.until(lambda: len(lines(log)) == 3)
        assert "refuses the password: WRONGPASS" in lines(log)[2]
        assert kept.refusal == ""
        engine.command("CONFIG", "SET", "requirepass", "secret")
        kept.until("connected")


# What an engine must be


@contextmanager
def says(*replies: bytes) -> Iterator[str]:
    """Let something on a port answer each connection with these, one a read; return its URL."""

    class Answers(BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(TIMEOUT)
            for reply in replies:
                self.request.recv(65_536)
                self.request.sendall(reply)

    with TCPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=[0.02]).start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def text(string: str) -> bytes:
    """Return a reply."""
    return b"$%d\r\n%s\r\n" % (len(string), string.encode())


@pytest.mark.parametrize(("epoch", "lost"), [("run1.x", b""), ("run0.x", b"run0.x")])
def test_redis_6_says_itself_which_process_it_is(reactor: Reactor, epoch: str, lost: bytes) -> None:
    hello = b"*4\r\n" + b"".join(map(text, ("server", "redis", "version", "6.2.14")))
    exist = b"*3\r\n:0\r\n:0\r\n:0\r\n"
    process = [hello, text(epoch), exist, text("redis_version:6.2.14\r\nrun_id:run1\r\nhz:10")]
    with says(*[b":0\r\n"] * len([*_probes("")]), *process) as url:
        connecting = connect(reactor.reactor, EngineAddress.parse(url), TIMEOUT, "")
        _, process = reactor.result(Deferred.fromCoroutine(connecting))
        assert process == ("run1", lost, 0)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"-READONLY You can't write against a read only replica.\r\n", "READONLY You can't"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "LOADING Redis is loading"),
        (b"-ERR max number of clients reached\r\n", "ERR max number of clients reached"),
        (b"HTTP/1.1 400 Bad Request\r\n", "it does not speak as Redis does"),
        (b"", "it closed the connection"),
        pytest.param(b"+OK\r\n" * 20, "it answers as no engine does (", id="OK"),
    ],
)
def test_what_may_pass_is_waited_for(reactor: Reactor, reply: bytes, why: str) -> None:
    with says(reply) as url:
        [line] = tries(reactor, url)
        assert f": {why}" in line
        assert line.endswith("; trying again")


# The ways


def test_a_unix_socket(tmp_path: Path, reactor: Reactor) -> None:
    with Engine(tmp_path, port=False) as engine, Kept(reactor, f"{engine.url}?db=2") as kept:
        kept.command("SET", "a", 1)
        assert engine.command("EXISTS", "a") == 0
        engine.kill()
        kept.until("lost")
        engine.restart()
        kept.until("connected")


@pytest.fixture
def tls(monkeypatch: pytest.MonkeyPatch, reactor: Reactor) -> None:
    """Let Twisted's TLS use the reactor of the test."""
    monkeypatch.setattr("twisted.protocols.tls._get_default_clock", lambda: reactor.reactor)


@pytest.mark.usefixtures("tls")
def test_tls(tmp_path: Path, reactor: Reactor) -> None:
    with Engine(tmp_path, tls=usual()) as engine:
        for host in ("127.0.0.1", "localhost"):
            url = f"rediss://{host}:{engine.port}?ca={made().root}"
            with Kept(reactor, url) as kept:
                assert kept.command("PING") == b"PONG"


@pytest.mark.usefixtures("tls")
def test_tls_with_somebody_else(tmp_path: Path, reactor: Reactor) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    stranger = made().issues("stranger", "elsewhere.example.org")
    for certificate, query, why in [
        (usual(), f"?ca={other.root}", "certificate verify failed"),
        (usual(), "", "certificate verify failed"),
        (stranger, f"?ca={made().root}", "its certificate is not for that host"),
    ]:
        with Engine(tmp_path / "engine", tls=certificate) as engine:
            assert why in tries(reactor, engine.url + query)[0]


# Sentinels


def test_a_sentinel_and_a_failover(tmp_path: Path, reactor: Reactor) -> None:
    with (
        Engine(tmp_path / "a") as first,
        Engine(tmp_path / "b", f"replicaof 127.0.0.1 {first.port}") as second,
        Sentinel(tmp_path / "s", first) as sentinel,
        Kept(
            reactor,
            # Nobody listens at the first.
            f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{sentinel.port}/chat",
        ) as kept,
    ):
        assert kept.command("CONFIG", "GET", "port")[1] == str(first.port).encode()
        reactor.until(
            lambda: any(b"flags" in r for r in sentinel.command("SENTINEL", "REPLICAS", "chat"))
        )
        reactor.until(lambda: b"master_link_status:up" in second.command("INFO", "replication"))
        first.kill()
        kept.until("lost")
        kept.until("connected")
        assert kept.command("CONFIG", "GET", "port")[1] == str(second.port).encode()


def test_a_service_that_no_sentinel_knows(tmp_path: Path, reactor: Reactor, engine: Engine) -> None:
    with Sentinel(tmp_path / "s", engine) as sentinel:
        place = f"127.0.0.1:{sentinel.port}"
        assert tries(reactor, sentinel.url.replace("/chat", "/nope")) == [
            f"No engine at nope of the Sentinels {place}: {place}: it knows no nope; trying again"
        ]
