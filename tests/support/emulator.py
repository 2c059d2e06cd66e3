"""The client on a terminal: what its user sees."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyte

from tests.support.clients import COMMAND, Host, at, spins_until
from tests.support.server import TIMEOUT, Client, Process, Server

TIME = re.compile(r"^(\d{4}-\d\d-\d\d )?\d\d:\d\d\b")
STAMP = re.compile(r"^\[\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}\] ")

HEART, WIDE_HEART = "\u2764\ufe0f", "\U0001f497"
"""A heart that many terminals find as wide as an ideograph, and how this one draws it."""


def status(*parts: str) -> str:
    """Return the line that tells how things stand."""
    return f" {' | '.join(parts)}"


class OnTerminal(Process):
    """A program on a terminal of its own.

    It has a time zone of its own, nine hours east of Greenwich, and an empty folder of settings.
    """

    may_fork = True

    def __init__(
        self,
        *command: str,
        rows: int = 24,
        columns: int = 100,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._master, self._line = pty.openpty()
        self.resize(rows, columns)
        self._wake, self._woken = os.pipe()
        self._settings = TemporaryDirectory()
        self._modes = termios.tcgetattr(self._line)
        odd = ("NO_COLOR", "PYTHONUNBUFFERED")  # few have these
        usual = {name: value for name, value in os.environ.items() if name not in odd}
        own = {"TERM": "xterm-256color", "TZ": "JST-9", "XDG_CONFIG_HOME": self._settings.name}
        super().__init__(
            command,
            **dict.fromkeys(("stdin", "stdout", "stderr"), self._line),
            has_terminal=True,
            env={**usual, **own, **(env or {})},
        )

    def _receive(self) -> bytes:
        # Who closes what another thread reads from closes nothing until there is data.
        if self._wake in select.select([self._master, self._wake], [], [])[0]:
            return b""
        return os.read(self._master, 65_536)

    def _read(self) -> None:
        super()._read()
        os.close(self._master)

    def types(self, text: str) -> None:
        """Type text; a control character is a key such as Ctrl-C, and a return that of Enter."""
        self.types_bytes(text.encode())

    def types_bytes(self, data: bytes) -> None:
        """Type what may be no text."""
        while data:
            data = data[os.write(self._master, data) :]

    def types_apart(self, text: str) -> None:
        """Type ASCII text, and wait until it was read, so that what is typed next comes alone."""
        before = self._count_read()
        self.types(text)
        spins_until(lambda: self._count_read() >= before + len(text))

    def _count_read(self) -> int:
        return int(Path(f"/proc/{self.popen.pid}/io").read_text().split()[1])

    def resize(self, rows: int, columns: int) -> None:
        """Make the window another size; the kernel tells whoever is in the foreground."""
        fcntl.ioctl(self._line, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def closes_window(self) -> None:
        """Close the window without a word."""
        os.write(self._woken, b"!")
        self._reader.join(TIMEOUT)

    @property
    def echoes(self) -> bool:
        """Whether the terminal itself shows what is typed."""
        return bool(termios.tcgetattr(self._line)[3] & termios.ECHO)

    @property
    def blocks(self) -> bool:
        """Whether whoever reads from the terminal waits for input, as a shell needs it."""
        return not fcntl.fcntl(self._line, fcntl.F_GETFL) & os.O_NONBLOCK

    def ends(self, status: int) -> None:
        """Wait for the end; see its status, and the terminal as it was before."""
        assert self.popen.wait(TIMEOUT) == status
        assert termios.tcgetattr(self._line) == self._modes
        assert self.blocks
        self.wait()

    def wait(self) -> int:
        """Wait for the end; return the exit status, or minus the signal."""
        status: int = self.popen.wait(TIMEOUT)
        if self._line >= 0:
            os.close(self._line)
            self._line = -1
        self._reader.join(TIMEOUT)
        return status

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        for descriptor in (self._wake, self._woken):
            os.close(descriptor)
        self._settings.cleanup()


class Emulator(OnTerminal):
    """A program, the client by default, on a terminal of a certain size that is looked at."""

    def __init__(
        self,
        *arguments: str,
        command: Sequence[str] = COMMAND,
        rows: int = 24,
        columns: int = 100,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._screen = pyte.HistoryScreen(columns, rows, history=10_000)
        self._stream = pyte.ByteStream(self._screen)
        super().__init__(*command, *arguments, rows=rows, columns=columns, env=env)

    def _take(self, data: bytes) -> None:
        super()._take(data)
        data = data.replace(HEART.encode(), WIDE_HEART.encode())
        for invisible in "\u200d", "\ufe0f":  # the emulator would draw nothing after them
            data = data.replace(invisible.encode(), b"")
        self._stream.feed(data)

    def pastes(self, text: str) -> None:
        """Paste text, as a terminal tells it to a program that asked to know."""
        self.types(f"\x1b[200~{text}\x1b[201~")

    def resize(self, rows: int, columns: int) -> None:
        """Make the window another size, and what is seen of it."""
        self._screen.resize(rows, columns)
        super().resize(rows, columns)

    # What is seen

    def lines(self) -> list[str]:
        """Return all lines on the screen and above it, without spaces and blank lines at ends."""
        above = [
            "".join(line[column].data for column in range(self._screen.columns))
            for line in self._screen.history.top
        ]
        return (
            "\n".join(line.rstrip() for line in [*above, *self._screen.display])
            .rstrip()
            .split("\n")
        )

    def waits_until(self, looks: Callable[[list[str]], bool]) -> list[str]:
        """Wait until the lines are as they should be, and as many; return them."""

        def look() -> bool:
            with suppress(IndexError):
                return looks(self.lines()) or self._ended
            return self._ended

        with self._changed:
            self._changed.wait_for(look, TIMEOUT)
            seen = self.lines()
            assert looks(seen), "\n".join(["The screen is:", *seen])
            return seen

    def waits_for_line(self, end: str) -> list[str]:
        """Wait until a line ends so; return all lines."""
        return self.waits_until(lambda lines: any(line.endswith(end) for line in lines))

    def shows_last(self, *lines: str, column: int | None = None) -> None:
        """Wait until these are the last lines; and the cursor in a column."""
        self.shows(*lines, column=column, start=-len(lines))

    def shows(self, *lines: str, column: int | None = None, start: int = 0) -> None:
        """Wait until these are all lines, from one on, and the cursor in a column.

        Times are HH:MM, and the long ones of a plain terminal left out.
        """

        def seen() -> tuple[list[str], int | None]:
            now = [STAMP.sub("", TIME.sub("HH:MM", line)) for line in self.lines()[start:]]
            return now, None if column is None else self._screen.cursor.x

        wanted = [*lines], column
        with self._changed:
            self._changed.wait_for(lambda: seen() == wanted or self._ended, TIMEOUT)
            assert seen() == wanted, "\n".join(["The screen is:", *self.lines()])

    def ends(self, status: int) -> None:
        """Wait for the end; see its status, and the terminal as it was before."""
        super().ends(status)
        assert b"\x1b[?2004h" not in self.output.rpartition(b"\x1b[?2004l")[2]
        assert not self._screen.cursor.hidden


WELCOME = "HH:MM * Welcome, alice."
PAIRED = "HH:MM * You are chatting with bob."
ALONE = status("alice", "with nobody", "connected")
WITH_BOB = status("alice", "with bob", "connected")


@contextmanager
def pair(server: Server, *options: str, **settings: Any) -> Iterator[tuple[Emulator, Client]]:
    """Start alice's client, and let bob call her by hand."""
    with Emulator(*at(server, "--name", "alice", *options), **settings) as alice:
        alice.shows(WELCOME, ALONE, ">", column=2)
        bob = server.client("bob")
        bob.calls("alice")
        alice.shows(WELCOME, PAIRED, WITH_BOB, ">", column=2)
        yield alice, bob


@contextmanager
def played() -> Iterator[tuple[Emulator, Host]]:
    """Start alice's client with a server that says what the test wants; she is with bob."""
    with Host() as host, Emulator(*host.address, "--name", "alice") as alice:
        host.accepts_json("alice")
        host.tells("paired(bob)")
        alice.shows(WELCOME, PAIRED, WITH_BOB, ">")
        yield alice, host
