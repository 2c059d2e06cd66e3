"""One connection: who waits for whom, half-closing, and how an end is noticed and made."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IPushProducer,
    ISSLTransport,
)
from twisted.protocols.policies import TimeoutMixin
from zope.interface import implementer

from chatpair.factory import ChatFactory
from chatpair.wire.line_receiver import CHUNK, SHORT_CHUNK, TextLineReceiver
from chatpair.wire.liveness import Watch, innermost, set_options, socket_of

CLOSING_SECONDS = 1.0
"""How long what a client still sends is read after the last answer."""

FLUSHING_SECONDS = 300.0
"""How long a client may take to read what it was told before."""

DEFAULT_BUFFER = 65_536
"""Bytes that may wait in a transport which does not say how many."""

DRAINED_LINES = 2_000
"""Lines that are still handled, and need memory, when nothing can wait any longer."""


@implementer(IPushProducer)
class _Backpressure:
    """Makes whoever fills a connection's transport wait until it is empty.

    Registered with the transport in the connection's place: a transport that is lost tells its
    producer to stop, and a protocol told so would close a connection that is not at fault.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: LineConnection) -> None:
        self._connection = connection

    def pauseProducing(self) -> None:
        self._connection.transport_paused()

    def resumeProducing(self) -> None:
        self._connection.transport_emptied()

    def stopProducing(self) -> None:
        pass


