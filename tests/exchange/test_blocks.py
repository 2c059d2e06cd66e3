"""Blocks: whoever is blocked finds somebody busy, also after coming back under another name."""

import pytest

from chatpair.calls import MAX_BLOCKS, RING_SECONDS
from chatpair.factory import ChatFactory
from chatpair.names import Name
from tests.support.exchange import PAIRED, Exchange, Party, said

BUSY = "alice is talking with someone else."
TALKING = PAIRED.format("alice")
BLOCKED = "You have blocked {}."
UNBLOCKED = "You have unblocked {}."


def at(exchange: Exchange, host: str, name: str) -> Party:
    """Connect somebody from a host, and say a name, which must be free."""
    party = exchange.connect(host)
    party.says(name)
    assert party.heard() == ["OK"]
    return party


def told(party: Party) -> str:
    """Call alice, and return the answer; take the call back if there was one."""
    party.says("To:alice")
    [answer] = party.heard()
    if answer == TALKING:
        party.says("/bye")
        party.heard()
    return answer


@pytest.mark.parametrize("state", ["free", "/dnd", "/ring", "paired"])
def test_to_whom_somebody_blocks_they_are_busy_whatever_they_are(
    exchange: Exchange, state: str
) -> None:
    alice, bob = exchange.enter("alice"), exchange.enter("bob")
    if state == "paired":
        alice_s_peer = exchange.enter("dave")
        alice.says("To:dave")
        alice_s_peer.heard()
    elif state != "free":
        alice.says(state)
    alice.heard()
    alice.says("/block Bob")
    assert alice.heard() == [BLOCKED.format("bob")]
    assert told(bob) == BUSY
    assert alice.heard() == []


def test_who_is_blocked_is_told_what_a_busy_one_s_caller_is(exchange: Exchange) -> None:
    alice, bob = exchange.enter("alice"), exchange.enter_json("bob")
    alice.says("/block bob")
    bob.does("to", name="alice")
    busy = {"event": "error", "of": "to", "code": "busy", "text": BUSY}
    assert bob.uncounted() == [busy]
    alice.says("/unblock bob")
    exchange.enter("dave").says("To:alice")
    bob.does("to", name="alice")
    assert bob.uncounted() == [busy]


def test_others_call_as_ever(exchange: Exchange) -> None:
    alice, carol = exchange.enter("alice"), exchange.enter("carol")
    exchange.enter("bob")
    alice.says("/block bob")
    assert told(carol) == TALKING


def test_unblocking(exchange: Exchange) -> None:
    alice, bob = exchange.enter("alice"), exchange.enter("bob")
    alice.says("/block bob", "/unblock BOB")
    assert alice.heard() == [BLOCKED.format("bob"), UNBLOCKED.format("bob")]
    assert told(bob) == TALKING
    alice.heard()
    alice.says("/unblock bob")
    assert alice.heard() == ["You have not blocked bob."]


ERRORS = [
    ("/block", "unknown", "Say who: /block bob"),
    ("/unblock ", "unknown", "Say who: /unblock bob"),
    ("/block alice", "self", "You can't block yourself."),
    ("/block аlice", "self", "You can't block yourself."),  # in Cyrillic
    ("/block b b", "bad-name", "no space and none of : [ ] ( ) / * , in a name"),
    ("/block " + "x" * 33, "bad-name", "1 to 32 characters"),
    ("/unblock OK", "bad-name", "the server says that itself"),
    ("/unblock bob", "unknown", "You have not blocked bob."),
]


@pytest.mark.parametrize(("line", "code", "text"), ERRORS)
def test_what_can_t_be_blocked(exchange: Exchange, line: str, code: str, text: str) -> None:
    alice = exchange.enter("alice")
    alice.says(line)
    assert alice.heard() == [f"Bad name: {text}" if code == "bad-name" else text]
    alice.drops()
    json = exchange.enter_json("alice")
    do, _, name = line[1:].partition(" ")
    json.does(do, name=name)
    assert json.uncounted() == [{"event": "error", "of": do, "code": code, "text": text}]


def test_in_json(exchange: Exchange) -> None:
    alice = exchange.enter_json("alice")
    bob = exchange.enter("bob")
    alice.does("block", name="BOB")
    alice.does("unblock", name="Bob")
    alice.does("block", name="nobody\u001b")
    assert alice.events()[:2] == [
        {"event": "blocked", "name": "bob", "seq": 2},
        {"event": "unblocked", "name": "bob", "seq": 3},
    ]
    assert told(bob) == TALKING


