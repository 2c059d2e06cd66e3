"""Whatever arrives when: once all has arrived, the nodes agree, and no line was lost unnoticed."""

from itertools import count
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chatpair.exchange.messages import Ping, SetDnd, SetRing
from tests.support.cluster_exchange import Network, Node, PartyTransport
from tests.support.cluster_people import Person
from tests.support.cluster_wire import Wire
from tests.support.history import History
from tests.support.history_check import faults

NAMES = ["ann", "ben", "cat", "dan", "eve"]
NODES = ["a", "b", "c"]

homes = st.integers(0, 2)
numbers = st.integers(0, 4)


class ClusterModel(RuleBasedStateMachine):
    """A few users at three nodes, between which frames arrive one by one, in any interleaving."""

    @initialize(at=st.lists(st.tuples(homes, st.booleans()), min_size=5, max_size=5), seed=numbers)
    def open(self, at: list[tuple[int, bool]], seed: int) -> None:
        self.network = Network(*NODES)
        self.history = History()
        self.moments = count()
        self.alive = list(NODES)
        self.wires: list[PartyTransport] = []
        self.people = [
            Person(number, Random(f"{seed} {number}"), self.history, 3, self.connect, self.now)
            for number in range(len(NAMES))
        ]
        for number, (home, counts) in enumerate(at):
            self.people[number].is_at_rest = True  # does but what is asked of it
            self.come(number, home, counts)
        self.network.hold()

    def now(self) -> float:
        """Return the time, which is another one whenever it is asked."""
        return self.network.clock.seconds() + next(self.moments) * 1e-6

    def connect(self, wire: Wire, node: int, host: str) -> bool:
        if NODES[node] not in self.alive:
            return False
        self.wires.append(PartyTransport(wire, self.network.node(NODES[node]).connect(host)))
        return True

    @invariant()
    def all_read(self) -> None:
        for wire in self.wires:
            wire.carry()

    def who(self, number: int) -> list[Person]:
        """Return the one who has a number, if that may speak."""
        person = self.people[number]
        return [person] if person.state == "in" and not person.calling else []

    # What users do

    @rule(number=numbers, home=homes, counts=st.booleans())
    def come(self, number: int, home: int, counts: bool) -> None:
        if self.people[number].state == "out":
            self.people[number].comes(NAMES[number], home, counts=counts)
            self.all_read()

    @rule(number=numbers)
    def leave(self, number: int) -> None:
        if self.people[number].state in ("in", "naming"):
            self.people[number].leaves()

    @rule(number=numbers, callee=numbers, far=st.integers(0, 3))
    def call(self, number: int, callee: int, far: int) -> None:
        for person in self.who(number):
            person.calls(NAMES[callee])
            self.let_arrive(far)

    def let_arrive(self, far: int) -> None:
        """Let a call get to the engine, to the callee's node, or back."""
        while far and self.network.asked:
            self.network.answer()
        for _ in range(far - 1):
            for link in list(self.network.links.values()):
                for _ in range(len(link.waiting)):
                    link.deliver()
        self.all_read()

    @rule(number=numbers, callee=numbers, far=st.integers(1, 3), further=st.integers(0, 3))
    def call_and_think_again(self, number: int, callee: int, far: int, further: int) -> None:
        self.call(number, callee, far)
        self.wait(5)
        self.all_read()
        self.hang_up(number)
        self.let_arrive(further)

    @rule(number=numbers, callee=numbers, far=st.integers(1, 3))
    def call_and_leave(self, number: int, callee: int, far: int) -> None:
        self.call(number, callee, far)
        self.leave(number)

    @rule(one=numbers, other=numbers, far=st.integers(0, 1), further=st.integers(0, 3))
    def call_each_other(self, one: int, other: int, far: int, further: int) -> None:
        self.call(one, other, far)
        self.call(other, one, further)

    @rule(number=numbers)
    def hang_up(self, number: int) -> None:
        for person in self.who(number):
            person.hangs_up()

    @rule(number=numbers, on=st.booleans(), dnd=st.booleans())
    def set(self, number: int, on: bool, dnd: bool) -> None:
        for person in self.who(number):
            person.does(SetDnd(on and dnd) if dnd else SetRing(on))

    @rule(number=numbers, texts=st.integers(1, 2))
    def say(self, number: int, texts: int) -> None:
        for person in self.who(number):
            person.says(texts)

    @rule(number=numbers)
    def acknowledge(self, number: int) -> None:
        for person in self.who(number):
            person.acknowledges()

    # What happens

    @rule(one=st.integers(0, 5), frames=st.integers(1, 3))
    def deliver(self, one: int, frames: int) -> None:
        waiting = [link for link in self.network.links.values() if link.waiting]
        for link in waiting[one : one + 1]:
            for _ in range(min(frames, len(link.waiting))):
                link.deliver()

    @precondition(lambda self: self.network.asked)
    @rule(answers=st.integers(1, 3))
    def answer(self, answers: int) -> None:
        for _ in range(min(answers, len(self.network.asked))):
            self.network.answer()

    @rule(seconds=st.sampled_from([1, 5, 30]))
    def wait(self, seconds: int) -> None:
        self.network.clock.advance(seconds)
        for person in self.people:
            if person.state == "in" and person.counts:
                person.does(Ping())  # or it would be taken for gone

    @precondition(lambda self: len(self.alive) > 1)
    @rule(home=st.sampled_from(NODES), really=st.integers(0, 3))
    def die(self, home: str, really: int) -> None:
        if home in self.alive and not really:
            self.alive.remove(home)
            node = self.network.node(home)
            self.network.dies(home)
            for wire in self.wires:
                if wire.party.exchange is node:
                    wire.breaks()
            for person in self.people:
                if person.state == "lost":
                    person.ends("closed")

    # What must be so

    @rule()
    def all_arrives(self) -> None:
        """The nodes agree, and everybody is told what became of what they said."""
        told = -1
        while told != (told := sum(len(one.moments) for one in self.history.sessions)):
            for person in self.people:
                if person.state == "in":
                    person.acknowledges()
            self.all_read()  # which sends what was held back
            self.network.settle()
            self.all_read()
        for node in self.network.nodes.values():
            self.check_node(node)
        # Where most answers are late, nobody can tell which calls began to ring.
        assert [fault for fault in faults(self.history) if fault.rule != "rung"] == []
        here = [person.session.key for person in self.people if person.session is not None]
        assert sorted(here) == sorted(self.network.owners)
        self.network.hold()

    def check_node(self, node: Node) -> None:
        """No call is under way; pairs and what rings are the same at both nodes."""
        factory, users = node.factory, node.directory.users
        assert not node.directory.calls._pending
        assert not any(users.unsettled.values())
        for user, peer in factory.pairs.items():
            assert factory.pairs[peer] is user
            if there := users.inbox_of(peer):
                back = self.network.nodes[there.inc]
                far = back.directory.users.here(there.uid)
                assert far is not None
                their = back.directory.users.inbox_of(back.factory.pairs[far])
                assert their is not None
                assert (their.inc, their.uid) == (node.inc, users.uid_of(user))
        for caller, callee in factory.ringing.items():
            if there := users.inbox_of(callee):
                back = self.network.nodes[there.inc]
                far = back.directory.users.there(node.inc, users.uid_of(caller))
                inbox = back.directory.users.inbox_of(far)
                assert far is not None
                assert inbox is not None
                assert back.factory.ringing.callee_of(far) is back.directory.users.here(there.uid)
                assert inbox.ring_call == node.directory.calls._last_rings[caller]
            elif there := users.inbox_of(caller):
                back = self.network.nodes[there.inc]
                far = back.directory.users.here(there.uid)
                assert far is not None
                assert back.directory.calls._rings_at(far)
                assert back.directory.calls._last_rings[far] == there.ring_call

    def teardown(self) -> None:
        if not hasattr(self, "network"):
            return
        self.all_arrives()


ClusterModel.TestCase.settings = settings(max_examples=60, stateful_step_count=60)
TestClusterModel = ClusterModel.TestCase
