"""The exchange against a small model, and under flow control against its promises."""

import re
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chatpair.calls import MAX_TRIED
from tests.exchange import NOBODY, PAIRED, Exchange, Party, said

NAMES = ["ann", "ben", "cat", "dan", "eve"]
PARTIES = 7

any_party = st.integers(0, PARTIES - 1)
calls = st.sampled_from(NAMES).map("To:{}".format)
lines = st.one_of(
    st.sampled_from(NAMES),
    calls,
    st.sampled_from(["/bye", "/who", "hello", " To:ann", ""]),
    st.sampled_from(["hi", "Quit"]),
)


@dataclass(eq=False)
class Modelled:
    """A party, what the model says of it, and what it should have heard."""

    party: Party
    name: str = ""
    peer: "Modelled | None" = None
    listens: bool = False
    gone: bool = False
    rest: str = ""
    expected: list[str] = field(default_factory=list)
    tried: Counter[float] = field(default_factory=Counter)


class ExchangeModel(RuleBasedStateMachine):
    """Whatever a few parties do, each hears just what the design's table says."""

    @initialize()
    def open(self) -> None:
        self.exchange = Exchange()
        self.all = [Modelled(self.exchange.connect()) for _ in range(PARTIES)]

    # What the parties do

    @rule(number=any_party, segment=st.lists(lines, min_size=1, max_size=5), whole=st.booleans())
    def send(self, number: int, segment: list[str], whole: bool) -> None:
        one = self.all[number]
        text = "\n".join(segment) + ("\n" if whole else "")
        one.party.sends(b"" if one.listens else text.encode())
        if not one.listens:
            *whole_lines, one.rest = (one.rest + text).split("\n")
            for line in whole_lines:
                self.take(one, line)

    @rule(first=any_party, second=any_party)
    def call_each_other(self, first: int, second: int) -> None:
        one, other = self.all[first], self.all[second]
        if one.name and other.name and one is not other:
            self.send(first, [f"To:{other.name}"], True)
            self.send(second, [f"To:{one.name}"], True)

    @rule(number=any_party, clean=st.booleans())
    def drop(self, number: int, clean: bool) -> None:
        one = self.all[number]
        one.party.drops(clean)
        self.leave(one)
        self.all[number] = Modelled(self.exchange.connect())

    @rule(number=any_party, last=calls | st.sampled_from(["/bye", "Quit", "hi"]))
    def say_the_last_and_half_close(self, number: int, last: str) -> None:
        self.send(number, [last], False)
        self.half_close(number)

    @rule(number=any_party)
    def half_close(self, number: int) -> None:
        one = self.all[number]
        if one.listens or one.gone:
            return
        one.party.ends_input()
        rest, one.rest = one.rest, ""
        if rest:
            self.take(one, rest)
        one.listens = True
        if one.peer is not None:
            one.expected.append("Listening.")
        else:
            self.leave(one)

    @rule(seconds=st.integers(1, 5))
    def wait(self, seconds: int) -> None:
        # Short of any limit: the tests of those are elsewhere.
        if self.exchange.clock.seconds() - self.started < 25:
            self.exchange.clock.advance(seconds)

    @initialize()
    def start_clock(self) -> None:
        self.started = 1_795_393_321.0

    # What the model makes of it

    def take(self, one: Modelled, line: str) -> None:
        if one.gone:
            return
        if line == "Quit" or (line == "" and not one.name):
            one.expected.append("Quit")
            self.leave(one)
        elif line.startswith("/") and (word := line.split()[0]) not in ("/bye", "/who"):
            one.expected.append(
                f"No such command: {word}. Type /help, or put a space first to say it."
            )
        elif not one.name:
            self.take_name(one, line)
        elif line.startswith("To:"):
            self.take_call(one, line[3:])
        elif line.startswith("/bye") and one.peer is not None:
            self.part(one)
            one.expected.append("You are free.")
        elif line.startswith("/who"):
            here = sorted((m for m in self.all if m.name), key=lambda m: m.name.lower())
            marked = [m.name + "*" * (m.peer is not None) for m in here]
            one.expected.append(f"Here: {', '.join(marked)}")
        elif one.peer is None:
            one.expected.append(NOBODY)
        else:
            one.peer.expected.append(said(self.exchange, line, one.name))

    def take_name(self, one: Modelled, line: str) -> None:
        if len(line) > 32:
            one.expected.append("Bad name: 1 to 32 characters")
        elif not line.isalpha():
            why = "no space and none of : [ ] ( ) / * , in a name"
            one.expected.append(f"Bad name: {why}")
        elif any(m.name == line for m in self.all):
            one.expected.append("Reuse")
        else:
            one.name = line
            one.expected.append("OK")

    def take_call(self, one: Modelled, name: str) -> None:
        other = next((m for m in self.all if m.name == name), None)
        if other is one:
            one.expected.append("Please don't try to talk with yourself.")
        elif other is None:
            one.expected.append(f"The user {name} does not exist.")
        elif other is one.peer:
            one.expected.append(f"You are already chatting with {name}.")
        elif other.peer is not None:
            one.expected.append(f"{name} is talking with someone else.")
            second = self.exchange.clock.seconds()
            other.tried[second] += 1
            if other.tried[second] <= MAX_TRIED:
                other.expected.append(f"{one.name} tried to reach you.")
        else:
            self.part(one)
            one.peer, other.peer = other, one
            one.expected.append(PAIRED.format(name))
            other.expected.append(PAIRED.format(one.name))

    def part(self, one: Modelled) -> None:
        other, one.peer = one.peer, None
        if other is not None:
            other.peer = None
            other.expected.append("Quit.")
            if other.listens:
                self.leave(other)

    def leave(self, one: Modelled) -> None:
        one.gone = True
        one.name = ""
        self.part(one)

    # What must hold

    @invariant()
    def each_has_heard_what_it_should(self) -> None:
        for one in self.all:
            assert one.party.heard() == one.expected
            one.expected.clear()
            assert one.party.closed == one.gone

    @invariant()
    def the_tables_are_sound(self) -> None:
        check_tables(self.exchange)
        names = {m.name.lower() for m in self.all if m.name}
        assert set(self.exchange.factory.users) == names


