"""What comes to an inbox from nodes that are not known yet, and from who is none."""

from typing import Any

import pytest
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from txredisapi import ResponseError

from chatpair.cluster.parked import PARKED_BYTES
from tests.support.links import LEASE, Net, Node


def test_new_node_is_heard_once_it_is_known(net: Net) -> None:
    a = net.nodes["a"]
    c = net.nodes["c"] = Node(net.clock, net.data, "c")
    c.links.members_changed(frozenset({"a", "b"}))
    for number in range(3):
        c.sends("a", number)
        net.runs(0.01)
    assert a.got == []
    assert a.unknown == ["c"]
    net.knows()
    c.sends("a", 3)
    net.runs(0.01)
    assert a.from_("c") == [0, 1, 2, 3]


def test_new_node_goes_on_when_it_gets_known(net: Net) -> None:
    a = net.nodes["a"]
    a.links._take([b"c 1 0", b"\x91\1"])
    a.links.members_changed(frozenset({"b", "c"}))
    a.links._take([b"c 2 0", b"\x91\2"])
    net.runs(0.01)
    assert a.from_("c") == [1, 2]


def test_what_strangers_say_is_bounded(net: Net) -> None:
    a = net.nodes["a"]
    for number in range(1, 30):
        for stranger in (b"x", b"y%d" % number):
            field = b"%b %d 0" % (stranger, number)
            net.data.run("XADD", b"chatpair:inbox:{a}", "*", field, b"\x91\1" + b"x" * 100_000)
    net.runs()
    parked = a.links._parked
    assert parked.size <= PARKED_BYTES
    assert len(parked.incs()) > 1
    net.runs(LEASE + 1)
    assert parked.size == 0
    assert not parked.incs()
    assert a.got == []


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
    None,
]


@pytest.mark.parametrize("fields", GARBAGE)
def test_garbage_is_skipped(net: Net, fields: Any) -> None:
    a, b = net.nodes.values()
    net.data.streams[b"chatpair:inbox:{a}"].append(((1 << 60), fields or [b"", b""]))
    net.data.last[b"chatpair:inbox:{a}"] = 1 << 60
    if fields is None:
        a.links._take(None)
    b.sends("a", 1, 2)
    a.sends("b", 3)
    net.runs(0.5)
    assert a.got == [("b", 1), ("b", 2)]
    assert b.got == [("a", 3)]


def test_what_somebody_says_is_not_logged(net: Net) -> None:
    text = "ERR unknown command 'XADD', with args beginning with: 'inbox' 'alice says this'"
    links = net.nodes["a"].links
    with capturedLogs() as events:
        links._take([b"later version", b"alice says this", b"and more"])
        links._failed(Failure(ResponseError(text)))  # which repeats what it was told
    for event, what in zip(events, ("later version", "unknown command 'XADD'"), strict=True):
        assert what in event["what"]
        assert "alice" not in str(event)


def test_frames_that_are_not_understood_count_as_taken(net: Net) -> None:
    a, b = net.nodes.values()
    net.data.run("XADD", b"chatpair:inbox:{a}", "*", b"b 1 0", b"\xc1")
    b.sends("a", 1)
    net.runs()
    b.sends("a", 2)
    net.runs()
    assert a.got == [("b", 2)]
