"""Ports that a process opens, or has been given open by the one that served before."""

import os
import socket
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.python.lockfile import FilesystemLock

from chatpair.doors.unix import remove
from chatpair.epoll.endpoint import EpollPort, EpollServerEndpoint


@dataclass(eq=False, repr=False)
class Ports:
    """The ports of a process by what describes them."""

    opened: dict[str, Any] = field(default_factory=dict)
    given: dict[str, socket.socket] = field(default_factory=dict)
    """Those that are open already."""

    async def listen(
        self, description: str, endpoint: IStreamServerEndpoint, factory: IProtocolFactory
    ) -> IListeningPort:
        """Return the port of an endpoint."""
        sock = self.given.pop(description, None)
        if sock is None:
            port = await endpoint.listen(factory)
        else:
            port = _adopt(sock, endpoint, factory)
        self.opened[description] = port
        return port

    def sockets(self) -> dict[str, socket.socket]:
        """Return the sockets of those that are open."""
        return {description: port.socket for description, port in self.opened.items()}

    def close_unused(self) -> None:
        """Close those that nobody here has a use for, for good."""
        for description, sock in self.given.items():
            name = sock.getsockname()
            is_ours = not description.startswith("systemd:")  # which listens on those itself
            if is_ours and sock.family == socket.AF_UNIX and isinstance(name, str):  # a path
                remove(Path(name))
            sock.close()

    def lock(self) -> None:
        """Be the process that the locks of unix sockets name."""
        for port in self.opened.values():
            if isinstance(port, unix.Port) and port.lockFile is None:
                lock = Path(os.fsdecode(port._bindPath) + ".lock")
                if lock.is_symlink():
                    lock.unlink()
                    port.lockFile = FilesystemLock(str(lock))
                    port.lockFile.lock()

    def stay(self) -> None:
        """Be the process that unix sockets name, though another one has listened on them since."""
        for port in self.opened.values():
            if isinstance(port, unix.Port):
                port.socket.listen(port.backlog)

    def go_on(self) -> None:
        """Accept those who wait, after all."""
        for port in self.opened.values():
            if port.connected:  # else the server stops
                port.startReading()

    def let_go(self) -> None:
        """Accept nobody any more: another process does."""
        for port in self.opened.values():
            port.stopReading()


def _adopt(
    sock: socket.socket, endpoint: IStreamServerEndpoint, factory: IProtocolFactory
) -> IListeningPort:
    """Return a port on a socket that listens; an endpoint has said which kind of port."""
    from twisted.internet import reactor

    sock.setblocking(False)  # systemd has undone that for its own, as at each start
    family = sock.family
    port: Any
    if family == socket.AF_UNIX:
        port = unix.Port._fromListeningDescriptor(reactor, sock.fileno(), factory)
        path = Path(os.fsdecode(sock.getsockname()))
        if path.is_socket():
            port.mode = stat.S_IMODE(path.stat().st_mode)  # which it sets again
    else:
        kind = EpollPort if isinstance(endpoint, EpollServerEndpoint) else tcp.Port
        port = kind._fromListeningDescriptor(reactor, sock.fileno(), family, factory)
    sock.close()
    port.startListening()
    return port  # type: ignore[no-any-return]
