"""The endpoint "haproxy:": connections that a proxy passes on, and says whose they are.

It begins each with a header of the PROXY protocol, version 1 or 2
(https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt). Twisted's own wrapper makes the
connection before the header has come, when nobody knows whose it is, and does not pass on that
one direction is closed; its parsers take the header of haproxy's checks for a wrong one.
"""

from __future__ import annotations

import re
import struct
from ipaddress import ip_address
from operator import attrgetter
from typing import Any

from twisted.internet import interfaces
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from chatpair.exchange.exchange import Exchange
from chatpair.exchange.visitors import Visitor

PREFIX = "haproxy:"
"""What a description begins with; the rest describes the endpoint that the proxy connects to."""

WAITING = 100
"""Connections that may wait for their headers though there are more connections than may be.

A proxy sends the header at once. So as many as are accepted in a turn hear that the server is
full, and those who are no proxies do not use up the files.
"""

SECOND_WRITE = 1.0
"""Seconds after the end of input until the last byte of the answer follows the others.

If the program at the other end is gone, the first bytes come back to the proxy as a reset. It
can't pass that on, because it has closed the input before: it closes, and only what comes then
is answered with a reset.
"""

_V1_START, _V1_LENGTH = b"PROXY ", 107  # with its CR LF: section 2.1
_V1 = re.compile(rb"PROXY (?:UNKNOWN(?: .*)?|TCP[46] (\S+) \S+ (\d{1,5}) \d{1,5})\r\n")

# Section 2.2: version and command, family and protocol, and the length of the rest.
_V2_START, _V2 = b"\r\n\r\n\0\r\nQUIT\n", struct.Struct("!12xBBH")
_V2_LOCAL, _V2_PROXY = 0x20, 0x21
_V2_ADDRESS_LENGTHS = {0x11: 4, 0x21: 16}  # TCP over IPv4 and over IPv6


@implementer(IAddress)
class Unknown:
    """The address of whoever a proxy knows none of: itself, when it looks if this is alive."""


def read_header(data: bytes) -> tuple[IAddress, int] | None:
    """Return whose a connection is and how long its header is, or None if more has to come.

    Raises ValueError if this is no header.
    """
    if data.startswith(_V1_START):
        return _read_v1(data)
    if data.startswith(_V2_START):
        return _read_v2(data)
    if _V1_START.startswith(data) or _V2_START.startswith(data):
        return None
    raise ValueError("no PROXY header")


def _read_v1(data: bytes) -> tuple[IAddress, int] | None:
    end = data.find(b"\r\n", 0, _V1_LENGTH) + 2
    if end < 2 and len(data) < _V1_LENGTH:
        return None
    match = _V1.fullmatch(data[:end])
    if match is None:
        raise ValueError("no PROXY header of version 1")
    host, port = match.groups()
    return (_address(host.decode(), int(port)) if host else Unknown()), end


def _read_v2(data: bytes) -> tuple[IAddress, int] | None:
    if len(data) < _V2.size:
        return None
    command, family, length = _V2.unpack_from(data)
    if command not in (_V2_LOCAL, _V2_PROXY):
        raise ValueError("no PROXY header of version 2")
    end = _V2.size + length
    if len(data) < end:
        return None
    size = _V2_ADDRESS_LENGTHS.get(family, 0)
    if command == _V2_LOCAL or not size:
        return Unknown(), end
    if length < 2 * size + 4:
        raise ValueError("a PROXY header without its addresses")
    at_port = _V2.size + 2 * size
    host = data[_V2.size : _V2.size + size]
    return _address(host, int.from_bytes(data[at_port : at_port + 2], "big")), end


def _address(host: str | bytes, port: int) -> IAddress:
    ip = ip_address(host)
    return (IPv4Address if ip.version == 4 else IPv6Address)("TCP", str(ip), port)


