"""A line beside a model of a server, over a network that loses whatever it carries."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.internet.defer import Deferred

from chatpair.codecs import json
from chatpair.messages import (
    Acknowledge,
    AskWho,
    Call,
    Claim,
    Error,
    Here,
    JsonEvent,
    Message,
    Mode,
    Named,
    Paired,
    Ping,
    Pong,
    Resume,
    Resumed,
    Say,
    Timestamp,
)
from tests.support.played import Play, outcome, status

# Drops


class Server:
    """A server that holds one line for ever, over a network that carries bytes as it is told."""

    def __init__(self) -> None:
        self.play = Play(on_event=self._handle)
        self.texts: list[str] = []  # as the peer has them
        self.told: list[Any] = []
        self.kept: list[Any] = []  # and not acknowledged
        self.handled: list[JsonEvent] = []
        self.handling: list[Deferred[None]] = []
        self.known = self.is_paired = False
        self._up = self._down = b""
        self._settled = 0
        outcome(self.play.line.start())
        self._connect()

    def _handle(self, event: JsonEvent) -> Deferred[None]:
        self.handled.append(event)
        self.handling.append(Deferred())
        return self.handling[-1]

    def _connect(self) -> None:
        self.play.remote = self.play.endpoint.accept()
        self._up = self._down = b""
        self._is_here = False

    # What may happen

    def drop(self) -> None:
        """Lose the connection, with what it carries."""
        self.play.remote.drops()
        self.play.clock.advance(40)  # a ping is due by then, and another attempt
        self._connect()

    def carry(self, size: int) -> None:
        """Carry bytes in both directions."""
        transport = self.play.remote.transport
        self._up += transport.value()
        transport.clear()
        data, self._up = self._up[:size], self._up[size:]
        *lines, rest = data.split(b"\n")
        self._up = rest + self._up
        for line in lines:
            self._obey(line.strip())
        data, self._down = self._down[:size], self._down[size:]
        self.play.remote.protocol.dataReceived(data)
        self.play.clock.advance(0)

    def handle(self) -> None:
        """Let the program be done with an event."""
        if self.handling:
            self.handling.pop().callback(None)
            self.play.clock.advance(0)

    def speak(self) -> None:
        """Let the peer say something."""
        if self.is_paired:
            self._tell(Message("bob", str(len(self.told)), Timestamp(0.0)))

    def settle(self) -> None:
        """Tell what became of all that was said until now."""
        if len(self.texts) > self._settled:
            self._settled = len(self.texts)
            self._tell(status(self._settled))

    # What the server does

    def _write(self, *events: JsonEvent) -> None:
        self._down += b"".join(map(json.render, events))

    def _tell(self, event: Any) -> None:
        event = replace(event, seq=len(self.told) + 1)
        self.told.append(event)
        self.kept.append(event)
        if self._is_here:
            self._write(event)

    def _acknowledged(self, seq: int) -> None:
        assert seq <= len(self.handled) - len(self.handling)
        self.kept = [event for event in self.kept if event.seq > seq]

    def _obey(self, line: bytes) -> None:
        if line == b"Mode:json":
            self._write(Mode(mode="json", version=1, hold=60))
            return
        match json.parse(line):
            case Claim(name) if self.known:
                self._write(Error("name", "reuse", "It is held."))
            case Claim(name):
                self.known = self._is_here = True
                self._tell(Named(name, "key"))
            case Resume("key", seen):
                self._is_here = True
                self._acknowledged(seen)
                peer = "bob" if self.is_paired else None
                self._write(Resumed("build", peer, len(self.texts)), *self.kept)
            case Say(number, text):
                assert number == len(self.texts) + 1
                self.texts.append(text)
            case Acknowledge(seq):
                self._acknowledged(seq)
            case Call("bob") if self.is_paired:
                self._tell(Error("to", "already", "You are already chatting with bob."))
            case Call("bob"):
                self.is_paired = True
                self._tell(Paired("bob"))
            case AskWho():
                self._write(Here([], len(self.texts)))
            case Ping():
                self._write(Pong())
            case other:
                raise AssertionError(other)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 40_000)),
        st.tuples(st.just("carry"), st.one_of(st.integers(1, 300), st.just(10**6))),
        st.tuples(st.sampled_from(["drop", "handle", "speak", "settle", "who"]), st.none()),
    ),
    max_size=60,
)


@settings(max_examples=300)
@given(STEPS)
def test_everything_arrives_once_and_in_order_whatever_is_lost(
    steps: list[tuple[str, int | None]],
) -> None:
    server = Server()
    line = server.play.line
    # The first claim must get through: without a key there is nothing to come back to.
    server.carry(10**6)
    server.carry(10**6)
    called = outcome(line.call("bob"))
    server.carry(10**6)
    said: list[str] = []
    results: list[list[Any]] = []
    asked: list[list[Any]] = []
    for step, size in steps:
        if step == "say":
            said.append(f"{len(said)} {'x' * (size or 0)}")
            results.append(outcome(line.say(said[-1])))
        elif step == "who":
            asked.append(outcome(line.who()))
        elif size is not None:
            server.carry(size)
        else:
            getattr(server, step)()
    for _ in range(4 * len(said) + 4 * len(asked) + len(server.told) + 20):
        server.carry(10**7)
        server.settle()
        server.handle()
    assert called == ["bob"]
    assert server.texts == said
    assert results == [["confirmed"]] * len(said)
    assert [len(answer) for answer in asked] == [1] * len(asked)
    assert server.handled == server.told
    assert server.kept == []
