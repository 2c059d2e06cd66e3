"""Whatever happens to nodes and engine, and in whatever order: no name has two owners."""

from functools import partial

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.cluster_nodes import LEASE, STEP, Node, Store, World

TEXTS = ["alice", "аlice", "bob"]
IDS = ["a", "b", "c"]

any_id = st.sampled_from(IDS)
seldom = st.sampled_from([False, False, False, True])  # or no name would ever be anybody's


class LeaseModel(RuleBasedStateMachine):
    """Three nodes, each of which may be killed and started, frozen, slow and cut off."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.world = World(store)
        self.nodes = {node_id: self.world.start(node_id) for node_id in IDS}
        self.old = self.world.store.data()

    @initialize(is_settled=seldom.map(lambda now: not now))
    def settle(self, is_settled: bool) -> None:
        if is_settled:
            self.world.wait(LEASE)

    def awake(self, node_id: str) -> Node | None:
        """Return a node that can do something, which first of all checks its lease."""
        node = self.nodes[node_id]
        if node.is_frozen:
            return None
        node.lease.check()
        return node

    # Users

    @rule(node_id=any_id, text=st.sampled_from(TEXTS))
    def enter(self, node_id: str, text: str) -> None:
        if node := self.awake(node_id):
            node.enter(text)

    @rule(text=st.sampled_from(TEXTS))
    def all_enter(self, text: str) -> None:
        for node_id in IDS:
            self.enter(node_id, text)
            self.world.look()

    @rule(node_id=any_id, which=st.integers(0, 5))
    def leave(self, node_id: str, which: int) -> None:
        node = self.awake(node_id)
        if node and node.users:
            node.leave(sorted(node.users)[which % len(node.users)])

    # Time

    @rule(seconds=st.sampled_from([STEP, 0.5, 1.0, 2.0, 4.0, 6.5, 7.5, 8.5, 12.0]))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule()
    def heal(self) -> None:
        for node_id in IDS:
            self.wake(node_id, "timers")
            self.be_slow(node_id, False)
            self.connect(node_id)
        self.world.wait(LEASE)

    # Nodes

    @rule(node_id=any_id)
    def freeze(self, node_id: str) -> None:
        self.nodes[node_id].is_frozen = True

    @rule(node_id=any_id, first=st.sampled_from(["input", "replies", "timers"]))
    def wake(self, node_id: str, first: str) -> None:
        node = self.nodes[node_id]
        if first == "input":
            node.lease.check()
        elif first == "replies":
            node.wire.answer()
        self.world.wake(node)

    @rule(node_id=any_id, really=seldom)
    def start_anew(self, node_id: str, really: bool = True) -> None:
        if really:
            self.world.kill(self.nodes[node_id])
            self.nodes[node_id] = self.world.start(node_id)

    @rule(node_id=any_id, really=seldom)
    def stop(self, node_id: str, really: bool) -> None:
        if really and (node := self.awake(node_id)):
            node.lease.leave()
            self.start_anew(node_id)

    @rule(node_id=any_id)
    def hand_over(self, node_id: str) -> None:
        if node := self.awake(node_id):
            self.nodes[node_id] = self.world.hand_over(node)

    # The way to the engine

    @rule(node_id=any_id, is_slow=st.booleans())
    def be_slow(self, node_id: str, is_slow: bool) -> None:
        node = self.nodes[node_id]
        node.wire.is_slow = is_slow
        if not is_slow:
            node.wire.run()
            self.answer(node_id, 1_000)

    @rule(node_id=any_id, count=st.integers(1, 3))
    def run(self, node_id: str, count: int) -> None:
        self.nodes[node_id].wire.run(count)

    @rule(node_id=any_id, count=st.integers(1, 3))
    def answer(self, node_id: str, count: int) -> None:
        if not self.nodes[node_id].is_frozen:
            self.nodes[node_id].wire.answer(count)

    @rule(node_id=any_id, left=st.booleans())
    def cut(self, node_id: str, left: bool) -> None:
        if not self.nodes[node_id].is_frozen:
            node = self.nodes[node_id]
            node.wire.cut(node.lease, left=left)

    @rule(node_id=any_id)
    def connect(self, node_id: str) -> None:
        if not self.nodes[node_id].is_frozen:
            self.nodes[node_id].wire.connect(self.nodes[node_id].lease)

    @precondition(lambda self: self.world.store.limbo)
    @rule(which=st.integers(0, 20))
    def run_late(self, which: int) -> None:
        limbo = self.world.store.limbo
        run_id, script, rest = limbo.pop(which % len(limbo))
        if run_id == self.world.store.run_id:
            self.world.store.do(script, rest)

    # The engine

    @rule()
    def save(self) -> None:
        self.old = self.world.store.data()

    @rule(data=st.sampled_from(["nothing", "old", "all"]), left=st.booleans(), really=seldom)
    def restart(self, data: str, left: bool, really: bool) -> None:
        if not really:
            return
        thawing = [node for node in self.nodes.values() if node.is_frozen]
        kept = {"nothing": {}, "old": self.old, "all": self.world.store.data()}[data]
        for node in self.nodes.values():
            if node not in thawing:
                node.wire.cut(node.lease, left=left)
        for node in thawing:  # their kernel tells them when they wake
            node.wire.lose()
            node.clock.callLater(0, node.wire.cut, node.lease)
        self.world.store.restart(kept)

    @rule(really=seldom)
    def flush(self, really: bool) -> None:
        if really:
            self.world.store.flush()

    # What must hold

    @invariant()
    def no_name_has_two_owners(self) -> None:
        self.world.look()

    def teardown(self) -> None:
        for node_id, node in self.nodes.items():
            self.wake(node_id, "input")
            self.world.look()
            node.wire.cut(node.lease)
            node.wire.is_slow = False
            self.connect(node_id)
        self.world.store.limbo.clear()
        self.world.wait(5 * LEASE)
        owners = {}
        incs = {node.lease.me for node in self.nodes.values()}
        for node in self.nodes.values():
            assert node.lease.ready
            assert node.members == incs - {node.lease.me}
            owners.update(dict.fromkeys(node.users, node.lease.me))
        assert self.world.store.names() == owners


def test_whatever_happens_to_leases(kept_store: Store) -> None:
    steps, model = settings(stateful_step_count=50), partial(LeaseModel, kept_store)
    run_state_machine_as_test(model, settings=steps)  # type: ignore[arg-type]
