"""Calls between nodes, while their answers are on the way."""

import pytest

from chatpair.cluster import frames
from chatpair.cluster.remote_calls import CALL_SECONDS
from chatpair.exchange.messages import (
    AnyEvent,
    Error,
    Free,
    Held,
    Left,
    Message,
    Paired,
    PeerTyping,
    Ringing,
    RingSet,
    SetRing,
    Timestamp,
    Tried,
    Unanswered,
)
from chatpair.exchange.names import parse
from chatpair.exchange.ringing import RING_SECONDS
from tests.support.cluster_exchange import Network
from tests.support.ears import Ear

SLOW = Error("to", "try-later", "The last call is still on its way.")
NOT_READY = Error("to", "try-later", "The switchboard is not ready.")
RINGS = Error("to", "ringing", "bob's line is ringing.")
NO_BOB = Error("to", "unknown", "The user bob does not exist.")


def busy(name: str) -> Error:
    """Return the answer to a call for who talks."""
    return Error("to", "busy", f"{name} is talking with someone else.")


@pytest.fixture
def network() -> Network:
    """Three nodes."""
    return Network("a", "b", "c")


def at(network: Network, node: str, name: str) -> Ear:
    """Let somebody come to a node."""
    ear = Ear(network.node(node).factory, name)
    assert ear.user is not None
    return ear


def three(network: Network) -> tuple[Ear, Ear, Ear]:
    """Let alice, bob and carol come, each to another node."""
    return at(network, "a", "alice"), at(network, "b", "bob"), at(network, "c", "carol")


def told(network: Network, *ears: Ear) -> list[list[AnyEvent]]:
    """Let all arrive; return what each was told since the last time."""
    network.settle()
    return [ear.told() for ear in ears]


def test_the_input_of_a_caller_waits_for_the_answer(network: Network) -> None:
    alice, bob, _ = three(network)
    network.hold()
    answered = alice.calls("Bob")
    network.answer()
    assert not answered.called
    network.settle()
    assert answered.called
    assert told(network, alice, bob) == [[Paired("bob")], [Paired("alice")]]
    assert alice.may_speak
    assert alice.calls("BOB").called
    already = Error("to", "already", "You are already chatting with bob.")
    assert told(network, alice, bob) == [[already], []]


def test_an_answer_that_takes_long_still_counts(network: Network) -> None:
    alice, bob, _ = three(network)
    network.link("b", "a").held = True
    answered = alice.calls("bob")
    network.clock.advance(CALL_SECONDS)
    assert answered.called
    alice.calls("carol")
    assert alice.told() == [SLOW, SLOW]
    assert told(network, alice, bob) == [[Paired("bob")], [Paired("alice")]]


def test_a_refusal_that_takes_long_is_not_told(network: Network) -> None:
    alice, _, _ = three(network)
    network.link("b", "a").held = True
    at(network, "b", "dave").calls("bob")
    alice.calls("bob")
    network.clock.advance(CALL_SECONDS)
    assert told(network, alice) == [[SLOW]]
    alice.calls("bob")
    assert told(network, alice) == [[busy("bob")]]


def test_who_calls_is_busy_for_others(network: Network) -> None:
    alice, bob, carol = three(network)
    network.link("a", "b").held = True
    alice.calls("bob")
    dave = at(network, "a", "dave")
    dave.calls("alice")
    carol.calls("alice")
    network.clock.advance(0)
    assert dave.told() == [busy("alice")]
    assert carol.told() == [busy("alice")]
    assert alice.told() == [Tried("dave"), Tried("carol")]
    assert told(network, alice, bob) == [[Paired("bob")], [Paired("alice")]]


@pytest.mark.parametrize("first", ["located", "sent"])
def test_two_who_call_each_other_are_one_pair(network: Network, first: str) -> None:
    alice, bob, carol = three(network)
    alice.calls("carol")
    told(network, alice, carol)
    network.hold()
    alice.calls("bob")
    bob.calls("alice")
    network.answer()
    if first == "sent":
        network.answer()
    network.link("a", "b").deliver()
    assert told(network, alice, bob, carol) == [
        [Paired("bob")],
        [Paired("alice")],
        [Left("alice", "switched")],
    ]
    sent = [*network.link("a", "b").sent, *network.link("b", "a").sent]
    accepted = [frame for frame in sent if isinstance(frame, frames.Answered)]
    assert len(accepted) == 1
    alice.say("hi")
    network.settle()
    assert bob.heard == [["hi"]]


