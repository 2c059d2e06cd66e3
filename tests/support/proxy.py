"""A way to a server that is cut, slow or silent when a test says so."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from tests.support.server import TIMEOUT


class Link:
    """One connection through a proxy."""

    def __init__(
        self, proxy: "Proxy", client: socket.socket, server: socket.socket, limit: int | None
    ) -> None:
        self._proxy = proxy
        self._sockets = (client, server)
        self._left = limit  # bytes, of both directions together
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._threads = [
            threading.Thread(target=self._carry, args=ends)
            for ends in ((client, server), (server, client))
        ]
        for thread in self._threads:
            thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := self._allowed(source.recv(self._proxy.piece)):
                self._proxy.flows.wait()
                if sink is self._sockets[0]:
                    data = self._proxy.spoil(data)
                sink.sendall(data)
                if self._left == 0:
                    break
                if rate := self._proxy.rate:
                    self._is_over.wait(len(data) / rate)
        self.cut()

    def _allowed(self, data: bytes) -> bytes:
        with self._lock:
            if self._left is None:
                return data
            data = data[: self._left]
            self._left -= len(data)
            return data

    def cut_after(self, count: int | None) -> None:
        """Carry only so many bytes more, of both directions together; or any number."""
        with self._lock:
            self._left = count

    def cut(self) -> None:
        """End both sides' connections; what was on its way is lost."""
        self._is_over.set()
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
        self.rate = 0
        """Bytes a second that a connection carries each way, or 0 for as many as there are."""
        self.spoil: Callable[[bytes], bytes] = bytes
        """What becomes of what the server tells."""
        self.flows = threading.Event()
        """Whether anything comes through: set, or else all waits and nobody is told."""
        self.flows.set()
        self._server = ("127.0.0.1", port)
        self._limits = list(limits)
        self._links: list[Link] = []
        self._is_open = True
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.address = ["127.0.0.1", "--port", str(self.port)]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def piece(self) -> int:
        """How many bytes are carried at a time at most."""
        rate = self.rate
        return max(1, rate // 20) if rate else 65_536

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                self._link(self._listening.accept()[0])

    def _link(self, client: socket.socket) -> None:
        with self._lock:
            try:
                if not self._is_open:
                    raise ConnectionRefusedError
                server = socket.create_connection(self._server, TIMEOUT)
            except OSError:  # refused, or reset by a server that ends just now
                client.close()
                return
            limit = self._limits.pop(0) if self._limits else None
            server.settimeout(None)
            self._links.append(Link(self, client, server, limit))

    def cut(self) -> None:
        """Cut all connections, and all that are made from now on."""
        with self._lock:
            self._is_open = False
        self.cut_once()

    def cut_once(self) -> None:
        """Cut all connections; new ones can be made."""
        with self._lock:
            for link in self._links:
                link.cut()

    def cut_after(self, count: int) -> None:
        """Cut each connection that there is when it has carried so many bytes more."""
        with self._lock:
            for link in self._links:
                link.cut_after(count)

    def mend(self) -> None:
        """Carry connections again, and all that comes on them."""
        self.rate = 0
        self.flows.set()
        with self._lock:
            self._is_open = True
            for link in self._links:
                link.cut_after(None)

    def lead_new_to(self, port: int) -> None:
        """Make new connections to another server."""
        with self._lock:
            self._server = ("127.0.0.1", port)

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
        self.flows.set()
        for link in self._links:
            link.close()
