"""Sockets that systemd opens, and what it is told: how far the server is."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from twisted.logger import capturedLogs

from benchmarks.servers import free_port
from chatpair import tap
from tests.support.forks import BIN
from tests.support.replacing import TWISTD
from tests.support.server import TIMEOUT, Client, Door, Process, Server, require

DOCS = Path(__file__).parents[2] / "docs"


# Sockets


def talk(door: Door) -> None:
    """Let alice and bob talk."""
    with Client(door) as alice, Client(door) as bob:
        for client, name in ((alice, "alice"), (bob, "bob")):
            client.says(name)
            assert client.line() == "OK"
        alice.calls("bob")
        alice.says("hello")
        assert bob.line() == "You are chatting with alice."
        assert bob.text() == "hello"


def is_kept_alive(process: Process, port: int) -> bool:
    """Tell whether the kernel will probe each connection that was made to a port."""
    rows = Path(f"/proc/{process.popen.pid}/net/tcp").read_text().splitlines()[1:]
    timers = [row.split()[5] for row in rows if f":{port:04X} " in row[:24] and " 01 " in row]
    return bool(timers) and all(timer.startswith("02") for timer in timers)


@pytest.mark.parametrize(
    ("domain", "prefix"), [("INET", ""), ("INET6", ""), ("UNIX", ""), ("INET6", "haproxy:")]
)
def test_a_socket_that_systemd_opens(domain: str, prefix: str, tmp_path: Path) -> None:
    activate = require("systemd-socket-activate")
    port = free_port()
    path = str(tmp_path / "socket")
    where = {"INET": f"127.0.0.1:{port}", "INET6": f"[::]:{port}", "UNIX": path}[domain]
    listen = f"{prefix}systemd:domain={domain}:index=0"
    door = Door(path if domain == "UNIX" else port, bool(prefix))
    with Process(
        [activate, "--fdname=chat", "--listen", where, *TWISTD, "--port", listen]
    ) as process:
        process.wait_for("Listening on")
        talk(door)  # whose first connection starts the server
        if domain == "INET":
            with Client(door) as carol:
                carol.says("carol")
                assert carol.line() == "OK"
                assert is_kept_alive(process, port)
        process.stop()
        process.wait_for("is ready")


# Readiness


@contextmanager
def told(address: str) -> Iterator[socket.socket]:
    """Be who asked to be told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.bind(address.replace("@", "\0"))
        yield sock


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_a_server_tells_when_it_is_ready_and_when_it_stops(kind: str, tmp_path: Path) -> None:
    address = str(tmp_path / "notify") if kind == "path" else f"@chatpair-{os.getpid()}"
    with told(address) as sock, Server(env={**os.environ, "NOTIFY_SOCKET": address}) as server:
        assert sock.recv(100) == b"READY=1"
        server.client("alice")  # it listens
        server.stop()
        assert sock.recv(100) == b"STOPPING=1"
        assert b"Can't tell" not in server.output


def test_a_server_that_can_not_listen_says_so_in_one_line_and_is_not_ready(
    server: Server, tmp_path: Path
) -> None:
    address = str(tmp_path / "notify")
    with told(address) as sock:
        command = [*TWISTD, "--port", str(server.port)]
        with Process(command, env={**os.environ, "NOTIFY_SOCKET": address}) as process:
            assert process.wait() == 1
        assert process.output.count(b"Address already in use") == 1
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(100)


@pytest.mark.parametrize(("where", "lines"), [("", 0), ("vsock:2:1", 0), ("/nowhere", 1)])
def test_nobody_to_tell(where: str, lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", where)
    with capturedLogs() as log:
        tap._notify("READY=1")
    assert len(log) == lines


# The files in docs


def test_the_unit_files_are_what_systemd_expects(tmp_path: Path) -> None:
    analyze = require("systemd-analyze")
    for name in ("chatpair.service", "chatpair.socket"):
        text = (DOCS / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/chatpair/bin/twistd", f'"{BIN}/twistd"'))
    files = [str(tmp_path / name) for name in ("chatpair.service", "chatpair.socket")]
    done = subprocess.run(
        [analyze, "verify", "--man=no", *files], capture_output=True, text=True, timeout=TIMEOUT
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert str(tmp_path) not in done.stderr


def test_the_service_starts_what_there_is(tmp_path: Path) -> None:
    lines = (DOCS / "chatpair.service").read_text().splitlines()
    [start] = [line.partition("=")[2] for line in lines if line.startswith("ExecStart=")]
    activate = require("systemd-socket-activate")
    command = [word.replace("/opt/chatpair/bin", str(BIN)) for word in start.split()]
    port = free_port()
    options = ["--fdname=chat", f"--setenv=NOTIFY_SOCKET={tmp_path / 'notify'}"]
    options += ["--listen", f"[::]:{port}"]
    with (
        told(str(tmp_path / "notify")) as sock,
        Process([activate, *options, *command]) as process,
    ):
        process.wait_for("Listening on")
        talk(Door(port))
        assert sock.recv(100) == b"READY=1"
