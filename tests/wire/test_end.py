"""The command "end": as a half-close, "I have said all; I still listen", for any transport."""

from typing import Any

import pytest

from tests.support.exchange import NOBODY, PAIRED, Exchange, JsonParty, Party, said

LATE = "You have said all, and only listen."


def test_who_is_paired_listens_on(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"one\n/end\ntoo late\nunfin")
    alice.sends(b"ished\nQuit\n\xff\xf4\xff\xfd\x06")
    assert bob.heard() == [said(exchange, "one")]
    assert alice.heard() == ["Listening."]
    bob.says("I see", "/who")
    assert alice.heard() == [said(exchange, "I see", "bob")]
    assert bob.heard() == ["Here: alice*, bob*"]
    bob.says("/bye")
    assert alice.heard() == ["Quit."]
    assert alice.closed
    assert list(exchange.factory.users) == ["bob"]


@pytest.mark.parametrize("entered", [False, True])
def test_who_is_unpaired_is_answered_and_let_go(exchange: Exchange, entered: bool) -> None:
    party = exchange.connect()
    party.says(*["alice", "/who", "hi"] * entered, "/end", "too late")
    assert party.heard() == ["OK", "Here: alice", NOBODY] * entered
    assert party.closed
    assert exchange.factory.users == {}


