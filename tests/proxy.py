"""A way to a server that is cut when a test says so, or when it has carried enough."""

import socket
import threading
from contextlib import suppress
from typing import Self

from tests.server import TIMEOUT


class Link:
    """One connection through a proxy."""

    def __init__(self, client: socket.socket, server: socket.socket, limit: int | None) -> None:
        self.told = bytearray()  # by the server
        self._sockets = (client, server)
        self._left = limit  # bytes, of both directions together
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._carry, args=ends)
            for ends in ((client, server), (server, client))
        ]
        for thread in self._threads:
            thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := self._allowed(source.recv(65_536)):
                sink.sendall(data)
                if sink is self._sockets[0]:
                    self.told += data
        self.cut()

    def _allowed(self, data: bytes) -> bytes:
        if self._left is None:
            return data
        with self._lock:
            data = data[: self._left]
            self._left -= len(data)
            return data

    def cut(self) -> None:
        """End both sides' connections; what was on its way is lost."""
        for end in self._sockets:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut, and wait until all is over."""
        self.cut()
        for thread in self._threads:
            thread.join(TIMEOUT)
        for end in self._sockets:
            end.close()


class Proxy:
    """Carries connections to a server, each up to a limit if there is one for it."""

    def __init__(self, port: int, *limits: int) -> None:
        """Take the server's port, and how many bytes each of the first connections may carry."""
        self._server = ("127.0.0.1", port)
        self._limits = list(limits)
        self._links: list[Link] = []
        self._is_open = True
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = ["127.0.0.1", "--port", str(self._listening.getsockname()[1])]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                self._link(self._listening.accept()[0])

    def _link(self, client: socket.socket) -> None:
        with self._lock:
            if not self._is_open:
                client.close()
                return
            limit = self._limits.pop(0) if self._limits else None
            server = socket.create_connection(self._server, TIMEOUT)
            server.settimeout(None)
            self._links.append(Link(client, server, limit))

    def cut(self) -> None:
        """Cut all connections, and all that are made from now on."""
        with self._lock:
            self._is_open = False
            for link in self._links:
                link.cut()

    def mend(self) -> None:
        """Carry connections again."""
        with self._lock:
            self._is_open = True

    def has_told(self, data: bytes) -> bool:
        """Tell whether the server has said something, on any connection."""
        with self._lock:
            return any(data in link.told for link in self._links)

    @property
    def limits_left(self) -> int:
        """How many limits no connection has had yet."""
        return len(self._limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(TIMEOUT)
        self._listening.close()
        for link in self._links:
            link.close()
