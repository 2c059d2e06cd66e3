"""The connections of a port, which together are one reader of the reactor."""

import select
from typing import Any, Protocol

from twisted.internet.interfaces import ILoggingContext, IReadDescriptor
from twisted.python import context
from twisted.python.failure import Failure
from twisted.python.log import ILogContext
from zope.interface import implementer

EVENTS_A_TURN = 100
"""Connections that are served before the reactor's other descriptors and timers have a turn."""

IN, OUT = 0x01, 0x04  # as in the kernel: select has the names only where there is epoll
_ERR, _HUP = 0x08, 0x10


class Connection(Protocol):
    """What is polled: a descriptor as the reactor knows them, and what it waits for."""

    events: int
    """IN, OUT, both or none."""

    system: str
    """What stands before a line of the log that is written while it is served."""

    def fileno(self) -> int: ...
    def doRead(self) -> None: ...
    def doWrite(self) -> None: ...
    def connectionLost(self, reason: Failure) -> None: ...

    def gone(self) -> None:
        """End, because of a reset that nothing was read or written to meet."""


@implementer(IReadDescriptor, ILoggingContext)
class EpollPoller:
    """An epoll with the connections that a port has accepted.

    They may outlive the port, as those of Twisted's own may.
    """

    def __init__(self, reactor: Any, port: int) -> None:
        """Begin without connections; port is for the log."""
        self.port = port
        self.reactor = reactor
        self.writers: list[Connection] | None = None
        """Those to write to when all that are ready have been read from; none at other times."""
        self._epoll = select.epoll()
        # By descriptor: these are small, and used again, so that a dictionary takes far more.
        self._connections: list[Connection | None] = []
        self._count = 0  # of those that are there
        self._closing = False
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
        writers = self.writers = []
        try:
            for fileno, event in self._epoll.poll(0, EVENTS_A_TURN):
                connection = self._connections[fileno]
                if connection is None:
                    continue  # it was closed in this turn
                system["system"] = connection.system
                if event == IN == connection.events:
                    connection.doRead()
                else:
                    self._serve(connection, event)
        finally:
            self.writers = None
        for connection in writers:
            system["system"] = connection.system
            connection.doWrite()

    def _serve(self, connection: Connection, event: int) -> None:
        wanted = event & connection.events
        if wanted & IN:
            connection.doRead()
        if wanted & connection.events & OUT:
            connection.doWrite()
        elif not wanted and event & _ERR:
            connection.gone()
        elif not wanted and event & _HUP:
            self.forget(connection)  # all is said, but what has come may not be read yet

    def add(self, connection: Connection) -> None:
        """Serve a connection from now on; raises OSError if the system can't watch so many."""
        fileno = connection.fileno()
        self._epoll.register(fileno, connection.events)
        self._connections += [None] * (fileno + 1 - len(self._connections))
        self._connections[fileno] = connection
        self._count += 1

    def watch(self, connection: Connection) -> None:
        """Look for what a connection wants now."""
        try:
            self._epoll.modify(connection.fileno(), connection.events)
        except FileNotFoundError:  # it was not looked at for a while
            self._epoll.register(connection.fileno(), connection.events)

    def forget(self, connection: Connection) -> None:
        """Look at a connection no more until it wants something else."""
        try:
            self._epoll.unregister(connection.fileno())
        except (OSError, ValueError):
            return  # it is forgotten already, or closed by somebody else

    def remove(self, connection: Connection) -> None:
        """Serve a connection no more; its socket is about to be closed.

        To close it is not enough if a process that was forked has it too.
        """
        self.forget(connection)
        fileno = connection.fileno()
        if fileno >= 0 and self._connections[fileno] is connection:
            self._connections[fileno] = None
            self._count -= 1
        if self._closing:
            self.close_when_empty()

    def close_when_empty(self) -> None:
        """Close once the last connection is gone: there will be no others."""
        self._closing = True
        if not self._count and not self._epoll.closed:
            self.reactor.removeReader(self)
            self._epoll.close()

    def connectionLost(self, reason: Failure) -> None:
        """End all connections, because the reactor stops."""
        for connection in filter(None, list(self._connections)):
            connection.connectionLost(reason)
        self.close_when_empty()
