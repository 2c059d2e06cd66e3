"""How a program's line gets its name, calls, and leaves."""

import gc
from typing import Any
from weakref import ref

import pytest
from msgspec import UNSET
from twisted.internet.defer import CancelledError, Deferred

from chatpair.client.line import NOTICED_SECONDS, Line
from chatpair.client.session import MAX_LINE, NotDelivered, NotJson, Refused, TooLong
from chatpair.codecs import json
from chatpair.messages import (
    Acknowledge,
    AskWho,
    Back,
    Call,
    Claim,
    Free,
    HangUp,
    Here,
    JsonEvent,
    Left,
    Message,
    Named,
    Paired,
    Present,
    Quit,
)
from tests.support.played import HI, Endpoint, Play, named, outcome, paired, refused, says, status

# The name


def test_a_line_claims_its_name_and_is_told_what_the_server_says_to_newcomers() -> None:
    play = Play("build")
    started, again = outcome(play.line.start()), outcome(play.line.start())
    play.accepts()
    assert play.said() == [Claim("build")]
    assert (started, play.line.connected) == ([], False)
    play.tells(Named("Build", "key", "Welcome."))
    assert (started, again) == ([None], [None])
    assert (play.line.name, play.line.peer, play.line.connected) == ("Build", None, True)
    assert play.heard() == [Named("Build", "key", "Welcome.")]
    assert play.links == [True]
    assert outcome(play.line.start()) == [None]


@pytest.mark.parametrize("code", ["reuse", "bad-name"])
def test_a_refused_name_ends_the_line(code: str) -> None:
    play = Play()
    started, waits = outcome(play.line.start()), outcome(play.line.say("hi"))
    play.accepts()
    play.remote.says(refused("name", code))
    ((why,), (lost,)) = started, waits
    assert (type(why), why.code, why.text) == (Refused, code, "No.")
    assert (type(lost), lost.why) == (NotDelivered, "ended")
    assert play.remote.transport.disconnecting
    assert play.finished == []
    play.remote.drops()
    assert play.finished == [why]
    assert (play.endpoint.attempts, play.links) == ([], [])


@pytest.mark.parametrize(
    "answer", [b"Bad name: none of : in a name", b'{"event":"pong","x":1}x', json.render(Back("x"))]
)
def test_a_server_that_is_not_for_programs_ends_the_line(answer: bytes) -> None:
    play = Play()
    started = outcome(play.line.start())
    remote = play.endpoint.accept()
    remote.protocol.dataReceived(answer.strip() + b"\r\nmore\r\n")
    assert [type(why) for why in started] == [NotJson]
    assert remote.lines() == [b"Mode:json"]
    assert remote.transport.disconnecting
    remote.drops()
    assert [type(why) for why in play.finished] == [NotJson]


def test_a_server_that_is_for_programs_may_be_full_for_a_while() -> None:
    play = named()
    play.drops()
    remote = play.endpoint.accept()
    remote.protocol.dataReceived(b"The server is full.\r\n")
    assert remote.transport.disconnecting
    remote.drops()
    play.clock.advance(0.5)
    play.resumes(1, 0)
    assert play.line.connected


def test_a_name_no_server_would_take_is_not_even_sent() -> None:
    for name in ("n" * MAX_LINE, "\ud800"):
        play = Play(name)
        ((why),) = outcome(play.line.start())
        assert isinstance(why, ValueError)
        assert play.endpoint.attempts == []


def test_who_is_told_to_try_later_does() -> None:
    play = Play()
    started = outcome(play.line.start())
    play.accepts()
    play.remote.says(refused("name", "try-later"))
    assert play.remote.transport.disconnecting
    play.remote.protocol.dataReceived(json.render(Named("build", "too late")))
    assert not play.line.connected
    play.drops()
    play.remote = play.endpoint.accept()
    play.remote.says(refused(None, "try-later"))
    assert play.remote.transport.disconnecting
    play.remote.drops()
    assert play.links == []
    play.clock.advance(0.5)
    play.accepts()
    assert play.said() == [Claim("build")]
    play.tells(Named("build", "key"))
    assert started == [None]


