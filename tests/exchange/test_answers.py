"""Connections that wait for an answer of the exchange's: a name or a call that takes a while."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.exchange import PAIRED, Party, said
from tests.support.late import LateExchange

PLAIN = (
    *("alice", "bob", "x:y", "To:bob", "To:carol", "To:nobody", "to:", "/bye", "/who", "/dnd on"),
    *("/end", "/block bob", "Quit", "", "one", "two", " three"),
)
JSON: tuple[dict[str, Any], ...] = (
    *({"do": "name", "name": name} for name in ("alice", "bob", "x:y")),
    *({"do": "to", "name": name} for name in ("bob", "carol", "nobody")),
    *({"do": word} for word in ("bye", "who", "quit")),
    *({"do": "say", "id": 0, "text": text} for text in ("one", "two")),
    *({"do": "say", "id": 0, "text": "for bob", "to": "bob"},) * 2,
    *({"do": "ack", "seq": seq} for seq in (1, 3)),
    *({"do": "dnd", "on": True}, {"do": "no such"}),
)


def in_json(commands: list[dict[str, Any]], end: list[dict[str, Any]]) -> str:
    """Return the lines of commands, of which what is said is counted."""
    lines = ["Mode:json"]
    for number, command in enumerate(commands + end, 1):
        lines.append(json.dumps(command | {"id": number} if "id" in command else command))
    return "\n".join(lines)


def outcome(pieces: list[bytes], answers: list[int], *, ends: bool) -> list[Any]:
    """Return what all are told if pieces are sent and so many questions answered after each."""
    exchange = LateExchange()
    others = [exchange.enter("bob"), exchange.enter_json("carol")]
    alice = exchange.connect("host")
    if answers:
        exchange.becomes_late()
    for number, piece in enumerate(pieces):
        alice.sends(piece)
        exchange.settles()
        exchange.answers(answers[number] if answers else 0)
    if ends and not alice.closed:
        alice.ends_input()
        exchange.settles()
    while exchange.late.asked:
        exchange.answers()
    told = [party.heard() for party in (alice, *others)]
    keyless = [
        [line.partition(', "key"')[0].partition(',"key"')[0] for line in one] for one in told
    ]
    return [alice.closed, *keyless]


@given(
    st.lists(st.sampled_from(PLAIN), max_size=8).map("\n".join)
    | st.builds(
        in_json,
        st.lists(st.sampled_from(JSON), max_size=8),
        st.sampled_from(([], [{"do": "end"}])),  # nothing follows it
    ),
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(0, 200), max_size=6),
    st.lists(st.integers(0, 3), min_size=9, max_size=9),
)
def test_late_answers_change_nothing_that_is_told(
    lines: str, newline: bool, ends: bool, cuts: list[int], answers: list[int]
) -> None:
    data = ("alice\n" * (not lines.startswith("Mode")) + lines + "\n" * newline).encode()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[begin:end] for begin, end in pairwise(places)]
    assert outcome(pieces, answers, ends=ends) == outcome([data], [], ends=ends)


def late_pair() -> tuple[LateExchange, Party, Party]:
    """Let alice talk with bob on an exchange that answers late from then on."""
    exchange = LateExchange()
    alice, bob = exchange.pair()
    exchange.becomes_late()
    return exchange, alice, bob


# Names


def test_what_follows_a_name_waits_for_it() -> None:
    exchange = LateExchange()
    exchange.becomes_late()
    alice = exchange.connect()
    alice.says("alice", "/who")
    assert alice.paused
    assert alice.heard() == []
    exchange.answers()
    assert alice.heard() == ["OK", "Here: alice"]
    assert not alice.paused


def test_a_connection_that_is_lost_while_its_name_is_claimed_never_had_it() -> None:
    exchange = LateExchange()
    exchange.becomes_late()
    alice = exchange.connect()
    alice.says("alice", "alice", "hello")
    alice.drops()
    assert not exchange.late.asked
    assert not exchange.factory.users
    assert not exchange.factory.connections


def test_the_limit_of_the_unnamed_counts_only_while_they_are_asked() -> None:
    exchange = LateExchange(name_time=30)
    exchange.becomes_late()
    alice = exchange.connect()
    exchange.clock.advance(29)
    alice.says("x:y")
    exchange.clock.advance(100)
    assert not alice.closed
    exchange.answers()
    assert alice.heard() == ["Bad name: no space and none of : [ ] ( ) / * , in a name"]
    exchange.clock.advance(29)
    assert not alice.closed
    exchange.clock.advance(1)
    assert alice.heard() == ["No name came within 30 seconds."]
    assert alice.closed


def test_the_server_stops_while_a_name_is_claimed() -> None:
    exchange = LateExchange()
    exchange.becomes_late()
    alice = exchange.connect()
    alice.says("alice")
    exchange.factory.stop()
    assert alice.heard() == ["The server is stopping."]
    assert not exchange.late.asked


# Calls


def test_who_waits_for_the_answer_to_a_call_still_hears_the_peer() -> None:
    exchange, alice, bob = late_pair()
    alice.says("To:nobody", "hello")
    bob.says("one")
    assert alice.heard() == [said(exchange, "one", "bob")]
    assert bob.heard() == []
    exchange.answers()
    assert alice.heard() == ["The user nobody does not exist."]
    assert bob.heard() == [said(exchange, "hello")]


def test_who_is_left_while_a_call_is_under_way_stays_though_the_input_has_ended() -> None:
    exchange, alice, bob = late_pair()
    alice.sends(b"To:nobody")
    alice.ends_input()
    bob.says("Quit")
    assert alice.heard() == ["Quit."]
    assert not alice.closed
    exchange.answers()
    assert alice.heard() == ["The user nobody does not exist."]
    assert alice.closed


def test_what_was_said_after_a_call_reaches_nobody_if_the_connection_is_lost_before() -> None:
    exchange, alice, bob = late_pair()
    alice.says("To:carol", "a secret for carol")
    alice.drops()
    assert bob.heard() == ["Quit."]
    exchange.answers()
    assert bob.heard() == []


def test_the_server_stops_while_a_call_is_under_way() -> None:
    exchange, alice, bob = late_pair()
    alice.says("To:carol", "a secret for carol")
    exchange.factory.stop()
    assert alice.heard() == ["The server is stopping."]
    assert bob.heard() == ["The server is stopping."]


def test_acknowledgements_and_pings_do_not_wait() -> None:
    exchange = LateExchange()
    alice = exchange.enter_json("alice")
    exchange.becomes_late()
    alice.does("to", name="nobody")
    alice.does("who")
    alice.does("ack", seq=1)
    alice.does("ping")
    assert [event["event"] for event in alice.events()] == ["pong"]
    exchange.answers()
    assert [event["event"] for event in alice.events()] == ["error", "who"]


def test_whoever_takes_the_line_over_waits_for_the_call_too() -> None:
    exchange = LateExchange()
    bob, carol = exchange.enter("bob"), exchange.enter("carol")
    alice = exchange.enter_json("alice")
    alice.does("to", name="bob")
    assert [event["event"] for event in alice.events()] == ["paired"]
    exchange.becomes_late()
    alice.does("to", name="carol")
    alice.say(1, "for carol")
    again = exchange.connect_json()
    assert [event["event"] for event in again.resumes(alice, 2)] == ["resumed"]
    assert alice.closed
    again.say(1, "for carol")
    assert again.events() == []
    exchange.answers()
    assert [event["event"] for event in again.events()] == ["paired", "status"]
    assert carol.heard() == [PAIRED.format("alice"), said(exchange, "for carol")]
    assert bob.heard() == [PAIRED.format("alice"), "Quit."]
