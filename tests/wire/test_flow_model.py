"""The exchange under flow control, against its promises."""

import re
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.exchange.test_model import NAMES, calls, check_tables
from tests.support.exchange import FIRST_CALL, NOBODY, Exchange


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
            peer = factory.pairs.peer_of(protocol.user)
            must_wait = protocol.full or (peer is not None and peer.full)
            assert protocol.paused == self.parties[name].paused == must_wait

    def read(self) -> None:
        for reader, party in self.parties.items():
            for line in party.heard():
                if line in (FIRST_CALL, NOBODY, "You are free."):
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


TestFlowModel = FlowModel.TestCase
TestFlowModel.settings = settings(max_examples=settings().max_examples // 2, stateful_step_count=40)
