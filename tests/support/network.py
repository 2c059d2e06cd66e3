"""A network in simulated time, which cuts a connection at any byte, in any of three ways."""

from typing import Any, Literal

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport
from zope.interface import implementer

from chatpair.client.conversation import Conversation
from chatpair.exchange.messages import Here, JsonEvent, Message
from chatpair.factory import ChatFactory

Cut = Literal["closed", "reset", "silent"]
"""A FIN both ways, a reset both ways, or nothing: nobody is told."""


class End(FakeTransport):
    """One end of a connection; what is written waits until the network moves it."""

    bufferSize = 65_536
    paused = False

    def __init__(self, protocol: Any, isServer: bool) -> None:
        super().__init__(protocol, isServer)
        self.unread = b""

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def hears(self, data: bytes) -> None:
        """Read, unless the protocol does not want to."""
        self.unread += data
        if self.unread and not (self.paused or self.disconnected):
            data, self.unread = self.unread, b""
            self.protocol.dataReceived(data)

    def loses(self, reason: Exception) -> None:
        """Lose the connection."""
        if not self.disconnected:
            self.disconnected = True
            self.protocol.connectionLost(Failure(reason))


class Link:
    """A connection between a client and the server."""

    def __init__(self, client: Any, server: Any) -> None:
        self.client, self.server = End(client, False), End(server, True)
        self._up = self._down = b""
        self._silent = False  # nothing comes through any more
        server.makeConnection(self.server)
        client.makeConnection(self.client)

    def move(self, up: int = 2**30, down: int = 2**30) -> bool:
        """Move so many bytes at most; return whether anything happened."""
        self._up += self.client.getOutBuffer() or b""
        self._down += self.server.getOutBuffer() or b""
        if self._silent:
            moved = False
        else:
            moved = bool(self._up[:up] or self._down[:down])
            self._up, up_now = self._up[up:], self._up[:up]
            self._down, down_now = self._down[down:], self._down[:down]
            self.server.hears(up_now)
            self.client.hears(down_now)
        return self._close() or moved

    def _close(self) -> bool:
        """Let an end that has hung up be gone, and the other know if it can."""
        happened = False
        for end, other in ((self.client, self.server), (self.server, self.client)):
            if end.disconnecting and not end.disconnected:
                happened = True
                if not self._silent:
                    other.hears(self._up if end is self.client else self._down)
                    other.hears(end.getOutBuffer() or b"")
                    other.loses(ConnectionDone())
                end.loses(ConnectionDone())
        return happened

    def cut(self, how: Cut) -> bool:
        """Lose what is on its way, and perhaps tell the ends; return whether it was whole."""
        was_whole, self._silent = not self._silent, True
        self._up = self._down = b""
        if how != "silent":
            reason = ConnectionDone() if how == "closed" else ConnectionLost()
            self.server.loses(reason)
            self.client.loses(reason)
        return was_whole


@implementer(IStreamClientEndpoint)
class Network:
    """What a client connects through; one connection at a time."""

    def __init__(self, factory: ChatFactory) -> None:
        self._factory = factory
        self.down = False
        self.links: list[Link] = []

    @property
    def link(self) -> Link | None:
        """The connection that there is."""
        return self.links[-1] if self.links else None

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":
        """Connect, unless the network is down."""
        if self.down:
            return fail(ConnectError())
        client: Any = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        self.links.append(Link(client, self._factory.buildProtocol(None)))
        return succeed(client)

    def move(self) -> bool:
        """Move all bytes of all connections; return whether anything happened."""
        moved = [link.move() for link in self.links]
        self.links = [
            link
            for link in self.links
            if not (link.client.disconnected and link.server.disconnected)
        ]
        return any(moved)

    def cut(self, up: int, down: int, how: Cut) -> bool:
        """Move so many bytes each way, and cut; return whether there was a connection."""
        link = self.link
        if link is None:
            return False
        link.move(up, down)
        return link.cut(how)


class Talker:
    """A program on a line through a network of its own, and what it has said and heard.

    A slow one is done with an event when the test says so.
    """

    def __init__(self, factory: ChatFactory, name: str) -> None:
        assert isinstance(factory.clock, Clock)
        self.clock = factory.clock
        self.network = Network(factory)
        self.said: list[str] = []
        self.outcomes: list[str] = []
        self.heard: list[str] = []
        self.events: list[JsonEvent] = []
        self.answers: list[Here] = []  # to who is here
        self.is_slow = False
        self._handling: Deferred[None] | None = None
        self.line = Conversation(self.network, name, self._on_event, clock=self.clock)
        self.line.start().addErrback(lambda _: None)

    def _on_event(self, event: JsonEvent) -> Deferred[None] | None:
        assert self._handling is None
        self.events.append(event)
        if isinstance(event, Message):
            self.heard.append(event.text)
        self._handling = Deferred() if self.is_slow else None
        return self._handling

    def handles(self) -> None:
        """Be done with the event that has been handled until now."""
        handling, self._handling = self._handling, None
        if handling is not None:
            handling.callback(None)

    @property
    def done(self) -> int:
        """How many events the program is done with."""
        return len(self.events) - (self._handling is not None)

    def asks(self) -> None:
        """Ask who is here."""
        self.line.who().addCallback(self.answers.append)

    def says(self, text: str) -> None:
        """Say something, and note what becomes of it, in order."""
        self.said.append(text)
        number = len(self.said)

        def settled(outcome: str) -> None:
            self.outcomes.append(outcome)
            assert len(self.outcomes) == number

        self.line.say(text).addCallbacks(
            settled, lambda failure: settled(f"failed: {failure.value.why}")
        )


def settle(*talkers: Talker, seconds: float = 0.0) -> None:
    """Move everything, and let so much time pass, until nothing happens by itself."""
    clock = talkers[0].clock
    end = clock.seconds() + seconds
    while True:
        clock.advance(0)
        moved = [talker.network.move() for talker in talkers]
        if any(moved):
            continue
        if clock.seconds() >= end:
            return
        due = min((call.getTime() for call in clock.getDelayedCalls()), default=end)
        clock.advance(max(0.0, min(due, end) - clock.seconds()))
