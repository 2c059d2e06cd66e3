"""What comes to an inbox from nodes that are not known yet, and from who is none."""

import pytest
from twisted.logger import capturedLogs

from chatpair.cluster.links import MAX_STRANGERS
from chatpair.cluster.node_inbox import TRIM_ENTRIES
from tests.support.links import LEASE, Net, Node


def write(net: Net, field: bytes, frames: bytes = b"\x91\1") -> None:
    """Write an entry to the first node's inbox, as anybody may."""
    net.data.run("XADD", b"chatpair:inbox:{a}", "*", field, frames)


def start(net: Net, inc: str) -> Node:
    """Start a node that knows the others, who do not know it yet."""
    node = net.nodes[inc] = Node(net.clock, net.data, inc)
    node.links.members_changed(frozenset(net.nodes) - {inc})
    return node


def test_new_node_is_heard_once_it_is_known(net: Net, a: Node) -> None:
    c = start(net, "c")
    for number in range(3):
        c.sends("a", number)
        net.runs(0.01)
    write(net, b"d 0 0")  # which tells nothing
    net.runs(0.01)
    assert a.got == []
    assert a.unknown == ["c"]
    net.knows()
    c.sends("a", 3)
    net.runs(0.01)
    assert a.from_("c") == [0, 1, 2, 3]
    a.links.members_changed(frozenset("b"))
    c.sends("a", 4)
    net.runs(0.01)
    assert a.unknown == ["c", "c"]


def test_node_that_gets_known_late_sends_again(net: Net, a: Node) -> None:
    c = start(net, "c")
    c.sends("a", 1)
    net.runs(0.01)
    for number in range(MAX_STRANGERS):
        write(net, b"x%d 1 0" % number)
    net.runs(0.1)
    assert len(a.links._strangers) <= MAX_STRANGERS
    net.knows()
    c.sends("a", 2)
    net.runs(LEASE / 2 + 2)
    assert a.from_("c") == [1, 2]


@pytest.mark.parametrize("size", [1, 100_000])
def test_what_strangers_write_stops_nobody(net: Net, a: Node, b: Node, size: int) -> None:
    for number in range(1, 200):
        write(net, b"x %d 0" % number, b"x" * size)
        write(net, b"y%d 1 0" % number, b"x" * size)
        b.sends("a", number)
        net.runs(0.01)
        assert a.from_("b") == list(range(1, number + 1))
        assert len(net.inbox("a")) <= TRIM_ENTRIES + 4
    net.runs(2)
    assert len(net.inbox("a")) <= 1


GARBAGE = [
    [b"", b""],
    [b"b 1", b""],
    [b"b one 0", b""],
    [b"\xff 1 0", b""],
    [b"b 1 0", b"\x91\1", b"more", b""],
    [b"b " + b"9" * 5_000 + b" 0", b""],
    [b"b -1 0", b"\x91\1"],
    [b"b 99 0", b"\x91\1"],
    [b"b 0 99", b""],
    [b"a 1 0", b"\x91\1"],
]


@pytest.mark.parametrize("fields", GARBAGE)
def test_garbage_is_skipped(net: Net, a: Node, b: Node, fields: list[bytes]) -> None:
    net.data.streams[b"chatpair:inbox:{a}"].append(((1 << 60), fields))
    net.data.last[b"chatpair:inbox:{a}"] = 1 << 60
    b.sends("a", 1, 2)
    a.sends("b", 3)
    net.runs(0.5)
    assert a.got == [("b", 1), ("b", 2)]
    assert b.got == [("a", 3)]


def test_what_somebody_says_is_not_logged_and_all_else_once(a: Node) -> None:
    with capturedLogs() as events:
        for _ in range(200):
            a.links._take([b"later version" * 99, b"alice says this", b"and more"])
    [event] = events
    assert "later version" in event["what"][:200] == event["what"]
    assert "alice" not in str(event)


def test_frames_that_are_not_understood_count_as_taken(
    net: Net, a: Node, b: Node, logged: list[str]
) -> None:
    net.data.run("XADD", b"chatpair:inbox:{a}", "*", b"b 1 0", b"\xc1")
    b.sends("a", 1)
    net.runs()
    b.sends("a", 2)
    net.runs()
    assert a.got == [("b", 2)]
    assert sum("is not understood, and skipped" in line for line in logged) == 1
