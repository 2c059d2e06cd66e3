"""The endpoint "epoll:": TCP on which a line costs less than half of what it costs on "tcp:".

On Twisted's own transport each connection is a descriptor of the reactor, and a line goes through
the reactor twice: to be read, and to be written, because a write waits until the reactor finds
the socket writable. Here the connections of a port are descriptors of an epoll of their own,
which is itself readable when any of them is ready (epoll(7)): one reader for the reactor,
whichever reactor it is. And a write waits for no more than that all who are ready were read from.
"""

import errno
import os
import select
import socket
from contextlib import suppress
from typing import Any

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import (
    IDelayedCall,
    IListeningPort,
    ILoggingContext,
    IProtocolFactory,
    IReadDescriptor,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.internet.main import CONNECTION_DONE
from twisted.logger import Logger
from twisted.plugin import IPlugin
from twisted.python import context
from twisted.python.failure import Failure
from twisted.python.log import ILogContext
from zope.interface import implementer

from chatpair.epoll.transport import IN, OUT, EpollTransport, address_of

BACKLOG = 1_024
"""Connections that may wait to be accepted."""

ACCEPTS_A_TURN = 100
"""Connections that are accepted before the reactor's other descriptors and timers have a turn."""

EVENTS_A_TURN = 100
"""Connections that are served before the reactor's other descriptors and timers have a turn."""

REST_SECONDS = 1.0
"""How long nobody is accepted after the process, or the system, has run out of files."""

_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_ERR, _HUP = 0x08, 0x10  # as in the kernel, like IN and OUT

_DONE = Failure(CONNECTION_DONE)

_log = Logger()


@implementer(IReadDescriptor, ILoggingContext)
class EpollPoller:
    """The connections of a port, which together are one reader of the reactor.

    They may outlive the port, as those of Twisted's own may.
    """

    def __init__(self, reactor: Any, port: int) -> None:
        """Begin without connections; port is for the log."""
        self.port = port
        self._reactor = reactor
        self._epoll = select.epoll()
        self._connections: dict[int, EpollTransport] = {}
        self._closing = False
        self.serving = False
        self.writers: list[EpollTransport] = []  # those to be written to when all are served
        reactor.addReader(self)

    def fileno(self) -> int:
        """Return the descriptor that is readable when a connection is ready."""
        return self._epoll.fileno()

    def logPrefix(self) -> str:
        """Return what stands before a line of the log that is about no one connection."""
        return f"{type(self).__name__} on {self.port}"

    def doRead(self) -> None:
        """Serve the connections that are ready, or as many of them as a turn allows.

        All are read from before any is written to: to do the same thing many times in a row
        keeps it in the processor's caches, and who gets the lines is woken once for many.
        """
        system = context.get(ILogContext, {})
        self.serving = True
        try:
            for fileno, event in self._epoll.poll(0, EVENTS_A_TURN):
                connection = self._connections.get(fileno)
                if connection is None:
                    continue  # it was closed in this turn
                system["system"] = connection.logstr
                if event == IN == connection.events:
                    connection.doRead()
                else:
                    self._serve(connection, event)
        finally:
            self.serving = False
            writers, self.writers = self.writers, []
        for connection in writers:
            system["system"] = connection.logstr
            connection.doWrite()

    def _serve(self, connection: EpollTransport, event: int) -> None:
        wanted = event & connection.events
        if wanted & IN:
            connection.doRead()
        if wanted & connection.events & OUT:
            connection.doWrite()
        elif not wanted and event & _ERR:
            connection.gone()
        elif not wanted and event & _HUP:
            self.forget(connection)  # all is said, but what has come may not be read yet

    def add(self, connection: EpollTransport) -> None:
        """Serve a connection from now on."""
        fileno = connection.fileno()
        self._epoll.register(fileno, connection.events)
        self._connections[fileno] = connection

    def watch(self, connection: EpollTransport) -> None:
        """Look for what a connection wants now."""
        try:
            self._epoll.modify(connection.fileno(), connection.events)
        except FileNotFoundError:  # it was not looked at for a while
            self._epoll.register(connection.fileno(), connection.events)

    def forget(self, connection: EpollTransport) -> None:
        """Look at a connection no more until it wants something else."""
        with suppress(OSError, ValueError):  # it is forgotten already, or closed by somebody else
            self._epoll.unregister(connection.fileno())

    def remove(self, connection: EpollTransport) -> None:
        """Serve a connection no more; its socket is about to be closed.

        To close it is not enough if a process that was forked has it too.
        """
        self.forget(connection)
        self._connections.pop(connection.fileno(), None)
        if self._closing:
            self.close_when_empty()

    def close_when_empty(self) -> None:
        """Close once the last connection is gone: there will be no others."""
        self._closing = True
        if not self._connections and not self._epoll.closed:
            self._reactor.removeReader(self)
            self._epoll.close()

    def connectionLost(self, reason: Failure) -> None:
        """End all connections, because the reactor stops."""
        for connection in list(self._connections.values()):
            connection.connectionLost(reason)
        self.close_when_empty()


class EpollPort(tcp.Port):
    """A port that lets in nobody for a second when there are no files left, and says so once."""

    reactor: Any
    poller: EpollPoller
    _spare: int | None = None
    _resting: IDelayedCall | None = None
    _full = False
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
        self._reserve()
        self.poller = EpollPoller(self.reactor, self.getHost().port)

    def doRead(self) -> None:
        """Accept those who wait, or as many of them as a turn allows."""
        for _ in range(ACCEPTS_A_TURN):
            try:
                fileno, client = self.socket._accept()  # type: ignore[union-attr]
            except BlockingIOError:
                self._full = False
                return
            except OSError as why:
                if why.errno in _OUT_OF_FILES:
                    self._rest(why)
                    return
                continue  # whoever it was is gone already, or a firewall turned it away
            # What socket.accept does, which looks up two enums for it, at twice the cost.
            sock = socket.socket(self.addressFamily, self.socketType, fileno=fileno)
            self._accepted(sock, address_of(client))

    def _accepted(self, sock: socket.socket, peer: IPv4Address | IPv6Address) -> None:
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
            transport = EpollTransport(sock, protocol, peer, self.poller, number, self.reactor)
        except OSError as why:  # the system can't watch so many
            _log.error("{peer} is turned away: {why}", peer=peer, why=why)
            sock.close()
        else:
            transport.call(protocol.makeConnection, transport)

    def _rest(self, why: OSError) -> None:
        """Turn away those who wait, and look again after a while: there will be more."""
        if not self._full:
            self._full = True
            _log.warn(
                "Nobody can connect to port {port} at the moment: {why}",
                port=self.poller.port,
                why=why.strerror,
            )
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
            with suppress(OSError):
                for _ in range(BACKLOG):
                    self.socket.accept()[0].close()
        self._reserve()
        self.stopReading()
        self._resting = self.reactor.callLater(REST_SECONDS, self._rested)

    def _rested(self) -> None:
        self._resting = None
        self.startReading()

    def _reserve(self) -> None:
        """Keep a file open that makes room for one connection when there are no others."""
        with suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY)

    def connectionLost(self, reason: Failure) -> None:
        """Listen no more; connections stay."""
        try:
            super().connectionLost(reason)
        finally:
            if self._spare is not None:
                os.close(self._spare)
                self._spare = None
            self.poller.close_when_empty()

    def loseConnection(self, connDone: Failure = _DONE) -> "Deferred[None] | None":
        """Listen no more from the reactor's next turn on, when what this returns fires."""
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        closed: Deferred[None] | None = super().loseConnection(connDone)
        return closed

    stopListening = loseConnection


