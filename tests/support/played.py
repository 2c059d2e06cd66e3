"""A line without sockets: the test plays the server, and the clock stands still."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from chatpair.client import screen
from chatpair.client.conversation import Conversation
from chatpair.client.screen import Standing
from chatpair.codecs import json
from chatpair.exchange.messages import (
    AnyEvent,
    CountedEvent,
    Error,
    Goodbye,
    JsonCommand,
    JsonEvent,
    Message,
    Mode,
    Named,
    Paired,
    Ping,
    Pong,
    Quit,
    Resume,
    Resumed,
    Say,
    Status,
    Timestamp,
)

HI = Message("bob", "hi", Timestamp(0.0))


def outcome(deferred: Deferred[Any]) -> list[Any]:
    """Return a list that will hold what a Deferred fires with, or the exception."""
    results: list[Any] = []
    deferred.addCallbacks(results.append, lambda failure: results.append(failure.value))
    return results


@implementer(IStreamClientEndpoint)
class Endpoint:
    """The way to a server: each attempt waits for the test to decide upon it."""

    host = "127.0.0.1"

    def __init__(self) -> None:
        self.attempts: list[tuple[IProtocolFactory, Deferred[IProtocol]]] = []

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        connecting: Deferred[IProtocol] = Deferred()
        self.attempts.append((factory, connecting))
        return connecting

    def accept(self) -> "Remote":
        """Let the one attempt that there must be succeed."""
        ((factory, connecting),) = self.attempts
        self.attempts.clear()
        protocol: Any = factory.buildProtocol(None)  # type: ignore[arg-type]
        remote = Remote(protocol, self.host)
        protocol.makeConnection(remote.transport)
        connecting.callback(protocol)
        return remote

    def refuse(self) -> None:
        """Let the one attempt that there must be fail."""
        ((_, connecting),) = self.attempts
        self.attempts.clear()
        connecting.errback(ConnectError())


class Remote:
    """The server's end of a connection."""

    def __init__(self, protocol: Any, host: str) -> None:
        self.protocol = protocol
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", host, 9_999))
        self.render: Callable[[JsonEvent], bytes] = json.render
        self._buffer = b""

    def lines(self) -> list[bytes]:
        """Return the lines sent since the last time."""
        data: bytes = self.transport.value()
        *lines, self._buffer = (self._buffer + data).split(b"\r\n")
        self.transport.clear()
        return lines

    def says(self, *events: JsonEvent) -> None:
        """Tell events at once."""
        self.protocol.dataReceived(b"".join(map(self.render, events)))

    def prints(self, *lines: str) -> None:
        """Say plain lines at once."""
        self.protocol.dataReceived("".join(f"{line}\r\n" for line in lines).encode())

    def takes_more(self, more: bool) -> None:
        """Take what the client says, or let it wait."""
        producer: Any = self.transport.producer
        if more:
            producer.resumeProducing()
        else:
            producer.pauseProducing()

    def drops(self) -> None:
        """Lose the connection, as a transport of TCP tells it: to its producer first."""
        if self.transport.producer is not None:
            self.transport.producer.stopProducing()
        self.protocol.connectionLost(Failure(ConnectionLost()))


def parsed(line: bytes) -> JsonCommand:
    """Return the command that a line must be."""
    command = json.parse(line)
    assert isinstance(command, JsonCommand), line
    return command


class Stage:
    """The server that the test plays, to one line at a time."""

    remote: Remote

    def __init__(self) -> None:
        self.clock = Clock()
        self.endpoint = Endpoint()
        self.seq = 0

    def accepts(self) -> None:
        """Let the line connect, and speak JSON."""
        self.remote = self.endpoint.accept()
        assert self.remote.lines() == [b"Mode:json"]
        self.remote.says(Mode(mode="json", version=1, hold=60))

    def said(self) -> list[Any]:
        """Return the commands sent since the last time, once all is sent that was due."""
        self.clock.advance(0)
        return [parsed(line) for line in self.remote.lines()]

    def counted(self, event: JsonEvent) -> JsonEvent:
        """Return an event with its number, if it is one that is counted."""
        if isinstance(event, CountedEvent):
            self.seq += 1
            return replace(event, seq=self.seq)
        return event

    def tells(self, *events: JsonEvent) -> None:
        """Tell events at once, each with its number."""
        self.remote.says(*map(self.counted, events))

    def drops(self) -> None:
        """Lose the connection, and let the line try again."""
        self.remote.drops()
        self.clock.advance(0.25)

    def resumes(
        self, seen: int, got: int, *missed: JsonEvent, peer: str | None = "bob"
    ) -> list[JsonCommand]:
        """Let the line connect again and resume, and tell it what it missed, to the pong.

        Return what the line said to that, beside the ping.
        """
        self.accepts()
        assert self.said() == [Resume("key", seen)]
        self.remote.says(Resumed("build", peer, got), *missed)
        ping, *others = self.said()
        assert ping == Ping()
        self.remote.says(Pong())
        return others

    def quits(self) -> None:
        """Answer to the quit that must have been sent last."""
        assert self.said()[-1:] == [Quit()]
        self.tells(Goodbye())
        assert self.remote.transport.disconnecting
        self.remote.drops()
        assert self.endpoint.attempts == []
        assert [call for call in self.clock.getDelayedCalls() if call.getTime() > 0.5] == []


