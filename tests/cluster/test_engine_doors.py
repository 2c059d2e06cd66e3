"""The ways to a real engine, who is let in, and what an engine must be."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.servers import free_port
from tests.support.certificates import Authority, made, usual
from tests.support.cluster_engine import Kept
from tests.support.engine import Engine, Sentinel
from tests.support.reactor import Reactor
from tests.support.server import TIMEOUT
from tests.support.turns import log_of_a_test

pytestmark = pytest.mark.engine

NEEDS = "chatpair needs Valkey, or Redis 6.2 or newer"


def lines(log: list[dict[str, object]]) -> list[str]:
    """Return what is in the log about engines, after their address."""
    found = [line for line in log if line.get("log_namespace") == "chatpair.cluster.engine"]
    return [str(line["log_format"]).format(**line) for line in found]


def tries(reactor: Reactor, url: str) -> list[str]:
    """Try to connect once, which is to be in vain; return what is in the log."""
    with log_of_a_test() as log:
        kept = Kept(reactor, url)
        kept.start()
        reactor.until(lambda: lines(log))
        kept.stop()
    assert (kept.events, kept.refusal) == ([], "")
    return lines(log)


# Who is let in


@pytest.mark.parametrize("auth", ["secret", "default:secret"])
def test_a_password(tmp_path: Path, reactor: Reactor, auth: str) -> None:
    with (
        Engine(tmp_path, password="secret") as engine,
        log_of_a_test() as log,
        Kept(reactor, engine.url, auth=auth) as kept,
    ):
        assert kept.command("PING") == b"PONG"
    assert "secret" not in repr(log)


def test_a_wrong_password_is_refused(tmp_path: Path, reactor: Reactor) -> None:
    with Engine(tmp_path, password="secret") as engine:
        start = f"The engine at 127.0.0.1:{engine.port} "
        for auth, why in [
            ("wrong", "refuses the password: WRONGPASS "),
            ("eve:wrong", "refuses the password of the user eve: WRONGPASS "),
            ("", "does not let in: NOAUTH "),
        ]:
            refusal = Kept(reactor, engine.url, auth=auth).is_refused()
            assert refusal.startswith(start + why)
            assert "wrong" not in refusal.replace("WRONGPASS", "")


def test_a_password_that_is_asked_by_nobody(engine: Engine, reactor: Reactor) -> None:
    assert "refuses the password: " in Kept(reactor, engine.url, auth="pw").is_refused()


def test_an_unknown_command_does_not_tell_the_password(tmp_path: Path, reactor: Reactor) -> None:
    with Engine(tmp_path, 'rename-command AUTH ""') as engine:
        refusal = Kept(reactor, engine.url, auth="hush").is_refused()
        assert "unknown command" in refusal
        assert "hush" not in refusal


def test_a_user_with_few_permissions(tmp_path: Path, reactor: Reactor) -> None:
    keys = "~{chatpair}:* ~chatpair:*"
    commands = "+@read +@write +@scripting +@connection +info +xreadgroup"
    users = [
        f"user bob on >pw {keys} {commands}",
        f"user eve on >pw {keys} {commands} -xadd",
        f"user joe on >pw ~other:* {commands}",
        f"user may on >pw {keys} {commands} -info",
    ]
    with Engine(tmp_path, *users) as engine:
        kept = Kept(reactor, engine.url, auth="bob:pw")
        kept.connects()
        kept.stop()
        for user, why in [("eve", "xadd"), ("joe", "key"), ("may", "info")]:
            refusal = Kept(reactor, engine.url, auth=f"{user}:pw").is_refused()
            assert "NOPERM" in refusal
            assert why in refusal


def test_a_password_that_is_changed_is_waited_for(tmp_path: Path, reactor: Reactor) -> None:
    with (
        Engine(tmp_path, password="secret") as engine,
        log_of_a_test() as log,
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


# The database


def test_a_database(engine: Engine, reactor: Reactor) -> None:
    kept = Kept(reactor, f"{engine.url}/3")
    kept.connects()
    kept.command("SET", "a", 1)
    kept.stop()
    assert engine.command("EXISTS", "a") == 0
    refusal = Kept(reactor, f"{engine.url}/99").is_refused()
    assert "has no database 99: ERR DB index is out of range" in refusal


# What an engine must be


def test_an_engine_without_streams_is_refused(tmp_path: Path, reactor: Reactor) -> None:
    with Engine(tmp_path, 'rename-command XADD ""') as engine:
        refusal = Kept(reactor, engine.url).is_refused()
        assert refusal == (
            f"The engine at 127.0.0.1:{engine.port} does not do what is needed ({NEEDS}): "
            "ERR unknown command 'XADD'"
        )


@contextmanager
def says(*replies: bytes) -> Iterator[str]:
    """Let something on a port answer each connection with these, one a read; return its URL."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connection.settimeout(TIMEOUT)
            for reply in replies:
                connection.recv(65_536)
                connection.sendall(reply)
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(TIMEOUT)


def info(text: str) -> bytes:
    """Return an answer to INFO."""
    return b"$%d\r\n%s\r\n" % (len(text), text.encode())


@pytest.mark.parametrize("version", ["5.0.14", "6.0.20", "2.8"])
def test_an_old_server_is_refused(reactor: Reactor, version: str) -> None:
    with says(info(f"redis_version:{version}\r\nrun_id:1")) as url:
        refusal = Kept(reactor, url).is_refused()
        assert refusal.endswith(f" is Redis {version}: {NEEDS}")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (info("redis_version:7.0.0\r\nloading:1"), "it is still reading its data"),
        (info("redis_version:7.0.0\r\nrole:slave"), "it is a replica, which can't be written to"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "LOADING Redis is loading"),
        (b"-ERR max number of clients reached\r\n", "ERR max number of clients reached"),
        (b"HTTP/1.1 400 Bad Request\r\n", "it does not speak as Redis does"),
        (b"", "it closed the connection"),
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
            kept = Kept(reactor, url)
            kept.connects()
            assert kept.command("PING") == b"PONG"
            kept.stop()


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
    ):
        nobody = f"127.0.0.1:{free_port()}"
        places = f"{nobody},127.0.0.1:{sentinel.port}"
        kept = Kept(reactor, f"redis+sentinel://{places}/chat")
        kept.connects()
        assert kept.command("CONFIG", "GET", "port")[1] == str(first.port).encode()
        reactor.until(
            lambda: any(b"flags" in r for r in sentinel.command("SENTINEL", "REPLICAS", "chat"))
        )
        reactor.until(lambda: b"master_link_status:up" in second.command("INFO", "replication"))
        first.kill()
        kept.until("lost")
        kept.until("connected")
        assert kept.command("CONFIG", "GET", "port")[1] == str(second.port).encode()
        kept.stop()


def test_a_service_that_no_sentinel_knows(tmp_path: Path, reactor: Reactor, engine: Engine) -> None:
    with Sentinel(tmp_path / "s", engine) as sentinel:
        place = f"127.0.0.1:{sentinel.port}"
        assert tries(reactor, sentinel.url.replace("/chat", "/nope")) == [
            f"No engine at nope of the Sentinels {place}: {place}: it knows no nope; trying again"
        ]
