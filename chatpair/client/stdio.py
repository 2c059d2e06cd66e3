"""A conversation on standard input and output."""

import sys
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from chatpair.text import clean


class Speaker(Protocol):
    """Whoever lines of standard input are for."""

    def typed(self, line: str) -> None:
        """Take a line."""

    def input_ended(self) -> None:
        """Quit, once what the user has said is said."""

    def interrupt(self) -> None:
        """Quit, or if that has been said already, end at once."""

    def fail(self, problem: str) -> None:
        """Quit because of a problem."""


@implementer(IHalfCloseableProtocol)
class StandardScreen(LineReceiver):
    """Passes lines of standard input on, and shows what comes of them.

    What the peer says goes to standard output. So does the rest on a terminal; with a pipe for
    input the rest goes to standard error.
    """

    delimiter = b"\n"
    MAX_LENGTH = 2**20
    transport: Any
    speaker: Speaker

    def __init__(self, *, from_pipe: bool) -> None:
        self._from_pipe = from_pipe
        self._wanted = False
        self._full = False
        self.closed: Deferred[None] = Deferred()
        """Fires when all output is out, or nobody will take it."""

    # Screen

    def show(self, text: str) -> None:
        """Show a line that the peer said."""
        self.transport.write(text.encode() + b"\n")

    def notice(self, text: str) -> None:
        """Show a line about the conversation."""
        if not self._from_pipe:
            self.show(text)
        elif sys.stderr is not None:
            with suppress(OSError):  # what is said matters more than what is told of it
                print(text, file=sys.stderr, flush=True)

    def ask_name(self) -> None:
        """Ask for a name, where somebody sees the question."""
        if not self._from_pipe:
            self.transport.write(b"Your name: ")

    def take_lines(self, wanted: bool) -> None:
        """Read on, or wait until lines are wanted."""
        self._wanted = wanted
        self._flow()

    # The producer of what goes to the server

    def pauseProducing(self) -> None:
        """Wait until the server has taken what it was sent."""
        self._full = True
        self._flow()

    def resumeProducing(self) -> None:
        """Read on if lines are wanted."""
        self._full = False
        self._flow()

    def stopProducing(self) -> None:
        """Do nothing: the speaker ends with its connection, and says why."""

    def _flow(self) -> None:
        wait = self._full or not self._wanted
        if wait != self.paused:
            self.paused = wait
            if wait:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()
                self.dataReceived(b"")

    # Standard input and output

    def connectionMade(self) -> None:
        """Wait until lines are wanted."""
        self._flow()

    def lineReceived(self, line: bytes) -> None:
        """Pass a line on."""
        self.speaker.typed(clean(line))

    def readConnectionLost(self) -> None:
        """Pass on the end of input, and a last line that had none."""
        rest = self.clearLineBuffer()
        if rest:
            self.lineReceived(rest)
        self.speaker.input_ended()

    def lineLengthExceeded(self, line: bytes) -> None:
        """Give up: no server takes such a line."""
        self.speaker.fail(f"A line has over {self.MAX_LENGTH} bytes.")

    def writeConnectionLost(self) -> None:
        """Wait for no more output; the speaker has been told, as its producer."""
        self.give_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note that all output is out."""
        self.give_up()

    def give_up(self) -> None:
        """Wait for no more output to be taken."""
        if not self.closed.called:
            self.closed.callback(None)
