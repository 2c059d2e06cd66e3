"""Frames between nodes, over an engine that loses connections and data."""

from typing import Any

import msgspec
import pytest

from chatpair.cluster.link import ENTRY_BYTES, LIMIT_BYTES, Link
from chatpair.cluster.links import ACK_SECONDS, SLOW_SECONDS
from tests.support.links import LEASE, Net, Node


def test_one_entry_for_all_frames_of_a_turn(net: Net, a: Node, b: Node) -> None:
    before = a.engine.commands.count
    a.sends("b", *range(50))
    net.runs(0.01)
    assert b.got == [("a", number) for number in range(50)]
    assert a.engine.commands.count == before + 1


def test_acknowledges_once_and_not_the_acknowledgement(net: Net, a: Node, b: Node) -> None:
    before = a.engine.commands.count, b.engine.commands.count
    for number in range(5):
        a.sends("b", number)
        net.runs(0.01)
    net.runs(ACK_SECONDS - 0.1)
    assert b.engine.commands.count == before[1]
    net.runs(0.2)
    assert a.links._links["b"].size == 0
    assert a.engine.commands.count - before[0] == 5
    assert b.engine.commands.count - before[1] == 1


def test_acknowledges_again_at_once_what_may_not_have_been_told(net: Net, a: Node, b: Node) -> None:
    a.sends("b", 1)
    before = b.engine.commands.count
    while b.engine.commands.count == before:
        net.runs(0.0005)
    b.engine.cut()  # with the acknowledgement on its way
    net.inbox("b").clear()  # it was trimmed
    b.reconnects()
    net.runs(ACK_SECONDS + 0.1)
    assert a.links._links["b"].size == 0
    before = b.engine.commands.count
    net.data.run("XADD", "chatpair:inbox:{b}", "*", b"a 1 0", b"\x91\1")
    net.runs(0.01)
    assert b.engine.commands.count == before + 1
    assert b.got == [("a", 1)]


