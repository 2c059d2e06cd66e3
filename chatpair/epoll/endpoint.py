"""The endpoint "epoll:": TCP on which a line costs less than half of what it costs on "tcp:".

On Twisted's own transport each connection is a descriptor of the reactor, and a line goes through
the reactor twice: to be read, and to be written, because a write waits until the reactor finds
the socket writable. Here the connections of a port are descriptors of an epoll of their own,
which is itself readable when any of them is ready (epoll(7)): one reader for the reactor,
whichever reactor it is. And a write waits for no more than that all who are ready were read from.
"""

import errno
import select
import socket
from dataclasses import dataclass
from typing import Any

from twisted.internet import interfaces, tcp
from twisted.internet.defer import Deferred, execute
from twisted.internet.main import CONNECTION_DONE
from twisted.logger import Logger
from twisted.plugin import IPlugin
from twisted.python.failure import Failure
from zope.interface import implementer

from chatpair.epoll.poller import EpollPoller
from chatpair.epoll.transport import Address, EpollTransport, address_of

BACKLOG = 1_024
"""Connections that may wait to be accepted."""

ACCEPTS_A_TURN = 100
"""Connections that are accepted before the reactor's other descriptors and timers have a turn."""

_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_DONE = Failure(CONNECTION_DONE)

_log = Logger()


class EpollPort(tcp.Port):
    """A port whose connections share an epoll."""

    reactor: Any
    poller: EpollPoller
    shared = False
    """Whether other processes of the same user may listen on the same port."""

    def createInternetSocket(self) -> socket.socket:
        """Return the socket to listen on."""
        sock: socket.socket = super().createInternetSocket()
        if self.shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return sock

    def startListening(self) -> None:
        """Begin to listen."""
        super().startListening()
        self.poller = EpollPoller(self.reactor, self.getHost().port)

    def doRead(self) -> None:
        """Accept those who wait, or as many of them as a turn allows."""
        for _ in range(ACCEPTS_A_TURN):
            try:
                fileno, client = self.socket._accept()  # type: ignore[union-attr]
            except BlockingIOError:
                return
            except OSError as why:
                if why.errno in _OUT_OF_FILES:
                    super().doRead()  # which has a file in reserve, to turn away those who wait
                    return
                continue  # whoever it was is gone already, or a firewall turned it away
            # What socket.accept does at twice the cost: it looks up two enums for that, and asks
            # the kernel for the protocol.
            sock = socket.socket(self.addressFamily, self.socketType, socket.IPPROTO_TCP, fileno)
            self._accepted(sock, address_of(client))

    def _accepted(self, sock: socket.socket, peer: Address) -> None:
        assert self.factory is not None
        try:
            protocol = self.factory.buildProtocol(peer)
        except BaseException:
            _log.failure("{peer} is turned away, because the factory failed", peer=peer)
            protocol = None
        if protocol is None:
            sock.close()
            return
        number = self.sessionno
        self.sessionno += 1
        try:
            transport = EpollTransport(sock, protocol, peer, self.poller, number)
        except OSError as why:  # the system can't watch so many
            sock.close()
            text = "Could not watch new connection ({acceptError})"  # as Twisted tells the others
            self._logger.info(text, acceptError=why.strerror)
        else:
            transport.call(protocol.makeConnection, transport)

    def connectionLost(self, reason: Failure) -> None:
        """Listen no more; connections stay."""
        try:
            super().connectionLost(reason)
        finally:
            self.poller.close_when_empty()


@implementer(interfaces.IStreamServerEndpoint)
@dataclass
class EpollServerEndpoint:
    """Listens on TCP with an epoll of its own.

    The reactor is one that provides IReactorFDSet; the interface is an address, or empty for all.
    Processes that all listen on a shared port get connections in turn, as the kernel likes
    (SO_REUSEPORT of socket(7)).
    """

    reactor: Any
    port: int
    backlog: int = BACKLOG
    interface: str = ""
    shared: bool = False

    def listen(
        self, protocolFactory: interfaces.IProtocolFactory
    ) -> "Deferred[interfaces.IListeningPort]":
        """Return the port, or fail with CannotListenError."""
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: interfaces.IProtocolFactory) -> interfaces.IListeningPort:
        listening = EpollPort(self.port, factory, self.backlog, self.interface, self.reactor)
        listening.shared = self.shared
        listening.startListening()
        return listening


@implementer(IPlugin, interfaces.IStreamServerEndpointStringParser)
class EpollServerParser:
    """Understands epoll:PORT, with interface=ADDRESS, backlog=NUMBER and shared=yes."""

    prefix = "epoll"

    def parseStreamServer(self, reactor: Any, *args: Any, **kwargs: Any) -> EpollServerEndpoint:
        """Return the endpoint of a description; raise ValueError where there is no epoll."""
        if not hasattr(select, "epoll"):
            raise ValueError("this system has no epoll")
        return _endpoint(reactor, *args, **kwargs)


def _endpoint(
    reactor: Any,
    port: str,
    backlog: str = str(BACKLOG),
    interface: str = "",
    shared: str = "no",
) -> EpollServerEndpoint:
    if shared not in ("yes", "no"):
        raise ValueError(f"shared={shared}: yes or no")
    return EpollServerEndpoint(reactor, int(port), int(backlog), interface, shared == "yes")
