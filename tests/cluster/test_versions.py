"""Nodes of two versions: what one does not understand of the other leaves nothing hanging."""

from typing import Any

import msgspec
import pytest

from chatpair.cluster import frames
from tests.support.cluster_scenes import Across
from tests.support.transcript import Scene

encode = frames.encode
ODD = {"odd": 1}

MANY, MORE = b"three\n" * 20, b"four\n" * 100

STEPS = f"""\
alice enters at a
bob enters at b
carol enters in JSON at a
dave enters in JSON at b
alice: To:bob | one
carol: to(name=dave) | say(id=1, text=two)
dave: ack(seq=3) | typing()
alice sends {MANY!r}
dave is lost
bob takes no more
alice sends {MORE!r}
bob takes all
alice: /who | /block bob | /unblock bob
5 seconds pass
bob: /bye | /ring on
alice: To:bob
alice: /bye
eve enters at b
eve: /key
bob: /bye | To:alice
eve is lost
eve comes back as eva at a
eva: To:alice | /who
eva is lost
5 seconds pass
"""
"""All that people at two nodes can do."""

AFTERWARDS = ("alice", "bob"), ("bob", "alice")
"""Who calls whom, whatever has gone wrong before."""


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
    """Let people do what they can; return the kinds of frames that were sent."""
    later = Later(which)
    monkeypatch.setattr(frames, "encode", later)
    across = Across()
    scene = Scene(across, {})
    for step in STEPS.splitlines():
        scene.does(step)
        across.network.settle()
    kinds = [*later.kinds]
    # Nothing waits, and who talks with whom is the same for both.
    nodes = across.network.nodes.values()
    for node in nodes:
        assert not any((node.directory.calls._pending, node.directory.tunnels._ends))
    assert not any(scene.people[name].closed for name in ("alice", "bob", "carol"))
    is_lost = which > 0 and kinds[which - 1] in ("TunnelOpened", "TunnelData")
    assert scene.people["eva"].closed == is_lost
    a, b, _ = ({str(one): str(peer) for one, peer in node.factory.pairs.items()} for node in nodes)
    assert a == b
    for caller, callee in AFTERWARDS:
        for step in (f"{caller}: /bye", f"{callee}: /bye", f"{callee}: /ring off | /dnd off"):
            scene.does(step)
        told = scene.does(f"{caller}: To:{callee}")
        assert told[caller] == [f"You are chatting with {callee}."]
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


@pytest.mark.parametrize("rest", [(10, 1, 1, None), (11, 1, 1, None, None), (21, 1, 1, None, 1)])
def test_what_is_not_understood_ends_the_pair_for_both(rest: tuple[int | None, ...]) -> None:
    across = Across()
    network = across.network
    alice, bob = across.enter_json("alice"), across.enter_json("bob")
    alice.does("to", name="bob")
    alice.say(1, "hi")
    network.settle()
    for frame in (frames.Garbled([50, None]), frames.NotUnderstood([*rest])):
        network.receive("b.00000001", "a.00000001", frame)
    network.settle()
    assert frames.NotUnderstood not in map(type, network.link("a", "b").sent)
    failed = ["status"] if rest[0] == 21 else []
    assert [event["event"] for event in alice.events()] == ["paired", *failed, "left"]
    assert [event["event"] for event in bob.events()] == ["paired", "message", "left"]
    dave = across.enter_json("dave", "a")
    bob.does("to", name="dave")
    network.receive("b.00000001", "a.00000001", frames.NotUnderstood([*rest]))
    network.settle()
    assert [event["event"] for event in dave.events()] == ["paired"]
