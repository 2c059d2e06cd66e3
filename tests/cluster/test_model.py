"""Whatever arrives when: once all has arrived, the nodes agree, and no line was lost unnoticed."""

from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from chatpair.exchange.messages import SetDnd, SetRing
from tests.support.cluster_exchange import Network, Node
from tests.support.ears import Ear

NAMES = ["ann", "ben", "cat", "dan", "eve"]
NODES = ["a", "b", "c"]

names = st.sampled_from(NAMES)
ids = st.sampled_from(NODES)
numbers = st.integers(0, 4)


class ClusterModel(RuleBasedStateMachine):
    """A few users at three nodes, between which frames arrive one by one, in any interleaving."""

    @initialize(homes=st.lists(ids, min_size=5, max_size=5), counting=st.lists(st.booleans()))
    def open(self, homes: list[str], counting: list[bool]) -> None:
        self.network = Network(*NODES)
        self.ears: list[Ear] = []
        self.texts = count(1)
        self.alive = list(NODES)
        for name, home, counts in zip(NAMES, homes, [*counting, *[False] * 5], strict=False):
            self.come(name, home, counts)
        self.network.hold()

    @property
    def here(self) -> list[Ear]:
        """Those who have a name."""
        return [ear for ear in self.ears if ear.user is not None]

    def who(self, number: int) -> list[Ear]:
        """Return the one who has a number, if there is one who may speak."""
        return [ear for ear in self.here[number : number + 1] if ear.may_speak]

    # What users do

    @rule(name=names, home=ids, counts=st.booleans())
    def come(self, name: str, home: str, counts: bool) -> None:
        if home in self.alive and name not in [ear.name for ear in self.here]:
            self.ears.append(Ear(self.network.node(home).factory, name, counting=counts))

    @rule(number=numbers)
    def leave(self, number: int) -> None:
        for ear in self.ears[number : number + 1]:
            self.ears.remove(ear)
            ear.leaves()

    @rule(number=numbers, callee=names, far=st.integers(0, 3))
    def call(self, number: int, callee: str, far: int) -> None:
        for ear in self.who(number):
            ear.calls(callee)
            self.let_arrive(far)

    def let_arrive(self, far: int) -> None:
        """Let a call get to the engine, to the callee's node, or back."""
        while far and self.network.asked:
            self.network.answer()
        for _ in range(far - 1):
            for link in list(self.network.links.values()):
                for _ in range(len(link.waiting)):
                    link.deliver()

    @rule(number=numbers, callee=names, far=st.integers(1, 3), further=st.integers(0, 3))
    def call_and_think_again(self, number: int, callee: str, far: int, further: int) -> None:
        self.call(number, callee, far)
        self.network.clock.advance(5)
        self.hang_up(number)
        self.let_arrive(further)

    @rule(number=numbers, callee=names, far=st.integers(1, 3))
    def call_and_leave(self, number: int, callee: str, far: int) -> None:
        for ear in self.here[number : number + 1]:
            self.call(number, callee, far)
            self.leave(self.ears.index(ear))

    @rule(one=numbers, other=numbers, far=st.integers(0, 1), further=st.integers(0, 3))
    def call_each_other(self, one: int, other: int, far: int, further: int) -> None:
        if max(one, other) < len(self.here):
            first, second = self.here[one].name, self.here[other].name
            self.call(one, second, far)
            self.call(other, first, further)

    @rule(number=numbers)
    def hang_up(self, number: int) -> None:
        for ear in self.who(number):
            ear.hangs_up()

    @rule(number=numbers, on=st.booleans(), dnd=st.booleans())
    def set(self, number: int, on: bool, dnd: bool) -> None:
        for ear in self.who(number):
            ear.sets(SetDnd(on and dnd) if dnd else SetRing(on))

    @rule(number=numbers)
    def say(self, number: int) -> None:
        for ear in self.who(number):
            ear.say(f"{next(self.texts)}")

    @rule(number=numbers)
    def say_lines(self, number: int) -> None:
        for ear in self.who(number):
            if not ear.counts and ear.peer:
                ear.say_lines(f"{next(self.texts)}", f"{next(self.texts)}")

    @rule(number=numbers)
    def acknowledge(self, number: int) -> None:
        for ear in self.here[number : number + 1]:
            if ear.counts:
                ear.acknowledge()

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

    @precondition(lambda self: len(self.alive) > 1)
    @rule(home=ids, really=st.integers(0, 3))
    def die(self, home: str, really: int) -> None:
        if home in self.alive and not really:
            self.alive.remove(home)
            factory = self.network.node(home).factory
            self.ears = [ear for ear in self.ears if ear.factory is not factory]
            self.network.dies(home)

    # What must be so

    @rule()
    def all_arrives(self) -> None:
        self.network.settle()
        for node in self.network.nodes.values():
            self.check_node(node)
        for ear in self.here:
            self.check_lines(ear)
        owners = [ear.name for ear in self.here]
        assert sorted(owners) == sorted(self.network.owners)
        self.network.hold()

    def check_node(self, node: Node) -> None:
        """No call is under way; pairs and what rings are the same at both nodes."""
        factory, users = node.factory, node.directory.users
        assert not node.directory.calls._pending
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

    def check_lines(self, ear: Ear) -> None:
        """What was heard in a pair is what was said in one first, and all of it if it goes on."""
        assert ear.user is not None
        peer = ear.factory.pairs.peer_of(ear.user)
        assert ear.peer == (peer.name.text if peer is not None else "")
        others = {other.name: other for other in self.here}
        if peer is not None:
            other = others[ear.peer]
            assert other.said[-1] == ear.heard[-1]
        heard = [text for pair in ear.heard for text in pair]
        assert len(set(heard)) == len(heard)
        for pair in ear.heard:
            assert sorted(pair, key=int) == pair
            for other in others.values():
                for said in other.said:
                    assert not set(said) & set(pair) or said[: len(pair)] == pair

    def teardown(self) -> None:
        """Everybody is told what became of what they said, and what arrived did."""
        if not hasattr(self, "network"):
            return
        self.all_arrives()
        for seconds in (0, 61):
            self.network.settle()
            self.network.clock.advance(seconds)
            for ear in self.here:
                if ear.counts:
                    ear.acknowledge()
            self.network.settle()
        for ear in self.here:
            if ear.says:
                assert ear.statuses[-1].id == len(ear.says)
            self.check_statuses(ear)
        for node in self.network.nodes.values():
            assert not any(node.directory.users.unsettled.values())

    def check_statuses(self, ear: Ear) -> None:
        """What was handed or confirmed was heard, if whoever heard it is still here."""
        told = 0
        heard = {text for other in self.here for pair in other.heard for text in pair}
        for status in ear.statuses:
            for say in range(told + 1, status.id + 1):
                text = ear.says[say - 1]
                if status.status == "failed":
                    assert status.why
                elif self.listener_is_here(ear, text):
                    assert text in heard
            told = max(told, status.id)

    def listener_is_here(self, ear: Ear, text: str) -> bool:
        """Tell whether all pairs in which somebody spoke are with those who are here still."""
        return any(text in said for said in ear.said) and len(self.ears) == len(NAMES)


ClusterModel.TestCase.settings = settings(max_examples=60, stateful_step_count=60)
TestClusterModel = ClusterModel.TestCase
