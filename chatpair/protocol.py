"""One connection: what a line means in each state, flow control, and how it ends."""

from __future__ import annotations

import re
from collections.abc import Callable

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IPushProducer,
    ISSLTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure
from zope.interface import implementer

from chatpair.codecs import plain
from chatpair.factory import NOBODY, UNNAMED_SECONDS, ChatFactory
from chatpair.framing import CHUNK, SHORT_CHUNK, TextLineReceiver
from chatpair.liveness import Watch, set_options, socket_of
from chatpair.messages import (
    AskHelp,
    AskWho,
    Call,
    Claim,
    Command,
    Ending,
    Error,
    Event,
    Goodbye,
    HangUp,
    Help,
    Message,
    Named,
    NoSuchCommand,
    Notice,
    Quit,
    Say,
)
from chatpair.names import LENGTHS
from chatpair.text import clean, is_clean
from chatpair.user import User

CLOSING_SECONDS = 1.0
"""How long what a client still sends is read after the last answer."""

FLUSHING_SECONDS = 300.0
"""How long a client may take to read what it was told before."""

DRAINED_LINES = 2_000
"""Lines that are still handled, and need memory, when nothing can wait any longer."""

_HTTP_REQUEST = re.compile(r"[A-Z]+ \S+ HTTP/[0-9]")

_NO_TLS = Notice("This port talks plain text, not TLS.")
_NO_HTTP = Notice("This is not a web server: talk to it with telnet, nc or the chatpair client.")
_FULL = Notice("The server is full.")
_CROWDED = Notice("There are too many connections from your address.")
_TOO_SLOW = Notice(f"No name came within {UNNAMED_SECONDS:.0f} seconds.")
_LISTENING = Notice("Listening.")
_STOPPING = Notice("The server is stopping.")


@implementer(IPushProducer)
class _Backpressure:
    """Makes whoever fills a connection's transport wait until it is empty.

    Registered with the transport in the connection's place: a transport that is lost tells its
    producer to stop, and a protocol told so would close a connection that is not at fault.
    """

    __slots__ = ("_protocol",)

    def __init__(self, protocol: ChatProtocol) -> None:
        self._protocol = protocol

    def pauseProducing(self) -> None:
        self._protocol.filled(True)

    def resumeProducing(self) -> None:
        self._protocol.filled(False)

    def stopProducing(self) -> None:
        pass


