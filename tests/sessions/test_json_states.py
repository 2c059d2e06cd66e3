"""Clients that speak JSON: every command in every state, and what each is told."""

import json
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.protocols.policies import WrappingFactory

from chatpair.commands import BAD_LINES
from chatpair.factory import NOBODY, SILENT_SECONDS, UNNAMED_SECONDS
from tests.support.exchange import Exchange, Transport, said

MESSAGE = {"event": "message", "from": "alice", "time": "2026-11-23T00:22:01.000Z"}


def error(of: str | None, code: str, text: str) -> dict[str, Any]:
    return {"event": "error", "of": of, "code": code, "text": text}


def status(number: int, outcome: str, **rest: str) -> dict[str, Any]:
    return {"event": "status", "id": number, "status": outcome, **rest}


NO_NAME = "Say a name first."
IN_NO_PAIR = error("say", "nobody", NOBODY)

UNNAMED = [
    ({"do": "name", "name": "bob"}, error("name", "reuse", "The name bob is taken.")),
    (
        {"do": "name", "name": "a b"},
        error("name", "bad-name", "no space and none of : [ ] ( ) / * , in a name"),
    ),
    ({"do": "name", "name": ""}, error("name", "bad-name", "1 to 32 characters")),
    ({"do": "resume", "key": "x-y"}, error("resume", "bad-key", "No line is held for that key.")),
    ({"do": "to", "name": "bob"}, error("to", "bad-name", NO_NAME)),
    ({"do": "say", "id": 1, "text": "x"}, error("say", "bad-name", NO_NAME)),
    ({"do": "ack", "seq": 1}, error("ack", "bad-name", NO_NAME)),
    ({"do": "bye"}, error("bye", "bad-name", NO_NAME)),
    ({"do": "who"}, error("who", "bad-name", NO_NAME)),
    ({"do": "typing"}, error("typing", "bad-name", NO_NAME)),
    ({"do": "foo"}, error("foo", "no-such", "No such command: foo")),
    ({"do": "ping"}, {"event": "pong"}),
    ({"do": "end"}, {"event": "quit"}),
    ({"do": "quit"}, {"event": "quit"}),
]


@pytest.mark.parametrize(("command", "answer"), UNNAMED)
def test_unnamed(exchange: Exchange, command: dict[str, Any], answer: dict[str, Any]) -> None:
    exchange.enter("bob")
    party = exchange.connect_json()
    party.does(**command)
    assert party.events() == [answer]
    assert party.closed == (command["do"] in ("end", "quit"))


IDLE = [
    ({"do": "to", "name": "dave"}, [{"event": "paired", "peer": "dave"}]),
    (
        {"do": "to", "name": "bob"},
        [error("to", "busy", "bob is talking with someone else.")],
    ),
    (
        {"do": "to", "name": "erin"},
        [error("to", "unknown", "The user erin does not exist.")],
    ),
    ({"do": "to", "name": ""}, [error("to", "unknown", "Say who: To:bob")]),
    (
        {"do": "to", "name": "ALICE"},
        [error("to", "self", "Please don't try to talk with yourself.")],
    ),
    ({"do": "say", "id": 1, "text": "x"}, [IN_NO_PAIR, status(1, "failed", why="nobody")]),
    ({"do": "bye"}, [error("bye", "nobody", NOBODY)]),
    ({"do": "typing"}, []),
    ({"do": "name", "name": "erin"}, [error("name", "already", "You are alice.")]),
    ({"do": "resume", "key": "x"}, [error("resume", "already", "You are alice.")]),
    ({"do": "ack", "seq": 2}, [error("ack", "bad-line", "There is no event 2.")]),
    ({"do": "ack", "seq": 1}, []),
    ({"do": "ping"}, [{"event": "pong"}]),
    ({"do": "end"}, [{"event": "quit"}]),
    ({"do": "quit"}, [{"event": "quit"}]),
    ({"do": "foo"}, [error("foo", "no-such", "No such command: foo")]),
]


@pytest.mark.parametrize(("command", "answers"), IDLE)
def test_idle(exchange: Exchange, command: dict[str, Any], answers: list[dict[str, Any]]) -> None:
    exchange.pair("bob", "carol")
    exchange.enter("dave")
    alice = exchange.enter_json("alice")
    alice.does(**command)
    told = alice.events()
    counted = [event["seq"] for event in told if event["event"] != "pong"]
    assert counted == list(range(2, 2 + len(counted)))
    for event in told:
        event.pop("seq", None)
    assert told == answers
    assert alice.closed == (command["do"] in ("end", "quit"))


