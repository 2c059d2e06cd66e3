"""Nodes of two versions: what one does not understand of the other leaves nothing hanging."""

from typing import Any

import msgspec
import pytest

from chatpair.cluster import frames
from chatpair.cluster.questions import ASKING_SECONDS
from chatpair.cluster.remote_calls import CALL_SECONDS
from tests.support.exchange import PAIRED
from tests.support.tunnels import back, two, with_key

encode = frames.encode
ODD = {"odd": 1}


class Later:
    """Writes one frame, of those that are sent, as a later version might."""

    def __init__(self, which: int) -> None:
        self.kinds: list[str] = []
        self._which = which

    def __call__(self, sent: list[frames.Frame]) -> bytes:
        [frame] = sent
        self.kinds.append(type(frame).__name__)
        written: list[Any] = msgspec.msgpack.decode(encode(sent))[0]
        odd = [each if type(each) is int else ODD for each in written]
        is_odd = len(self.kinds) == self._which and not isinstance(frame, frames.NotUnderstood)
        return msgspec.msgpack.encode([odd if is_odd and ODD in odd else written])


def plays(monkeypatch: pytest.MonkeyPatch, which: int) -> list[str]:
    """Let people at two nodes do what they can; return the kinds of frames that were sent."""
    later = Later(which)
    monkeypatch.setattr(frames, "encode", later)
    network, a, b = two()
    alice, bob = a.enter("alice"), b.enter("bob")
    carol, dave = a.enter_json("carol"), b.enter_json("dave")
    alice.says("To:bob", "one")
    carol.does("to", name="dave")
    carol.does("say", id=1, text="two")
    network.settle()
    dave.does("ack", seq=3)
    dave.does("typing")
    network.settle()
    alice.sends(b"three\n" * 20)
    dave.drops()
    bob.fills()
    alice.sends(b"four\n" * 100)
    bob.drains()
    network.settle()
    alice.says("/who", "/block bob", "/unblock bob")
    network.clock.advance(max(CALL_SECONDS, ASKING_SECONDS))
    network.settle()
    bob.says("/bye", "/ring on")
    alice.says("To:bob")
    network.settle()
    alice.says("/bye")
    eve, key = with_key(b, "eve")
    bob.says("/bye", "To:alice")
    network.settle()
    eve.drops()
    eve = back(network, a, key)
    eve.says("To:alice", "/who")
    network.settle()
    eve.drops()
    network.settle()
    network.clock.advance(CALL_SECONDS)
    network.settle()
    kinds = [*later.kinds]
    # Nothing waits, and who talks with whom is the same for both.
    for one in (alice, bob, carol):
        assert not any(
            node.directory.is_calling(user)
            for node in (a, b)
            for user in node.factory.users.values()
        )
        assert not one.closed
    for node, other in ((a, b), (b, a)):
        for user in node.factory.users.values():
            peer = node.factory.pairs.peer_of(user)
            if peer is not None and peer.name.key in other.factory.users:
                there = other.factory.pairs.peer_of(other.user(peer.name.key))
                assert there is not None
                assert there.name.key == user.name.key
    for caller, callee in ((alice, bob), (bob, alice)):
        caller.says("/bye")
        callee.says("/bye")
        network.settle()
        caller.heard()
        callee.says("/ring off", "/dnd off")
        caller.says(f"To:{'bob' if caller is alice else 'alice'}")
        network.settle()
        assert caller.heard() == [PAIRED.format("bob" if caller is alice else "alice")]
    return kinds


def test_what_another_version_says_leaves_nothing_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = plays(monkeypatch, 0)
    assert {*kinds} >= {"Call", "Answered", "Told", "Lines", "Flow", "Settled", "Ask", "Answer"}
    assert {*kinds} >= {"TunnelOpened", "TunnelData", "TunnelTaken", "TunnelEnded"}
    for which, kind in enumerate(kinds, start=1):
        try:
            plays(monkeypatch, which)
        except AssertionError as why:
            raise AssertionError(f"{which}, a {kind}") from why
