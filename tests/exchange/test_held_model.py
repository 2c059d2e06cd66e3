"""Whatever clients that count do, and however often they drop, the counts and receipts are true."""

import json
from collections import defaultdict
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chatpair.exchange.receipts import LATE_SECONDS
from tests.exchange.test_model import check_tables
from tests.support.exchange import Exchange, JsonParty, Party

JSON_NAMES = ["ann", "ben", "cat"]
PLAIN_NAMES = ["dan", "eve"]  # of whom eve has a key
NAMES = JSON_NAMES + PLAIN_NAMES

any_name = st.sampled_from(NAMES)
any_counting = st.sampled_from(JSON_NAMES)


class Counting:
    """A client that counts: what it was told, by number, and what became of what it said."""

    def __init__(self, exchange: Exchange, name: str) -> None:
        self.exchange = exchange
        self.name = name
        self.party: JsonParty | None = exchange.connect_json()
        self.party.does("name", name=name)
        self.events: dict[int, dict[str, Any]] = {}
        self.seen = self.acked = self.said = 0
        self.statuses: dict[int, str] = {}
        self.read()
        self.key = self.events[1]["key"]

    def read(self) -> None:
        """Take what was told: each number has one event, and none is left out."""
        if self.party is None:
            return
        for event in self.party.events():
            seq = event.get("seq")
            if seq is None:
                assert event["event"] in ("resumed", "pong", "who"), event
                continue
            assert seq <= self.seen + 1
            assert self.events.setdefault(seq, event) == event
            if seq == self.seen + 1:
                self.seen = seq
                if event["event"] == "status":
                    self.settle(event["id"], event["status"])

    def settle(self, last: int, status: str) -> None:
        """Note a status for all up to an id that had none."""
        if last in self.statuses:  # an answer to an id that was said again
            assert self.statuses[last] == status
        for number in range(max(self.statuses, default=0) + 1, last + 1):
            self.statuses[number] = status

    def heard(self, upto: int) -> list[str]:
        """Return the texts of the messages up to a number."""
        events = [self.events[seq] for seq in sorted(self.events) if seq <= upto]
        return [event["text"] for event in events if event["event"] == "message"]


