"""One connection: its lines go to a session, and what its user is told comes back."""

from collections.abc import Callable

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure
from zope.interface import implementer

from chatpair.codecs import plain
from chatpair.codecs.cleaning import is_clean
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.limits import host_of
from chatpair.exchange.messages import AnyEvent, Ending, Error, Goodbye, Message, Mode, Notice, Quit
from chatpair.exchange.user import LOST, Listener, User
from chatpair.sessions.json import JsonSession
from chatpair.sessions.plain import PlainSession
from chatpair.sessions.session import FULL, Session
from chatpair.wire import closing
from chatpair.wire.line_receiver import TextLineReceiver
from chatpair.wire.liveness import is_delivered, set_options, socket_of, unread_bytes
from chatpair.wire.outgoing import Outgoing
from chatpair.wire.reading import AFTER, Event, State

DRAINED_LINES = 2_000
"""Lines that are still handled, and need memory, when nothing can wait any longer."""

_NO_TLS = Notice("This port talks plain text, not TLS.")
_CROWDED, _TOO_OFTEN = Notice(plain.CROWDED), Notice(plain.TOO_OFTEN)
_TAKEN_OVER = Error(None, "bad-key", "Another connection has taken this line over.")


@implementer(IHalfCloseableProtocol)
class ChatProtocol(TextLineReceiver, TimeoutMixin):
    """Somebody who is unnamed, idle or paired: the session's line handler of that is bound."""

    factory: Exchange
    session: PlainSession | JsonSession | Session
    handle_line: Callable[[bytes], object]
    peer: User | None
    _listener: Listener

    _closing: closing.Closing | None = None  # made at the end
    _why_lost = ""

    # The transport's side

    def begin(self) -> None:
        """Be a connection, of somebody who has said nothing yet."""
        super().connectionMade()
        settings = self.factory.settings
        self.MAX_LENGTH = settings.max_line
        self.user: User | None = None
        self._speak_to(None)
        self.input_state: State = "open"
        self.host = host_of(self.transport.getPeer(), settings.exempt)
        self.socket = socket_of(self.transport)
        if self.socket is not None:
            set_options(self.socket)
        self.outgoing = Outgoing(self)
        self.transport.registerProducer(self.outgoing, True)
        self.session = PlainSession(self)
        self.handle_line = self.session.unnamed

    def connectionMade(self) -> None:
        """Let in whoever connects, or say why not."""
        self.begin()
        factory, counted = self.factory, self.counted_host()
        if not factory.visitors.came(self, counted):
            self.refuse(_CROWDED, "too many from one host")
        elif factory.visitors.comes_too_often(counted):
            self.refuse(_TOO_OFTEN, "connecting too often")
        elif factory.full and not factory.held.may_come_back():
            self.refuse(FULL, "full")
        else:
            factory.visitors.unnamed.start(self)

    def counted_host(self) -> str | None:
        """Return the host that has a connection here; one that is carried here counts elsewhere."""
        return None if getattr(self.transport, "counts_elsewhere", False) else self.host

    def handshakeReceived(self) -> None:
        self.refuse(_NO_TLS, "TLS")

    def lineReceived(self, line: bytes) -> None:
        self.handle_line(line)

    def linesReceived(self, lines: bytes) -> bool:
        """Pass lines on as one if all are text for the peer; return whether they are."""
        if 13 in lines:  # to look for a byte costs next to nothing
            lines = lines.replace(b"\r\n", b"\n")
        if not (is_clean(lines) and plain.only_says(lines)):
            return False
        if not self.factory.directory.check():
            return True  # the user has been ended
        assert self.user is not None
        count = self._listener.tell_lines(self.user.name.text, lines, self.factory.time_of_day())
        if count < 0:
            self.flow_changed()
        activity = self.factory.activity
        activity.lines += -count if count < 0 else count
        activity.line_bytes += len(lines)
        return True

    def answerTelnet(self, data: bytes) -> None:
        if not self.full:  # else who never reads could ask for any number of answers
            self.outgoing.write(data)

    def interruptReceived(self) -> None:
        self.session.obey(Quit())

    def lineLengthExceeded(self, line: bytes) -> None:
        self.factory.activity.count("failed", "too long")
        self.session.line_too_long(f"That line was not sent: it has over {self.MAX_LENGTH} bytes.")

    def rawDataReceived(self, data: bytes) -> None:
        self.session.data_received(data)

    # Reading

    @property
    def input_ended(self) -> bool:
        """Whether the other end has said all, though it may read on."""
        return self.input_state in ("ending", "ended")

    def _input(self, event: Event) -> bool:
        """Note what happens to the input; return whether that changes its state."""
        before = self.input_state
        self.input_state = AFTER[event].get(before, before)
        return self.input_state != before

    def flow_changed(self) -> None:
        self.session.wake()
        self.check_flow()

    def check_flow(self) -> None:
        """Read on, or wait until there is room for what would come of it."""
        if self.closed or self.deaf:
            return
        if self.input_ended:
            if self.input_state == "ending":
                self.read_on_later()
        elif self.session.must_wait():
            if self._input("wait"):
                self.pauseProducing()
            self.outgoing.look_out().reads(False)
        elif self.paused:
            self.read_on_later()  # whoever made room is in the middle of something

    def turnEnded(self) -> None:
        if self._input("wait") or self.input_state in ("answering", "ending"):
            self.pauseProducing()
            self.read_on_later()

    def read_on_later(self) -> None:
        """Go on in a turn of the reactor of its own."""
        self.factory.clock.callLater(0, self.read_on)

    def read_on(self) -> None:
        """Go on with what waits, if it need not wait any longer."""
        if not self.paused or self.closed:
            return
        if self.input_ended:
            self._handle_last()
        elif self.session.must_wait():
            self.outgoing.look_out().reads(False)
        else:
            self._input("go on")
            self.paused = False
            if self.outgoing.watch is not None:
                self.outgoing.watch.reads(True)
            self.handle_buffer()
            if not (self.paused or self.closed or self.input_ended):
                self.transport.resumeProducing()

    def readConnectionLost(self) -> None:
        """Take the end of input for "I have said all; I still listen"."""
        if self._closing is not None:
            self._closing.other_half_closed()
        elif self.session.awaits_answer:
            self._input("end later")
        else:
            self._input("end")
            self._handle_last()

    def _handle_last(self) -> None:
        """Handle the last lines, if they need not wait; with TLS nobody may listen after them."""
        if self.session.last_must_wait():
            return
        self.paused = False
        self.end_of_input()
        if self.paused or self.closed:
            return
        self._input("all handled")
        if getattr(self.transport, "output_ended", False):
            self.end("closed")
        else:
            self.session.all_said()

    def end_of_input(self) -> None:
        whole, newline, rest = self._buffer.rpartition(b"\n")
        was_cut = getattr(self.transport, "input_was_cut", False)
        self._buffer = whole + newline + self.session.last_line(rest, was_cut=was_cut)
        super().end_of_input()
        self.session.last_handled()

    def ignore_input(self) -> None:
        """Heed nothing that still comes."""
        self.deaf = True
        self.takes_chunks = False

    def listen_on(self) -> None:
        """Stay for a while, though the other end has said all; longer when the peer speaks."""
        self.setTimeout(self.factory.settings.linger)
        if self.input_ended:
            self.outgoing.look_out().input_ended()

    def handle_rest(self, others: Callable[[Session], Session]) -> None:
        """Handle what has come in another session, whatever waits: there will be no later."""
        if self._buffer:
            self._input("stop")
            session = others(self.session)
            self.session.forget()
            self.session, self.handle_line = session, session.unnamed
            self.takes_chunks = self.paused = False
            self.handle_buffer(DRAINED_LINES)

    def is_all_delivered(self) -> bool:
        return is_delivered(self.socket)

    def has_unread(self) -> bool:
        return unread_bytes(self.socket) > 0

    # The user's side

    @property
    def full(self) -> bool:
        return self.outgoing.full

    def tell(self, event: AnyEvent) -> None:
        self.outgoing.write(self.session.render(event))
        if self.timeOut is not None and isinstance(event, Message):
            self.resetTimeout()

    def tell_for_receipt(self, *events: AnyEvent) -> None:
        self.outgoing.write_for_receipt(self.session.render_parts(events))
        if self.timeOut is not None and any(isinstance(event, Message) for event in events):
            self.resetTimeout()

    def tell_lines(self, sender: str, lines: bytes, seconds: float) -> int:
        rendered, count = plain.render_messages(sender, lines, seconds)
        self.outgoing.write(rendered)
        if self.timeOut is not None:
            self.resetTimeout()
        return count

    def pair_changed(self) -> None:
        """Bind the handler of the new state, or close if only the old one was listened to."""
        if self.user is None:
            return
        self.bind()
        if (self.session.said_all or self.input_ended) and self.session.may_go():
            self.session.stop_listening("closed")
        else:
            self.flow_changed()

    def bind(self) -> None:
        """Look up the user's peer, and bind the line handler of the state."""
        assert self.user is not None
        self._speak_to(self.factory.pairs.peer_of(self.user))
        self.handle_line = self.session.idle if self.peer is None else self.session.paired

    def _speak_to(self, peer: User | None) -> None:
        """Look up where what is said goes, once for many lines."""
        self.peer = peer
        self._listener = peer.inbox.listener if peer is not None else LOST
        takes_chunks = peer is not None and peer.inbox.takes_chunks
        self.takes_chunks = takes_chunks and self.session.takes_chunks and not self.deaf

    def speak_json(self, *, silently: bool = False) -> None:
        """Speak JSON from now on, and say so unless that was said elsewhere."""
        self.factory.visitors.unnamed.stop(self)
        self.session = JsonSession(self)
        self.handle_line = self.session.unnamed
        if not silently:
            self.tell(Mode(hold=self.factory.settings.hold))

    def handed(self) -> None:
        self.session.handed()

    def room_changed(self) -> None:
        self.flow_changed()
        if self.user is not None:
            self.factory.pairs.has_room(self.user)

    # The end

    @property
    def closed(self) -> bool:
        """Whether nothing more is told; what was told before may still be on its way."""
        return self.outgoing.writer is None

    def end(
        self, reason: str, why: Ending = "lost", seconds: float = closing.FLUSHING_SECONDS
    ) -> None:
        """Leave, or be held, and close once the answers are out, which may take so many seconds."""
        self.session.stop(reason)
        user, self.user = self.user, None
        self._speak_to(None)
        if user is not None and why == "quit":
            self.factory.leave(user, why, reason)
        elif user is not None:
            self.factory.held.lose(user, reason)
        elif self._closing is None and self.handle_line == self.session.unnamed:
            self.factory.activity.left_unnamed(reason)
        if not self.closed:
            at_once = self.input_ended or self.factory.visitors.crowded
            self.ignore_input()
            self.outgoing.close()
            self._closing = closing.make_closing(self)
            self._closing.hang_up(seconds, at_once)

    def quit(self, reason: str = "quit") -> None:
        """Say so, leave, and close."""
        self.session.answer(Goodbye())
        self.end(reason, "quit")

    def refuse(self, answer: Notice | Error, reason: str) -> None:
        """Say why somebody is not let in, and close."""
        self.tell(answer)
        self.factory.activity.refused(reason)
        self.end(reason, seconds=min(closing.REFUSED_SECONDS, self.factory.settings.name_time))

    def no_name_came(self) -> None:
        seconds = self.factory.settings.name_time
        self.refuse(Notice(f"No name came within {seconds:g} seconds."), "no name")
        if getattr(self.transport, "in_handshake", False):
            self.abort()  # it would wait for as long again until that can be told

    def taken_over(self) -> None:
        self.session.handle_rest()
        self.dismissed(_TAKEN_OVER)

    def dismissed(self, why: Error) -> None:
        self.user = None
        self.outgoing.drop()  # it is told again elsewhere
        self.tell(why)
        self.end("dismissed", seconds=closing.CLOSING_SECONDS)

    def drain(self) -> None:
        self.session.drain()

    def stop(self) -> None:
        self.session.stopping()
        self.user = None  # the factory has forgotten it
        self.end("stopped")

    def abort(self) -> None:
        self.outgoing.lost()
        self._closing = self._closing or closing.make_closing(self)
        self._closing.abort()

    def vanished(self, how: str) -> None:
        self._why_lost = how
        self.abort()

    def writeConnectionLost(self) -> None:
        if self._closing is not None:
            self._closing.flushed()

    def timeoutConnection(self) -> None:
        if self._closing is None:
            self.session.stop_listening("only listened")
        else:
            self._closing.timed_out()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Handle the lines that flow control kept, and leave."""
        self.outgoing.lost()
        if self.timeOut is not None:
            self.setTimeout(None)
        self.factory.directory.check()
        self.session.handle_rest()
        closed = "closed" if isinstance(reason.value, ConnectionDone) else "reset"
        self.end(self._why_lost or closed)
        self.factory.visitors.went(self, self.counted_host())
        self.deaf = True
        # They hold this: else it is a cycle to collect.
        self.session.forget()
        del self.handle_line, self.session
        self._closing = self._telnet = None

    def callLater(self, period: float, func: Callable[[], object]) -> IDelayedCall:
        return self.factory.clock.callLater(period, func)
