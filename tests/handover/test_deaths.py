"""Whoever takes over waits until a server that dies has ended, and asks whoever serves by then."""

import sys
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.servers import free_port
from chatpair.handover import passing
from chatpair.handover.passing import Refused
from tests.support.clients import spins_until
from tests.support.replacing import TWISTD, Replaced
from tests.support.server import Client, Process

DIES = """
import socket, sys
path, port = sys.argv[1:]
listening = socket.socket(socket.AF_UNIX)
listening.bind(path)
listening.listen()
serving = socket.create_server(("127.0.0.1", int(port)))
print("listens", flush=True)
asked, _ = listening.accept()
asked.recv(1)
listening.close()
asked.close()
sys.stdin.read()
"""
"""A server that is killed when another one asks: its files are closed one after the other."""


def dying(path: Path, port: int) -> Process:
    """Start such a server, which lasts until its input is closed."""
    process = Process([sys.executable, "-c", DIES, str(path), str(port)])
    process.wait_for("listens")
    return process


def waits_for_an_end(process: Process) -> bool:
    """Tell whether a process waits for the end of another one, or has ended itself."""
    for file in Path(f"/proc/{process.popen.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it is closed by now
            if str(file.readlink()) == "anon_inode:[pidfd]":
                return True
    return process.popen.poll() is not None


def test_the_ports_of_one_that_dies_are_waited_for(tmp_path: Path) -> None:
    port = free_port()
    path = tmp_path / "socket"
    with (
        dying(path, port) as old,
        Process([*TWISTD, "--port", f"epoll:{port}", "--handover", f"unix:{path}"]) as new,
    ):
        spins_until(lambda: waits_for_an_end(new))
        old.close_input()
        new.wait_for("is ready")
        with Client(port) as alice:
            alice.says("alice")
            assert alice.line() == "OK"


def test_one_that_gives_nothing_and_lives_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "TIMEOUT", 0.1)
    path = tmp_path / "socket"
    with (
        dying(path, free_port()) as old,
        pytest.raises(Refused, match=f"process {old.popen.pid} gives nothing, and does not end"),
    ):
        passing.ask(path)


def test_two_that_take_over_at_once_serve_one_after_the_other(tmp_path: Path) -> None:
    port = free_port()
    with Replaced(tmp_path, port=f"epoll:{port}") as replaced:
        alice, bob = replaced.server.pair()
        with replaced.starting() as one, replaced.starting() as other:
            assert replaced.server.wait() == 0
            both = (one, other)
            spins_until(lambda: any(new.popen.poll() is not None for new in both))
            (first,) = [new for new in both if new.popen.poll() is not None]
            (last,) = [new for new in both if new is not first]
            last.wait_for("Took over 2 users")
            alice.tells(bob, "still here?")
            assert first.wait() == 0, first.output
