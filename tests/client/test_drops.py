"""How a program's line outlives its connections."""

from twisted.logger import capturedLogs

from chatpair.client.line import Line
from chatpair.client.session import Ended, NotDelivered, Refused
from chatpair.codecs import json
from chatpair.messages import (
    Acknowledge,
    AskWho,
    Back,
    Call,
    Claim,
    Here,
    Left,
    Message,
    Named,
    Paired,
    Ping,
    Pong,
    Resume,
    Resumed,
    Say,
)
from tests.support.played import (
    HI,
    Play,
    Slow,
    named,
    outcome,
    paired,
    plain,
    refused,
    says,
    status,
)

# Drops


def test_after_a_drop_what_the_server_never_got_is_said_again() -> None:
    play = paired()
    results = [outcome(play.line.say(str(number))) for number in range(1, 6)]
    play.tells(status(1))
    play.said()
    play.drops()
    assert (play.line.connected, play.links) == (False, [True, False])
    results.append(outcome(play.line.say("6")))
    play.accepts()
    assert play.said() == [Resume("key", 3)]
    play.remote.says(Resumed("build", "bob", 3), play.counted(status(2)))
    assert results == [["confirmed"], ["confirmed"], [], [], [], []]
    assert play.said() == [Ping(), Acknowledge(4)]
    play.remote.says(Pong())
    assert play.said() == says(4, 5, 6)
    assert (play.line.connected, play.links) == (True, [True, False, True])
    play.tells(status(6))
    assert results == [["confirmed"]] * 6


def test_what_is_said_again_counts_once_for_what_is_on_its_way() -> None:
    play = paired()
    for text in ("x" * 40_000, "y" * 20_000):
        outcome(play.line.say(text))
    play.drops()
    play.resumes(2, 0)
    assert [len(say.text) for say in play.said() if isinstance(say, Say)] == [40_000, 20_000]
    outcome(play.line.say("z"))
    assert play.said() == [Say(3, "z", "bob")]


def test_what_the_server_never_got_does_not_go_to_another_peer() -> None:
    play = paired()
    results = [outcome(play.line.say(str(number))) for number in (1, 2)]
    play.said()
    play.drops()
    missed = [play.counted(event) for event in (Left("bob", "quit"), Paired("carol"))]
    play.resumes(2, 1, *missed, peer="carol")
    assert (results[0], results[1][0].why, play.line.peer) == ([], "quit", "carol")
    assert play.said() == []
    outcome(play.line.say("new"))
    assert play.said() == [Say(2, "new", "carol")]


def test_duplicates_are_ignored_and_only_what_is_done_counts_as_seen() -> None:
    program = Slow(Message)
    play = paired(program)
    said = outcome(play.line.say("1"))
    again = [play.counted(HI), play.counted(status(1))]
    play.remote.says(*again)
    assert said == ["confirmed"]
    play.drops()
    play.resumes(2, 1, *again, play.counted(Back("bob")))
    program.is_done(0)
    assert [plain(event) for event in program.heard[2:]] == [HI, status(1), Back("bob")]
    assert play.said() == [Acknowledge(5)]


def test_even_the_name_may_come_again_until_it_is_acknowledged() -> None:
    program = Slow()
    play = named(on_event=program)
    play.drops()
    play.resumes(0, 0, Named("build", "key", seq=1), peer=None)
    program.is_done(0)
    assert (len(program.waits), play.said()) == (1, [Acknowledge(1)])


def test_what_a_resume_says_is_seen_needs_no_acknowledgement() -> None:
    play = paired()
    play.tells(HI)
    play.drops()
    assert play.resumes(3, 0) == []


def test_a_line_that_ends_hears_no_more() -> None:
    program = Slow(Message)
    play = paired(program)
    play.tells(HI, Left("bob", "quit"))
    play.remote.says(refused(None, "bad-key"))
    program.is_done(0)
    assert [plain(event) for event in program.heard[2:]] == [HI]


def test_what_was_done_with_while_a_resume_was_asked_for_is_acknowledged() -> None:
    program = Slow(Message)
    play = paired(program)
    message = play.counted(HI)
    play.remote.says(message)
    play.drops()
    play.accepts()
    assert play.said() == [Resume("key", 2)]
    program.is_done(0)
    assert play.said() == []
    play.remote.says(Resumed("build", "bob", 0), message)
    assert play.said() == [Ping(), Acknowledge(3)]
    assert len(program.waits) == 1


def test_a_command_whose_answer_was_missed_has_it_after_the_drop() -> None:
    play = named()
    called = outcome(play.line.call("bob"))
    play.drops()
    play.resumes(1, 0, play.counted(Paired("bob")))
    assert called == ["bob"]
    assert play.said() == []


def test_a_command_that_was_lost_is_sent_again() -> None:
    play = named()
    here, called = outcome(play.line.who()), outcome(play.line.call("bob"))
    assert play.said() == [AskWho()]
    play.drops()
    play.resumes(1, 0, peer=None)
    assert play.said() == [AskWho()]
    play.drops()
    play.resumes(1, 0, peer=None)
    assert play.said() == [AskWho()]
    play.tells(Here([], 0))
    assert (len(here), called, play.said()) == (1, [], [Call("bob")])


