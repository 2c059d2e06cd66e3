"""A connection of somebody who does not wait for anything."""

from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure


class Wire(LineOnlyReceiver):
    """A connection whose lines are told as they come, and that can be slow at both ends."""

    MAX_LENGTH = 2**20
    transport: Any = None

    def __init__(self, heard: Callable[[str], object], lost: Callable[[], object]) -> None:
        self.unsent = b""
        self.is_full = self._is_closed = self._is_stalled = False
        self._heard = heard
        self._lost = lost

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        self.flush()
        if self._is_closed:
            self.close()

    def lineReceived(self, line: bytes) -> None:
        self._heard(line.decode())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost()

    def pauseProducing(self) -> None:
        self.is_full = True

    def resumeProducing(self) -> None:
        self.is_full = False

    def stopProducing(self) -> None:
        """Know nothing of it yet: it will be told that the connection is lost."""

    def send(self, data: bytes, first: int | None = None) -> None:
        """Send bytes, or only some of them first and the others a moment later."""
        held_back = bool(self.unsent)
        self.unsent += data
        if not held_back:
            self.flush(first)

    def flush(self, count: int | None = None) -> None:
        """Send what was held back, or some of it."""
        if self.transport is not None:
            data = self.unsent if count is None else self.unsent[:count]
            self.unsent = self.unsent[len(data) :]
            self.transport.write(data)

    def stall(self, on: bool) -> None:
        """Read no more, or again."""
        if on != self._is_stalled and self.transport is not None:
            self._is_stalled = on
            if on:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    def half_close(self) -> None:
        """Send no more."""
        self.transport.loseWriteConnection()

    def close(self, reset: bool = False) -> None:
        """Close; what comes from now on is not heard."""
        self._is_closed = True
        self._heard, self._lost = str, bool  # which do nothing
        if self.transport is not None:
            self.transport.unregisterProducer()
            lose, abort = self.transport.loseConnection, self.transport.abortConnection
            abort() if reset or self.is_full else lose()
