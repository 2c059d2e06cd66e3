"""Clients that come back at another node than their user's."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatpair.cluster.questions import ASKING_SECONDS
from chatpair.exchange.keys import WRONG_KEYS
from tests.exchange.test_answers import JSON, PLAIN, in_json
from tests.support.cluster import NOT_READY
from tests.support.cluster_exchange import Network
from tests.support.exchange import PAIRED, said
from tests.support.tunnels import (
    NO_LINE,
    Away,
    back,
    carried_by,
    far_ends,
    json_back,
    two,
    with_key,
)


@pytest.fixture
def network() -> Away:
    """Two nodes, and alice, who is at one of them and may come back at the other."""
    return Away()


def test_wrong_keys_are_counted_at_both_nodes() -> None:
    network, a, b = two()
    for _ in range(WRONG_KEYS):
        assert back(network, b, "no-such-key", "host").heard() == [NO_LINE]
    _, key = with_key(a)
    for node in (a, b):
        assert back(network, node, key, "host").heard() == [
            "There were too many wrong keys. Try later."
        ]
    assert back(network, b, key, "other").heard()[0] == "OK"


def test_a_key_of_a_node_that_does_not_answer_yet_is_no_wrong_one() -> None:
    network = Network("a", "b", "c")
    a, b, c = map(network.node, "abc")
    _, key = with_key(a)
    for node in (b, c):
        network.link(node.inc[0], "a").held = True
        for _ in range(2 * WRONG_KEYS):
            again = node.connect("host")
            again.says(f"Back:{key}")
            network.clock.advance(ASKING_SECONDS)
            assert again.heard() == [NOT_READY]
    network.settle()
    for _ in range(2 * WRONG_KEYS):  # nor is one that is right at one of the others
        for node in (b, c):
            assert back(network, node, key, "host").heard()[0] == "OK"


def test_a_node_at_which_a_host_has_guessed_too_often_tells_of_no_key() -> None:
    network, a, b = two()
    _, key = with_key(a)
    for _ in range(WRONG_KEYS):
        a.factory.held.key_was_wrong("host", counting=False)
    assert back(network, b, key, "host").heard() == ["There were too many wrong keys. Try later."]
    assert back(network, b, key, "other").heard()[0] == "OK"


def test_nothing_is_left_of_a_tunnel_that_is_taken_over_or_lost(network: Away) -> None:
    again, third = network.back(), network.back()
    assert again.closed
    again.drops(clean=True)
    assert len(far_ends(network.a)) == len(carried_by(network.b)) == 1
    third.drops()
    network.settle()
    assert network.a.user("alice").inbox.away
    assert not far_ends(network.a)
    assert not carried_by(network.b)
    assert not network.b.factory.visitors
    assert network.back().heard()[0] == "OK"


def test_lines_that_came_before_a_loss_are_said(network: Away) -> None:
    bob = network.a.enter("bob")
    again = network.back()
    again.says("To:bob")
    network.settle()
    bob.heard()
    again.says("one", "two")
    again.sends(b"Quit\n")
    again.drops()
    network.settle()
    assert bob.heard() == [said(network.a, "one"), said(network.a, "two"), "Quit."]
    assert "alice" not in network.a.factory.users


def test_quit_ends_both_ends(network: Away) -> None:
    again = network.back()
    again.heard()
    network.alice.drops()
    again.says("Quit")
    network.settle()
    assert again.heard() == ["Quit"]
    assert again.closed
    again.drops(clean=True)
    assert not network.a.factory.users
    assert not network.a.factory.visitors
    assert not far_ends(network.a)


def test_a_client_that_has_said_all_listens_on(network: Away) -> None:
    bob = network.a.enter("bob")
    again = network.back()
    again.sends(b"To:bob\nthat is all")
    again.ends_input()
    network.settle()
    assert bob.heard()[-1] == said(network.a, "that is all")
    again.heard()
    bob.says("one")
    network.settle()
    assert again.heard() == [said(network.a, "one", "bob")]
    bob.says("Quit")
    network.settle()
    assert again.heard() == ["Quit."]
    assert again.closed


def test_the_input_may_end_before_the_key_is_found(network: Away) -> None:
    bob = network.a.enter("bob")
    again = network.b.connect()
    again.sends(f"Back:{network.key}\nTo:bob\nhello".encode())
    again.ends_input()
    network.settle()
    assert bob.heard() == [PAIRED.format("alice"), said(network.a, "hello")]
    assert again.heard()[-2:] == [PAIRED.format("bob"), "Listening."]


def test_a_last_line_that_was_cut_is_not_said(network: Away) -> None:
    bob = network.a.enter("bob")
    again = network.back()
    again.sends(b"To:bob\nhalf a li")
    vars(again.transport)["input_was_cut"] = True
    again.ends_input()
    network.settle()
    assert bob.heard() == [PAIRED.format("alice")]
    assert "That line was not sent: it has no end." in again.heard()


def test_a_connection_that_is_lost_before_the_key_is_found_changes_nothing(network: Away) -> None:
    again = network.b.connect()
    network.link("b", "a").held = True
    again.says(f"Back:{network.key}")
    again.drops()
    network.settle()
    assert network.alice.heard() == []
    assert not far_ends(network.a)


def test_ctrl_c_in_a_telnet_is_carried_through_a_door_that_knows_the_first_protocol(
    network: Away,
) -> None:
    again = network.b.connect()
    received = again.protocol.dataReceived  # haproxy's door keeps it
    received(f"Back:{network.key}\r\n".encode())
    network.settle()
    received(b"/wh\xff\xf4")
    network.settle()
    assert again.heard()[-1] == "Quit"
    assert not network.a.factory.users


def outcome(
    lines: list[str], cuts: list[int], *, ends: bool, speaks_json: bool, far: bool
) -> list[object]:
    """Return what all are told if somebody is back, at another node or not, and sends lines."""
    network, a, b = two()
    others = [a.enter("bob"), a.enter_json("carol")]
    again = (b if far else a).connect("host")
    if speaks_json:
        first = json.dumps({"do": "resume", "key": a.enter_json("alice").key, "seen": 1})
        lines = ["Mode:json", first, *lines]
    else:
        lines = [f"Back:{with_key(a)[1]}", *lines]
    data = "\n".join(lines).encode()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for begin, end in pairwise(places):
        again.sends(data[begin:end])
        if begin % 3:
            network.settle()
    network.settle()
    if ends and not again.closed:
        again.ends_input()
        network.settle()
    return [again.closed, *(party.heard() for party in (again, *others))]


@given(
    st.lists(st.sampled_from(PLAIN), max_size=8)
    | st.lists(st.sampled_from(JSON), min_size=1, max_size=8).map(
        lambda commands: in_json(commands, []).split("\n")[1:]
    ),
    st.booleans(),
    st.lists(st.integers(0, 300), max_size=6),
)
def test_a_tunnel_changes_nothing_that_is_told(
    lines: list[str], ends: bool, cuts: list[int]
) -> None:
    speaks_json = bool(lines) and lines[0].startswith("{")
    far = outcome(lines, cuts, ends=ends, speaks_json=speaks_json, far=True)
    assert far == outcome(lines, [], ends=ends, speaks_json=speaks_json, far=False)


# Flow


def test_who_speaks_to_a_client_that_does_not_read_waits(network: Away) -> None:
    bob = network.a.enter("bob")
    bob.says("To:alice")
    again = network.back()
    again.heard()
    again.fills()
    for number in range(2_000):
        if not bob.paused:
            bob.says(f"{number} {'x' * 100}")
            network.settle()
    told = len(again.heard())
    assert bob.paused
    assert 0 < told < 2_000
    again.drains()
    network.settle()
    assert not bob.paused
    bob.says("the last")
    network.settle()
    assert again.heard()[-1] == said(network.a, "the last", "bob")


def test_a_long_text_is_told_as_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    network, a, b = two()
    alice, bob = a.enter_json("alice"), a.enter_json("bob")
    bob.does("to", name="alice")
    again = json_back(network, b, alice, 2)
    again.events()
    written: list[bytes] = []
    monkeypatch.setattr(again.transport, "write", written.append)
    bob.say(1, "x" * 60_000)
    network.settle()
    [text] = written
    assert text.endswith(b"}\r\n")


def test_a_client_whose_line_is_not_read_waits(network: Away) -> None:
    bob = network.a.enter("bob")
    again = network.back()
    again.says("To:bob")
    network.settle()
    bob.fills()
    sent = 0
    while not again.paused and sent < 10_000:
        again.says("x" * 99)
        network.settle()
        sent += 1
    assert again.paused
    assert sent < 2_000
    bob.drains()
    network.settle()
    assert not again.paused
    assert len(bob.heard()) == sent + 1


def test_lines_that_waited_to_be_read_are_said_when_the_client_is_lost(network: Away) -> None:
    bob = network.a.enter("bob")
    again = network.back()
    again.says("To:bob")
    network.settle()
    bob.heard()
    bob.fills()
    again.says("one")
    network.settle()
    again.says("two")
    network.settle()
    assert far_ends(network.a)[0]._unread
    again.drops()
    network.settle()
    assert bob.heard()[:2] == [said(network.a, "one"), said(network.a, "two")]


def test_a_full_link_makes_both_ends_wait(network: Away) -> None:
    bob = network.a.enter("bob")
    bob.says("To:alice")
    again = network.back()
    there, here = network.link("a", "b"), network.link("b", "a")
    there.held = here.held = True
    there.limit = here.limit = 4
    for _ in range(8):
        if not bob.paused:
            bob.says("one")
        if not again.paused:
            again.says("two")
    assert bob.paused
    assert again.paused
    network.settle()
    assert not bob.paused
    assert not again.paused
    assert again.heard()[-1] == said(network.a, "one", "bob")