@implementer(IHalfCloseableProtocol)
class ChatProtocol(TextLineReceiver, TimeoutMixin):
    """Somebody at the other end, who is unnamed, idle or paired: a line handler for each."""

    factory: ChatFactory
    full = False
    user: User | None = None
    _peer: User | None = None
    _input_ended = False
    _flushed = False  # and the kernel has it
    _lost = False
    _command_waits = False  # until what was told before is taken
    _draining = False  # the connection is lost, or the server stops
    _why_lost = ""

    # The transport's side

    def connectionMade(self) -> None:
        """Let in whoever connects, or say why not."""
        self.MAX_LENGTH = self.factory.max_line
        self.max_chunk = min(CHUNK, self.MAX_LENGTH + 1)
        self.short_chunk = min(SHORT_CHUNK, self.MAX_LENGTH + 1)
        self._handle_line = self._unnamed
        self._host = getattr(self.transport.getPeer(), "host", None)
        sock = socket_of(self.transport)
        if sock is not None:
            set_options(sock)
        factory = self.factory
        self._watch = Watch(factory.clock, factory.delivery_checks, sock, self._vanished)
        self.transport.registerProducer(_Backpressure(self), True)
        if not factory.connected(self, self._host):
            self._refuse(_CROWDED, "too many from one host")
        elif factory.is_full():
            self._refuse(_FULL, "full")
        else:
            factory.unnamed.start(self)

    def handshakeReceived(self) -> None:
        """Refuse a client that begins with TLS."""
        self._refuse(_NO_TLS, "TLS")

    def lineReceived(self, line: bytes) -> bool:
        """Hand a line to the handler of the present state; return whether it must wait."""
        return self._handle_line(clean(line))

    def linesReceived(self, lines: bytes) -> bool:
        """Pass lines on as one if all are text for the peer; return whether they are."""
        if not is_clean(lines):
            lines = lines.replace(b"\r\n", b"\n")
            if not is_clean(lines):
                return False
        if not plain.only_says(lines):
            return False
        assert self.user is not None
        assert self._peer is not None
        self._peer.connection.tell_lines(self.user.name.text, lines)
        return True

    def turnEnded(self) -> None:
        """Let others have their turns, and go on with the lines that are left."""
        if not self._draining:
            self.pauseProducing()
            self.factory.clock.callLater(0, self._resume)

    def interruptReceived(self) -> None:
        """Take Ctrl-C in a telnet for Quit."""
        self._quit()

    def lineLengthExceeded(self, line: bytes) -> None:
        """Tell the sender that a line was too long; it is dropped, and the connection stays."""
        self.tell(
            Error("bad-name", LENGTHS)
            if self.user is None
            else Error("too-long", f"That line was not sent: it has over {self.MAX_LENGTH} bytes.")
        )

    def readConnectionLost(self) -> None:
        """Take the end of input for "I have said all; I still listen"."""
        self._input_ended = True
        self.paused = False
        self.end_of_input()
        if self.closing:
            self.transport.loseConnection()
        elif self._peer is not None:
            self.tell(_LISTENING)
            self.setTimeout(self.factory.linger)
            self._watch.input_ended()
        else:
            self._close("lost", "closed")

    def writeConnectionLost(self) -> None:
        """Wait a little for the client to close as well: all answers are on their way."""
        self._flushed = True
        if self._input_ended:
            self.transport.loseConnection()
        else:
            self.setTimeout(CLOSING_SECONDS)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Handle the lines that flow control kept, and leave."""
        self._lost = True
        self.setTimeout(None)
        self.factory.unnamed.stop(self)
        self._watch.stop()
        self.drain()
        closed = "closed" if isinstance(reason.value, ConnectionDone) else "reset"
        self._leave("lost", self._why_lost or closed)
        self.factory.disconnected(self, self._host)
        del self._handle_line, self._watch  # which hold this: else it is a cycle to collect

    # The states: each handles a line, and the present one's handler is bound

    def _unnamed(self, text: str) -> bool:
        command = plain.parse_unnamed(text)
        if _HTTP_REQUEST.match(text):
            self._refuse(_NO_HTTP, "HTTP")
        elif isinstance(command, Claim):
            self._claim(command.name)
        else:
            self._obey(command)
        return False

    def _idle(self, text: str) -> bool:
        command = plain.parse(text)
        if isinstance(command, Say):
            self.tell(NOBODY)
        else:
            self._obey(command)
        return False

    def _paired(self, text: str) -> bool:
        command = plain.parse(text)
        if isinstance(command, Say):
            self.factory.say(self._me, command.text)
            return False
        # Whoever does not read may go on speaking, but asks for no more answers.
        waits = self.full and not isinstance(command, Quit) and not self._draining
        if waits and self._input_ended:  # nothing can wait any more
            if isinstance(command, Call | HangUp):
                self._obey(command)
            return False
        self._command_waits = waits
        if waits:
            self.flow_changed()
            return True
        self._obey(command)
        return False

    @property
    def _me(self) -> User:
        assert self.user is not None
        return self.user

    def _obey(self, command: Command) -> None:
        self.turn = 0  # it may cost as much as many lines
        if self._draining and not isinstance(command, Quit):
            return  # nobody waits for the answer
        match command:
            case Call(name):
                self.factory.call(self._me, name)
            case HangUp():
                self.factory.hang_up(self._me)
            case AskWho():
                self.tell(self.factory.who())
            case AskHelp():
                self.tell(Help())
            case Quit():
                self._quit()
            case NoSuchCommand(word):
                self.tell(
                    Notice(f"No such command: {word}. Type /help, or put a space first to say it.")
                )

    def _claim(self, name: str) -> None:
        self.turn = 0
        if self._draining:
            return
        if self.factory.is_full():
            self._refuse(_FULL, "full")
            return
        answer = self.factory.claim(name, self)
        if isinstance(answer, Error):
            self.tell(answer)
        else:
            self.user = answer
            self.factory.unnamed.stop(self)
            self._handle_line = self._idle
            self.tell(Named(self.factory.motd))

    # The user's side

    def tell(self, event: Event) -> None:
        """Write an event, and see to it that a silent end is noticed."""
        if self.closing or self._lost:
            return
        self.transport.write(plain.render(event))
        self._watch.told()
        if self._input_ended and isinstance(event, Message):
            self.resetTimeout()

    def tell_lines(self, sender: str, lines: bytes) -> None:
        """Write many lines of the peer's at once."""
        if self.closing or self._lost:
            return
        self.transport.write(plain.render_messages(sender, lines, self.factory.clock.seconds()))
        self._watch.told()
        if self._input_ended:
            self.resetTimeout()

    def pair_changed(self) -> None:
        """Bind the handler of the new state."""
        if self.user is None or self.closing:
            return
        self._peer = self.factory.peer_of(self.user)
        self._handle_line = self._idle if self._peer is None else self._paired
        self.takes_chunks = self._peer is not None and not self._draining
        if self._input_ended and self._peer is None:
            self._close("lost", "closed")
        else:
            self.flow_changed()

    # Flow control

    def filled(self, full: bool) -> None:
        """Take the transport's word on whether it can take more."""
        self.full = full
        self.flow_changed()
        if self._peer is not None:
            self._peer.connection.flow_changed()

    def _must_wait(self) -> bool:
        if self._peer is None:
            return self.full
        return self._peer.connection.full or (self.full and self._command_waits)

    def flow_changed(self) -> None:
        """Read on, or wait until the peer, or whoever asks for answers, takes what there is."""
        if self._input_ended or self.closing or self._draining:
            return
        if self._must_wait():
            if not self.paused:
                self.pauseProducing()
            self._watch.reads(False)
        elif self.paused:
            # In a turn of its own: whoever made room is in the middle of something.
            self.factory.clock.callLater(0, self._resume)

    def _resume(self) -> None:
        if not self.paused or self.closing or self._lost:
            return
        if self._must_wait():
            self._watch.reads(False)
            return
        self.paused = False
        self._watch.reads(True)
        self.handle_buffer()
        if not (self.paused or self.closing or self._input_ended):
            self.transport.resumeProducing()

    # The end, and how it is noticed

    def _vanished(self, how: str) -> None:
        self._why_lost = how
        self.transport.abortConnection()

    def no_name_came(self) -> None:
        """End a connection whose name is overdue."""
        self._refuse(_TOO_SLOW, "no name")

    def timeoutConnection(self) -> None:
        """End a connection that only listens, or does not close."""
        if not self.closing:
            self._close("lost", "only listened")
        elif self._flushed:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()

    def callLater(self, period: float, func: Callable[[], object]) -> IDelayedCall:
        """Use the factory's clock for TimeoutMixin."""
        return self.factory.clock.callLater(period, func)

    def drain(self) -> None:
        """Handle what has come, whatever flow control says, for there will be no later."""
        if self._buffer:
            self._draining = True
            self.takes_chunks = False  # so that lines are counted one by one
            self.paused = False
            self.handle_buffer(DRAINED_LINES)

    def stop(self) -> None:
        """Tell that the server is stopping, and close."""
        self.tell(_STOPPING)
        self.user = self._peer = None  # the factory has forgotten it
        self.takes_chunks = False
        self._close("lost", "stopped")

    def abort(self) -> None:
        """Close at once."""
        self.transport.abortConnection()

    def _quit(self) -> None:
        self.tell(Goodbye())
        self._close("quit", "quit")

    def _refuse(self, notice: Notice, reason: str) -> None:
        self.tell(notice)
        self.factory.activity.refused(reason)
        self._close("lost", reason)

    def _leave(self, why: Ending, reason: str) -> None:
        if self.user is not None:
            user, self.user, self._peer, self.takes_chunks = self.user, None, None, False
            self.factory.leave(user, why, reason)

    def _close(self, why: Ending, reason: str) -> None:
        """Leave, and close the connection once the answers are out.

        Closing while the client still sends would reset the connection, and a reset destroys
        the answers on their way (RFC 1122, section 4.2.2.13): so this half is closed first, and
        the rest when the client has closed its half or CLOSING_SECONDS have passed.
        """
        self._leave(why, reason)
        if self.closing or self._lost:
            return
        self.closing = True
        self.factory.unnamed.stop(self)
        self._watch.stop()
        self.transport.unregisterProducer()
        self.setTimeout(FLUSHING_SECONDS)
        at_once = self._input_ended or self.factory.is_crowded()
        if at_once or not _closes_by_halves(self.transport):
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()
            self.transport.resumeProducing()


def _closes_by_halves(transport: object) -> bool:
    return IHalfCloseableDescriptor.providedBy(transport) and not ISSLTransport.providedBy(
        transport
    )
