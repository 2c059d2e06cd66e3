"""One connection to an engine: commands and their replies, and an end to waiting in vain."""

import os
import re
from typing import Any

import hiredis
import txredisapi
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure

_PASSING = re.compile(
    r"(?:ERR Error running script .*: -)?"  # as Redis 6.2 says what a command in a script was told
    r"(BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|OOM|READONLY|TRYAGAIN|UNBLOCKED)\b"
    r"|ERR max number of clients"
)
"""Errors that go away in time, or with no word from us."""


class EngineAway(Exception):
    """Not connected, or lost before the reply, or it can't do it now: it may be done or not."""


class EngineRefuses(Exception):
    """It can never work: a wrong password, a wrong database, an old server. Text is one line."""


class Connection(TimeoutMixin, txredisapi.RedisProtocol):  # type: ignore[misc]
    """Sends commands and returns what is answered: bytes, int, None, and lists of those.

    Whoever waits for whenDisconnected is told before those who wait for replies.
    """

    reason = ""
    """Why it has ended, or is to end, in a few words."""

    def __init__(self, clock: Any, patience: float) -> None:
        """Take the seconds after which it ends if nothing is heard while a command waits."""
        super().__init__(charset=None, convertNumbers=False)
        self.callLater = clock.callLater  # type: ignore[method-assign]  # TimeoutMixin's
        self._patience = patience

    def send(self, *arguments: bytes | str | int) -> "Deferred[Any]":
        """Send a command; the reply may be txredisapi.ResponseError, or EngineAway for none.

        An error that will pass ends the connection, and is none: the next one tells when it has.
        """
        if not self.connected:
            return fail(EngineAway("The connection to the engine has ended."))
        if not self.replyQueue.waiting:
            self.setTimeout(self._patience)
        reply: Deferred[Any] = self.execute_command(*arguments)
        return reply.addErrback(self._failed)

    def _failed(self, why: Failure) -> Failure:
        if why.check(txredisapi.ConnectionError):
            raise EngineAway("The connection to the engine was lost before the reply.") from None
        if why.check(txredisapi.ResponseError) and _PASSING.match(str(why.value)):
            self.abort(shown(why.value))
            raise EngineAway(shown(why.value)) from None
        return why

    def abort(self, why: str = "") -> None:
        """End at once, whatever waits to be written."""
        self.reason = self.reason or why
        self.transport.abortConnection()

    def timeoutConnection(self) -> None:
        """End, unless all was answered."""
        if self.replyQueue.waiting:
            self.abort("it does not answer")

    def _build_command(self, *arguments: bytes | str | int, **_: object) -> bytes:
        packed: bytes = hiredis.pack_command(arguments)  # type: ignore[arg-type]
        return packed

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        """Hand on the replies that are whole."""
        self.resetTimeout()
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self.replyReceived(reply)
        except txredisapi.InvalidData:
            self.abort("it does not speak as Redis does")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the owner, and then whoever waits for replies."""
        self.setTimeout(None)
        self.reason = self.reason or explain(reason.value)
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


def shown(why: BaseException | None) -> str:
    """Return what an engine says; an unknown command's arguments, perhaps a password, are not."""
    return " ".join(str(why).split(", with args")[0].split()).rstrip(".")