class HeldModel(RuleBasedStateMachine):
    """Three who count, one with a key, one without; everything that they say is unlike."""

    @initialize()
    def open(self) -> None:
        self.exchange = Exchange(hold=1_000)
        self.count = 0
        self.counting = {name: Counting(self.exchange, name) for name in JSON_NAMES}
        self.plain: dict[str, Party | None] = {n: self.exchange.enter(n) for n in PLAIN_NAMES}
        self.lines: dict[str, list[str]] = defaultdict(list)
        self.acknowledged: set[str] = set()
        self.sent: dict[str, list[tuple[int, str]]] = defaultdict(list)
        eve = self.plain["eve"]
        assert eve is not None
        eve.says("/key")
        self.key = eve.heard()[0].split()[3].rstrip(".")

    # What they do

    @rule(name=any_counting, count=st.integers(1, 3), skip=st.sampled_from([0, 0, 0, 2]))
    def say(self, name: str, count: int, skip: int) -> None:
        one = self.counting[name]
        if one.party is None:
            return
        one.said += skip
        for _ in range(count):
            one.said += 1
            self.count += 1
            self.sent[name].append((one.said, f"{name} {self.count}"))
            one.party.say(one.said, f"{name} {self.count}")

    @rule(name=any_counting, back=st.integers(0, 5))
    def say_again(self, name: str, back: int) -> None:
        one = self.counting[name]
        if one.party is not None and one.said > back:
            one.party.say(one.said - back, "again")

    @rule(name=st.sampled_from(PLAIN_NAMES), count=st.integers(1, 3))
    def say_plainly(self, name: str, count: int) -> None:
        party = self.plain[name]
        for _ in range(count if party is not None else 0):
            assert party is not None
            self.count += 1
            party.says(f"{name} {self.count}")

    @rule(name=any_counting, less=st.sampled_from([0, 0, 1, 3]))
    def acknowledge(self, name: str, less: int) -> None:
        one = self.counting[name]
        one.read()
        upto = max(one.acked, one.seen - less)
        if one.party is not None and upto:
            one.acked = upto
            self.acknowledged.update(one.heard(upto))
            one.party.does("ack", seq=upto)

    @rule(caller=any_name, callee=any_name)
    def call(self, caller: str, callee: str) -> None:
        one = self.counting[caller].party if caller in self.counting else self.plain[caller]
        if isinstance(one, JsonParty):
            one.does("to", name=callee)
        elif one is not None:
            one.says(f"To:{callee}")

    @rule(name=any_counting)
    def hang_up(self, name: str) -> None:
        party = self.counting[name].party
        if party is not None:
            party.does("bye")

    @rule(name=any_name, full=st.booleans())
    def read_or_not(self, name: str, full: bool) -> None:
        one = self.counting[name].party if name in self.counting else self.plain[name]
        if one is not None and one.transport.producer is not None:
            one.fills() if full else one.drains()

    # Coming and going

    @rule(name=any_name)
    def drop(self, name: str) -> None:
        if name in self.counting:
            one = self.counting[name]
            one.read()
            if one.party is not None:
                one.party.drops()
            one.party = None
        else:
            self.read_plain()
            party, self.plain[name] = self.plain[name], None
            if party is not None:
                party.drops()
            if name == "dan":
                self.plain[name] = self.exchange.enter(name)

    @rule(name=any_counting, less=st.integers(0, 4))
    def resume(self, name: str, less: int) -> None:
        one = self.counting[name]
        one.read()
        seen = max(one.acked, one.seen - less)
        party = self.exchange.connect_json()
        party.does("resume", key=one.key, seen=seen)
        old, one.party = one.party, party
        self.acknowledged.update(one.heard(seen))
        one.acked = seen
        first, *rest = [json.loads(line) for line in party.heard()]
        assert (first["event"], first["name"]) == ("resumed", name)
        assert first["got"] <= one.said
        assert [event["seq"] for event in rest] == list(range(seen + 1, seen + 1 + len(rest)))
        assert seen + len(rest) >= one.seen
        for event in rest:
            party.transport.write(json.dumps(event).encode() + b"\r\n")
        one.said = first["got"]
        self.sent[name] = [said for said in self.sent[name] if said[0] <= one.said]
        if old is not None:
            assert old.closed
            old.drops()

    @rule()
    def come_back(self) -> None:
        self.read_plain()
        old, party = self.plain["eve"], self.exchange.connect()
        party.says(f"Back:{self.key}")
        self.plain["eve"] = party
        if old is not None:
            assert old.closed
            old.drops()

    # Nobody has been silent for too long by then, nor has failed what was said in an ended pair.
    @precondition(lambda self: self.exchange.clock.seconds() + 20 < 1_795_393_321 + LATE_SECONDS)
    @rule()
    def wait(self) -> None:
        self.exchange.clock.advance(20)

    # What must hold

    def read_plain(self) -> None:
        for name, party in self.plain.items():
            if party is not None and not party.closed:
                for line in party.heard():
                    if line.startswith("[") and "(again)" not in line:
                        self.lines[name].append(line.partition(": (")[2].removesuffix(")"))

    @invariant()
    def receipts_are_true(self) -> None:
        self.read_plain()
        for one in self.counting.values():
            one.read()
        handed = {text for lines in self.lines.values() for text in lines}
        told = {text for one in self.counting.values() for text in one.heard(one.seen)}
        for name, one in self.counting.items():
            for number, text in self.sent[name]:
                match one.statuses.get(number):
                    case "confirmed":
                        assert text in self.acknowledged
                    case "handed":
                        assert text in handed
                    case "failed":
                        assert text not in self.acknowledged
                    case None:
                        assert number > max(one.statuses, default=0)
        assert "again" not in handed | told

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        self.exchange.clock.advance(0)
        check_tables(self.exchange)
        for party in self.plain.values():
            user = party.protocol.user if party is not None else None
            if party is not None and user is not None:
                peer = self.exchange.factory.pairs.peer_of(user)
                must_wait = party.protocol.full or (peer is not None and peer.full)
                assert party.protocol.paused == party.paused == must_wait

    @invariant()
    def each_comes_once_and_in_order(self) -> None:
        reads = [one.heard(one.seen) for one in self.counting.values()]
        for texts in [*reads, *self.lines.values()]:
            for name in NAMES:
                numbers = [int(text.split()[1]) for text in texts if text.startswith(name)]
                assert numbers == sorted(set(numbers))

    def teardown(self) -> None:
        if not hasattr(self, "counting"):
            return
        for name in JSON_NAMES:
            self.resume(name, 0)
        self.come_back()
        for _ in range(30):
            for name in NAMES:
                self.read_or_not(name, False)
            for name in JSON_NAMES:
                self.acknowledge(name, 0)
            self.exchange.clock.advance(0)
        self.receipts_are_true()
        for name, one in self.counting.items():
            assert max(one.statuses, default=0) == one.said, f"{name} never knew"


TestHeldModel = HeldModel.TestCase
TestHeldModel.settings = settings(max_examples=settings().max_examples // 2, stateful_step_count=40)