def test_a_name_is_not_taken_that_a_lost_claim_of_ones_own_may_hold() -> None:
    play = Play()
    started = outcome(play.line.start())
    play.accepts()
    play.drops()
    play.accepts()
    play.remote.says(refused("name", "reuse"))
    assert (started, play.remote.transport.disconnecting) == ([], True)
    play.remote.drops()
    play.clock.advance(NOTICED_SECONDS)
    play.accepts()
    play.remote.says(refused("name", "reuse"))
    assert started == []
    play.remote.drops()
    play.clock.advance(60)
    play.accepts()
    play.remote.says(refused("name", "reuse"))
    assert [type(why) for why in started] == [Refused]


# Calling


def test_a_call_fires_when_the_pair_begins_and_the_program_is_told_as_well() -> None:
    play = named()
    called = outcome(play.line.call("B\0OB"))
    assert play.said() == [Call("BOB")]
    play.tells(Paired("carol"), Paired("Bob"))
    assert called == ["Bob"]
    assert play.line.peer == "Bob"
    assert play.heard() == [Paired("carol"), Paired("Bob")]
    play.tells(Left("Bob", "quit"))
    assert play.line.peer is None


def test_a_call_may_be_refused_and_the_old_pair_stays() -> None:
    play = paired()
    called = outcome(play.line.call("carol"))
    play.tells(refused("to", "busy"))
    ((why),) = called
    assert (type(why), why.code) == (Refused, "busy")
    assert (play.line.peer, play.heard()) == ("bob", [])


def test_a_pair_with_another_is_no_answer_to_a_call() -> None:
    play = named()
    called = outcome(play.line.call("n" * 200))  # which no name can be equal to
    play.tells(Paired("bob"))
    assert called == []
    play.tells(refused("to", "unknown"))
    assert called[0].code == "unknown"


def test_to_call_ones_peer_again_is_no_failure() -> None:
    play = paired()
    called = outcome(play.line.call("Bob"))
    play.tells(refused("to", "already"))
    assert (called, play.heard()) == (["bob"], [])


def test_two_who_call_each_other_are_paired_once() -> None:
    play = named()
    called = outcome(play.line.call("bob"))
    play.tells(Paired("bob"))
    assert called == ["bob"]
    next_call = outcome(play.line.call("carol"))
    assert play.said() == [Call("bob"), Call("carol"), Acknowledge(2)]
    play.tells(refused("to", "already"))
    assert next_call == []
    play.tells(Paired("carol"))
    assert next_call == ["carol"]
    play.tells(refused("to", "already"))
    assert play.heard() == [Paired("bob"), Paired("carol")]


def test_commands_without_ids_go_one_at_a_time() -> None:
    play = paired()
    left, here, called = (
        outcome(asked) for asked in (play.line.hang_up(), play.line.who(), play.line.call("eve"))
    )
    assert play.said() == [HangUp()]
    play.tells(Free())
    assert (left, play.line.peer) == ([None], None)
    assert AskWho() in play.said()
    listed = Here([Present("build", False)], 0)
    play.tells(listed, listed)
    assert here == [listed]
    assert Call("eve") in play.said()
    play.tells(refused("to", "unknown"))
    assert called[0].code == "unknown"
    assert play.heard() == [Free()]
    alone = outcome(play.line.hang_up())
    play.tells(refused("bye", "nobody"))
    assert alone[0].code == "nobody"


def test_a_name_too_long_to_call_is_refused_here() -> None:
    play = named()
    assert isinstance(outcome(play.line.call("n" * MAX_LINE))[0], TooLong)
    assert play.said() == []


def test_a_cancelled_call_is_not_sent_and_its_answer_does_no_harm() -> None:
    play = named()
    calls = [play.line.call(name) for name in ("bob", "carol", "eve")]
    results = [outcome(call) for call in calls]
    calls[0].cancel()
    calls[1].cancel()
    play.tells(Paired("bob"))
    assert play.said() == [Call("bob"), Call("eve"), Acknowledge(2)]
    play.tells(Paired("eve"))
    assert results[2] == ["eve"]


def test_errors_of_no_command_are_for_the_program() -> None:
    play = named()
    errors = [refused("say", "nobody"), refused(None, "bad-line"), refused("to", "busy")]
    play.tells(*errors)
    assert play.heard() == errors


# Leaving


