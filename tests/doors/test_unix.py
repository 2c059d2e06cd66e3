"""The socket file of a server on unix:, and what becomes of it."""

import os
import signal
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from stat import S_IMODE, S_ISSOCK

import pytest

from chatpair.doors.unix import remove_stale
from tests.support.replacing import TWISTD
from tests.support.server import Process, Server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the server's socket is."""
    return tmp_path / "chatpair.sock"


def fails(path: Path) -> None:
    """Start a server that must refuse to."""
    with Process([*TWISTD, "--port", f"unix:{path}"]) as it:
        assert it.wait() == 1
        assert b"Couldn't listen on" in it.output


def serves(path: Path, options: str = "") -> None:
    """Start a server, which must not mind what is there, and stop it."""
    with Server(port=f"unix:{path}:mode=660{options}") as server:
        assert S_IMODE(path.stat().st_mode) == 0o660
        server.client("alice")
        server.stop()
    assert not path.exists()


@pytest.mark.parametrize("number_is_taken", [False, True])
def test_a_socket_in_use_is_left_alone_until_its_server_is_killed(
    path: Path, number_is_taken: bool
) -> None:
    """Another process may have the killed server's number by then."""
    with Server(port=f"unix:{path}") as server:
        fails(path)
        server.client("alice")
        server.kill(signal.SIGKILL)
        server.wait()
    assert S_ISSOCK(path.stat().st_mode)
    if number_is_taken:
        lock = path.with_name("chatpair.sock.lock")
        lock.unlink()
        lock.symlink_to(str(os.getpid()))
    serves(path)


@pytest.mark.parametrize("options", ["", ":lockfile=0"])
def test_a_stale_socket_without_a_lock(path: Path, options: str) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    serves(path, options)


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    fails(path)
    assert path.read_text() == "precious"


def test_neither_a_server_that_is_stopped_nor_nothing_is_waited_for(path: Path) -> None:
    assert not remove_stale(path)
    with ExitStack() as sockets:
        stopped, *callers = (sockets.enter_context(socket.socket(socket.AF_UNIX)) for _ in "abc")
        stopped.bind(str(path))
        stopped.listen(0)
        for caller in callers:
            caller.setblocking(False)
            with suppress(BlockingIOError):
                caller.connect(str(path))
        assert not remove_stale(path)
