"""One connection to the server: what is said on it, and what must come."""

import json
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeAlias

Event: TypeAlias = dict[str, Any]

_EVENTS = (
    "mode named resumed paired message status left held back typing free tried ringing unanswered"
    " dnd ring blocked unblocked who pong quit error"
)
KNOWN = frozenset(_EVENTS.split())
"""Events of the page; others are passed over, as a client must."""


class Broken(Exception):
    """The server did otherwise than a rule says; the text tells what was due, and what came."""


class Party:
    """A connection, which notes what goes over it in a journal; it may speak JSON."""

    def __init__(self, sock: socket.socket, who: str, journal: list[str]) -> None:
        self.who = who
        self.seen = 0
        """The last seq that came."""
        self.known = 0
        """The last id of a say of which it was told what became."""
        self._socket = sock
        self._journal = journal
        self._buffer = b""

    # What is said

    def sends(self, data: bytes) -> None:
        """Send bytes."""
        self._journal.append(f"{self.who}> {data[:200]!r}{'...' * (len(data) > 200)}")
        try:
            self._socket.sendall(data)
        except OSError as why:
            raise Broken(f"{self.who} could not send: {why}") from why

    def offers(self, data: bytes) -> int:
        """Send as much as is taken at this moment; return how many bytes that is."""
        timeout = self._socket.gettimeout()
        self._socket.setblocking(False)
        try:
            return self._socket.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError):
            return 0
        except OSError as why:
            raise Broken(f"{self.who} could not send: {why}") from why
        finally:
            self._socket.settimeout(timeout)

    def half_closes(self) -> None:
        """End the input, and listen on."""
        self._journal.append(f"{self.who} half-closes")
        self._socket.shutdown(socket.SHUT_WR)

    def closes(self) -> None:
        """Close without a word."""
        self._journal.append(f"{self.who} closes")
        self._socket.close()

    def resets(self) -> None:
        """Close with a reset, as a crash does."""
        self._journal.append(f"{self.who} resets")
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def leaves(self) -> None:
        """Be gone, with nothing held, if it is not yet."""
        with suppress(OSError):
            self._socket.settimeout(1)
            self._socket.sendall(b"Quit\r\n" + encode("quit"))
            self._socket.shutdown(socket.SHUT_WR)
        self._socket.close()

    # What comes

    def takes(self, count: int) -> bytes:
        """Return so many bytes as they come."""
        while len(self._buffer) < count:
            if not self._receive():
                raise Broken(f"{self.who}: the server closed after {self._buffer!r}")
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def _receive(self) -> bool:
        try:
            data = self._socket.recv(65_536)
        except TimeoutError:
            raise Broken(f"{self.who}: nothing came in {self._socket.gettimeout():.0f} s") from None
        except OSError as why:
            raise Broken(f"{self.who}: the connection broke: {why}") from why
        self._buffer += data
        return bool(data)

    def line(self) -> str | None:
        """Return the next line without its end, or nothing when the server has closed."""
        while b"\n" not in self._buffer:
            if not self._receive():
                if self._buffer:
                    raise Broken(f"{self.who}: the server closed in a line: {self._buffer!r}")
                self._journal.append(f"{self.who}: the server has closed")
                return None
        line, self._buffer = self._buffer.split(b"\n", 1)
        text = line.removesuffix(b"\r").decode(errors="backslashreplace")
        # Nobody's terminal is to obey a server that is tried.
        self._journal.append(
            f"{self.who}< {text[:300] if text.isprintable() else repr(text)[:300]}"
        )
        return text

    def event(self) -> Event | None:
        """Return the next event that is known, or nothing when the server has closed."""
        while (line := self.line()) is not None:
            try:
                event = json.loads(line)
                kind = event["event"]
            except (ValueError, TypeError, KeyError):
                raise Broken(f"{self.who}: an event was due, and {line[:400]!r} came") from None
            if kind in KNOWN:
                self.seen = event.get("seq", self.seen)
                return dict(event)
        return None

    def acknowledges(self) -> None:
        """Be done with all events that came."""
        self.sends(encode("ack", seq=self.seen))

    def statuses(self, last: int) -> Iterator[tuple[int, str, str | None]]:
        """Yield what became of each say up to an id, of which nothing was told before."""
        while self.known < last:
            status = self.event() or {}
            if status.get("event") != "status" or not self.known < status["id"] <= last:
                text = f"a status of {self.known + 1} to {last} was due, and {status} came"
                raise Broken(f"{self.who}: {text}")
            while self.known < status["id"]:
                self.known += 1
                yield self.known, status["status"], status.get("why")

    def is_closed(self) -> None:
        """See that the server closes, and says nothing before."""
        try:
            line = self.line()
        except Broken as why:
            if not isinstance(why.__cause__, ConnectionResetError):
                raise
        else:
            if line is not None:
                raise Broken(f"{self.who}: the end was due, and {line[:400]!r} came")


def encode(do: str, **keys: object) -> bytes:
    """Return the line that says a command."""
    return json.dumps({"do": do, **keys}, ensure_ascii=False).encode() + b"\r\n"
