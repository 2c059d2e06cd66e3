"""Many connections in one thread, each of which tells its lines as they come."""

import selectors
import socket
from collections.abc import Callable
from contextlib import suppress


class Wire:
    """A connection whose lines are told as they come; nothing waits."""

    def __init__(self, selector: selectors.BaseSelector, port: int, source: str) -> None:
        self.out = b""
        self.stalled = self.held_back = False  # reading; writing, for a moment
        self._selector = selector
        self._unread = b""
        self._socket = socket.socket()
        self._socket.bind((source, 0))
        self._socket.setblocking(False)
        self._socket.connect_ex(("127.0.0.1", port))
        self.heard: Callable[[str], object]
        self.lost: Callable[[], object]
        selector.register(self._socket, selectors.EVENT_READ, self)

    def send(self, data: bytes, first: int | None = None) -> None:
        """Send bytes, or only some of them first and the others a moment later."""
        self.out += data
        if first is None:
            self.flush()
        else:
            self.flush(min(first, len(self.out)))
            self.held_back = True

    def flush(self, count: int | None = None) -> None:
        """Send what can be sent."""
        if self.held_back or not self.out:
            return
        with suppress(OSError):  # who lost it hears so when reading
            self.out = self.out[self._socket.send(self.out[:count]) :]

    def ready(self) -> None:
        """Read what is there."""
        try:
            data = self._socket.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            self.lost()
            return
        *lines, self._unread = (self._unread + data).split(b"\r\n")
        for line in lines:
            self.heard(line.decode())

    def stall(self, on: bool) -> None:
        """Read no more, or again."""
        if on != self.stalled and self._socket.fileno() >= 0:
            self.stalled = on
            if on:
                self._selector.unregister(self._socket)
            else:
                self._selector.register(self._socket, selectors.EVENT_READ, self)

    def half_close(self) -> None:
        """Send no more."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self, reset: bool = False) -> None:
        """Close; what comes from now on is not heard."""
        self.stall(True)
        if reset and self._socket.fileno() >= 0:
            linger = b"\1\0\0\0\0\0\0\0"
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._socket.close()
        self.out = b""