def test_there_is_room_again_when_half_of_it_is_taken() -> None:
    link = Link("b")
    for _ in range(4):
        link.put(b"x" * (LIMIT_BYTES // 4))
        link.next()
    full = []
    for number in (1, 2, 3):
        link.acknowledge(number)
        full.append(link.full)
    assert full == [True, True, False]


def test_a_node_is_slow_that_acknowledges_nothing(net: Net, a: Node, b: Node) -> None:
    for number in range(20):  # it is not for what it acknowledges as late as it may
        a.sends("b", number)
        net.runs(0.5)
    net.runs(2 * SLOW_SECONDS)  # nor for a silence before
    b.engine.reads.cut()
    a.sends("b", 20)
    net.runs(SLOW_SECONDS - 0.1)
    assert a.room == []
    net.runs(1.1)
    assert a.room == [("b", True)]
    assert a.links.is_slow("b")
    b.engine.reads.is_up = True
    net.runs(2.5)
    assert a.room == [("b", True), ("b", False)]
    assert b.from_("a") == [*range(21)]


def test_all_are_slow_to_whom_the_engine_is_away(net: Net, a: Node, b: Node) -> None:
    a.engine.cut()
    for number in range(6):
        a.sends("b", number)
        net.runs(1)
    assert a.room == [("b", True)]
    assert b.room == []  # nothing waits there
    a.reconnects()
    net.runs(1.5)
    assert a.room == [("b", True), ("b", False)]


def test_nobody_is_slow_to_a_node_that_stood_still(net: Net, a: Node, b: Node) -> None:
    a.sends("b", 1)
    net.runs(ACK_SECONDS / 2)
    net.clock.advance(2 * SLOW_SECONDS)
    net.runs(1.5)
    assert a.room == []
    assert a.links._links["b"].size == 0


def test_inbox_is_not_there_yet(net: Net, a: Node) -> None:
    a.links.members_changed(frozenset({"b", "c"}))
    a.sends("c", 1)
    net.runs(0.1)
    c = net.nodes["c"] = Node(net.clock, net.data, "c")
    c.links.members_changed(frozenset({"a", "b"}))
    net.runs(1.1)
    assert c.got == [("a", 1)]


def test_full_and_room_again(net: Net, a: Node, b: Node) -> None:
    b.engine.cut()
    frame = "x" * 999
    count = 0
    while not a.links.is_full("b"):
        a.sends("b", frame)
        count += 1
    assert LIMIT_BYTES <= count * 1_002 < LIMIT_BYTES + 1_002
    net.runs()
    assert sum(len(fields[1]) for _, fields in net.inbox("b")) < LIMIT_BYTES + ENTRY_BYTES
    b.reconnects()
    net.runs(0.5)
    assert b.got == [("a", frame)] * count
    assert a.room == [("b", False)]


def test_full_and_room_again_in_one_turn(net: Net, a: Node, b: Node) -> None:
    frame = "x" * 200_000

    class Speaker(list[Any]):
        def append(self, item: Any) -> None:
            while item[1] == "go on" and not a.links.is_full("b"):
                a.sends("b", frame)

    a.got = Speaker()
    b.engine.cut()
    a.sends("b", *[frame] * 4)
    net.runs()
    # The last two are read at once, and so is what was taken, after what makes it full.
    for field, text in ((b"b 1 0", ""), (b"b 2 0", "go on"), (b"b 3 4", "")):
        net.data.run("XADD", "chatpair:inbox:{a}", "*", field, msgspec.msgpack.encode([text]))
    net.runs()
    assert not a.links.is_full("b")
    assert a.room == [("b", False)]


@pytest.mark.parametrize(
    ("count", "seconds", "most"), [(1_500, 0.1, 1_010), (10, LEASE * 3, 1 + 10 + 6)]
)
def test_slow_reader_is_sent_no_more_than_the_limit_and_asked_seldom(
    net: Net, a: Node, b: Node, count: int, seconds: float, most: int
) -> None:
    b.engine.cut()
    for number in range(count):
        a.sends("b", number)
        net.clock.advance(0)
    net.runs(seconds)
    assert len(net.inbox("b")) <= most
    b.reconnects()
    net.runs(1)
    assert b.from_("a") == list(range(count))


def test_inbox_is_trimmed(net: Net, a: Node, b: Node) -> None:
    for number in range(1_000):
        a.sends("b", number)
        net.runs(0.002)
        assert len(net.inbox("b")) < 300
    net.runs(1.5)
    assert len(net.inbox("b")) <= 1
    assert b.from_("a") == list(range(1_000))


def test_dead_node_is_told_nothing_and_not_heard(net: Net, a: Node, b: Node) -> None:
    a.links.members_changed(frozenset())
    a.sends("b", 1)
    b.sends("a", 2)
    net.runs(0.5)
    assert a.got == b.got == []
    assert b"chatpair:inbox:{b}" not in net.data.streams
    assert not a.links.is_full("b")


def test_a_handler_that_fails_stops_nothing(net: Net, a: Node, b: Node, capsys: Any) -> None:
    taken = b.got

    class Failing(list[Any]):
        def append(self, item: Any) -> None:
            taken.extend([item])
            raise ValueError(item)

    b.got = Failing()
    a.sends("b", 1, 2)
    net.runs()
    a.sends("b", 3)
    net.runs()
    assert taken == [("a", 1), ("a", 2), ("a", 3)]


def test_node_that_is_declared_dead_by_what_it_reads(net: Net, a: Node, b: Node) -> None:
    taken = a.got

    class Frozen(list[Any]):
        def append(self, item: Any) -> None:
            taken.extend([item])
            a.sends("b", 3)
            a.links.opened("a2")
            a.links.members_changed(frozenset({"b"}))

    a.got = Frozen()
    for node in (a, b):
        node.engine.cut()
    for _ in range(2):
        net.data.run("XADD", b"chatpair:inbox:{a}", "*", b"b 1 0", b"\x92\1\2")
    a.reconnects()
    net.runs(2 * ACK_SECONDS)
    assert taken == [("b", 1)]
    assert not [field for _, (field, _) in net.inbox("b") if field.startswith(b"a2")]


def test_who_has_become_another_reads_at_once_as_that(net: Net, a: Node, b: Node) -> None:
    a.links.opened("a2")
    b.links.members_changed(frozenset({"a", "a2"}))
    b.sends("a2", 1)
    net.runs(0.1)
    assert a.got == [("b", 1)]
    assert b"chatpair:inbox:{a}" not in net.data.streams


def test_stop_sends_what_was_said_before(net: Net, a: Node, b: Node) -> None:
    a.sends("b", 1)
    net.data.streams.pop(b"chatpair:inbox:{a}")
    a.links._renew()
    a.links.stop()
    b.links.stop()
    net.runs(0.01)
    assert len(net.inbox("b")) == 2
    net.runs(LEASE)
    assert net.clock.getDelayedCalls() == []