@implementer(IHalfCloseableProtocol)
class LineConnection(TextLineReceiver, TimeoutMixin):
    """Reads lines when there is room for what they cause, and closes so that all is read."""

    factory: ChatFactory

    full = False
    """Whether what was written is still waiting to be taken, so that more should wait too."""

    closing = False
    """Whether nothing more is told; what was told before is still on its way."""

    input_ended = False
    """Whether the other end has said all, though it may read on."""

    no_more_comes = False
    """Whether it has also closed its half, so that Twisted reads no more."""

    finishing = False
    """Whether the last lines of a client that has closed its half are being handled."""

    lost = False
    """Whether there is no connection any more."""

    draining = False
    """Whether lines are handled though nobody will wait for answers."""

    _asks = False  # whether the kernel takes what is being written
    _taken = False  # and it does
    _unhanded = 0  # bytes that wait in the transport at most, of which somebody wants to know
    _flushed = False  # and the kernel has it
    _why_lost = ""

    def connectionMade(self) -> None:
        """Watch the connection."""
        self.MAX_LENGTH = self.factory.max_line
        self.max_chunk = min(CHUNK, self.MAX_LENGTH + 1)
        self.short_chunk = min(SHORT_CHUNK, self.MAX_LENGTH + 1)
        sock = socket_of(self.transport)
        if sock is not None:
            set_options(sock)
        factory = self.factory
        self.watch = Watch(factory.clock, factory.delivery_checks, sock, self._vanished)
        self.transport.registerProducer(_Backpressure(self), True)

    # What a subclass adds

    def must_wait(self) -> bool:
        """Override this: whether lines must wait until there is room for what they cause."""
        raise NotImplementedError

    def room_changed(self) -> None:
        """Override this for when this connection has become full, or is not any more."""
        raise NotImplementedError

    def handed(self) -> None:
        """Override this for when the kernel has all that was written for a receipt."""
        raise NotImplementedError

    def all_said(self) -> None:
        """Override this for when the input has ended and its lines are handled."""
        raise NotImplementedError

    def stop_listening(self, reason: str) -> None:
        """Override this to leave when there is nothing more to listen to."""
        raise NotImplementedError

    def end(self, reason: str) -> None:
        """Override this for when the connection should close; say so with hang_up."""
        raise NotImplementedError

    # Writing

    def write(self, data: bytes) -> None:
        """Write, and see to it that a silent end is noticed."""
        if not (self.closing or self.lost):
            self.transport.write(data)
            self.watch.told()

    def write_for_receipt(self, data: bytes) -> None:
        """Write, and call handed as soon as the kernel has this and all before it.

        A transport tells that it is empty only after it has paused its producer. So it is made
        to, for this write, unless the kernel takes all at once.
        """
        if self.closing or self.lost:
            return
        transport = innermost(self.transport)
        limit = getattr(transport, "bufferSize", DEFAULT_BUFFER)
        self._asks = self._taken = True
        self._unhanded += len(data)
        try:
            transport.bufferSize = 0
            self.write(data)
        finally:
            transport.bufferSize = limit
            self._asks = False
        if self._taken:
            self._unhanded = 0
            self.handed()
        elif self._unhanded > limit:
            self._filled(True)

    def transport_paused(self) -> None:
        """Take the transport's word that more waits in it than should."""
        if self._asks:  # it may say so more than once, as TLS writes long texts in parts
            self._taken = False
        else:
            self._filled(True)

    def transport_emptied(self) -> None:
        """Take the transport's word that the kernel has all."""
        unhanded, self._unhanded = self._unhanded, 0
        self._filled(False)
        if unhanded:
            self.handed()

    def _filled(self, full: bool) -> None:
        self.full = full
        self.flow_changed()
        self.room_changed()

    # Reading

    def turnEnded(self) -> None:
        """Let others have their turns, and go on with the lines that are left."""
        if not self.draining:
            self.pauseProducing()
            self.factory.clock.callLater(0, self.read_on)

    def flow_changed(self) -> None:
        """Read on, or wait until there is room for what would come of it."""
        if self.no_more_comes or self.deaf or self.draining or self.lost:
            return
        if self.must_wait():
            if not self.paused:
                self.pauseProducing()
            self.watch.reads(False)
        elif self.paused:
            # In a turn of its own: whoever made room is in the middle of something.
            self.factory.clock.callLater(0, self.read_on)

    def read_on(self) -> None:
        """Handle the lines that waited, and read more, if they need not wait any longer."""
        if not self.paused or self.closing or self.lost:
            return
        if self.no_more_comes:
            self._finish_input()
            return
        if self.must_wait():
            self.watch.reads(False)
            return
        self.paused = False
        self.watch.reads(True)
        self.handle_buffer()
        if not (self.paused or self.closing or self.no_more_comes):
            self.transport.resumeProducing()

    def readConnectionLost(self) -> None:
        """Take the end of input for "I have said all; I still listen".

        TLS can also say that the other end does not listen any more.
        """
        self.input_ended = self.no_more_comes = self.finishing = True
        self._finish_input()

    def _finish_input(self) -> None:
        self.paused = False
        self.end_of_input()
        if self.paused:
            return  # read_on comes back to this
        self.finishing = False
        if self.closing:
            self.transport.loseConnection()
        elif getattr(self.transport, "output_ended", False):
            self.end("closed")
        else:
            self.all_said()

    def listen_on(self) -> None:
        """Stay for a while, though the other end has said all; call resetTimeout for longer."""
        self.setTimeout(self.factory.linger)
        if self.no_more_comes:
            self.watch.input_ended()

    # The end

    def drain(self) -> None:
        """Handle what has come, whatever flow control says, for there will be no later."""
        if self._buffer:
            self.draining = True
            self.takes_chunks = False  # so that lines are counted one by one
            self.paused = False
            self.handle_buffer(DRAINED_LINES)

    def hang_up(self, flushing: float = FLUSHING_SECONDS) -> None:
        """Close the connection once the answers are out, which may take so many seconds.

        Closing while the client still sends would reset the connection, and a reset destroys
        the answers on their way (RFC 1122, section 4.2.2.13): so this half is closed first, and
        the rest when the client has closed its half or CLOSING_SECONDS have passed.
        """
        if self.closing or self.lost:
            return
        self.closing = self.deaf = True
        self.watch.stop()
        self.transport.unregisterProducer()
        self.setTimeout(flushing)
        at_once = self.no_more_comes or self.factory.is_crowded()
        if at_once or not _closes_by_halves(self.transport):
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()
            self.transport.resumeProducing()

    def writeConnectionLost(self) -> None:
        """Wait a little for the client to close as well: all answers are on their way."""
        self._flushed = True
        if self.no_more_comes:
            self.transport.loseConnection()
        else:
            self.setTimeout(CLOSING_SECONDS)

    def timeoutConnection(self) -> None:
        """End a connection that only listens, or does not close."""
        if not self.closing:
            self.stop_listening("only listened")
        elif self._flushed:
            self.transport.loseConnection()
        else:
            self.abort()

    def _vanished(self, how: str) -> None:
        self._why_lost = how
        self.abort()

    def abort(self) -> None:
        """Close at once, or in the reactor's next turn; what is written meanwhile is lost."""
        self.lost = True
        self.transport.abortConnection()

    def callLater(self, period: float, func: Callable[[], object]) -> IDelayedCall:
        """Use the factory's clock for TimeoutMixin."""
        return self.factory.clock.callLater(period, func)


def _closes_by_halves(transport: object) -> bool:
    if ISSLTransport.providedBy(transport):  # Twisted's own passes this on to what is under it
        return hasattr(type(transport), "loseWriteConnection")
    return IHalfCloseableDescriptor.providedBy(transport)