def test_calls_cross_after_one_was_taken_back(network: Network) -> None:
    alice, bob, _ = three(network)
    network.hold()
    alice.calls("bob")
    network.answer()
    network.clock.advance(CALL_SECONDS)
    alice.hangs_up()
    alice.calls("bob")
    bob.calls("alice")
    network.answer()
    network.answer()
    assert told(network, alice, bob) == [[SLOW, Free(), Paired("bob")], [Paired("alice")]]
    alice.say("hi")
    network.settle()
    assert bob.heard == [["hi"]]


def test_a_call_is_taken_back_before_its_answer(network: Network) -> None:
    alice, bob, _ = three(network)
    network.link("b", "a").held = True
    alice.calls("bob")
    network.clock.advance(CALL_SECONDS)
    alice.hangs_up()
    assert told(network, alice, bob) == [[SLOW, Free()], [Paired("alice"), Left("alice", "bye")]]
    alice.calls("bob")
    assert told(network, alice, bob) == [[Paired("bob")], [Paired("alice")]]


def test_a_caller_who_has_left_is_no_peer(network: Network) -> None:
    alice, bob, carol = three(network)
    network.link("b", "a").held = True
    alice.calls("bob")
    alice.leaves()
    assert told(network, bob) == [[Paired("alice"), Left("alice", "bye")]]
    carol.calls("bob")
    assert told(network, bob) == [[Paired("carol")]]


def test_nobody_has_the_name(network: Network) -> None:
    alice, bob, _ = three(network)
    for name in ("dave", "b b"):
        alice.calls(name)
        text = f"The user {name} does not exist."
        assert told(network, alice) == [[Error("to", "unknown", text)]]
    network.link("a", "b").held = True
    alice.calls("bob")
    bob.leaves()
    assert told(network, alice) == [[NO_BOB]]


def test_who_came_to_this_node_meanwhile_is_called(network: Network) -> None:
    alice = at(network, "a", "alice")
    network.hold()
    alice.calls("bob")
    bob = Ear(alice.factory, "bob")
    assert told(network, alice, bob) == [[NO_BOB], []]
    alice.calls("bob")
    assert told(network, alice, bob) == [[Paired("bob")], [Paired("alice")]]


def test_nobody_can_tell_where_a_user_is_or_the_way_is_full(network: Network) -> None:
    alice, bob, _ = three(network)
    network.node("a").mesh.ready = False
    alice.calls("bob")
    assert told(network, alice) == [[NOT_READY]]
    network.node("a").mesh.ready = True
    network.hold()
    alice.calls("bob")
    waiting, _ = network.asked.popleft()
    waiting.errback(RuntimeError("odd"))
    assert alice.told() == [NOT_READY]
    network.link("a", "b").full = True
    alice.calls("bob")
    assert told(network, alice, bob) == [[NOT_READY], []]


def test_users_here_are_called_as_long_as_their_names_are_theirs(network: Network) -> None:
    alice, _, eve = ears = [at(network, "a", name) for name in ("alice", "dave", "eve")]
    mesh = network.node("a").mesh
    mesh.ready = False
    alice.calls("dave")
    assert [ear.told() for ear in ears] == [[Paired("dave")], [Paired("alice")], []]
    mesh.holds_names = False
    for ear, name in ((alice, "dave"), (alice, "alice"), (eve, "alice")):
        ear.calls(name)
    already = Error("to", "already", "You are already chatting with dave.")
    assert [ear.told() for ear in ears] == [[already, NOT_READY], [], [NOT_READY]]


# Calls that ring


def ringing(network: Network) -> tuple[Ear, Ear, Ear]:
    """Let the call of alice ring at bob."""
    alice, bob, carol = three(network)
    bob.sets(SetRing(True))
    alice.calls("bob")
    assert told(network, alice, bob) == [[RINGS], [RingSet(True), Ringing("alice")]]
    return alice, bob, carol


def test_an_answer_ends_what_the_caller_has_begun_meanwhile(network: Network) -> None:
    alice, bob, carol = ringing(network)
    carol.calls("alice")  # that takes the call back
    assert told(network, bob) == [[Tried("alice")]]
    alice.calls("bob")
    told(network, alice, bob, carol)
    bob.calls("alice")
    assert told(network, alice, bob, carol) == [
        [Paired("bob")],
        [Paired("alice")],
        [Left("alice", "switched")],
    ]