def test_quit_comes_after_all_that_waits_to_be_sent_and_waits_for_no_more() -> None:
    play = paired()
    results = [outcome(play.line.say(str(number))) for number in range(1, 258)]
    here, left = outcome(play.line.who()), outcome(play.line.quit())
    assert play.said() == [*says(*range(1, 257)), AskWho()]
    play.tells(HI, status(1))
    assert play.heard() == [HI, status(1)]
    assert play.said() == [*says(257), Acknowledge(4), Quit()]
    play.tells(status(2))
    assert play.said() == []
    play.drops()
    assert (left, play.finished, play.endpoint.attempts) == ([None], [None], [])
    assert (len(here), results[1], results[2][0].why) == (1, ["confirmed"], "ended")


def test_the_answer_to_quit_ends_the_line() -> None:
    play = named()
    left = outcome(play.line.quit())
    second = outcome(play.line.quit())
    play.quits()
    assert (left, second, play.finished, play.links) == ([None], [None], [None], [True])


def test_who_quits_without_a_connection_has_left() -> None:
    for play in (named(), Play()):
        if play.line.connected:
            play.remote.drops()
        else:
            outcome(play.line.start())
        waits = outcome(play.line.say("hi"))
        assert outcome(play.line.quit()) == [None]
        assert waits[0].why == "ended"
        play.clock.advance(60)
        assert play.finished == [None]


def test_who_quits_before_the_name_takes_the_claim_back() -> None:
    play = Play()
    starting = play.line.start()
    started = outcome(starting)
    play.accepts()
    starting.cancel()
    assert play.said() == [Claim("build"), Quit()]
    play.remote.drops()
    assert [type(why) for why in started] == [CancelledError]
    assert play.finished == [None]


def test_whoever_quits_while_handling_an_event_acknowledges_it() -> None:
    play: Play

    def handle(event: JsonEvent) -> None:
        if isinstance(event, Message):
            outcome(play.line.quit())

    play = paired(handle)
    play.tells(HI)
    assert play.said() == [Acknowledge(3), Quit()]


def test_three_lines_send_a_message_and_know_that_it_arrived() -> None:
    play = Play()
    results: list[str] = []

    async def program() -> None:
        async with play.line as line:
            await line.call("alice")
            results.append(await line.say("The build is done."))
            line.say("Bye.")

    done = outcome(Deferred.fromCoroutine(program()))
    play.accepts()
    play.tells(Named("build", "key"))
    assert play.said() == [Claim("build"), Call("alice"), Acknowledge(1)]
    play.tells(Paired("alice"))
    play.tells(status(1))
    assert results == ["confirmed"]
    assert Quit() not in play.said()
    play.tells(status(2))
    assert done == []
    play.quits()
    assert done == [None]


def test_whoever_quits_waits_until_every_command_is_sent() -> None:
    play = named()
    here = [outcome(play.line.who()), outcome(play.line.who())]
    outcome(play.line.quit())
    assert play.said() == [AskWho()]
    play.tells(Here([], 0))
    assert play.said() == [AskWho(), Quit()]
    play.tells(Here([], 0))
    assert [len(answer) for answer in here] == [1, 1]


def test_whoever_has_said_nothing_need_not_wait() -> None:
    play = named()
    assert outcome(play.line.settled()) == [None]


def test_a_program_that_fails_quits_at_once() -> None:
    play = Play()
    waits: list[list[Any]] = []

    async def program() -> None:
        async with play.line as line:
            waits.extend(outcome(line.say(str(number))) for number in range(300))
            await line.call("alice")

    done = outcome(Deferred.fromCoroutine(program()))
    play.accepts()
    play.tells(Named("build", "key"))
    play.tells(refused("to", "unknown"))
    assert done == []
    assert {wait[0].why for wait in waits} == {"ended"}
    play.quits()
    assert [why.code for why in done] == ["unknown"]


def test_two_lines_do_not_meet() -> None:
    first, second = named("first"), named("second")
    outcome(first.line.say("1"))
    outcome(second.line.call("eve"))
    assert (first.said(), second.said()) == (says(1, to=UNSET), [Call("eve")])
    first.drops()
    second.tells(Paired("eve"))
    assert (second.line.peer, second.line.connected, first.line.peer) == ("eve", True, None)


def test_a_line_that_has_left_is_kept_by_nothing() -> None:
    play = paired()
    outcome(play.line.quit())
    play.quits()
    line = ref(play.line)
    del play
    gc.collect()
    assert line() is None


def test_a_line_uses_the_reactor_unless_it_has_another_clock() -> None:
    line = Line(Endpoint(), "build")
    assert outcome(line.quit()) == [None]
