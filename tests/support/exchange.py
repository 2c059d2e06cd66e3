"""An exchange without sockets: parties on string transports, and a clock that stands still."""

import json
import time
from itertools import count
from typing import Any, cast

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from chatpair.exchange.settings import Settings
from chatpair.factory import ChatFactory
from chatpair.passwords.accounts import Accounts, Source
from chatpair.protocol import ChatProtocol

LOOPBACK = "127.0.0.1"
PAIRED = "You are chatting with {}."
FIRST_CALL = "Nobody is chatting with you. To:bob calls bob; /who tells who is here."
NOBODY = "Nobody is chatting with you. Maybe the one you talked with is talking with someone else."


class Transport(StringTransport):
    """A transport that says again that it is full whenever it is given more, as Twisted's do."""

    full = False
    bufferSize = 65_536

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.full and self.producer is not None:
            self.producer.pauseProducing()


class Party:
    """Somebody connected: what they send, and what they have been told."""

    def __init__(self, exchange: "Exchange", host: str) -> None:
        self.exchange = exchange
        exchange.all_parties.append(self)
        self.lost = False
        self.transport = Transport(peerAddress=IPv4Address("TCP", host, 40_000))
        self.protocol = cast(ChatProtocol, exchange.factory.buildProtocol(self.transport.getPeer()))
        self.protocol.makeConnection(self.transport)

    @property
    def closed(self) -> bool:
        """Whether the server has hung up."""
        return self.transport.disconnecting or self.transport.disconnected

    @property
    def paused(self) -> bool:
        """Whether the server has stopped reading."""
        return self.transport.producerState == "paused"

    def sends(self, data: bytes) -> None:
        """Send bytes, if anybody still takes them."""
        if not self.lost:
            self.protocol.dataReceived(data)
            self.exchange.clock.advance(0)

    def says(self, *lines: str) -> None:
        """Send lines of text."""
        for line in lines:
            self.sends(line.encode() + b"\n")

    def heard(self) -> list[str]:
        """Return the lines told since the last time."""
        self.exchange.take_turn()
        data = self.transport.value().decode()
        self.transport.clear()
        lines: list[str] = data.split("\r\n")
        assert lines.pop() == "", f"an unfinished line: {data!r}"
        return lines

    def ends_input(self) -> None:
        """Half-close: what nc -N does, and any program that ends."""
        self.protocol.readConnectionLost()
        self.exchange.clock.advance(0)

    def fills(self) -> None:
        """Stop reading, until the transport can take no more."""
        assert self.transport.producer is not None
        self.transport.full = True
        self.transport.producer.pauseProducing()
        self.exchange.clock.advance(0)

    def drains(self) -> None:
        """Read all that was waiting."""
        assert self.transport.producer is not None
        self.transport.full = False
        self.transport.producer.resumeProducing()
        self.exchange.clock.advance(0)

    def drops(self, clean: bool = False) -> None:
        """Lose the connection."""
        if not self.lost:
            self.lost = True
            self.protocol.connectionLost(Failure(ConnectionDone() if clean else ConnectionLost()))
            self.exchange.clock.advance(0)


class JsonParty(Party):
    """Somebody whose client speaks JSON."""

    def __init__(self, exchange: "Exchange", host: str) -> None:
        super().__init__(exchange, host)
        self.says("Mode:json")
        hold = exchange.factory.settings.hold
        assert self.events() == [{"event": "mode", "mode": "json", "version": 1, "hold": hold}]
        self.key = ""

    def does(self, do: str, **rest: object) -> None:
        """Send a command."""
        self.says(json.dumps({"do": do, **rest}))

    def say(self, number: int, text: str) -> None:
        """Say something."""
        self.does("say", id=number, text=text)

    def events(self) -> list[dict[str, Any]]:
        """Return the events told since the last time."""
        return [json.loads(line) for line in self.heard()]

    def uncounted(self) -> list[dict[str, Any]]:
        """Return the events told since the last time without their numbers."""
        events = self.events()
        for event in events:
            event.pop("seq", None)
        return events

    def resumes(self, other: "JsonParty", seen: int = 0) -> list[dict[str, Any]]:
        """Take over the line of another; return the events told."""
        self.key = other.key
        self.does("resume", key=other.key, seen=seen)
        return self.events()


def clock() -> Clock:
    """Return a clock of 2026-11-23, about half past midnight in UTC."""
    new = Clock()
    new.advance(1_795_393_321)
    return new


class Exchange:
    """A factory, its clock, and the parties connected to it."""

    def __init__(self, *sources: Source, **options: int | float | str) -> None:
        """Take where names have passwords, if any have one."""
        self._hosts = count()
        self.all_parties: list[Party] = []
        """All that have ever connected."""
        self.clock = clock()
        settings = Settings(**options)  # type: ignore[arg-type]
        self.accounts: Any = Accounts(list(sources), self.clock) if sources else None
        self.factory = ChatFactory(
            self.clock, settings, time_of_day=self.clock.seconds, accounts=self.accounts
        )

    def has(self, option: str, value: int | str) -> None:
        """Let an option have another value from now on."""
        setattr(self.factory.settings, option, value)

    def take_turn(self) -> None:
        """Do nothing: where there is one node, all has been told at once."""

    def connect(self, host: str = "") -> Party:
        """Connect somebody who has said nothing yet, from a host that has no other."""
        return Party(self, host or f"host-{next(self._hosts)}")

    def local(self, *lines: str) -> Party:
        """Connect somebody on this machine, whose password nobody can read, and say lines."""
        party = self.connect(LOOPBACK)
        party.says(*lines)
        return party

    def enter(self, name: str, host: str = "") -> Party:
        """Connect somebody and say a name, which must be free."""
        party = self.connect(host)
        party.says(name)
        assert party.heard()[0] == "OK"
        return party

    def connect_json(self, host: str = "") -> JsonParty:
        """Connect somebody whose client speaks JSON."""
        return JsonParty(self, host or f"host-{next(self._hosts)}")

    def enter_json(self, name: str, host: str = "") -> JsonParty:
        """Connect somebody whose client speaks JSON, and say a name, which must be free."""
        party = self.connect_json(host)
        party.does("name", name=name)
        [named] = party.events()
        assert named == {"event": "named", "name": name, "key": named["key"], "seq": 1}
        party.key = named["key"]
        return party

    def pair(self, caller: str = "alice", callee: str = "bob") -> tuple[Party, Party]:
        """Connect two and let one call the other."""
        first, second = self.enter(caller), self.enter(callee)
        first.says(f"To:{callee}")
        assert first.heard() == [PAIRED.format(callee)]
        assert second.heard() == [PAIRED.format(caller)]
        return first, second

    def mixed_pair(self) -> tuple[JsonParty, Party]:
        """Let alice, whose client speaks JSON, call bob, whose does not, and both know it."""
        alice, bob = self.enter_json("alice"), self.enter("bob")
        alice.does("to", name="bob")
        assert bob.heard() == [PAIRED.format("alice")]
        assert [event["peer"] for event in alice.events()] == ["bob"]
        return alice, bob


def error(of: str | None, code: str, text: str) -> dict[str, Any]:
    """Return the event that tells of an error."""
    return {"event": "error", "of": of, "code": code, "text": text}


def status(number: int, outcome: str, **rest: str) -> dict[str, Any]:
    """Return the event that tells what became of what was said."""
    return {"event": "status", "id": number, "status": outcome, **rest}


def said(exchange: Exchange, text: str, sender: str = "alice") -> str:
    """Return the line that tells a peer what somebody says at this moment."""
    return f"[{time.ctime(exchange.clock.seconds())}] {sender}: ({text})"
