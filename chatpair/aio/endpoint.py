"""Connections and timers of asyncio, for what expects those of Twisted."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    ISSLTransport,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

from chatpair.client.address import Place

_UNIX = "unix:"


class LoopClock:
    """The time of the loop that runs, and calls later."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.seconds = self._loop.time

    def callLater(self, delay: float, call: Callable[..., object], *arguments: Any) -> DelayedCall:
        """Call something with arguments after so many seconds; nothing here puts that off."""

        def run() -> None:
            later.called = 1
            call(*arguments)

        def cancel(_: DelayedCall) -> None:
            handle.cancel()

        due = self.seconds() + delay
        later = DelayedCall(due, call, arguments, {}, cancel, lambda _: None, self.seconds)
        handle = self._loop.call_later(delay, run)
        return later


class _Transport:
    """A transport of asyncio, of which only what a line's connection uses is there."""

    disconnecting = False

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.pauseProducing = transport.pause_reading
        self.resumeProducing = transport.resume_reading
        if transport.get_extra_info("ssl_object") is not None:
            alsoProvides(self, ISSLTransport)

    def write(self, data: bytes) -> None:
        """Send bytes, unless nobody takes them any more, of which asyncio would warn."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def loseConnection(self) -> None:
        """Close once all is written."""
        self.disconnecting = True
        self._transport.close()

    def abortConnection(self) -> None:
        """Close at once."""
        self.disconnecting = True
        self._transport.abort()

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Do nothing: asyncio has enabled it."""

    def getPeer(self) -> IPv4Address | IPv6Address | UNIXAddress:
        """Return where the server is."""
        address = self._transport.get_extra_info("peername")
        if isinstance(address, tuple):
            kind = IPv6Address if ":" in address[0] else IPv4Address
            return kind("TCP", *address[:2])
        return UNIXAddress(address)


class _Protocol(asyncio.Protocol):
    """Passes on to a protocol of Twisted's."""

    def __init__(self, factory: IProtocolFactory, connected: Deferred[IProtocol]) -> None:
        self._factory = factory
        self._connected = connected
        self._protocol: IProtocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        ours: Any = _Transport(transport)
        self._protocol = self._factory.buildProtocol(ours.getPeer())
        if self._protocol is None or self._connected.called:
            transport.abort()
            return
        self._protocol.makeConnection(ours)
        self._connected.callback(self._protocol)

    def data_received(self, data: bytes) -> None:
        if self._protocol is not None:
            self._protocol.dataReceived(data)

    def connection_lost(self, why: Exception | None) -> None:
        if self._protocol is not None:
            self._protocol.connectionLost(Failure(ConnectionLost() if why else ConnectionDone()))


@implementer(IStreamClientEndpoint)
class LoopEndpoint:
    """The way to a server over a connection of the loop that runs."""

    def __init__(self, address: str, ca: str) -> None:
        """Take host:port and the like, or unix:path, and a file with whom to trust, or nothing.

        Raises ValueError for what is no address, and for a file that is not as it must be.
        """
        self._loop = asyncio.get_running_loop()
        self._path = address.removeprefix(_UNIX) if address.startswith(_UNIX) else None
        if self._path is None:
            self._host, self._port, has_tls = Place.parse(address)
            self._tls = _tls_context(ca) if has_tls else None

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; fails with OSError."""

        def cancel(_: object) -> None:
            task.cancel()

        connected: Deferred[IProtocol] = Deferred(cancel)
        task = self._loop.create_task(self._connect(lambda: _Protocol(protocolFactory, connected)))

        def done(_: asyncio.Task[None]) -> None:
            if not connected.called:
                connected.errback(ConnectionLost() if task.cancelled() else task.exception())

        task.add_done_callback(done)
        return connected

    async def _connect(self, make: Callable[[], _Protocol]) -> None:
        if self._path is not None:
            await self._loop.create_unix_connection(make, self._path)
        else:
            await self._loop.create_connection(make, self._host, self._port, ssl=self._tls)


def _tls_context(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca or None)
    except OSError as why:  # as the module's own errors are
        raise ValueError(f"{ca}: {why.strerror or why}") from None
