"""How a program's line gets its name, calls, and leaves."""

import gc
from typing import Any
from weakref import ref

from twisted.internet.defer import CancelledError, Deferred

from chatpair import Line
from chatpair.client.conversation import Conversation
from chatpair.client.session import MAX_LINE
from chatpair.client.waiters import Waiters
from chatpair.exchange.messages import Acknowledge, AskWho, JsonEvent, Message, Named, Paired, Quit
from tests.support.lines import play
from tests.support.played import HI, Endpoint, Play, outcome, paired, refused, says, status
from tests.support.transcript import scenes


@scenes(
    """
    A line claims its name and is told what the server says to newcomers.
        a line without a name
        start -> (connects)
        start
        connected -> name(build)
        it is not connected, with nobody
        told named(Build, key, Welcome.) -> heard named(Build, key, Welcome.) | start = None |
            start = None | (up)
        it is connected, with nobody
        start -> start = None
    A server that is for programs may be full for a while.
        a line
        the connection is lost, and tried again -> (down) | (connects)
        accepted, and told The server is full. -> (hangs up)
        the connection is lost
        0.5 seconds pass -> (connects)
        back, having seen 1 and said 0, with nobody -> (up)
        it is connected, with nobody
    Who is told to try later does.
        a line without a name
        start -> (connects)
        connected -> name(build)
        told error(name, try-later, No.) -> (hangs up)
        told named(build, too late)
        it is not connected, with nobody
        the connection is lost, and tried again -> (connects)
        accepted -> (acknowledged up to 0)
        told error(-, try-later, No.) -> (acknowledged up to 0) | (hangs up)
        the connection is lost
        0.5 seconds pass -> (connects)
        connected -> name(build) | (acknowledged up to 0)
        told named(build, key) -> heard named(build, key) | start = None | (up)
    A name is not taken that a lost claim of one's own may hold.
        a line without a name
        start -> (connects)
        connected -> name(build)
        the connection is lost, and tried again -> (connects)
        connected -> name(build)
        told error(name, reuse, No.) -> (hangs up)
        the connection is lost
        90 seconds pass -> (connects)
        connected -> name(build)
        told error(name, reuse, No.) -> (hangs up)
        the connection is lost
        60 seconds pass -> (connects)
        connected -> name(build)
        told error(name, reuse, No.) -> start refused: reuse | (hangs up)
    A call fires when the pair begins, and the program is told as well.
        a line
        call B\\0OB -> to(BOB)
        told paired(carol) | paired(Bob) -> heard paired(carol) | heard paired(Bob) |
            call B\\0OB = Bob
        it is connected, with Bob
        told left(Bob, quit) -> heard left(Bob, quit)
        it is connected, with nobody
    A pair with another is no answer to a call.
        a line
        call n*200 -> to(n*200)
        told paired(bob) -> heard paired(bob)
        told error(to, unknown, No.) -> call n*200 refused: unknown
    What is said after a call that has no answer yet is for whoever that leads to.
        a line with bob
        call carol -> to(carol)
        say for carol -> say(1, for carol)
        told paired(carol) -> heard paired(carol) | call carol = carol
        say for her too -> say(2, for her too, carol)
    So is what is said after a bye that has none.
        a line with bob
        bye -> bye()
        say for nobody -> say(1, for nobody)
    Two who call each other are paired once.
        a line
        call bob -> to(bob)
        told paired(bob) -> heard paired(bob) | call bob = bob
        call carol -> to(carol)
        told error(to, already, No.)
        told paired(carol) -> heard paired(carol) | call carol = carol
        told error(to, already, No.)
    Commands without ids go one at a time.
        a line with bob
        bye -> bye()
        who
        call eve
        told free() -> who() | heard free() | bye = None
        it is connected, with nobody
        told who(build, 0) | who(build, 0) -> to(eve) | who = who(build, 0)
        told error(to, unknown, No.) -> call eve refused: unknown
        bye -> bye()
        told error(bye, nobody, No.) -> bye refused: nobody
    A name too long to call is refused here.
        a line
        call n*65536 -> call n*65536 TooLong
    A cancelled call is not sent, and its answer does no harm.
        a line
        call bob -> to(bob)
        call carol
        call eve
        cancel call bob -> call bob CancelledError
        cancel call carol -> call carol CancelledError
        told paired(bob) -> to(eve) | heard paired(bob)
        told paired(eve) -> heard paired(eve) | call eve = eve
    Errors of no command are for the program.
        a line
        told error(say, nobody, No.) | error(-, bad-line, No.) | error(to, busy, No.) ->
            heard error(say, nobody, No.) | heard error(-, bad-line, No.) |
            heard error(to, busy, No.)
    A program hears what comes of a call that rings.
        a line
        call bob -> to(bob)
        call Bob
        told error(to, ringing, bob's line is ringing.) -> to(Bob) | call bob refused: ringing
        told unanswered(bob) -> heard unanswered(bob)
        told error(to, ringing, bob's line is ringing.) | paired(bob) -> heard paired(bob) |
            call Bob refused: ringing
        it is connected, with bob
    The answer to quit ends the line.
        a line
        quit -> quit()
        quit
        told quit() -> (hangs up)
        the connection is lost -> quit = None | quit = None | (ends)
    Who quits without a connection has left.
        a line
        the connection is lost -> (down)
        say hi
        quit -> say hi failed: ended | quit = None | (ends)
    Who quits before there is one has left as well.
        a line without a name
        start -> (connects)
        say hi
        quit -> start Ended | say hi failed: ended | quit = None | (ends)
    Who quits before the name takes the claim back.
        a line without a name
        start -> (connects)
        connected -> name(build)
        cancel start -> quit() | start CancelledError | (hangs up)
        the connection is lost -> (ends)
    Who quits waits until every command is sent.
        a line
        who -> who()
        who
        quit
        told who(0) -> who() | quit() | who = who(0)
        told who(0) -> who = who(0)
    Whoever has said nothing need not wait.
        a line
        settled -> settled = None
    So does who is told so before there is JSON.
        a line without a name
        start -> (connects)
        accepted, and told There are too many connections from your address. -> (hangs up)
        the connection is lost, and tried again -> (connects)
    A server that is not for programs ends the line.
        a line without a name
        start -> (connects)
      * accepted, and told Bad name: none of : in a name -> start NotJson | (hangs up)
        printed more
        the connection is lost -> (ends: NotJson)
      * accepted, and told {"event":"pong","x":1}x -> start NotJson | (hangs up)
        the connection is lost -> (ends: NotJson)
      * accepted, and told {"event":"back","peer":"x"} -> start NotJson | (hangs up)
        the connection is lost -> (ends: NotJson)
    A line that is not patient has one attempt.
        a line without a name
        start once -> (connects)
      * no connection -> start once ConnectError | (ends: ConnectError)
      * no connection, when it has just quit -> start once Ended | quit = None | (ends)
      * connected -> name(build)
        the connection is lost -> start once ConnectionLost | (ends: ConnectionLost)
      * connected -> name(build)
        told error(name, try-later, The server is full.) -> start once refused: try-later |
            (hangs up)
        the connection is lost -> (ends: refused: try-later)
      * accepted
        the connection is lost -> start once ConnectionLost | (ends: ConnectionLost)
      * accepted
        told error(name, try-later, The server is full.) -> start once refused: try-later |
            (hangs up)
        the connection is lost -> (ends: refused: try-later)
    A line that has its name is patient.
        a line without a name
        start once -> (connects)
        connected -> name(build)
        told named(build, key) -> heard named(build, key) | start once = None | (up)
        the connection is lost, and tried again -> (down) | (connects)
        no connection
        1 second passes -> (connects)
        connected -> resume(key, 1)
        told error(resume, try-later, No.) -> (hangs up)
        the connection is lost
        2 seconds pass -> (connects)
        back, having seen 1 and said 0, with nobody -> (up)
        it is connected, with nobody
    """
)
def test_a_line(scene: str) -> None:
    play(scene)


