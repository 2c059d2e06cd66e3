"""Names of several nodes: claimed of all, listed from all, and what ends a user."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from chatpair.cluster.questions import ASKING_SECONDS
from chatpair.exchange.held_lines import TOO_MANY_TRIES
from chatpair.exchange.keys import WRONG_KEYS
from chatpair.exchange.messages import Block, Error, Here, Left, Paired, Present
from chatpair.exchange.names import parse
from chatpair.exchange.users import MAX_LISTED
from tests.support.cluster_exchange import Network
from tests.support.ears import Ear

TAKEN = Error("name", "reuse", "The name alice is taken.")
NOT_READY = Error("name", "try-later", "The switchboard is not ready.")


@pytest.fixture
def network() -> Network:
    """Three nodes."""
    return Network("a", "b", "c")


def at(network: Network, node: str, name: str, **claim: bool) -> Ear:
    """Let somebody claim a name at a node."""
    return Ear(network.node(node).factory, name, "192.0.2.1", **claim)


def fired(answer: Any) -> Any:
    """Return what a Deferred has fired with."""
    assert isinstance(answer, Deferred)
    results: list[Any] = []
    answer.addBoth(results.append)
    [result] = results
    return result


# Claims


@pytest.mark.parametrize("node", ["a", "b"])
def test_one_of_two_who_claim_a_name_at_once_has_it(network: Network, node: str) -> None:
    network.hold()
    first, second = at(network, "a", "alice"), at(network, node, "alice")
    third = at(network, node, "аlice")  # in Cyrillic
    assert first.user is None
    network.settle()
    assert first.user is not None
    assert (second.answer, third.answer) == (
        TAKEN,
        Error("name", "reuse", "The name аlice is taken."),
    )
    first.leaves()
    assert at(network, "c", "alice").user is not None


def test_a_claim_that_was_given_up_leaves_the_name_free(network: Network) -> None:
    network.hold()
    first = at(network, "a", "alice")
    first.leaves()
    again = at(network, "a", "alice")
    network.settle()
    assert (first.user, again.answer) == (None, None)
    assert again.user is not None
    network.hold()
    at(network, "b", "bob").leaves()
    network.settle()
    assert not network.node("b").factory.users
    assert at(network, "b", "bob").user is not None


def test_claims_under_way_count_for_how_many_users_there_may_be() -> None:
    network = Network("a", max_users=2)
    network.hold()
    for name in "alice", "bob":
        network.node("a").connect().says(name)
    late = network.node("a").connect()
    late.says("carol")
    assert late.heard() == ["The server is full."]
    network.settle()
    assert len(network.node("a").factory.users) == 2


def test_no_name_can_be_claimed_while_nothing_is_ready(network: Network) -> None:
    network.node("a").mesh.ready = False
    assert at(network, "a", "alice").answer == NOT_READY
    network.node("a").mesh.ready = True
    network.hold()
    assert at(network, "a", "x" * 33).answer is not None  # at once: no node allows it
    assert not network.asked
    ear = at(network, "a", "alice")
    waiting, _ = network.asked.popleft()
    waiting.errback(RuntimeError("odd"))
    assert ear.answer == NOT_READY
    network.settle()
    assert at(network, "a", "alice").user is not None


# Who is here


def present(*names: str) -> Here:
    """Return the list of some who are here."""
    return Here([Present(name.rstrip("*"), name.endswith("*")) for name in names], 0)


def test_who_is_here_is_asked_of_all(network: Network) -> None:
    for node, name in ("c", "alice"), ("b", "Bob"), ("a", "carol"), ("a", "dave"):
        at(network, node, name).calls("alice")
    network.settle()
    answer = network.node("b").factory.who()
    network.settle()
    assert fired(answer) == present("alice*", "Bob*", "carol", "dave")


def test_who_does_not_answer_is_not_waited_for_long(network: Network) -> None:
    for node, name in ("a", "alice"), ("b", "bob"), ("c", "carol"):
        at(network, node, name)
    network.link("b", "a").held = True
    first, second = (network.node("a").factory.who() for _ in range(2))
    network.clock.advance(0)
    network.clock.advance(ASKING_SECONDS)
    assert fired(first) == present("alice", "carol")
    assert isinstance(second, Deferred)
    assert not second.called
    network.settle()
    assert fired(second) == present("alice", "bob", "carol")


def test_the_answer_of_a_node_that_dies_is_not_waited_for(network: Network) -> None:
    at(network, "a", "alice")
    network.hold()
    answer = network.node("a").factory.who()
    network.dies("b")
    network.dies("c")
    assert fired(answer) == present("alice")
    assert fired(network.node("a").factory.who()) == present("alice")


def test_a_list_is_bounded_and_says_how_many_more_there_are(network: Network) -> None:
    for number in range(MAX_LISTED):
        at(network, "ab"[number % 2], f"b{number:03}")
    for number in range(3):
        at(network, "c", f"a{number}")
    answer = network.node("a").factory.who()
    network.settle()
    here = fired(answer)
    assert (here.names[0].name, len(here.names), here.more) == ("a0", MAX_LISTED, 3)


# Keys


def test_a_token_tells_its_node(network: Network) -> None:
    alice = at(network, "b", "alice", counting=True)
    assert alice.user is not None
    key = alice.user.key
    assert key.endswith("-b")
    finder = network.node("a").directory.questions
    network.link("a", "c").held = True  # it is not asked
    wrong = "x" + key, key[:-1], key.replace("-", "", 1), "no-such-a", "no-such-b", "no-such-z", ""
    for tried, found in (key, "b.00000001"), *((one, None) for one in wrong):
        answer = finder.find_key(tried, None, counting=True)
        network.clock.advance(0)
        assert fired(answer) == found
    assert network.link("a", "c").sent == []


def test_words_are_asked_of_all_and_can_t_be_guessed(network: Network) -> None:
    alice = at(network, "b", "alice")
    assert alice.user is not None
    alice.factory.held.give_words(alice.user)
    finder = network.node("a").directory.questions
    for _ in range(WRONG_KEYS):
        answer = finder.find_key("no-such-words", "192.0.2.9", counting=False)
        network.settle()
        assert fired(answer) is None
    for host, found in ("192.0.2.9", TOO_MANY_TRIES), ("192.0.2.8", "b.00000001"):
        answer = finder.find_key(alice.user.key, host, counting=False)
        network.settle()
        assert fired(answer) == found


# Blocks


@pytest.mark.parametrize("later", [False, True])
def test_where_one_who_is_blocked_is_is_asked_of_its_node(network: Network, later: bool) -> None:
    alice, bob = at(network, "a", "alice"), at(network, "b", "bob")
    assert alice.user is not None
    if not later:
        network.clock.advance(1)
        robert = at(network, "c", "robert")
    network.clock.advance(1)
    alice.sets(Block("bob"))
    network.settle()
    bob.leaves()
    network.clock.advance(1)
    if later:
        robert = at(network, "c", "robert")
    robert.calls("alice")
    network.settle()
    assert (robert.peer == "") == later


# The end of users


def test_a_user_whose_name_was_taken_is_told_so(network: Network) -> None:
    alice, bob = at(network, "a", "alice"), at(network, "b", "bob")
    bob.calls("alice")
    network.settle()
    alice.told()
    network.node("a").directory.expelled(parse("Alice"))
    network.node("a").directory.expelled(parse("noone"))
    network.settle()
    text = "The name alice was taken while this server was cut off."
    assert alice.told() == [Error(None, "reuse", text)]
    assert bob.told()[1:] == [Left("alice", "lost")]
    assert network.node("a").directory.names() == []


def test_who_left_and_who_has_the_name_now_are_not_mistaken_for_each_other(
    network: Network,
) -> None:
    alice, bob = at(network, "a", "alice"), at(network, "b", "bob")
    alice.calls("bob")
    network.settle()
    bob.leaves()
    another = at(network, "a", "Bob")  # before alice's node is told
    assert alice.told() == [Paired("bob")]
    alice.calls("bob")
    assert alice.told() == [Error("to", "already", "You are already chatting with bob.")]
    network.settle()
    assert [type(event) for event in alice.told()] == [Left]
    alice.calls("bob")
    assert (alice.told(), another.told()) == ([Paired("Bob")], [Paired("alice")])
