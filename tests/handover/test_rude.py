"""Whoever asks for a handover in a wrong way is told why in one line, and the server goes on."""

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.msgpack import encode

from benchmarks.servers import free_port
from chatpair.handover import passing
from chatpair.handover.passing import Refused
from chatpair.handover.snapshot import VERSION
from tests.support.replacing import TWISTD, Replaced
from tests.support.server import Client, Door, Process


@contextmanager
def goes_on(folder: Path, *options: str, port: str = "0") -> Iterator[Replaced]:
    """Start a server with two who talk, who are to go on with it."""
    with Replaced(folder, *options, port=port) as replaced:
        alice, bob = replaced.server.pair()
        yield replaced
        alice.tells(bob, "still here?")
        assert replaced.server.popen.poll() is None


def refused(new: Process) -> str:
    """Return the line in which a server that can't take over says why."""
    assert new.wait() == 1, new.output
    (line,) = [line for line in new.output.splitlines() if b"#critical]" in line]
    return line.decode().partition("#critical] ")[2]


# Who asks


@contextmanager
def asking(path: Path, said: bytes) -> Iterator[socket.socket]:
    """Say something where a server hands over."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(said)
        yield sock


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (encode(passing.Word(reads=(0,))), f"its snapshot has version {VERSION}, and"),
        (b"hello", "it does not speak as expected"),
    ],
)
def test_who_asks_for_something_else(said: bytes, why: str, tmp_path: Path) -> None:
    with goes_on(tmp_path) as replaced:
        with asking(replaced.path, len(said).to_bytes(4) + said) as sock:
            _, [pipe], *_ = socket.recv_fds(sock, 1, 1)
            with os.fdopen(pipe, "rb") as decision:
                assert why in decision.read().decode()
        replaced.server.wait_for(f"No other process takes over: {why}")


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100])
def test_who_does_not_ask_at_all(said: bytes, tmp_path: Path) -> None:
    with goes_on(tmp_path) as replaced:
        with asking(replaced.path, said) as sock:
            assert sock.recv(1) == b""
        replaced.server.wait_for("No other process takes over: it does not speak as expected")
        with asking(replaced.path, said[:2]):  # and says no more
            replaced.replace()


def test_who_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "TIMEOUT", 0.1)
    old, new = socket.socketpair()
    with old, new, pytest.raises(Refused, match="nothing was said for 0 seconds"):
        passing.give(old, encode(passing.Word()), b"", [])


def test_another_user_may_not_ask(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    with goes_on(tmp_path) as replaced:
        assert replaced.path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as sock:
            os.seteuid(65_534)
            try:
                with pytest.raises(PermissionError):
                    sock.connect(str(replaced.path))
                with pytest.raises(Refused, match="socket: Permission denied"):
                    passing.ask(replaced.path)
            finally:
                os.seteuid(0)


# With other options


def test_a_port_may_be_another(tmp_path: Path) -> None:
    before, after, path = free_port(), free_port(), tmp_path / "chat"
    with goes_on(tmp_path, "--port", f"unix:{path}", port=f"epoll:{before}") as replaced:
        carol = replaced.server.client(door=Door(str(path)))
        replaced._port, replaced._options = f"epoll:{after}", replaced._options[2:]
        replaced.replace()
        carol.says("carol")
        assert carol.line() == "OK"
        replaced.server.client("dave")
        assert [one.name for one in tmp_path.iterdir()] == ["handover.socket"]
        with pytest.raises(ConnectionRefusedError):
            Client(before)


def test_limits_and_passwords_may_be_others(tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.write_text("alice:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n")
    with goes_on(tmp_path) as replaced:
        erin = replaced.server.client("erin")
        erin.sends(b"x" * 1_500)
        replaced._options += ("--max-line", "1000", "--auth", f"htpasswd:{names}", "--hold", "0")
        replaced.replace()
        erin.sends(b"\n")
        assert erin.line() == "That line was not sent: it has over 1000 bytes."
        erin.says("/key")
        assert erin.line() == "Lines are not held here."


def test_too_few_files(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))

    with goes_on(tmp_path) as replaced:
        for _ in range(60):
            replaced.server.client()
        with replaced.starting(preexec_fn=limit) as new:
            assert refused(new) == "too few files may be open; see ulimit -n"
        replaced.server.wait_for("No other process takes over: too few files may be open")


# Where it asks


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("x" * 110, "AF_UNIX path too long"),
        (".", " is no socket"),
        ("names", " is no socket"),
        ("none/socket", "No such file or directory"),
        ("names/socket", "Not a directory"),
    ],
)
def test_a_path_that_can_not_be(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "names").touch()
    with Process(
        [*TWISTD, "--port", "epoll:0:interface=127.0.0.1", "--handover", f"unix:{tmp_path / name}"]
    ) as new:
        assert why in refused(new)
