"""Three nodes, an engine that loses everything now and then, and what must come of it."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chatpair.cluster.link import ENTRY_BYTES, LIMIT_BYTES
from tests.support.links import LEASE, Net, Node

IDS = ["a", "b", "c"]

ids = st.sampled_from(IDS)


class LinksModel(RuleBasedStateMachine):
    """Every frame arrives once and in order, unless one of the two nodes was declared dead."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Net(*IDS)
        self.now = {id_: id_ for id_ in IDS}  # the inc of each node
        self.sent: dict[tuple[str, str], list[object]] = {}
        self.count = 0
        self.lives = 0
        self.ended: dict[str, list[tuple[str, object]]] = {}  # what incs that are no more got
        self.old: dict[bytes, list[tuple[int, list[bytes]]]] = {}  # the engine's data of some time

    def got(self, source: str, to: str) -> list[object]:
        if to in self.net.nodes:
            return self.net.nodes[to].from_(source)
        return [frame for inc, frame in self.ended[to] if inc == source]

    def node(self, id_: str) -> Node:
        return self.net.nodes[self.now[id_]]

    @rule(source=ids, to=ids, number=st.integers(1, 5))
    def send(self, source: str, to: str, number: int) -> None:
        for _ in range(number):
            self.count += 1
            self.send_frame(source, to, self.count)

    @rule(source=ids, to=ids, size=st.sampled_from([100_000, ENTRY_BYTES, LIMIT_BYTES]))
    def send_large(self, source: str, to: str, size: int) -> None:
        self.count += 1
        if not self.node(source).links.is_full(self.now[to]):
            self.send_frame(source, to, [self.count, "x" * size])

    def send_frame(self, source: str, to: str, frame: object) -> None:
        link = self.now[source], self.now[to]
        links = self.node(source).links
        links.send(link[1], frame)
        if link[1] in links._links:  # else nothing is sent to it
            self.sent.setdefault(link, []).append(frame)

    @rule(steps=st.integers(1, 30))
    def run(self, steps: int) -> None:
        self.net.runs(steps * 0.001)

    @rule(seconds=st.sampled_from([0.3, 1.1, LEASE / 2 + 1]))
    def wait(self, seconds: float) -> None:
        self.net.runs(seconds)

    @rule(id_=ids, done=st.integers(0, 5))
    def cut(self, id_: str, done: int) -> None:
        self.node(id_).engine.cut(done)

    @rule(id_=ids)
    def cut_reads(self, id_: str) -> None:
        self.node(id_).engine.reads.cut()

    @rule(id_=ids)
    def mend(self, id_: str) -> None:
        node = self.node(id_)
        if node.engine.commands.is_up:
            node.engine.mend()
        else:
            node.reconnects()

    @rule()
    def save(self) -> None:
        self.old = {key: list(entries) for key, entries in self.net.data.streams.items()}

    @rule(behind=st.sampled_from([0.0, 5.0, 100.0]), done=st.integers(0, 3), empty=st.booleans())
    def restart_the_engine(self, behind: float, done: int, empty: bool) -> None:
        for id_ in IDS:
            self.node(id_).engine.cut(done)
        self.net.data.reset()
        self.net.data.set_back = behind
        if not empty:
            self.net.data.streams.update(self.old)
            # A Stream keeps its last id, so that none comes twice though the clock is set back.
            self.net.data.last.update({key: all_[-1][0] for key, all_ in self.old.items() if all_})

    @rule(refuses=st.booleans())
    def refuse(self, refuses: bool) -> None:
        self.net.data.refuses = refuses

    @rule(id_=ids)
    def lose_entries(self, id_: str) -> None:
        self.net.inbox(self.now[id_]).clear()

    @rule(id_=ids)
    def lose_an_inbox(self, id_: str) -> None:
        self.net.data.streams.pop(b"chatpair:inbox:{%b}" % self.now[id_].encode(), None)

    @rule(id_=ids)
    def be_reborn(self, id_: str) -> None:
        self.lives += 1
        node = self.net.nodes.pop(self.now[id_])
        self.ended[node.inc], node.got = node.got, []
        self.now[id_] = node.inc = f"{id_}{self.lives}"
        self.net.nodes[node.inc] = node
        node.links.opened(node.inc)

    @rule(id_=ids)
    def hand_over(self, id_: str) -> None:
        self.node(id_).hand_over()

    @rule(id_=ids)
    def learn(self, id_: str) -> None:
        node = self.node(id_)
        node.links.members_changed(frozenset(self.net.nodes) - {node.inc})

    @rule(
        to=ids, inc=st.sampled_from(["x", "y", "b0"]), size=st.sampled_from([1, 90_000, 1_500_000])
    )
    def forge(self, to: str, inc: str, size: int) -> None:
        """Write what is from no node, or seems to be."""
        if self.net.inbox(self.now[to]) and not self.net.data.refuses:
            field, frames = f"{inc} 1 0".encode(), b"\x91\1" + b"x" * size
            self.net.data.run("XADD", f"chatpair:inbox:{{{self.now[to]}}}", "*", field, frames)

    @invariant()
    def nothing_twice_nor_out_of_order(self) -> None:
        for link, frames in self.sent.items():
            got = self.got(*link)
            assert got == frames[: len(got)]

    @invariant()
    def little_is_kept(self) -> None:
        for node in self.net.nodes.values():
            assert node.links.me == node.inc
            for link in node.links._links.values():
                assert link._entries_bytes < 2 * LIMIT_BYTES + ENTRY_BYTES
                assert link._sent - link._acked <= len(link._entries) <= 1_000
                assert link.full or link.size < LIMIT_BYTES
        for inc in self.now.values():
            assert sum(len(fields[1]) for _, fields in self.net.inbox(inc)) < 80 * LIMIT_BYTES

    def teardown(self) -> None:
        self.net.data.refuses = False
        for node in self.net.nodes.values():
            if not node.engine.commands.is_up:
                node.reconnects()
            node.engine.mend()
        self.net.knows()
        self.net.runs(4 * LEASE)
        for (source, to), frames in self.sent.items():
            if source in self.net.nodes and to in self.net.nodes:
                assert self.got(source, to) == frames
                assert not self.net.nodes[source].links.is_full(to)
                assert self.net.nodes[source].links._links[to].size == 0
        for inc in self.now.values():
            assert sum(len(fields[1]) for _, fields in self.net.inbox(inc)) < 3 * LIMIT_BYTES


LinksModel.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestLinksModel = LinksModel.TestCase