@implementer(IHalfCloseableProtocol)
class ProxiedConnection(ProtocolWrapper, Visitor):
    """A connection that begins for whoever it is meant for when its header has come.

    Until then it is a visitor of the exchange, which counts it and ends it when that takes too
    long; so it does with one that is passed on.
    """

    factory: ProxiedFactory
    transport: Any
    wrappedProtocol: Any
    paused = False
    header: bytes | None = b""
    """What has come of it, until all has."""
    _peer: IAddress
    _kept: list[bytes] | None = None  # of the answer to the end of input
    _timer: interfaces.IDelayedCall | None = None

    def makeConnection(self, transport: Any) -> None:
        super().makeConnection(transport)
        visitors, waiting = self.factory.chat.visitors, self.factory.waiting
        visitors.came(self, None)
        visitors.unnamed.start(self)
        waiting[self] = None
        if len(waiting) > WAITING and visitors.crowded:
            next(iter(waiting)).refuse("full")

    def dataReceived(self, data: bytes) -> None:
        if self.header is None:
            return  # it is refused
        self.header += data
        try:
            found = read_header(self.header)
        except ValueError:
            self.refuse("no PROXY header")
            return
        if found is None:
            return
        peer, length = found
        rest = self.header[length:]
        self.leave()
        protocol = self.factory.wrappedFactory.buildProtocol(peer)
        if protocol is None:
            self.header = None
            self.transport.loseConnection()
            return
        self._pass_to(protocol, peer)
        protocol.makeConnection(self)
        if rest and not self.disconnecting:
            protocol.dataReceived(rest)

    def _pass_to(self, protocol: Any, peer: IAddress) -> None:
        self._peer, self.header = peer, None
        self.wrappedProtocol = protocol
        self.dataReceived = protocol.dataReceived  # type: ignore[method-assign]

    def go_on(self, transport: Any, protocol: Any, peer: IAddress) -> None:
        """Be a connection whose header came when another process had it."""
        super().makeConnection(transport)
        self._pass_to(protocol, peer)
        protocol.transport = self

    def wait_on(self, transport: Any, header: bytes) -> None:
        """Be a connection of whose header another process has read a part."""
        self.makeConnection(transport)
        self.header = header

    def leave(self) -> None:
        """Be no visitor any more."""
        self.factory.waiting.pop(self, None)
        self.factory.chat.visitors.unnamed.stop(self)
        self.factory.chat.visitors.went(self, None)

    def refuse(self, reason: str) -> None:
        """Close at once, and count it."""
        self.header = None
        self.leave()
        self.factory.chat.activity.refused(reason)
        self.transport.abortConnection()

    # The visitor

    def no_name_came(self) -> None:
        self.refuse("no PROXY header")  # who says nothing is no proxy

    def stop(self) -> None:
        self.transport.loseConnection()

    def abort(self) -> None:
        self.transport.abortConnection()

    # The transport of what is wrapped

    def getPeer(self) -> IAddress:
        return self._peer

    def _write_after(self, data: bytes) -> None:
        self.write_kept()
        self.transport.write(data)

    def write_kept(self) -> None:
        """Write what is kept of the answer to the end of input."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self.__dict__.pop("write", None)
        kept, self._kept = self._kept, None
        if kept:
            self.transport.write(b"".join(kept))

    def loseWriteConnection(self) -> None:
        self.write_kept()
        self.transport.loseWriteConnection()

    def loseConnection(self) -> None:
        self.write_kept()
        super().loseConnection()

    bufferSize = property(
        attrgetter("transport.bufferSize"),
        lambda self, size: setattr(self.transport, "bufferSize", size),
    )

    # What the transport tells

    def readConnectionLost(self) -> None:
        if not IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
            self.transport.loseConnection()
            return
        self._kept = []
        self.write = self._kept.append  # type: ignore[method-assign]
        self.wrappedProtocol.readConnectionLost()
        if "write" in self.__dict__:  # it stays
            answer = b"".join(self._kept)
            self._kept = [answer[-1:]]
            self.write = self._write_after  # type: ignore[method-assign]
            self.transport.write(answer[:-1])
            self._timer = self.factory.chat.clock.callLater(SECOND_WRITE, self.write_kept)

    def writeConnectionLost(self) -> None:
        if IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
            self.wrappedProtocol.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.write_kept()
        self.__dict__.pop("dataReceived", None)  # else it is a cycle to collect
        super().connectionLost(reason)
        self.leave()
        if self.header is not None:
            self.factory.chat.activity.left_unnamed()

    def logPrefix(self) -> str:
        return type(self).__name__


class ProxiedFactory(WrappingFactory[Any]):
    """Makes each connection that a proxy passes on one of the wrapped factory's."""

    noisy = False

    def __init__(self, wrapped: interfaces.IProtocolFactory, chat: Exchange) -> None:
        """Take the exchange, which counts connections, and may be the wrapped factory."""
        super().__init__(wrapped)
        self.chat = chat
        self.waiting: dict[ProxiedConnection, None] = {}
        """Those whose headers have not come, the oldest first."""

    def buildProtocol(self, addr: IAddress | None) -> interfaces.IProtocol:
        return ProxiedConnection(self, Protocol())  # which stands in until the header has come

    def logPrefix(self) -> str:
        return f"{self.wrappedFactory.__class__.__name__} (PROXY)"
