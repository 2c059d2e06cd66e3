"""Connections to a node that wait for what other nodes and the engine answer."""

import pytest

from chatpair.cluster import frames
from chatpair.cluster.listing import LISTING_SECONDS
from chatpair.cluster.questions import ASKING_SECONDS, LISTED_SECONDS
from tests.support.cluster_exchange import Network
from tests.support.exchange import PAIRED, said
from tests.support.tunnels import json_back, two, with_key


def test_a_name_a_call_and_a_line_may_come_in_one_piece() -> None:
    network, a, b = two()
    bob = b.enter("bob")
    network.engine_held = True
    alice = a.connect()
    alice.sends(b"alice\nTo:bob\nhello\n/who")
    alice.ends_input()
    assert alice.heard() == []
    network.settle()
    assert bob.heard() == [PAIRED.format("alice"), said(a, "hello")]
    assert alice.heard() == ["OK", PAIRED.format("bob"), "Here: alice*, bob*", "Listening."]


def test_the_list_of_whoever_does_not_wait_for_it_is_no_harm_to_others() -> None:
    network, a, b = two()
    alice, carol = a.enter("alice"), a.enter("carol")
    network.link("a", "b").held = True
    alice.says("/who")
    carol.says("/who")
    alice.drops()
    network.settle()
    network.clock.advance(LISTING_SECONDS)
    network.settle()
    assert carol.heard() == ["Here: carol"]
    b.enter("bob")


def test_whoever_is_back_elsewhere_while_a_call_is_under_way_waits_for_it() -> None:
    network, a, b = two()
    bob, carol = a.enter("bob"), b.enter("carol")
    alice, key = with_key(a)
    alice.says("To:bob")
    network.engine_held = True
    alice.says("To:carol")
    again = b.connect()
    again.says(f"Back:{key}")
    assert again.heard() == ["OK", PAIRED.format("bob")]
    assert alice.closed
    again.says("one")
    assert len(bob.heard()) == 1
    network.settle()
    assert bob.heard() == ["Quit."]
    assert carol.heard() == [PAIRED.format("alice"), said(a, "one")]


def test_what_a_program_says_again_goes_to_whom_it_has_called_by_then() -> None:
    network, a, b = two()
    bob, carol = a.enter("bob"), b.enter("carol")
    alice = a.enter_json("alice")
    alice.does("to", name="bob")
    network.link("a", "b").held = True
    alice.does("to", name="carol")
    alice.say(1, "for carol")
    alice.drops()
    again = a.connect_json()
    again.resumes(alice, 2)
    again.say(1, "for carol")
    network.settle()
    assert bob.heard() == [
        PAIRED.format("alice"),
        "alice has lost the connection. What you say is kept for a while.",
        "alice is back.",
        "Quit.",
    ]
    assert carol.heard() == [PAIRED.format("alice"), said(a, "for carol")]
    assert [event["event"] for event in again.events()] == ["paired", "status"]


def test_it_does_so_at_another_node_too() -> None:
    network, a, b = two()
    bob, carol = a.enter("bob"), a.enter("carol")
    alice = a.enter_json("alice")
    alice.does("to", name="bob")
    alice.drops()
    again = json_back(network, b, alice, 2)
    again.does("to", name="carol")
    again.say(1, "for carol")
    network.settle()
    assert bob.heard()[-1] == "Quit."
    assert carol.heard() == [PAIRED.format("alice"), said(a, "for carol")]


def test_a_call_is_refused_if_this_node_is_cut_off_before_it_is_made() -> None:
    network, a, b = two()
    alice, bob = a.enter("alice"), b.enter("bob")
    network.hold()
    alice.says("To:bob")
    a.mesh.ready = False
    network.answer()
    assert alice.heard() == ["The switchboard is not ready."]
    network.settle()
    assert bob.heard() == []


# No more at a time than what one waits for


@pytest.mark.parametrize(
    "line", ["To:nobody\n", "/block n\n", "/block n\n/unblock n\n", "Back:a-b-c\n", "x\n"]
)
def test_who_says_much_at_once_has_one_thing_asked_at_a_time(line: str) -> None:
    network, a, _ = two()
    party = a.connect()
    if line not in ("Back:a-b-c\n", "x\n"):
        party.says("alice")
    network.hold()
    party.sends((line * 100).encode())
    asked = len(network.asked) + len(network.link("a", "b").waiting)
    assert asked == 1
    network.settle()
    a.enter("bob")


def test_where_somebody_is_is_known_before_the_next_line_is_handled() -> None:
    network, a, b = two()
    alice, _ = a.enter("alice"), b.enter("bob")
    network.hold()
    alice.says("/block bob", "/dnd on")
    assert alice.heard() == ["You have blocked bob."]
    network.settle()
    assert alice.heard() == ["Nobody can call you now."]


def test_who_asks_who_is_here_all_the_time_is_answered_at_intervals() -> None:
    network, a, _ = two()
    alice = a.enter("alice")
    alice.says("/who")
    assert alice.heard() == ["Here: alice"]
    alice.sends(b"/who\n" * 100)
    for _ in range(4):
        network.clock.advance(LISTING_SECONDS)
        network.settle()
    asked = [one for one in network.link("a", "b").sent if isinstance(one, frames.Ask)]
    assert len(asked) == 1 + 4
    assert alice.heard() == ["Here: alice"] * 4


def test_however_many_ask_who_is_here_each_node_is_asked_once_in_a_while() -> None:
    network = Network(*"abcdef")
    people = [node.enter(f"user-{node.inc[0]}") for node in network.nodes.values()]
    seconds = 20
    for party in people:
        party.sends(b"/who\n" * 1_000)
    for _ in range(seconds * 10):
        network.clock.advance(LISTING_SECONDS / 10)
        network.settle()
    entries = sum(
        isinstance(frame, frames.Ask | frames.Answer)
        for link in network.links.values()
        for frame in link.sent
    )
    here = "Here: " + ", ".join(f"user-{one}" for one in "abcdef")
    for party in people:
        answers = party.heard()
        assert len(answers) > seconds / 3
        assert set(answers) == {here}
    assert entries < 4 * len(people) * (seconds + 2)


@pytest.mark.parametrize("gone", ["dies", "is silent", "is slow"])
def test_the_list_comes_when_the_node_is_gone_that_puts_it_together(gone: str) -> None:
    network = Network("a", "b", "c")
    _, _, carol = (network.node(one).enter(f"user-{one}") for one in "abc")
    network.link("c", "a").held = network.link("b", "a").held = True
    network.link("c", "a").slow = gone == "is slow"
    carol.says("/who")
    if gone == "dies":
        network.dies("a")
    elif gone == "is silent":
        network.clock.advance(LISTED_SECONDS)
        network.clock.advance(ASKING_SECONDS)
    assert carol.heard() == ["Here: user-b, user-c"]


@pytest.mark.parametrize("answer", [True, "192.0.2.1", frames.List([], 0)])
@pytest.mark.parametrize("line", ["/who", "Back:a-b-b", "/block bob"])
def test_an_answer_of_the_wrong_kind_is_none(line: str, answer: bool | str | frames.List) -> None:
    network, a, b = two()
    b.enter("bob")
    party = a.connect() if line.startswith("Back") else a.enter("alice")
    network.link("a", "b").held = True
    party.says(line)
    [asked] = [one for one in network.link("a", "b").sent if isinstance(one, frames.Ask)]
    network.receive(b.inc, a.inc, frames.Answer(asked.ask, answer))
    network.settle()
    party.says("/help")
    network.clock.advance(LISTING_SECONDS)
    network.settle()
    assert len(party.heard()) > 2
