"""One connection to an engine: commands and their replies, and an end to waiting in vain."""

import os
from typing import Any

import hiredis
import txredisapi
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure


class EngineAway(Exception):
    """Not connected, or lost before the reply: whether it was done is unknown."""


class EngineRefuses(Exception):
    """It can never work: a wrong password, a wrong database, an old server. Text is one line."""


class Connection(txredisapi.RedisProtocol):  # type: ignore[misc]
    """Sends commands and returns what is answered: bytes, int, None, and lists of those.

    When nothing is heard for so many seconds while a command waits, it is aborted.
    """

    def __init__(self, clock: Any, patience: float) -> None:
        super().__init__(charset=None, convertNumbers=False)
        self.ended: Deferred[None] = Deferred()
        """Fires when it has ended, before what waits for replies is told."""
        self.reason: str | None = None
        """Why it has ended, in a few words."""
        self._clock = clock
        self._patience = patience
        self._heard = 0.0  # when the last bytes came, or the first command that waits was sent
        self._timer: IDelayedCall | None = None
        self._why_aborted = ""

    def send(self, *arguments: bytes | str | int) -> "Deferred[Any]":
        """Send a command; the reply may be txredisapi.ResponseError, or EngineAway for none."""
        if not self.is_open:
            return fail(EngineAway("The connection to the engine has ended."))
        if not self.replyQueue.waiting:
            self._heard = self._clock.seconds()
            if self._timer is None:
                self._timer = self._clock.callLater(self._patience, self._look)
        reply: Deferred[Any] = self.execute_command(*arguments)
        return reply.addErrback(_away)

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent."""
        return bool(self.connected) and self.reason is None

    def abort(self, why: str = "") -> None:
        """End at once, whatever waits to be written."""
        self._why_aborted = self._why_aborted or why
        self.transport.abortConnection()

    def close(self) -> None:
        """End when what was sent before is written, or nothing more is heard."""
        self.transport.loseConnection()

    def _look(self) -> None:
        self._timer = None
        if not self.replyQueue.waiting:
            return
        left = self._heard + self._patience - self._clock.seconds()
        if left > 0:
            self._timer = self._clock.callLater(left, self._look)
        else:
            self.abort("it does not answer")

    def _build_command(self, *arguments: bytes | str | int, **_: object) -> bytes:
        packed: bytes = hiredis.pack_command(arguments)  # type: ignore[arg-type]
        return packed

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        """Hand on the replies that are whole."""
        self._heard = self._clock.seconds()
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self.replyReceived(reply)
        except txredisapi.InvalidData:
            self.abort("it does not speak as Redis does")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the owner, and then whoever waits for replies."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.reason = self._why_aborted or explain(reason.value)
        self.ended.callback(None)
        super().connectionLost(reason)


def explain(why: BaseException | None) -> str:
    """Return what Twisted, the system or OpenSSL says about the end of a connection, in a line."""
    if isinstance(why, ConnectionDone):
        return "it closed the connection"
    if type(why).__name__ == "VerificationError":
        return "its certificate is not for that host"
    if why is not None and why.args and isinstance(why.args[0], list):  # OpenSSL's
        return "TLS: " + "; ".join(str(error[-1]) for error in why.args[0])
    number = getattr(why, "osError", None)  # Twisted's own text says it twice
    if isinstance(number, int):
        return os.strerror(number)
    return " ".join(str(why).split()).rstrip(".") or type(why).__name__


def _away(why: Failure) -> None:
    why.trap(txredisapi.ConnectionError)
    raise EngineAway("The connection to the engine was lost before the reply.") from None
