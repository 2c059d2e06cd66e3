"""A TCP connection that reads and writes without a detour through the reactor."""

import errno
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from twisted.internet import interfaces
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatpair.epoll.poller import IN, OUT, EpollPoller

Socket: TypeAlias = socket.socket
Address: TypeAlias = IPv4Address | IPv6Address

_RESET = b"\1\0\0\0\0\0\0\0"  # a struct linger: close at once, whatever waits
_LATER = (errno.EAGAIN, errno.ENOBUFS)  # why the kernel does not take more for now

_DONE, _LOST = Failure(CONNECTION_DONE), Failure(CONNECTION_LOST)

_log = Logger()


@implementer(
    interfaces.ITCPTransport,
    interfaces.IHalfCloseableDescriptor,
    interfaces.IPushProducer,
    interfaces.IConsumer,
    interfaces.ISystemHandle,
    interfaces.ILoggingContext,
)
@dataclass(slots=True, eq=False, repr=False)
class EpollTransport:
    """A connection that was accepted; it does what twisted.internet.tcp.Server documents.

    Two things are better: what is written goes to the kernel at once, or when the poller has read
    from all that are ready, and a reset is noticed also while nothing is read.
    """

    socket: Socket
    protocol: Any
    _peer: Address
    _poller: EpollPoller
    sessionno: int  # for the log
    system: str = ""  # of the log: what the protocol is called
    events: int = IN  # that the poller looks for
    bufferSize: int = 65_536  # of reads, and how much may wait before the producer is paused
    producer: Any = None
    producerPaused: bool = False
    streamingProducer: bool = False
    disconnecting: bool = False  # as soon as all is written
    disconnected: bool = False
    _queue: bytes | bytearray = b""  # what waits to be written
    _writable: bool = True
    _half_close: Literal["", "due", "done"] = ""  # as soon as all is written
    _aborting: bool = False
    _broken: bool = False  # a write met an error

    def __post_init__(self) -> None:
        """Begin to read."""
        self.socket.setblocking(False)
        named = interfaces.ILoggingContext.providedBy(self.protocol)
        self.system = self.protocol.logPrefix() if named else type(self.protocol).__name__
        self._poller.add(self)

    def __repr__(self) -> str:
        return f"<{self.system} #{self.sessionno} on {self._poller.port}>"

    @property
    def connected(self) -> bool:
        """Whether the connection is not lost yet."""
        return not self.disconnected

    @property
    def unsent(self) -> int:
        """How many bytes wait to be written."""
        return len(self._queue)

    # What the poller calls

    def doRead(self) -> None:
        """Hand to the protocol what has come, or tell it that there will be no more."""
        try:
            data = self.socket.recv(self.bufferSize)
        except BlockingIOError:
            return
        except OSError:
            self.connectionLost(_LOST)
            return
        if data:
            self.call(self.protocol.dataReceived, data)
        elif self._broken:
            self.connectionLost(_LOST)
        else:
            self.readConnectionLost(_DONE)

    def doWrite(self) -> None:
        """Write what waits, and do what waited for that."""
        if self.disconnected or self._aborting:
            return
        try:
            if self._queue and not self._send_queue():
                self._watch(self.events | OUT)
                return
        except OSError:
            self.connectionLost(_LOST)
            return
        if self.events & OUT:
            self._watch(self.events & ~OUT)
        if self.producer is not None and (self.producerPaused or not self.streamingProducer):
            self.producerPaused = False
            self.call(self.producer.resumeProducing)
        elif self.disconnecting:
            self.connectionLost(_DONE)
        elif self._half_close == "due":
            self._half_close = "done"
            self._writable = False
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
            if interfaces.IHalfCloseableProtocol.providedBy(self.protocol):
                self.call(self.protocol.writeConnectionLost)

    def gone(self) -> None:
        """End, because of a reset that nothing was read or written to meet."""
        if not self._aborting:
            self.connectionLost(_LOST)

    def call(self, method: Callable[..., object], *arguments: object) -> None:
        """Call a protocol or a producer, and end the connection if that fails."""
        try:
            method(*arguments)
        except BaseException:
            _log.failure("{connection} is closed, because its protocol failed", connection=self)
            self.connectionLost(Failure())

    def _send_queue(self) -> bool:
        """Write what the kernel takes; return whether that is all. May raise OSError."""
        try:
            sent = self.socket.send(self._queue)
        except OSError as why:
            if why.errno not in _LATER:
                raise
            return False
        if sent == len(self._queue):
            self._queue = b""
            return True
        if isinstance(self._queue, bytes):
            self._queue = bytearray(self._queue)
        del self._queue[:sent]
        return False

    def _watch(self, events: int) -> None:
        if events != self.events and self.connected and not self._aborting:
            self.events = events
            self._poller.watch(self)

    # ITransport, IConsumer

    def write(self, data: bytes) -> None:
        """Write as soon as the poller has served all that are ready, or else at once."""
        if not isinstance(data, bytes):
            raise TypeError("Data must be bytes")
        if not self._writable or not data:
            return
        if not self._queue:
            self._queue = data
            if self._poller.writers is None:
                self._write_at_once()
            else:
                self._poller.writers.append(self)
        elif isinstance(self._queue, bytearray):
            self._queue += data
        else:
            self._queue = bytearray(self._queue) + data
        if len(self._queue) > self.bufferSize and self.streamingProducer:
            self._pause_producer()

    def _start_writing(self) -> None:
        """See to it that doWrite is called soon, but not within the caller."""
        if self._poller.writers is None:
            self._watch(self.events | OUT)
        else:
            self._poller.writers.append(self)

    def _write_at_once(self) -> None:
        pulled = self.producer is not None and not self.streamingProducer
        try:
            if not pulled and self._send_queue():
                return
        except OSError:
            self._broken = True  # nobody expects the end within a write: the poller comes to it
        self._watch(self.events | OUT)

    def _pause_producer(self) -> None:
        """Pause the producer if too much waits after the kernel has taken what it takes."""
        if not self.events & OUT:
            self._write_at_once()
        if len(self._queue) > self.bufferSize:
            self.producerPaused = True
            self.producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write all that is in a sequence."""
        try:
            joined = b"".join(data)
        except TypeError:
            raise TypeError("Data must be bytes") from None
        self.write(joined)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let a producer write, as IConsumer says."""
        if self.producer is not None:
            raise RuntimeError(f"Cannot register {producer}: {self.producer} is not unregistered")
        if self.disconnected:
            producer.stopProducing()
            return
        self.producer = producer
        self.streamingProducer = streaming
        if not streaming:
            producer.resumeProducing()
            self._start_writing()  # and then the producer is asked again

    def unregisterProducer(self) -> None:
        """Let nobody write any more but the protocol."""
        self.producer = None
        self.streamingProducer = False
        if self.disconnecting:
            self._start_writing()

    def stopConsuming(self) -> None:
        """Unregister the producer and close."""
        self.unregisterProducer()
        self.loseConnection()

    # Ending

    def loseConnection(self) -> None:
        """Close once all is written and a producer, if there is one, has finished."""
        if not self.connected or self.disconnecting:
            return
        if self._half_close == "done":
            self.connectionLost(_DONE)
        else:
            self.disconnecting = True
            self._watch(self.events & ~IN)
            self._start_writing()

    def loseWriteConnection(self) -> None:
        """Close this direction once all is written."""
        self._half_close = self._half_close or "due"
        self._start_writing()

    def abortConnection(self) -> None:
        """Close in the reactor's next turn, with a reset, whatever waits to be written."""
        if self.connected and not self._aborting:
            self._aborting = True
            self._writable = False
            self.events = 0
            self._poller.forget(self)
            self._poller.reactor.callLater(0, self.connectionLost, Failure(ConnectionAborted()))

    def readConnectionLost(self, reason: Failure) -> None:
        """Tell the protocol that the input has ended, if it can stay, or end."""
        if not interfaces.IHalfCloseableProtocol.providedBy(self.protocol):
            self.connectionLost(reason)
            return
        self.pauseProducing()
        self.call(self.protocol.readConnectionLost)

    def connectionLost(self, reason: Failure) -> None:
        """Close the socket, and tell the producer and the protocol."""
        if self.disconnected:
            return
        self.disconnected = True
        self._writable = False
        self._queue = b""
        self._poller.remove(self)
        if reason is not _LOST:
            with suppress(OSError):
                if isinstance(reason.value, ConnectionAborted):
                    self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                else:  # to close while input is unread would reset what was written just before
                    self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        producer, self.producer = self.producer, None
        protocol, self.protocol = self.protocol, None
        if producer is not None:
            self._call_at_the_end(producer.stopProducing)
        self._call_at_the_end(protocol.connectionLost, reason)

    writeConnectionLost = connectionLost  # nothing calls it, but the interface asks for it

    def release(self) -> None:
        """Have no socket any more, and tell nobody: another process goes on with it."""
        self._poller.remove(self)
        self.socket.close()
        self.disconnected = True
        self._writable = False
        self.protocol = self.producer = None
        self._queue = b""

    def _call_at_the_end(self, method: Callable[..., object], *arguments: object) -> None:
        try:
            method(*arguments)
        except BaseException:
            _log.failure("The protocol failed at the end of {connection}", connection=self)

    # IPushProducer

    def pauseProducing(self) -> None:
        """Read no more for now."""
        self._watch(self.events & ~IN)

    stopReading = pauseProducing

    def startReading(self) -> None:
        """Read on."""
        self._watch(self.events | IN)

    def resumeProducing(self) -> None:
        """Read on, unless the connection is being closed."""
        if not self.disconnecting:
            self.startReading()

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()

    # ITCPTransport, ISystemHandle, ILoggingContext

    def fileno(self) -> int:
        """Return the descriptor of the socket, or -1 if it is closed."""
        return self.socket.fileno()

    def getHandle(self) -> Socket:
        """Return the socket."""
        return self.socket

    def getHost(self) -> Address:
        """Return the address that was connected to."""
        return address_of(self.socket.getsockname())

    def getPeer(self) -> Address:
        """Return the address that this is connected with."""
        return self._peer

    def getTcpNoDelay(self) -> bool:
        """Return whether small writes go out at once."""
        return bool(self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Choose whether small writes go out at once."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def getTcpKeepAlive(self) -> bool:
        """Return whether the kernel probes a silent connection."""
        return bool(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Choose whether the kernel probes a silent connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)

    @property
    def logstr(self) -> str:
        """What stands before a line of the log that is about this."""
        return f"{self.system},{self.sessionno},{getattr(self._peer, 'host', '')}"

    def logPrefix(self) -> str:
        """Return the same."""
        return self.logstr


def address_of(address: tuple[Any, ...]) -> Address:
    """Return the address of a socket, with the zone of a link-local one, unlike Python.

    All who come from one host, such as a proxy, share the text of it.
    """
    host, *rest = address
    if len(address) == 2:
        return IPv4Address("TCP", sys.intern(host), *rest)
    if address[3]:
        host, _ = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    return IPv6Address("TCP", sys.intern(host), *rest)