def test_the_pair_with_who_is_blocked_ends(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter_json("bob")
    alice.does("to", name="bob")
    alice.events()
    bob.events()
    alice.does("block", name="bob")
    assert alice.uncounted() == [{"event": "free"}, {"event": "blocked", "name": "bob"}]
    assert bob.uncounted() == [{"event": "left", "peer": "alice", "why": "bye"}]


def test_the_pair_with_who_is_blocked_ends_in_plain_lines(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.says("/block bob")
    assert alice.heard() == ["You are free.", BLOCKED.format("bob")]
    assert bob.heard() == ["Quit."]
    assert told(bob) == BUSY


def test_who_only_listens_on_blocks_and_leaves(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"/block bob")
    alice.ends_input()
    assert alice.heard() == ["You are free.", BLOCKED.format("bob")]
    assert (alice.closed, bob.heard()) == (True, ["Quit."])
    assert not exchange.factory._rules


def test_the_pair_with_another_stays(exchange: Exchange) -> None:
    alice, dave = exchange.pair("alice", "dave")
    exchange.enter("bob")
    alice.says("/block bob", "hi")
    assert dave.heard() == [said(exchange, "hi")]


def test_who_blocks_may_call(exchange: Exchange) -> None:
    alice, bob = exchange.enter("alice"), exchange.enter("bob")
    alice.says("/block bob", "To:bob")
    assert bob.heard() == [TALKING]
    bob.says("/bye")
    bob.heard()
    assert told(bob) == BUSY


def test_a_call_to_who_is_blocked_then_is_taken_back(exchange: Exchange) -> None:
    alice, bob, dave = (exchange.enter(name) for name in ("alice", "bob", "dave"))
    alice.says("To:dave")
    bob.says("/ring on")
    alice.says("To:bob", "/block bob")
    assert alice.heard()[1:] == ["bob's line is ringing.", BLOCKED.format("bob")]
    assert bob.heard()[1:] == [
        "alice is calling. To:alice to answer.",
        "alice tried to reach you.",
    ]
    assert told(bob) == BUSY
    alice.says("still here")
    assert dave.heard()[1:] == [said(exchange, "still here")]


def test_who_is_blocked_while_the_line_rings_finds_out_nothing(exchange: Exchange) -> None:
    alice, bob = exchange.enter("alice"), exchange.enter("bob")
    alice.says("/ring on")
    bob.says("To:alice")
    alice.heard()
    alice.says("/block bob")
    assert bob.heard() == ["alice's line is ringing."]
    exchange.clock.advance(RING_SECONDS)
    assert bob.heard() == ["alice does not answer."]
    assert alice.heard() == [BLOCKED.format("bob")]


def test_a_name_can_be_blocked_before_somebody_has_it(exchange: Exchange) -> None:
    alice = exchange.enter("alice")
    alice.says("/block BOB")
    assert alice.heard() == [BLOCKED.format("BOB")]
    bob = exchange.enter("bob")
    assert told(bob) == BUSY
    bob.drops()
    lookalike = exchange.enter("bоb")  # in Cyrillic
    assert told(lookalike) == BUSY
    alice.says("/unblock bоb")
    assert alice.heard() == [UNBLOCKED.format("BOB")]
    assert told(lookalike) == TALKING


def test_there_is_an_end_to_blocking(exchange: Exchange) -> None:
    alice = exchange.enter("alice")
    alice.says(*(f"/block b{number}" for number in range(MAX_BLOCKS + 1)))
    assert alice.heard()[-2:] == [
        BLOCKED.format("b99"),
        "You have blocked 100 names; unblock one of them first.",
    ]
    alice.says("/block B7", "/unblock b7", "/block b100")
    answers = [BLOCKED.format("B7"), UNBLOCKED.format("b7"), BLOCKED.format("b100")]
    assert alice.heard() == answers
    json = exchange.enter_json("carol")
    for number in range(MAX_BLOCKS + 1):
        json.does("block", name=f"b{number}")
    assert json.uncounted()[-1] == {
        "event": "error",
        "of": "block",
        "code": "too-many",
        "text": "You have blocked 100 names; unblock one of them first.",
    }


# Hosts


def test_coming_back_under_another_name_does_not_help(exchange: Exchange) -> None:
    alice, bob = exchange.enter("alice"), at(exchange, "bobs", "bob")
    alice.says("/block bob")
    bob.drops()
    robert = at(exchange, "bobs", "robert")
    assert told(robert) == BUSY
    assert told(at(exchange, "bobs", "rob")) == BUSY
    assert told(at(exchange, "elsewhere", "carol")) == TALKING
    alice.heard()
    alice.says("/unblock bob")
    assert alice.heard() == [UNBLOCKED.format("bob")]
    assert told(robert) == TALKING


def test_a_second_name_from_there_does_not_help_either(exchange: Exchange) -> None:
    alice = exchange.enter("alice")
    at(exchange, "bobs", "bob")
    alice.says("/block bob")
    assert told(at(exchange, "bobs", "robert")) == BUSY


def test_who_is_there_already_is_somebody_else(exchange: Exchange) -> None:
    alice, carol = at(exchange, "shared", "alice"), at(exchange, "shared", "carol")
    at(exchange, "shared", "bob")
    dave = at(exchange, "shared", "dave")
    dave.says("To:alice")
    dave.heard()
    alice.says("/block bob")
    assert told(dave) == "You are already chatting with alice."
    dave.says("/bye")
    assert told(carol) == TALKING


def test_who_was_there_before_one_block_may_come_after_another(exchange: Exchange) -> None:
    alice, erin = exchange.enter("alice"), exchange.enter("erin")
    at(exchange, "shared", "bob")
    erin.says("/block bob")
    carol = at(exchange, "shared", "carol")
    alice.says("/block bob")
    assert told(carol) == TALKING
    carol.says("To:erin")
    assert carol.heard() == ["erin is talking with someone else."]


def test_who_blocks_again_knows_where_somebody_is_now(exchange: Exchange) -> None:
    alice, bob = exchange.enter("alice"), at(exchange, "here", "bob")
    alice.says("/block bob")
    bob.drops()
    bob = at(exchange, "there", "bob")
    alice.says("/block bob")
    robert = at(exchange, "there", "robert")
    assert told(robert) == BUSY
    alice.says("/block bob")  # who has not moved
    bob.drops()
    alice.says("/block bob")  # who is nowhere now
    for name in ("rob", "bert"):
        assert told(at(exchange, "there", name)) == BUSY
    robert.says("To:alice")
    assert robert.heard() == [BUSY]
    alice.says("/unblock bob")
    assert not exchange.factory._blocked_hosts


def test_the_host_of_who_is_held_is_known(exchange: Exchange) -> None:
    alice, bob = exchange.enter("alice"), exchange.connect_json("bobs")
    bob.does("name", name="bob")
    bob.drops()
    alice.says("/block bob")
    assert told(at(exchange, "bobs", "robert")) == BUSY


def test_who_comes_back_to_a_held_line_is_as_blocked_as_before(exchange: Exchange) -> None:
    alice, bob = exchange.enter("alice"), exchange.enter_json("bob")
    alice.says("/block bob")
    bob.drops()
    again = exchange.connect_json("elsewhere")
    again.resumes(bob)
    again.does("to", name="alice")
    assert again.uncounted()[0]["code"] == "busy"


def test_no_host_is_blocked_where_there_is_none(exchange: Exchange) -> None:
    alice, bob = exchange.enter("alice"), exchange.connect()
    bob.protocol._host = None
    bob.says("bob")
    alice.says("/block bob")
    other = exchange.connect()
    other.protocol._host = None
    other.says("carol")
    other.heard()
    assert told(other) == TALKING


def test_where_names_are_owned_hosts_do_not_count(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def has_account(self: ChatFactory, name: Name) -> bool:
        # Nobody is asked for a password here: whoever has such a name has proven it.
        return name.key in ("bob", "carol") and name.key in self.users

    monkeypatch.setattr(ChatFactory, "has_account", has_account)
    alice = exchange.enter("alice")
    bob = at(exchange, "bobs", "bob")
    at(exchange, "eves", "eve")
    alice.says("/block bob", "/block eve")
    alice.heard()
    assert told(at(exchange, "bobs", "robert")) == TALKING  # bob can't be anybody else
    assert told(at(exchange, "eves", "carol")) == TALKING  # nor can carol
    assert told(at(exchange, "eves", "mallory")) == BUSY
    assert told(bob) == BUSY


def test_the_blocks_of_who_has_left_are_forgotten(exchange: Exchange) -> None:
    alice = exchange.enter("alice")
    at(exchange, "bobs", "bob")
    alice.says("/block bob")
    robert = at(exchange, "bobs", "robert")
    alice.says("Quit")
    factory = exchange.factory
    assert (dict(factory._blocked_hosts), factory._rules) == ({}, {})
    assert len(factory._newcomers) == 1
    robert.drops()
    assert not factory._newcomers