@implementer(IStreamServerEndpoint)
class EpollServerEndpoint:
    """Listens on TCP with an epoll of its own."""

    def __init__(
        self,
        reactor: Any,
        port: int,
        backlog: int = BACKLOG,
        interface: str = "",
        shared: bool = False,
    ) -> None:
        """Take a reactor that provides IReactorFDSet, and the address of an interface or none.

        Processes that all listen on a shared port get connections in turn, as the kernel likes
        (SO_REUSEPORT of socket(7)).
        """
        self._reactor = reactor
        self._arguments = (port, backlog, interface)
        self._shared = shared

    def listen(self, protocolFactory: IProtocolFactory) -> "Deferred[IListeningPort]":
        """Return the port, or fail with CannotListenError."""
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        port, backlog, interface = self._arguments
        listening = EpollPort(port, factory, backlog, interface, self._reactor)
        listening.shared = self._shared
        listening.startListening()
        return listening


@implementer(IPlugin, IStreamServerEndpointStringParser)
class EpollServerParser:
    """Understands epoll:PORT, with interface=ADDRESS, backlog=NUMBER and shared=yes."""

    prefix = "epoll"

    def parseStreamServer(self, reactor: Any, *args: Any, **kwargs: Any) -> EpollServerEndpoint:
        """Return the endpoint of a description; raise ValueError where there is no epoll."""
        if not hasattr(select, "epoll"):
            raise ValueError("this system has no epoll")
        return self._endpoint(reactor, *args, **kwargs)

    def _endpoint(
        self,
        reactor: Any,
        port: str,
        backlog: str = str(BACKLOG),
        interface: str = "",
        shared: str = "no",
    ) -> EpollServerEndpoint:
        if shared not in ("yes", "no"):
            raise ValueError(f"shared={shared}: yes or no")
        return EpollServerEndpoint(reactor, int(port), int(backlog), interface, shared == "yes")