def test_who(exchange: Exchange) -> None:
    exchange.pair("bob", "carol")
    alice = exchange.enter_json("alice")
    alice.does("who")
    names = [("alice", False), ("bob", True), ("carol", True)]
    listed = [{"name": name, "paired": paired} for name, paired in names]
    assert alice.events() == [{"event": "who", "names": listed, "more": 0}]


def test_two_who_speak_json(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter_json("bob")
    alice.does("to", name="Bob")
    assert alice.events() == [{"event": "paired", "peer": "bob", "seq": 2}]
    assert bob.events() == [{"event": "paired", "peer": "alice", "seq": 2}]
    alice.does("to", name="bob")
    assert alice.uncounted() == [error("to", "already", "You are already chatting with bob.")]
    alice.does("typing")
    assert bob.events() == [{"event": "typing", "from": "alice"}]
    alice.say(1, "hi\nthere \u001b[2J")
    assert bob.events() == [{**MESSAGE, "text": "hi\nthere [2J", "seq": 3}]
    assert alice.events() == []
    bob.does("ack", seq=3)
    assert alice.uncounted() == [status(1, "confirmed")]
    alice.does("bye")
    assert alice.uncounted() == [{"event": "free"}]
    assert bob.events() == [{"event": "left", "peer": "alice", "why": "bye", "seq": 4}]


def test_one_who_speaks_json_and_one_who_does_not(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
    carol = exchange.enter("carol")
    bob.says("To:alice", "hi", "", " To:carol")
    assert alice.uncounted() == [
        {"event": "paired", "peer": "bob"},
        *({**MESSAGE, "from": "bob", "text": text} for text in ("hi", "", " To:carol")),
    ]
    bob.heard()
    alice.does("typing")
    alice.say(1, "one\n[two]")
    assert bob.heard() == [said(exchange, "one"), said(exchange, "[two]")]
    assert alice.uncounted() == [status(1, "handed")]
    carol.says("To:alice")
    assert alice.uncounted() == [{"event": "tried", "name": "carol"}]
    bob.says("To:carol")
    assert alice.uncounted() == [{"event": "left", "peer": "bob", "why": "switched"}]


def test_many_lines_at_once_are_a_message_each(exchange: Exchange) -> None:
    bob, alice = exchange.enter("bob"), exchange.enter_json("alice")
    bob.says("To:alice")
    alice.events()
    bob.sends(b"one\ntwo\nthree\n")
    assert [event["text"] for event in alice.events()] == ["one", "two", "three"]


@pytest.mark.parametrize(("ends", "why"), [("quit", "quit"), ("drop", "lost")])
def test_what_is_not_confirmed_when_the_peer_goes_has_failed(ends: str, why: str) -> None:
    exchange = Exchange(hold=0)
    alice, bob = exchange.enter_json("alice"), exchange.enter_json("bob")
    alice.does("to", name="bob")
    alice.say(1, "one")
    alice.say(2, "two")
    alice.say(3, "three")
    bob.does("ack", seq=3)
    alice.events()
    if ends == "quit":
        bob.does("quit")
    else:
        bob.drops()
    assert alice.uncounted() == [
        status(3, "failed", why=why),
        {"event": "left", "peer": "bob", "why": why},
    ]


def test_a_say_that_the_server_has_is_answered_and_not_repeated(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter_json("bob")
    alice.does("to", name="bob")
    alice.events()
    bob.events()
    for _ in range(3):
        alice.say(1, "hi")
    assert [event["text"] for event in bob.events()] == ["hi"]
    assert alice.events() == []
    bob.does("ack", seq=3)
    assert alice.uncounted() == [status(1, "confirmed")]
    alice.say(1, "hi")
    assert alice.uncounted() == [status(1, "confirmed")]
    assert bob.events() == []


def test_says_that_were_skipped_have_failed(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
    alice.does("to", name="bob")
    alice.events()
    alice.say(3, "hi")
    assert alice.uncounted() == [status(2, "failed", why="missing"), status(3, "handed")]
    alice.say(1, "late")
    assert alice.uncounted() == [status(1, "failed", why="missing")]
    assert bob.heard()[1:] == [said(exchange, "hi")]


def test_what_is_meant_for_one_goes_to_nobody_else(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter_json("bob")
    carol = exchange.enter("carol")
    alice.does("to", name="bob")
    bob.does("quit")
    carol.says("To:alice")
    alice.events()
    alice.does("say", id=1, text="for bob", to="bob")
    alice.does("say", id=2, text="for carol", to="Carol")
    alice.does("say", id=3, text="for nobody", to="")
    assert carol.heard()[1:] == [said(exchange, "for carol")]
    assert alice.uncounted() == [
        error("say", "nobody", "You talk with carol."),
        status(1, "failed", why="nobody"),
        status(2, "handed"),
        error("say", "nobody", "You talk with carol."),
        status(3, "failed", why="nobody"),
    ]


def test_one_may_leave_a_peer_who_takes_no_more() -> None:
    for command in ({"do": "bye"}, {"do": "to", "name": "carol"}, {"do": "quit"}):
        exchange = Exchange()
        alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
        exchange.enter("carol")
        alice.does("to", name="bob")
        bob.fills()
        alice.events()
        alice.does(**command)
        assert alice.events() != []


def test_no_status_speaks_for_one_that_is_on_its_way(exchange: Exchange) -> None:
    alice, bob, carol = (
        exchange.enter_json("alice"),
        exchange.enter_json("bob"),
        exchange.enter("carol"),
    )
    alice.does("to", name="bob")
    alice.say(1, "to bob")
    alice.does("to", name="carol")
    alice.say(2, "to carol")
    assert said(exchange, "to carol") in carol.heard()
    assert [event["event"] for event in alice.events()] == ["paired", "paired"]
    bob.does("ack", seq=3)
    assert alice.uncounted() == [status(1, "confirmed"), status(2, "handed")]


def test_handed_is_what_has_left_the_server(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
    alice.does("to", name="bob")
    alice.events()
    bob.transport.full = True
    for number in (1, 2):
        alice.say(number, "hi")
    assert alice.events() == []
    assert bob.transport.bufferSize == 65_536
    bob.drains()
    assert alice.uncounted() == [status(2, "handed")]
    alice.say(3, "hi")
    assert alice.uncounted() == [status(3, "handed")]


def test_what_a_wrapped_transport_has_is_not_handed(exchange: Exchange) -> None:
    alice = exchange.enter_json("alice")
    inner = Transport(peerAddress=IPv4Address("TCP", "192.0.2.1", 40_000))
    wrapping = WrappingFactory(exchange.factory)
    wrapping.noisy = False
    wrapper = wrapping.buildProtocol(inner.getPeer())
    assert wrapper is not None
    wrapper.makeConnection(inner)
    wrapper.dataReceived(b"bob\n")
    alice.does("to", name="bob")
    alice.events()
    inner.full = True
    alice.say(1, "hi")
    assert alice.events() == []
    inner.full = False
    assert inner.producer is not None
    inner.producer.resumeProducing()
    assert alice.uncounted() == [status(1, "handed")]
    assert inner.bufferSize == 65_536


def test_nothing_is_handed_to_a_connection_that_is_being_aborted(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
    alice.does("to", name="bob")
    alice.events()
    bob.protocol.abort()
    alice.say(1, "hi")
    assert alice.events() == []
    bob.drops()
    left = {"event": "left", "peer": "bob", "why": "lost"}
    assert alice.uncounted() == [status(1, "failed", why="lost"), left]


def test_what_has_not_left_the_server_when_the_peer_drops_has_failed(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
    alice.does("to", name="bob")
    alice.say(1, "hi")
    alice.events()
    bob.transport.full = True
    alice.say(2, "hi")
    bob.drops()
    left = {"event": "left", "peer": "bob", "why": "lost"}
    assert alice.uncounted() == [status(2, "failed", why="lost"), left]


def test_much_that_has_not_left_the_server_makes_the_speaker_wait(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
    alice.does("to", name="bob")
    bob.transport.full = True
    for number in (1, 2, 3):
        alice.say(number, "x" * 40_000)
    assert len(bob.heard()) == 3  # with the pair's beginning; the third waits
    bob.drains()
    assert len(bob.heard()) == 1
    assert alice.uncounted()[-1] == status(3, "handed")


def test_three_lines_that_are_no_objects_close_the_connection(exchange: Exchange) -> None:
    alice = exchange.enter_json("alice")
    for line in ("hello", '{"do":"foo"}', "[]", '{"do":"say"}'):
        alice.says(line)
    assert [event["code"] for event in alice.events()] == [
        *("bad-line", "no-such", "bad-line", "bad-line")
    ]
    assert not alice.closed
    alice.says("")
    [last] = alice.events()
    assert (last["event"], last["code"]) == ("error", "bad-line")
    assert alice.closed
    assert BAD_LINES == 3


def test_a_line_that_is_too_long_is_dropped(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
    alice.does("to", name="bob")
    alice.say(1, "x" * 65_536)
    alice.say(2, "short")
    text = "That line was not sent: it has over 65536 bytes."
    assert alice.uncounted()[1:] == [
        error(None, "too-long", text),
        status(1, "failed", why="missing"),
        status(2, "handed"),
    ]
    alice.say(3, "x" * 65_000)
    assert alice.uncounted() == [status(3, "handed")]
    assert len(bob.heard()) == 3


def test_the_mode_may_come_with_what_follows(exchange: Exchange) -> None:
    party = exchange.connect()
    party.sends(b'mode:JSON\r\n{"do":"name","name":"alice"}\r\n{"do":"ping"}\r\n')
    events = [json.loads(line) for line in party.heard()]
    assert [event["event"] for event in events] == ["mode", "named", "pong"]


def test_the_mode_may_come_after_a_name_that_was_refused(exchange: Exchange) -> None:
    party = exchange.connect()
    party.says("a b", "Mode:json")
    assert json.loads(party.heard()[1])["event"] == "mode"


def test_a_name_of_json_is_no_mode(exchange: Exchange) -> None:
    alice = exchange.enter("alice")
    alice.says("Mode:json")
    assert alice.heard() == [NOBODY]


def test_the_message_of_the_day() -> None:
    party = Exchange(motd="one\ntwo").connect_json()
    party.does("name", name="alice")
    assert party.events()[0]["motd"] == "one\ntwo"


def test_a_full_server_may_have_room_later() -> None:
    exchange = Exchange(max_users=1)
    first, second = exchange.connect_json(), exchange.connect_json()
    first.does("name", name="alice")
    second.does("name", name="bob")
    assert second.events() == [error("name", "try-later", "The server is full.")]
    first.does("quit")
    second.does("name", name="bob")
    assert second.events()[0]["event"] == "named"


def test_whoever_is_silent_is_closed(exchange: Exchange) -> None:
    party = exchange.connect_json()
    exchange.clock.advance(UNNAMED_SECONDS)
    exchange.clock.advance(SILENT_SECONDS - UNNAMED_SECONDS - 1)
    party.does("ping")
    assert party.events() == [{"event": "pong"}]
    exchange.clock.advance(SILENT_SECONDS - 1)
    assert not party.closed
    exchange.clock.advance(1)
    assert party.events() == [error(None, "try-later", "Nothing came for 90 seconds.")]
    assert party.closed


def test_a_stop_is_told(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter_json("bob")
    carol = exchange.enter_json("carol")
    alice.does("to", name="bob")
    alice.say(1, "hi")
    alice.events()
    exchange.factory.stop()
    stopping = error(None, "try-later", "The server is stopping.")
    left = {"event": "left", "peer": "bob", "why": "stopped"}
    assert alice.uncounted() == [status(1, "failed", why="stopped"), left, stopping]
    assert carol.uncounted() == [stopping]
    assert bob.closed


def test_a_stop_tells_what_became_of_all_that_came() -> None:
    exchange = Exchange()
    alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
    alice.does("to", name="bob")
    bob.fills()
    alice.events()
    for number in range(1, 301):
        alice.say(number, "hi")
    exchange.factory.stop()
    *statuses, _, _ = alice.uncounted()
    assert {event["why"] for event in statuses} == {"stopped"}
    assert statuses[-1]["id"] == 300


def test_half_closed_and_paired(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
    alice.does("to", name="bob")
    alice.events()
    alice.sends(b'{"do":"say","id":1,"text":"last"}')
    alice.ends_input()
    assert said(exchange, "last") in bob.heard()
    assert alice.uncounted() == [status(1, "handed"), {"event": "pong"}]
    bob.says("bye", "Quit")
    assert [event["event"] for event in alice.events()] == ["message", "left"]
    assert alice.closed


def test_a_line_that_was_cut_in_the_middle_is_no_bad_line(exchange: Exchange) -> None:
    alice = exchange.enter_json("alice")
    for _ in range(BAD_LINES):
        alice.sends(b'{"do":"foo"}\n{"do":"say","id":1,"te')
        alice.ends_input()
        alice, old = exchange.connect_json(), alice
        assert [event.get("code") for event in alice.resumes(old)[-1:]] == ["no-such"]


def test_half_closed_and_unpaired(exchange: Exchange) -> None:
    party = exchange.connect_json()
    party.sends(b'{"do":"name","name":"alice"}\n{"do":"who"}')
    party.ends_input()
    assert [event["event"] for event in party.events()] == ["named", "who"]
    assert party.closed