class Play(Stage):
    """A line, what it tells its program, and the server that the test plays."""

    def __init__(
        self, name: str = "build", on_event: Callable[[JsonEvent], object] | None = None
    ) -> None:
        super().__init__()
        self.events: list[JsonEvent] = []
        self.links: list[bool] = []
        handle = on_event or self.events.append
        self.line = Conversation(self.endpoint, name, handle, self.links.append, clock=self.clock)
        self.finished = outcome(self.line.finished)

    def heard(self) -> list[JsonEvent]:
        """Return what the program was told since the last time, without its numbers."""
        heard, self.events[:] = list(self.events), []
        return [plain(event) for event in heard]


class Slow:
    """A program that is done with an event, of some kinds or of any, when the test says so."""

    def __init__(self, *kinds: type[AnyEvent]) -> None:
        self.heard: list[Any] = []
        self.waits: list[Deferred[None]] = []
        self._kinds = kinds or (object,)

    def __call__(self, event: AnyEvent) -> "Deferred[None] | None":
        self.heard.append(event)
        if not isinstance(event, self._kinds):
            return None
        self.waits.append(Deferred())
        return self.waits[-1]


class Shown:
    """A screen that keeps what it is given, and rings no bell aloud."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.is_watched = False  # how things stand is kept as well
        self.wanted = self.many = False
        self._standing = Standing()

    def show(self, event: AnyEvent) -> None:
        if isinstance(event, Message):
            self.log.append(f"{event.sender}: ({event.text})")
        else:
            self.log += screen.lines(event)

    def notice(self, text: str) -> None:
        self.log.append(text)

    def ask_name(self) -> None:
        self.log.append("(asks for a name)")

    def ask_password(self) -> None:
        self.log.append("(asks for a password)")

    def take_lines(self, wanted: bool, many: bool) -> None:
        self.wanted, self.many = wanted, many

    def stands(self, standing: Standing) -> None:
        before, self._standing = asdict(self._standing), standing
        changes = {key: new for key, new in asdict(standing).items() if new != before[key]}
        assert changes
        if self.is_watched:
            self.log.append(f"[{', '.join(f'{key} {new}' for key, new in changes.items())}]")

    def arrived(self, size: int) -> None:
        if self.is_watched:
            self.log.append(f"[{size} bytes]")

    def ring(self) -> None:
        self.log.append("(rings)")

    def peer_left(self) -> None:
        self.log.append("(the peer is gone)")


def plain(event: JsonEvent) -> JsonEvent:
    """Return an event without its number."""
    return replace(event, seq=UNSET) if isinstance(event, CountedEvent) else event


def named(name: str = "build", on_event: Callable[[JsonEvent], object] | None = None) -> Play:
    """Return a line that has its name."""
    play = Play(name, on_event)
    started = outcome(play.line.start())
    play.accepts()
    play.tells(Named(name, "key"))
    assert started == [None]
    assert play.heard() == ([] if on_event else [Named(name, "key")])
    play.said()
    return play


def paired(on_event: Callable[[JsonEvent], object] | None = None) -> Play:
    """Return a line that is paired with bob."""
    play = named(on_event=on_event)
    play.tells(Paired("bob"))
    play.said()
    play.heard()
    return play


def status(last: int, what: Any = "confirmed", **why: Any) -> Status:
    """Return the status of a say."""
    return Status(last, what, **why)


def says(*numbers: int, to: str | UnsetType = "bob") -> list[JsonCommand]:
    """Return the says of those numbers, each of which has its number for a text."""
    return [Say(number, str(number), to) for number in numbers]


def refused(of: str | None, code: Any) -> Error:
    """Return the error that answers a command."""
    return Error(of, code, "No.")