def check_tables(exchange: Exchange) -> None:
    """Names are unique; pairs are of two users who are here, and nobody is in two."""
    factory = exchange.factory
    here = set(factory.users.values())
    assert len(here) == len(factory.users)
    assert all(user.name.key == key for key, user in factory.users.items())
    assert sorted(factory.users) == factory._names.first(len(here) + 1)
    for user, peer in factory.pairs.items():
        assert user is not peer
        assert factory.pairs[peer] is user
        assert user in here


class FlowModel(RuleBasedStateMachine):
    """However slowly parties read, each line arrives once and in order, or its sender knows."""

    @initialize()
    def open(self) -> None:
        self.exchange = Exchange()
        self.parties = {name: self.exchange.enter(name) for name in NAMES}
        self.count = 0
        self.sent: dict[str, list[int]] = {name: [] for name in NAMES}
        self.byes: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.got: list[tuple[str, str, int]] = []
        self.left: set[str] = set()

    @rule(name=st.sampled_from(NAMES), number=st.integers(1, 5), call=calls | st.just("/bye"))
    def speak(self, name: str, number: int, call: str) -> None:
        said_lines = []
        self.byes[name] += call == "/bye"
        for _ in range(number):
            self.count += 1
            self.sent[name].append(self.count)
            said_lines.append(str(self.count))
        self.parties[name].says(call, *said_lines)

    @rule(name=st.sampled_from(NAMES), number=st.integers(1, 5))
    def say(self, name: str, number: int) -> None:
        first = self.count + 1
        self.count += number
        self.sent[name] += range(first, self.count + 1)
        self.parties[name].says(*map(str, range(first, self.count + 1)))

    @rule(name=st.sampled_from(NAMES))
    def fill(self, name: str) -> None:
        self.parties[name].fills()

    @rule(name=st.sampled_from(NAMES))
    def drain(self, name: str) -> None:
        self.parties[name].drains()

    @rule(caller=st.sampled_from(NAMES), call=calls)
    def call(self, caller: str, call: str) -> None:
        self.parties[caller].says(call)

    @precondition(lambda self: len(self.left) < 2)
    @rule(name=st.sampled_from(NAMES), clean=st.booleans())
    def lose(self, name: str, clean: bool) -> None:
        if name not in self.left:
            self.left.add(name)
            self.read()
            self.parties[name].drops(clean)
            self.parties[name].fills = self.parties[name].drains = lambda: None  # type: ignore
            self.sent[name] = []

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        check_tables(self.exchange)
        self.exchange.clock.advance(0)
        factory = self.exchange.factory
        for name in set(NAMES) - self.left:
            protocol = self.parties[name].protocol
            assert protocol.user is not None
            peer = factory.peer_of(protocol.user)
            asks = protocol.full and (peer is None or protocol._command_waits)
            must_wait = asks or (peer is not None and peer.full)
            assert protocol.paused == self.parties[name].paused == must_wait

    def read(self) -> None:
        for reader, party in self.parties.items():
            for line in party.heard():
                if line in (NOBODY, "You are free."):
                    self.answered[reader] += 1
                elif match := re.fullmatch(r"\[.*\] (\w+): \((\d+)\)", line):
                    self.got.append((match[1], reader, int(match[2])))

    def teardown(self) -> None:
        if not hasattr(self, "exchange"):
            return
        for _ in NAMES:
            for party in self.parties.values():
                party.drains()
        self.read()
        numbers = [number for _, _, number in self.got]
        assert len(numbers) == len(set(numbers)), "a line came twice"
        for name in NAMES:
            for reader in NAMES:
                heard = [n for sender, to, n in self.got if (sender, to) == (name, reader)]
                assert heard == sorted(heard), "lines came out of order"
            if name not in self.left:
                arrived = {n for sender, _, n in self.got if sender == name}
                commands = len(self.sent[name]) + self.byes[name]
                assert arrived <= set(self.sent[name])
                assert commands == len(arrived) + self.answered[name], "a line lost in silence"


TestExchangeModel = ExchangeModel.TestCase
TestExchangeModel.settings = settings(max_examples=150, stateful_step_count=40)
TestFlowModel = FlowModel.TestCase
TestFlowModel.settings = settings(max_examples=150, stateful_step_count=40)
