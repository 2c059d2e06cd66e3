"""The client as a process of its own: between pipes, or on a terminal."""

import os
import select
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import IO, Any, Self

from chatpair.codecs import json
from chatpair.exchange.messages import Acknowledge, JsonEvent, Named, StartTyping
from tests.support.forks import BIN
from tests.support.played import Stage, parsed
from tests.support.server import TIMEOUT, Client, Process, Server
from tests.support.steps import event, written

COMMAND = [str(BIN / "chatpair")]
MODULE = [sys.executable, "-m", "chatpair.client"]
TO_BOB = ["--name", "alice", "--to", "bob"]
WELCOME = "Welcome, alice."
PAIRED = "You are chatting with bob."
CALLED = "You are chatting with alice."
MIB = 2**20


class Piped(Process):
    """The client between pipes, its standard error apart."""

    may_fork = True

    def __init__(self, *arguments: str, command: list[str] = COMMAND, **options: object) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(TIMEOUT)
        with ours, theirs:
            self._errors = ours.makefile("rb")
            super().__init__([*command, *arguments], stderr=theirs, **options)

    def notice(self) -> str:
        """Return the next line of standard error, or nothing at its end."""
        return self._errors.readline().decode().removesuffix("\n")

    def notices(self) -> list[str]:
        """Return all further lines of standard error."""
        return self._errors.read().decode().splitlines()

    def ends(self, status: int, *notices: str) -> None:
        """Wait for the end; see its status, and the last lines of standard error."""
        assert (self.wait(), self.notices()) == (status, [*notices])

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self._errors.close()


@contextmanager
def to_bob(server: Server, *options: str) -> Iterator[tuple[Piped, Client]]:
    """Start alice's client between pipes, and let it call bob, who has none."""
    bob = server.client("bob")
    with Piped(*at(server, *TO_BOB, *options)) as alice:
        assert [alice.notice(), alice.notice()] == [WELCOME, PAIRED]
        assert bob.line() == "You are chatting with alice."
        yield alice, bob


@contextmanager
def two(
    server: Server, *of_bob: str, of_alice: Sequence[str] = (), **of_process: Any
) -> Iterator[tuple[Piped, Piped]]:
    """Start bob's client between pipes, and alice's, who calls him; he has yet to read of that."""
    with Piped(*at(server, "--name", "bob", *of_bob), **of_process) as bob:
        assert bob.notice() == "Welcome, bob."
        with Piped(*at(server, *TO_BOB, *of_alice)) as alice:
            assert [alice.notice(), alice.notice()] == [WELCOME, PAIRED]
            yield alice, bob


def fill(client: Piped) -> list[str]:
    """Write lines until a client reads no more of them, however often one looks; return those."""
    lines: list[str] = []
    looks = 0
    while looks < 50:
        looks = looks + 1 if is_full(client.popen.stdin) and sleeps(client.popen) else 0
        if not is_full(client.popen.stdin):
            lines.append(f"{len(lines)} {'x' * 1_000}")
            client.write(lines[-1].encode() + b"\n")
            assert len(lines) < 4_000, "a client takes 4 MB that nobody reads"
    return lines


def at(server: Server, *options: str) -> list[str]:
    """Return the arguments that lead to a server."""
    return ["--port", str(server.port), *options]


def sleeps(process: Any) -> bool:
    """Tell whether a process waits for something to happen."""
    status = Path(f"/proc/{process.pid}/stat").read_text()
    return status.rpartition(")")[2].split()[0] == "S"


def spins_until(condition: Callable[[], bool]) -> None:
    """Look again and again, where nothing tells of a change; ends with the test at the latest."""
    latest = monotonic() + TIMEOUT
    while not condition():
        assert monotonic() < latest
        os.sched_yield()


def is_full(pipe: IO[bytes] | socket.socket) -> bool:
    """Tell whether a write would block at this moment."""
    return not select.select([], [pipe], [], 0)[1]


class Unread(Piped):
    """A client whose standard output nobody reads yet."""

    def _read(self) -> None:
        pass


class Host:
    """A server that says what a test wants, to one client, in the words of tests.support.steps."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self._listening.settimeout(TIMEOUT)
        self.port = self._listening.getsockname()[1]
        self._client = ExitStack()
        self._counts = Stage()
        self.address = ["127.0.0.1", "--port", str(self.port)]

    def takes(self, first: str) -> None:
        """Take a connection, and the line that must come first."""
        self._client.close()
        self.socket = self._client.enter_context(self._listening.accept()[0])
        self.socket.settimeout(TIMEOUT)
        self._lines = self._client.enter_context(self.socket.makefile("rb"))
        assert self.line() == first.encode() + b"\r\n"

    def accepts_json(self, name: str) -> None:
        """Take a connection that speaks JSON, and the name that must come first."""
        self.takes("Mode:json")
        self.tells("mode(json, 1, 60)")
        assert self.hears() == f"name({name})"
        self.tells(f"named({name}, key)")

    def hears(self) -> str:
        """Return the next command that a user gives: none of those that a client adds."""
        while isinstance(command := parsed(self.line()), Acknowledge | StartTyping):
            pass
        return written(command)

    def tells(self, *events: str | JsonEvent) -> None:
        """Send events, which are counted from the name on."""
        for one in events:
            told = event(one) if isinstance(one, str) else one
            is_counted = self._counts.seq or isinstance(told, Named)
            told = self._counts.counted(told) if is_counted else told
            self.socket.sendall(json.render(told))

    def line(self) -> bytes:
        """Return the next line with its end, or nothing at the end."""
        return self._lines.readline()

    def says(self, *lines: str) -> None:
        """Send lines."""
        self.socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def is_awaited(self) -> bool:
        """Tell whether somebody waits for an answer to a first packet."""
        states = [line.split()[2:4] for line in Path("/proc/net/tcp").read_text().splitlines()]
        return [f"0100007F:{self.port:04X}", "02"] in states

    def hangs_up(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        self._client.close()
