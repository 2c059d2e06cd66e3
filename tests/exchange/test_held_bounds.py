"""How much is kept for whom of held lines and for clients that count, and who waits for that."""

import json
from typing import Any

from chatpair.exchange.counted_inbox import KEPT_STATUSES
from chatpair.exchange.kept_events import KEPT_EVENTS
from chatpair.exchange.receipts import LATE_SECONDS
from chatpair.exchange.visitors import SILENT_SECONDS
from tests.support.exchange import Exchange, JsonParty, status


def pair(exchange: Exchange) -> tuple[JsonParty, JsonParty]:
    """Let alice and bob, who speak JSON, have a line, and know it."""
    alice, bob = exchange.enter_json("alice"), exchange.enter_json("bob")
    alice.does("to", name="bob")
    for party in (alice, bob):
        party.events()
        party.does("ack", seq=2)
    return alice, bob


def test_a_peer_that_drops_again_and_again_does_not_fill_the_store(exchange: Exchange) -> None:
    alice, bob = pair(exchange)
    for _ in range(KEPT_EVENTS):
        bob.drops()
        bob, old = exchange.connect_json(), bob
        bob.resumes(old, seen=2)
    told = [event["event"] for event in alice.events()]
    assert told == ["held", "back"] * (KEPT_EVENTS // 2)
    alice.does("ack", seq=500)
    assert alice.events() == []
    bob.drops()
    assert alice.uncounted() == [{"event": "held", "peer": "bob"}]


def test_a_plain_speaker_waits_too_and_loses_nothing(exchange: Exchange) -> None:
    alice, bob = exchange.enter("alice"), exchange.enter_json("bob")
    alice.says("To:bob")
    bob.drops()
    lines = [str(number) for number in range(3_000)]
    alice.sends("".join(f"{line}\n" for line in lines).encode())
    exchange.clock.pump([0] * 200)
    assert alice.paused
    again = exchange.connect_json()
    texts = [event["text"] for event in again.resumes(bob, seen=2)[1:]]
    seq = 2
    while texts:
        seq += len(texts)
        assert texts == [lines.pop(0) for _ in texts]
        again.does("ack", seq=seq)
        exchange.clock.pump([0] * 200)
        texts = [event["text"] for event in again.events()]
    assert lines == []
    assert not alice.paused


def test_bytes_are_bounded_too() -> None:
    for text, fit in (("x", 9), ("\xe9", 9), ("\U0001f600", 3)):  # the last passes the bound
        exchange = Exchange()
        alice, bob = pair(exchange)
        bob.drops()
        for number in range(1, 31):
            alice.say(number, text + "x" * 59_999)
        kept = exchange.connect_json().resumes(bob, seen=2)[1:]
        assert len(kept) == fit


def test_two_who_say_much_at_once_do_not_wait_for_each_other_for_ever(exchange: Exchange) -> None:
    alice, bob = pair(exchange)
    for number in range(1, 1_801):
        for party in (alice, bob):
            party.say(number, "x")
    assert exchange.factory.users["bob"].full  # and has acknowledged nothing, behind what waits
    heard: dict[JsonParty, list[dict[str, Any]]] = {alice: [], bob: []}
    seen = 2
    for _ in range(10):
        for party in (alice, bob):
            heard[party] += party.events()
        for party in (alice, bob):
            party.does("ack", seq=heard[party][-1]["seq"])
        exchange.clock.pump([0] * 200)
    for party in (alice, bob):
        numbers = [event["seq"] for event in heard[party]]
        assert numbers == list(range(seen + 1, seen + 1 + len(numbers)))
        assert sum(event["event"] == "message" for event in heard[party]) == 1_800
        *_, last = (event for event in heard[party] if event["event"] == "status")
        assert (last["id"], last["status"]) == (1_800, "confirmed")


def test_whoever_acknowledges_nothing_is_read_no_further_than_needed(exchange: Exchange) -> None:
    alice = exchange.enter_json("alice")
    for _ in range(2_100):
        alice.does("to", name="nobody")
    assert alice.paused
    assert len(alice.events()) == KEPT_EVENTS - 1
    # Its acknowledgements, if there are any, are behind all that: so another connection is due.
    exchange.clock.advance(SILENT_SECONDS)
    assert alice.events()[-1]["code"] == "try-later"
    assert alice.closed
    again = exchange.connect_json()
    assert again.resumes(alice, seen=KEPT_EVENTS + 1)[0]["event"] == "resumed"
    again.does("who")
    assert again.events()[0]["event"] == "who"


def test_commands_that_waited_go_on_when_room_was_made(exchange: Exchange) -> None:
    alice = exchange.enter_json("alice")
    for _ in range(KEPT_EVENTS + 1):
        alice.does("foo")
    alice.does("bye")
    assert alice.events()[-1]["seq"] == KEPT_EVENTS
    alice.does("ack", seq=KEPT_EVENTS)
    assert [event["of"] for event in alice.events()] == ["foo", "foo", "bye"]


def test_wrong_acknowledgements_are_bounded_like_all_else(exchange: Exchange) -> None:
    alice = exchange.enter_json("alice")
    for _ in range(3_000):
        alice.does("ack", seq=999_999)
    assert len(alice.events()) == KEPT_EVENTS - 1
    assert alice.paused


def test_what_is_shown_of_nonsense_is_short(exchange: Exchange) -> None:
    alice = exchange.enter_json("alice")
    alice.does("x" * 60_000)
    alice.does("to", name="y" * 60_000)
    assert all(len(json.dumps(event)) < 500 for event in alice.events())


def test_one_who_says_much_to_a_plain_user_does_not_wait_for_ever(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
    alice.does("to", name="bob")
    for number in range(1, 5_001):
        alice.say(number, str(number))
    assert len(bob.heard()) == 5_001
    told = alice.events()
    assert len(told) == 2 + KEPT_STATUSES - 2 + 1
    alice.does("ack", seq=told[-1]["seq"])
    assert alice.uncounted() == [status(5_000, "handed")]


def test_a_peer_of_old_that_acknowledges_nothing_holds_up_no_statuses(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter_json("bob")
    exchange.enter("carol")
    alice.does("to", name="bob")
    alice.say(1, "to bob")
    alice.does("to", name="carol")
    for number in range(2, 1_101):
        alice.say(number, "to carol")
    alice.events()
    alice.does("ping")
    bob.does("ping")
    exchange.clock.advance(LATE_SECONDS)
    exchange.clock.pump([0] * 10)
    told = [event for event in alice.uncounted() if event["event"] == "status"]
    assert told[0] == status(1, "failed", why="lost")
    assert told[-1]["status"] == "handed"
    assert told[-1]["id"] > 1_000
    bob.does("ack", seq=3)
    assert alice.events() == []


def test_one_host_can_not_fill_the_server_with_held_users() -> None:
    exchange = Exchange(max_per_host=3)
    for number in range(3):
        party = exchange.connect_json("bad")
        party.does("name", name=f"user{number}")
        party.events()
        party.drops()
    party = exchange.connect_json("bad")
    party.does("name", name="user3")
    assert party.events()[0]["code"] == "try-later"
    exchange.enter("alice")
    exchange.clock.advance(60)
    party.does("name", name="user3")
    assert party.events()[0]["event"] == "named"
    assert not exchange.factory.held._of_host


def test_many_held_users_cost_one_timer(exchange: Exchange) -> None:
    exchange = Exchange(max_per_host=500, max_connects_per_minute=0, max_names_per_minute=0)
    parties = [exchange.connect_json("host") for _ in range(500)]
    for number, party in enumerate(parties):
        party.does("name", name=f"user{number}")
    for party in parties:
        party.drops()
    assert len(exchange.clock.getDelayedCalls()) <= 3
    assert len(exchange.factory.users) == 500
    exchange.clock.advance(60)
    assert not exchange.factory.users
    assert not exchange.factory.held._tokens._keys