def test_a_call_for_another_user_of_that_node_rings_on(network: Network) -> None:
    alice, bob, _ = ringing(network)
    dave = at(network, "b", "dave")
    dave.sets(SetRing(True))
    alice.calls("dave")
    rings = Error("to", "ringing", "dave's line is ringing.")
    answers = told(network, alice, bob, dave)
    assert answers == [[rings], [Tried("alice")], [RingSet(True), Ringing("alice")]]
    network.clock.advance(RING_SECONDS)
    assert told(network, alice, dave) == [[Unanswered("dave")], [Tried("alice")]]
    alice.calls("dave")
    network.settle()
    at(network, "b", "erin")
    alice.calls("erin")  # who takes the call; the other one rings no more
    network.settle()
    assert alice.peer == "erin"
    assert dave.told()[-1] == Tried("alice")


def test_who_calls_somebody_else_is_busy_for_an_answer(network: Network) -> None:
    alice, bob, _ = ringing(network)
    network.link("a", "c").held = True
    alice.calls("carol")
    bob.calls("alice")
    network.clock.advance(0)
    assert bob.told() == [busy("alice")]
    assert alice.told() == [Tried("bob")]


# The end of nodes


def test_the_node_of_a_peer_dies(network: Network) -> None:
    alice, _, _ = three(network)
    alice.calls("bob")
    told(network, alice)
    network.dies("b")
    assert told(network, alice) == [[Left("bob", "lost")]]
    alice.calls("bob")
    assert told(network, alice) == [[NO_BOB]]


def test_a_node_dies_while_a_call_is_under_way_or_rings() -> None:
    network = Network("a", "b", "c")
    alice, _, _ = three(network)
    network.link("a", "b").held = True
    alice.calls("bob")
    network.dies("b")
    assert told(network, alice) == [[NO_BOB]]
    for dies, end in ("b", [[Unanswered("bob")], []]), ("a", [[], [Tried("alice")]]):
        network = Network("a", "b", "c")
        alice, bob, _ = ringing(network)
        network.dies(dies)
        assert told(network, alice, bob) == end


def test_a_node_that_was_taken_for_dead_keeps_the_pairs_within_it(network: Network) -> None:
    alice, bob, carol = three(network)
    dave = at(network, "c", "dave")
    alice.calls("bob")
    dave.calls("carol")
    told(network, alice, bob, carol, dave)
    for node in "ac":
        network.node(node).directory.reborn()
    assert told(network, alice, carol, dave) == [[Left("bob", "lost")], [], []]


def test_a_call_to_a_node_that_died_before_it_was_known_ends(network: Network) -> None:
    alice, _, _ = three(network)
    network.link("a", "b").held = True
    network.node("a").mesh.members = frozenset()
    alice.calls("bob")
    network.clock.advance(CALL_SECONDS)
    assert alice.told() == [NO_BOB]


def test_a_node_that_stops_takes_its_calls_back_and_answers_none(network: Network) -> None:
    alice, bob, _ = ringing(network)
    dave, erin = at(network, "a", "dave"), at(network, "b", "erin")
    erin.calls("dave")
    network.settle()
    network.hold()
    dave.calls("carol")
    alice.factory.stop()
    assert told(network, bob, erin) == [[Tried("alice")], [Paired("dave"), Left("dave", "stopped")]]
    network = Network("a", "b", "c")
    alice, bob, _ = ringing(network)
    bob.factory.stop()
    assert told(network, alice) == [[Unanswered("bob")]]


# Frames that nothing here matches


@pytest.mark.parametrize(
    "frame",
    [
        frames.Cancel(7, 7),
        frames.Answered(1, 7, Paired("bob"), 1, parse("bob")),
        frames.Answered(1, 7, RINGS, 1, parse("bob")),
        frames.Answered(1, 7, NO_BOB),
        frames.Answered(1, 7, Unanswered("bob")),
        frames.Told(1, 7, Left("bob", "quit")),
        frames.Told(7, 1, Left("bob", "quit")),
        frames.Told(1, 7, Held("bob")),
        frames.Told(1, 7, PeerTyping("bob")),
        frames.Flow(1, 7, True),
        frames.Lines(1, 7, 1.0, b"hi\n"),
        frames.Lines(1, 1, 1.0, b"\xff\n"),
        frames.Told(1, 7, Message("bob", "hi", Timestamp(1.0)), 1),
        frames.Settled(7, [1, 2], "confirmed"),
        frames.Answer(7, True),
        frames.Frame(),
    ],
)
def test_a_frame_out_of_place_changes_nothing(network: Network, frame: frames.Frame) -> None:
    alice, bob, _ = three(network)
    alice.calls("bob")
    told(network, alice, bob)
    network.node("a").directory.received("b.00000001", frame)
    network.node("a").directory.received("x.00000001", frame)
    assert alice.told() == []
    alice.say("hi")
    network.settle()
    assert bob.heard == [["hi"]]
