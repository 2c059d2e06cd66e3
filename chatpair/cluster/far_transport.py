"""The transport of a connection here whose client is connected to another node."""

from typing import Any

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IConsumer, IReactorTime, ISSLTransport, ITransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

from chatpair.cluster import frames
from chatpair.cluster.way import WINDOW, Way

_log = Logger()


@implementer(ITransport, IConsumer)
class FarTransport:
    """Writes to a client at another node, and is empty when the kernel there has all.

    It does not close by halves: the other node does, with the client.
    """

    door = "cluster"
    """How users are counted who come by it."""

    counts_elsewhere = True
    """Whether the client's host has this connection at another node."""

    input_was_cut = False
    """Whether anybody on the way may have ended the input."""

    disconnecting = disconnected = False

    def __init__(
        self, clock: IReactorTime, way: Way, opened: frames.TunnelOpened, protocol: Any
    ) -> None:
        """Take what the other node told, and a ChatProtocol."""
        self._clock = clock
        self.way = way
        way.ends[way.inc, way.number] = self
        self._host = opened.host
        self._protocol = protocol
        self.bufferSize = WINDOW
        self._producer: Any = None
        self._producer_waits = False
        self._reading = True
        self._unread = b""
        self._input_ended = False
        if opened.is_private:
            alsoProvides(self, ISSLTransport)

    # What the protocol asks for

    def write(self, data: bytes) -> None:
        """Send whole lines to the client."""
        if not (self.disconnecting or self.disconnected):
            self.way.carry(data, whole=True)
            if self.way.on_way > self.bufferSize:
                self._fill()
            if self.way.full:  # what is told while it writes is about this write alone
                self._clock.callLater(0, self.room_changed)

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def pauseProducing(self) -> None:
        self._reading = False

    def resumeProducing(self) -> None:
        """Read on, in a turn of its own."""
        self._reading = True
        if self._unread or self._input_ended:
            self._clock.callLater(0, self._deliver)

    def getPeer(self) -> IAddress:
        """Return the client's address, as far as it matters."""
        if self._host is None:
            return HostnameAddress(b"", 0)  # for which there may be limits there, and not here
        address = IPv6Address if ":" in self._host else IPv4Address
        return address("TCP", self._host, 0)

    def getHost(self) -> IAddress:
        return UNIXAddress(b"")

    def loseConnection(self) -> None:
        self._close("closed", ConnectionDone())

    def abortConnection(self) -> None:
        self._close("lost", ConnectionAborted())

    def _close(self, how: frames.End, why: Exception) -> None:
        if not (self.disconnecting or self.disconnected):
            self.disconnecting = True
            self.way.end(how)
            self._clock.callLater(0, self._lose, why)

    # What the other node tells

    def came(self, data: bytes, *, more: bool) -> None:
        """Take what the client has sent."""
        self._unread += data
        self._deliver()

    def _deliver(self) -> None:
        if not self._reading or self.disconnecting or self.disconnected:
            return
        data, self._unread = self._unread, b""
        if data:
            self._call(self._protocol.dataReceived, data)
            self.way.take(len(data))
        if self._input_ended and self._reading and not self.disconnected:
            self._input_ended = False
            self._call(self._protocol.readConnectionLost)

    def _call(self, method: Any, *arguments: object) -> None:
        try:
            method(*arguments)
        except Exception:
            _log.failure("A protocol failed")
            self.abortConnection()

    def room_changed(self) -> None:
        """Let who writes wait, or go on, as there is room on the way or not, and all is taken."""
        if self.way.full:
            self._fill()
        elif self._producer_waits and self._producer is not None and not self.way.on_way:
            self._producer_waits = False
            self._producer.resumeProducing()

    def _fill(self) -> None:
        if self._producer is not None:
            self._producer_waits = True
            self._producer.pauseProducing()

    def ended(self, how: frames.End) -> None:
        """Take it that the client has said all, or is gone."""
        if how in ("closed", "lost"):
            self._lose(ConnectionDone() if how == "closed" else ConnectionLost())
        else:
            self.input_was_cut = how == "cut"
            self._input_ended = True
            self._deliver()

    def release(self) -> None:
        """Know nothing more of a client with whom another process goes on."""
        self.disconnected = True
        self._producer = None

    def node_gone(self) -> None:
        """Be lost in a turn of its own: it may be the protocol that has just noticed."""
        self._clock.callLater(0, self._lose, ConnectionLost())

    def _lose(self, why: Exception) -> None:
        """Be done with the client, who may be back on another connection."""
        if not self.disconnected:
            if self._unread and not self.disconnecting:
                self._call(self._protocol.dataReceived, self._unread)
            self.disconnected = True
            self._producer = None
            self.way.forget()
            self._call(self._protocol.connectionLost, Failure(why))