def test_a_line_that_the_server_forgot_begins_anew() -> None:
    play = paired()
    long = "x" * 60_000
    results = [outcome(play.line.say(text)) for text in ("1", long, long)]
    called = outcome(play.line.call("carol"))
    play.tells(status(1))
    play.is_forgotten()
    assert play.said() == [Resume("key", 3), Claim("build")]
    assert [result[0].why for result in results[1:]] == ["lost", "lost"]
    assert (called, play.line.peer) == ([], None)
    assert play.heard() == [status(1), Left("bob", "lost")]
    play.seq = 0
    play.tells(Named("build", "other key"))
    assert (play.heard(), play.line.connected) == ([Named("build", "other key")], True)
    assert play.said() == [Call("carol"), Acknowledge(1)]
    play.tells(Paired("carol"))
    assert called == ["carol"]
    for text in ("1", long):
        outcome(play.line.say(text))
    assert play.said() == [Say(1, "1", "carol"), Say(2, long, "carol"), Acknowledge(2)]
    play.drops()
    play.accepts()
    assert play.said() == [Resume("other key", 2)]


def test_what_is_given_up_is_given_up_in_order() -> None:
    play = paired()
    lost: list[int] = []
    for number in range(300):
        play.line.say("hi").addErrback(lambda _, number: lost.append(number), number)
    play.is_forgotten()
    assert lost == list(range(300))


def test_a_program_that_fails_when_it_hears_of_a_drop_stops_nothing() -> None:
    play = Play()
    line = Line(play.endpoint, "build", on_link=lambda up: 1 / 0, clock=play.clock)
    outcome(line.start())
    with capturedLogs() as logged:
        play.accepts()
        play.tells(Named("build", "key"))
    assert (line.connected, len(logged)) == (True, 1)


def test_a_line_that_the_server_forgot_may_have_lost_its_name() -> None:
    play = named()
    play.is_forgotten(refused("name", "reuse"))
    play.remote.drops()
    ((why),) = play.finished
    assert (why.code, play.endpoint.attempts) == ("reuse", [])


def test_a_resume_may_have_to_wait() -> None:
    play = named()
    play.drops()
    play.accepts()
    play.remote.says(refused("resume", "try-later"))
    assert play.remote.transport.disconnecting
    play.remote.drops()
    play.clock.advance(0.5)
    play.resumes(1, 0)
    assert play.line.connected


def test_a_line_that_is_taken_over_ends() -> None:
    play = paired()
    said, called = outcome(play.line.say("hi")), outcome(play.line.call("carol"))
    play.remote.says(refused(None, "bad-key"))
    play.remote.protocol.dataReceived(json.render(Paired("eve")))
    assert (play.heard(), play.line.peer) == ([], None)
    play.remote.drops()
    ((why),) = play.finished
    assert (type(why), why.code) == (Refused, "bad-key")
    assert said[0].why == "ended"
    assert (type(called[0]), called[0].__cause__) == (Ended, why)
    assert (play.endpoint.attempts, play.line.peer, play.links) == ([], None, [True])
    late = [outcome(asked) for asked in (play.line.say("x"), play.line.who(), play.line.start())]
    assert [type(result[0]) for result in late] == [NotDelivered, Ended, Ended]
    assert outcome(play.line.quit()) == [None]


# When to connect, and when to give a connection up


def test_attempts_back_off_until_one_leads_to_a_name() -> None:
    play = Play()
    play.line.start()
    waits = []
    for attempt in range(12):
        if attempt % 2:
            play.endpoint.refuse()
        else:  # to connect is not enough
            play.endpoint.accept().drops()
        (retry,) = play.clock.getDelayedCalls()
        waits.append(retry.getTime() - play.clock.seconds())
        play.clock.advance(30)
    for wait, expected in zip(
        waits, [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, *[24.0] * 5], strict=True
    ):
        assert 0.75 * expected <= wait <= 1.25 * expected
    assert len(set(waits)) > 6
    play.accepts()
    play.tells(Named("build", "key"))
    play.remote.drops()
    assert play.line.connected is False
    play.clock.advance(0.25)
    play.resumes(1, 0, peer=None)


def test_a_server_that_says_nothing_is_given_up() -> None:
    play = named()
    play.clock.advance(30)
    assert play.said() == [Ping()]
    play.clock.advance(29)
    play.tells(Paired("bob"))
    play.clock.advance(1)
    assert Ping() in play.said()
    play.clock.advance(29)
    assert not play.remote.transport.disconnecting
    play.clock.advance(1)
    assert play.remote.transport.disconnecting
    play.drops()
    play.resumes(2, 0)
    assert play.line.connected


def test_a_server_that_does_not_greet_is_given_up() -> None:
    play = Play()
    play.line.start()
    remote = play.endpoint.accept()
    play.clock.advance(30)
    assert remote.transport.disconnecting
    assert remote.lines() == [b"Mode:json"]


def test_a_line_without_end_is_given_up() -> None:
    play = named()
    play.remote.protocol.dataReceived(b"x" * (json.MAX_LENGTH + 100))
    assert play.remote.transport.disconnecting