def test_what_still_comes_is_read_and_kept_nowhere(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.says("/end")
    bob.fills()
    for _ in range(100):
        alice.sends(b"x" * 65_536)
        assert not alice.paused
        assert alice.protocol._buffer == b""
    assert alice.heard() == ["Listening."]


def test_whoever_does_not_read_may_end(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.fills()
    alice.says("/who", "/end", "too late")
    assert alice.paused
    alice.drains()
    assert alice.heard() == ["Here: alice*, bob*", "Listening."]
    assert not alice.paused
    assert bob.heard() == []


def test_lines_that_waited_before_it_are_said(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    alice.says("one", "/end", "too late")
    bob.drains()
    assert bob.heard() == [said(exchange, "one")]
    assert alice.heard() == ["Listening."]
    bob.fills()
    assert not alice.paused


def test_lines_that_waited_are_said_though_the_connection_is_lost(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    alice.says("one", "/end", "too late")
    alice.drops()
    assert bob.heard() == [said(exchange, "one"), "Quit."]


def test_the_end_of_the_connection_is_noticed(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.says("/end")
    alice.drops()
    assert bob.heard() == ["Quit."]
    assert list(exchange.factory.users) == ["bob"]


def test_a_half_close_after_it_is_no_second_line(exchange: Exchange) -> None:
    """But the word that shows whether anybody is there is said again."""
    alice, bob = exchange.pair()
    alice.sends(b"/end\nunfinished")
    alice.ends_input()
    assert alice.heard() == ["Listening.", "Listening."]
    assert bob.heard() == []
    bob.says("Quit")
    assert alice.heard() == ["Quit."]
    assert alice.closed


def test_a_listener_is_gone_when_nothing_is_said_to_it(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.says("/end")
    exchange.clock.pump([1] * 50)
    bob.says("still there?")
    exchange.clock.pump([1] * 59)
    assert bob.heard() == []
    alice.says("I am, but nobody reads this")
    exchange.clock.pump([1] * 2)
    assert bob.heard() == ["Quit."]
    assert alice.closed


def test_a_space_in_front_makes_it_a_text(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.says(" /end", "/ending")
    assert bob.heard() == [said(exchange, " /end")]
    assert alice.heard() == [
        "No such command: /ending. Type /help, or put a space first to say it."
    ]


# JSON


def json_pair(exchange: Exchange) -> tuple[JsonParty, Party]:
    """Return alice, who counts and has acknowledged all, and bob, whom she has called."""
    alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
    alice.does("to", name="bob")
    alice.does("ack", seq=2)
    assert [event["event"] for event in alice.events()] == ["paired"]
    assert bob.heard() == [PAIRED.format("alice")]
    return alice, bob


def test_a_program_listens_on_and_acknowledges(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter_json("bob")
    alice.does("to", name="bob")
    alice.does("end")
    assert [event["event"] for event in alice.events()] == ["paired", "pong"]
    bob.say(1, "hello")
    bob.events()
    [message] = alice.uncounted()
    assert message["text"] == "hello"
    alice.does("ping")
    assert alice.events() == [{"event": "pong"}]
    alice.does("ack", seq=3)
    assert bob.uncounted() == [{"event": "status", "id": 1, "status": "confirmed"}]
    alice.does("quit")
    assert alice.uncounted() == [{"event": "quit"}]
    assert bob.uncounted() == [{"event": "left", "peer": "alice", "why": "quit"}]


@pytest.mark.parametrize(
    "command",
    [
        {"do": "to", "name": "bob"},
        {"do": "bye"},
        {"do": "who"},
        {"do": "typing"},
        {"do": "name", "name": "carol"},
        {"do": "resume", "key": "x"},
        {"do": "end"},
    ],
)
def test_a_program_s_other_commands_are_refused(
    exchange: Exchange, command: dict[str, Any]
) -> None:
    alice, bob = json_pair(exchange)
    alice.does("end")
    alice.does(**command)
    refusal = {"event": "error", "of": command["do"], "code": "already", "text": LATE}
    assert alice.uncounted() == [{"event": "pong"}, refusal]
    assert bob.heard() == []
    assert not alice.closed


def test_a_program_s_late_text_has_failed(exchange: Exchange) -> None:
    alice, bob = json_pair(exchange)
    alice.say(1, "in time")
    alice.does("end")
    alice.say(2, "too late")
    assert alice.uncounted() == [
        {"event": "status", "id": 1, "status": "handed"},
        {"event": "pong"},
        {"event": "error", "of": "say", "code": "already", "text": LATE},
        {"event": "status", "id": 2, "status": "failed", "why": "nobody"},
    ]
    assert bob.heard() == [said(exchange, "in time")]


def test_a_program_leaves_for_good_when_its_pair_has_ended(exchange: Exchange) -> None:
    alice, bob = json_pair(exchange)
    alice.does("end")
    bob.says("/bye")
    assert [event["event"] for event in alice.events()] == ["pong", "left", "quit"]
    assert alice.closed
    assert list(exchange.factory.users) == ["bob"]


def test_a_program_may_first_acknowledge_what_it_was_told(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter_json("bob")
    bob.does("to", name="alice")
    bob.say(1, "hello")
    bob.does("bye")
    bob.events()
    alice.does("end")
    told = [event["event"] for event in alice.events()]
    assert told == ["paired", "message", "left", "pong"]
    assert not alice.closed
    alice.does("ack", seq=4)
    assert bob.uncounted() == [{"event": "status", "id": 1, "status": "confirmed"}]
    assert [event["event"] for event in alice.events()] == ["quit"]
    assert alice.closed


def test_a_program_that_acknowledges_nothing_is_let_go_in_time(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter_json("bob")
    bob.does("to", name="alice")
    bob.say(1, "hello")
    alice.does("end")
    bob.events()
    for _ in range(62):
        exchange.clock.advance(1)
        alice.does("ping")
    assert alice.closed
    assert bob.uncounted() == [
        {"event": "status", "id": 1, "status": "failed", "why": "quit"},
        {"event": "left", "peer": "alice", "why": "quit"},
    ]


def test_a_program_that_listens_still_has_to_ping(exchange: Exchange) -> None:
    exchange = Exchange(linger=200)
    alice, bob = json_pair(exchange)
    alice.does("end")
    exchange.clock.pump([1] * 91)
    assert [event["event"] for event in alice.events()] == ["pong", "error"]
    assert alice.closed
    assert bob.heard() == ["alice has lost the connection. What you say is kept for a while."]


def test_a_program_that_comes_back_may_speak_again(exchange: Exchange) -> None:
    alice, bob = json_pair(exchange)
    alice.does("end")
    alice.drops()
    again = exchange.connect_json()
    again.resumes(alice, 2)
    again.say(1, "one more thing")
    assert bob.heard()[-1] == said(exchange, "one more thing")


def test_a_program_s_half_close_after_it(exchange: Exchange) -> None:
    alice, bob = json_pair(exchange)
    alice.does("end")
    alice.ends_input()
    assert [event["event"] for event in alice.events()] == ["pong", "pong"]
    bob.says("Quit")
    assert [event["event"] for event in alice.events()] == ["left"]
    assert alice.closed
