"""What is said between nodes: receipts, flow, and who is away."""

from typing import Literal

import pytest

from chatpair.cluster import frames
from chatpair.exchange.kept_events import KEPT_EVENTS
from chatpair.exchange.messages import Left, Message, Paired, Status, Timestamp
from chatpair.exchange.receipts import LATE_SECONDS
from tests.support.cluster_exchange import Network, Node
from tests.support.ears import Ear
from tests.support.exchange import JsonParty, Party, said


@pytest.fixture
def network() -> Network:
    """Two nodes."""
    return Network("a", "b")


def pair(network: Network, *, counting: bool = True) -> tuple[Ear, Ear]:
    """Let alice, who counts, talk with bob at another node."""
    alice = Ear(network.node("a").factory, "alice", counting=True)
    bob = Ear(network.node("b").factory, "bob", counting=counting)
    alice.calls("bob")
    network.settle()
    assert alice.told() == [Paired("bob", 1, seq=1)]
    bob.told()
    return alice, bob


def statuses(network: Network, ear: Ear) -> list[tuple[int, str, object]]:
    """Let all arrive; return what somebody was told of what it said."""
    network.settle()
    told = [event for event in ear.told() if isinstance(event, Status)]
    return [(status.id, status.status, status.why or None) for status in told]


# Receipts


def test_what_is_acknowledged_is_confirmed_all_at_once(network: Network) -> None:
    alice, bob = pair(network)
    for text in ("one", "two\nlines", "three"):
        alice.say(text)
    assert statuses(network, alice) == []
    bob.acknowledge()
    assert statuses(network, alice) == [(3, "confirmed", None)]
    settled = [sent for sent in network.link("b", "a").sent if isinstance(sent, frames.Settled)]
    assert settled == [frames.Settled(1, [1, 2, 3], "confirmed")]


@pytest.mark.parametrize("after", [0.0, LATE_SECONDS])
def test_what_was_said_in_a_pair_that_has_ended_may_be_confirmed_late(
    network: Network, after: float
) -> None:
    alice, bob = pair(network)
    alice.say("one")
    network.settle()
    alice.hangs_up()
    network.settle()
    network.clock.advance(after)
    bob.acknowledge()
    outcome = (1, "failed", "lost") if after else (1, "confirmed", None)
    assert statuses(network, alice) == [outcome]


def test_what_reaches_nobody_has_failed(network: Network) -> None:
    alice, bob = pair(network)
    network.hold()
    alice.say("one")
    bob.leaves()
    assert statuses(network, alice) == [(1, "failed", "nobody")]
    assert alice.peer == ""


def test_the_peer_quits_without_having_acknowledged(network: Network) -> None:
    alice, bob = pair(network)
    alice.say("one")
    network.settle()
    bob.leaves()
    assert statuses(network, alice) == [(1, "failed", "quit")]


@pytest.mark.parametrize("why", ["lost", "stopped"])
def test_the_node_of_the_peer_dies_or_stops(
    network: Network, why: Literal["lost", "stopped"]
) -> None:
    alice, bob = pair(network)
    alice.say("one")
    network.settle()
    if why == "lost":
        network.dies("b")
    else:
        bob.factory.stop()
    network.settle()
    assert alice.told() == [Status(1, "failed", why, seq=2), Left("bob", why, seq=3)]
    assert why == "stopped" or network.node("a").directory.users._open == {}


# Lines


def test_a_chunk_is_one_frame_and_one_write(network: Network) -> None:
    _, bob = pair(network, counting=False)
    assert bob.user is not None
    carol = Ear(network.node("a").factory, "carol")
    bob.hangs_up()
    network.settle()
    carol.calls("bob")
    network.settle()
    bob.told()
    carol.say_lines(*map(str, range(1_000)))
    network.settle()
    [message] = bob.told()
    now = Timestamp(network.clock.seconds())
    assert message == Message("carol", "\n".join(map(str, range(1_000))), now)
    assert isinstance(network.link("a", "b").sent[-1], frames.Lines)


# Flow, with connections


def talk(network: Network) -> tuple[Party, Party, Node, Node]:
    """Let alice talk with bob at another node."""
    a, b = network.node("a"), network.node("b")
    alice, bob = a.enter("alice"), b.enter("bob")
    alice.says("To:bob")
    alice.heard()
    bob.heard()
    return alice, bob, a, b


def test_a_speaker_waits_while_the_way_is_full(network: Network) -> None:
    alice, bob, a, _ = talk(network)
    link = network.link("a", "b")
    link.held, link.limit = True, 4
    alice.says(*"12345")
    assert alice.paused
    assert len(link.waiting) == 4
    bob.says("still reads")
    assert alice.heard() == [said(a, "still reads", "bob")]
    link.release()
    network.settle()
    assert not alice.paused
    assert bob.heard() == [said(a, text) for text in "12345"]


def test_a_speaker_waits_for_a_peer_who_acknowledges_nothing(network: Network) -> None:
    alice, bob = pair(network)
    for number in range(KEPT_EVENTS - 1):
        alice.say(f"{number}")
        network.settle()
        if number % 100 == 99:
            alice.acknowledge()
    assert alice.user is not None
    peer = alice.factory.pairs.peer_of(alice.user)
    assert peer is not None
    assert peer.full
    bob.acknowledge()
    network.settle()
    assert not peer.full


def test_who_is_full_when_a_pair_begins_is_known(network: Network) -> None:
    a, b = network.node("a"), network.node("b")
    alice, bob = a.enter("alice"), b.enter("bob")
    network.link("b", "a").held = True
    alice.says("To:bob")
    alice.fills()
    network.settle()
    assert bob.heard() == ["You are chatting with alice."]
    assert bob.paused


def test_one_who_is_away_when_the_answer_comes_is_said_to_be(network: Network) -> None:
    a, b = network.node("a"), network.node("b")
    alice, bob = a.enter_json("alice"), b.enter_json("bob")
    network.link("b", "a").held = True
    alice.does("to", name="bob")
    alice.drops()
    network.settle()
    paired, held = bob.uncounted()
    assert (paired["event"], held["event"]) == ("paired", "held")
    again: JsonParty = a.connect_json()
    again.resumes(alice)
    assert bob.uncounted() == [{"event": "back", "peer": "alice"}]


def test_who_is_away_and_at_a_slow_node_is_back_when_both_are_over(network: Network) -> None:
    a, b = network.node("a"), network.node("b")
    alice, bob = a.enter_json("alice"), b.enter_json("bob")
    alice.does("to", name="bob")
    network.settle()
    alice.events()

    def told(*, slow: bool) -> list[str]:
        network.link("a", "b").slow = slow
        a.directory.room_changed(b.inc)
        network.settle()
        return [event["event"] for event in alice.uncounted()]

    assert told(slow=True) == ["held"]
    bob.drops()
    assert told(slow=True) == told(slow=False) == []
    b.connect_json().resumes(bob)
    assert told(slow=False) == ["back"]
    assert told(slow=True) == ["held"]
    assert told(slow=False) == ["back"]