def test_a_name_no_server_would_take_is_not_even_sent() -> None:
    for name in ("n" * MAX_LINE, "\ud800"):
        play = Play(name)
        ((why),) = outcome(play.line.start())
        assert isinstance(why, ValueError)
        assert play.endpoint.attempts == []


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


def test_whoever_quits_while_handling_an_event_acknowledges_it() -> None:
    play: Play

    def handle(event: JsonEvent) -> None:
        if isinstance(event, Message):
            outcome(play.line.quit())

    play = paired(handle)
    play.tells(HI)
    assert play.said() == [Acknowledge(3), Quit()]


def test_a_program_quits_when_all_that_it_said_has_arrived() -> None:
    play = Play()

    async def program() -> None:
        async with Line(play.endpoint, "build", clock=play.clock) as line:
            line.say("Bye.")

    done = outcome(Deferred.fromCoroutine(program()))
    play.accepts()
    play.tells(Named("build", "key"), Paired("alice"))
    assert Quit() not in play.said()
    play.tells(status(1))
    assert done == []
    play.quits()
    assert done == [None]


def test_a_program_that_fails_quits_at_once() -> None:
    play = Play()
    waits: list[list[Any]] = []

    async def program() -> None:
        async with Line(play.endpoint, "build", clock=play.clock) as line:
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


def test_a_line_that_has_left_is_kept_by_nothing() -> None:
    play = paired()
    outcome(play.line.quit())
    play.quits()
    line = ref(play.line)
    del play
    gc.collect()
    assert line() is None


def test_a_line_uses_the_reactor_unless_it_has_another_clock() -> None:
    line = Conversation(Endpoint(), "build")
    assert outcome(line.quit()) == [None]


def test_one_that_fires_may_cancel_another_and_wait_again() -> None:
    told: list[str] = []
    waiters: Waiters[str] = Waiters()
    first, second = waiters.wait(), waiters.wait()
    second.addErrback(lambda why: type(why.value).__name__).addCallback(told.append)
    first.addCallback(lambda _: second.cancel())
    first.addCallback(lambda _: waiters.wait())
    first.addCallback(told.append)
    waiters.fire("once")
    assert told == [CancelledError.__name__]
    waiters.fire("twice")
    assert told == [CancelledError.__name__, "twice"]
