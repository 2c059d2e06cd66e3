"""A reactor whose turns a test takes one by one, a port of epoll: on it, and who connects."""

import select
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python import context
from twisted.python.failure import Failure
from twisted.python.log import ILogContext
from zope.interface import implementer

from chatpair.epoll.endpoint import EpollPort
from chatpair.epoll.transport import EpollTransport
from tests.support.server import TIMEOUT


class Turns(MemoryReactorClock):
    """A reactor that asks its readers in each turn, and whose clock stands still."""

    def turn(self) -> int:
        """Let all readers that are readable read, and those calls be made that are due."""
        poll = select.poll()
        by_number = {reader.fileno(): reader for reader in self.readers}
        for fileno in by_number:
            poll.register(fileno, select.POLLIN)
        ready = poll.poll(0)
        for fileno, _ in ready:
            context.call({ILogContext: {}}, by_number[fileno].doRead)
        self.advance(0)
        return len(ready)

    def turn_until(self, done: Callable[[], object]) -> None:
        """Take turns until something is so."""
        hangs = monotonic() + TIMEOUT
        while not done():
            assert monotonic() < hangs
            self.turn()


@implementer(IHalfCloseableProtocol)
class Recorder(Protocol):
    """Keeps what happens to it."""

    transport: EpollTransport

    def __init__(self) -> None:
        self.data = b""
        self.events: list[str] = []
        self.reason: BaseException | None = None

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def readConnectionLost(self) -> None:
        self.events.append("input ended")

    def writeConnectionLost(self) -> None:
        self.events.append("output ended")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = reason.value

    def pauseProducing(self) -> None:
        self.events.append("pause")

    def resumeProducing(self) -> None:
        self.events.append("resume")

    def stopProducing(self) -> None:
        self.events.append("stop")


class Listening:
    """A port on a reactor of its own, and those that it has accepted."""

    def __init__(self) -> None:
        self.reactor = Turns()
        self.accepted: list[Any] = []
        factory = Factory()
        factory.noisy = False
        self.make: Callable[[], Any] = Recorder
        factory.buildProtocol = self._build  # type: ignore[assignment, method-assign]
        self.port = EpollPort(0, factory, 50, "127.0.0.1", self.reactor)
        self.port.startListening()
        self.address = ("127.0.0.1", self.port.getHost().port)
        self._clients: list[socket.socket] = []

    def _build(self, address: object) -> Any:
        protocol = self.make()
        if protocol is not None:
            self.accepted.append(protocol)
        return protocol

    def dial(self) -> socket.socket:
        """Connect, which the port need not have accepted yet."""
        client = socket.create_connection(self.address, TIMEOUT)
        self._clients.append(client)
        return client

    def connect(self) -> tuple[socket.socket, Any]:
        """Connect, and return this end and the protocol at the other."""
        client, before = self.dial(), len(self.accepted)
        self.reactor.turn_until(lambda: len(self.accepted) > before)
        return client, self.accepted[-1]

    def close(self) -> None:
        """Close everything."""
        for client in self._clients:
            client.close()
        self.port.stopListening()
        self.reactor.advance(0)
        self.port.poller.connectionLost(Failure(ConnectionError("the test is over")))


def read_all(listening: Listening, client: socket.socket) -> bytes:
    """Read until the other end has closed, while it takes its turns."""
    client.setblocking(False)
    data, ended = bytearray(), False

    def read() -> bool:
        nonlocal ended
        while not ended and select.select([client], [], [], 0)[0]:
            some = client.recv(65_536)
            data.extend(some)
            ended = not some
        return ended

    listening.reactor.turn_until(read)
    return bytes(data)
