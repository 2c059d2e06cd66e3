"""The far end of a tunnel: a connection here of a client that is connected to another node."""

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

from chatpair.cluster import frames
from chatpair.cluster.carried import WINDOW, Way, pieces
from chatpair.protocol import ChatProtocol

_log = Logger()


class FarProtocol(ChatProtocol):
    """Somebody who is connected to another node, where the connection counts."""

    @property
    def counted_host(self) -> str | None:
        """The host that this counts for as a connection: none."""
        return None


@implementer(ITransport, IConsumer, IPushProducer)
class FarTransport:
    """Writes to a client at another node, and is empty when the kernel there has all.

    It does not close by halves: the other node does, with the client.
    """

    protocol: FarProtocol
    disconnecting = False
    disconnected = False

    silent = False
    """Whether what is written is what the client was told before."""

    input_was_cut = False
    """Whether anybody on the way may have ended the input."""

    def __init__(
        self, clock: IReactorTime, way: Way, opened: frames.TunnelOpen, gone: Callable[[], object]
    ) -> None:
        """Take what leads to the other node, what that told, and what to call at the end."""
        self._clock = clock
        self._way = way
        self._tunnel = opened.tunnel
        self._host = opened.host
        self._gone = gone
        self.bufferSize = WINDOW
        self._producer: Any = None
        self._producer_waits = self._pauses_soon = False
        self._on_way = 0  # bytes that the kernel there has not taken
        self._reading = True
        self._unread = b""
        self._input_ended = False
        if opened.is_private:
            alsoProvides(self, ISSLTransport)

    @property
    def inc(self) -> str:
        """The node that the client is connected to."""
        return self._way.inc

    # What the protocol asks for

    def write(self, data: bytes) -> None:
        """Send whole lines to the client."""
        if self.silent or self.disconnecting or self.disconnected:
            return
        parts = pieces(data)
        for number, part in enumerate(parts, 1):
            more = number < len(parts)
            self._way.send(frames.TunnelTold(self._tunnel, part, more))
        self._on_way += len(data)
        if self._producer is not None and self._on_way > self.bufferSize:
            self._fill()
        self.room_changed()

    def writeSequence(self, data: Any) -> None:
        """Send whole lines to the client."""
        self.write(b"".join(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let somebody wait while too much is on its way."""
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Let nobody wait any more."""
        self._producer = None

    def pauseProducing(self) -> None:
        """Read no more for now."""
        self._reading = False

    def resumeProducing(self) -> None:
        """Read on, in a turn of its own."""
        self._reading = True
        if self._unread or self._input_ended:
            self._clock.callLater(0, self._deliver)

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()

    def getPeer(self) -> IAddress:
        """Return the client's address, as far as it matters."""
        if self._host is None:
            return UNIXAddress(b"")
        address = IPv6Address if ":" in self._host else IPv4Address
        return address("TCP", self._host, 0)

    def getHost(self) -> IAddress:
        """Return no address of this machine: nobody is connected to it."""
        return UNIXAddress(b"")

    def loseConnection(self) -> None:
        """Have the client's connection closed when all is read there."""
        self._close(ConnectionDone(), at_once=False)

    def abortConnection(self) -> None:
        """Have the client's connection closed at once."""
        self._close(ConnectionAborted(), at_once=True)

    def _close(self, why: Exception, *, at_once: bool) -> None:
        if not (self.disconnecting or self.disconnected):
            self.disconnecting = True
            self._way.send(frames.TunnelClose(self._tunnel, at_once))
            self._clock.callLater(0, self.connection_lost, why)

    # What the other node tells

    def sent(self, data: bytes) -> None:
        """Take what the client has sent."""
        self._unread += data
        self._deliver()

    def input_ends(self, *, was_cut: bool) -> None:
        """Take it that the client has said all."""
        self.input_was_cut = was_cut
        self._input_ended = True
        self._deliver()

    def _deliver(self) -> None:
        if not self._reading or self.disconnected:
            return
        data, self._unread = self._unread, b""
        if data:
            self._give(data)
            self._way.send(frames.TunnelRead(self._tunnel, len(data)))
        if self._input_ended and self._reading and not self.disconnected:
            self._input_ended = False
            self._call(self.protocol.readConnectionLost)

    def _give(self, data: bytes) -> None:
        self._call(self.protocol.dataReceived, data)

    def _call(self, method: Any, *arguments: object) -> None:
        try:
            method(*arguments)
        except Exception:
            _log.failure("A protocol failed")
            self.abortConnection()

    def handed(self, count: int) -> None:
        """Note that the kernel there has taken so many bytes more."""
        self._on_way -= count
        self._empty()

    def room_changed(self) -> None:
        """Look whether more or less may be on its way now."""
        if self._way.full and not self._pauses_soon:
            # In a turn of its own: what is written for a receipt tells nobody to wait.
            self._pauses_soon = True
            self._clock.callLater(0, self._pause)
        self._empty()

    def _pause(self) -> None:
        self._pauses_soon = False
        if self._producer is not None and self._way.full:
            self._fill()

    def _fill(self) -> None:
        self._producer_waits = True
        self._producer.pauseProducing()

    def _empty(self) -> None:
        if self._producer_waits and not (self._on_way or self._way.full):
            self._producer_waits = False
            if self._producer is not None:
                self._producer.resumeProducing()

    def connection_lost(self, why: Exception) -> None:
        """Be done with the client, who may be back on another connection."""
        if self.disconnected:
            return
        if self._unread and not self.disconnecting:
            self._give(self._unread)
        self.disconnected = True
        self._producer = None
        self._gone()
        self._call(self.protocol.connectionLost, Failure(why))

    def client_lost(self, *, was_closed: bool) -> None:
        """Take it that the client is gone."""
        self.connection_lost(ConnectionDone() if was_closed else ConnectionLost())
