"""How a program's line outlives its connections."""

import pytest
from twisted.logger import capturedLogs

from chatpair.client import json_codec
from chatpair.client.connection import NO_SENSE
from chatpair.client.conversation import Conversation
from chatpair.client.session import UNHANDLED_BYTES
from chatpair.exchange.messages import Acknowledge, Message, Named, Ping, Resume, Resumed, Timestamp
from tests.support.lines import play
from tests.support.played import HI, Play, Slow, named, outcome, paired, refused
from tests.support.transcript import scenes


@scenes(
    """
    What is said again counts once for what is on its way.
        a line with bob
        say x*40000 | y*20000 -> say(1, x*40000, bob) | say(2, y*20000, bob)
        the connection is lost, and tried again -> (down) | (connects)
        back, having seen 2 and said 0, with bob -> say(1, x*40000, bob) | say(2, y*20000, bob) |
            (up)
        say z -> say(3, z, bob)
    What the server never got does not go to another peer.
        a line with bob
        say 1 | 2 -> say(1, 1, bob) | say(2, 2, bob)
        the connection is lost, and tried again -> (down) | (connects)
        back, having seen 2 and said 1, with carol, told left(bob, quit) | paired(carol) ->
            heard left(bob, quit) | heard paired(carol) | say 2 failed: quit | (up)
        it is connected, with carol
        say new -> say(2, new, carol)
    Even the name may come again until it is acknowledged.
        a line, slow -> (acknowledged up to 0)
        the connection is lost, and tried again -> (down) | (connects)
        back, having seen 0 and said 0, with nobody, told again named(build, key) ->
            (acknowledged up to 0) | (up)
        the program is done
    A line that ends hears no more.
        a line with bob that is slow with messages
        told message(bob, hi) | left(bob, quit) -> (acknowledged up to 2) | heard message(bob, hi)
        told error(-, bad-key, No.) -> (acknowledged up to 2) | (hangs up)
        the program is done
    A command whose answer was missed has it after the drop.
        a line
        call bob -> to(bob)
        the connection is lost, and tried again -> (down) | (connects)
        back, having seen 1 and said 0, with bob, told paired(bob) -> heard paired(bob) |
            call bob = bob | (up)
    A line that the server forgot begins anew.
        a line with bob
        say 1 | x*60000 | y*60000 -> say(1, 1, bob) | say(2, x*60000, bob)
        call carol -> to(carol)
        told status(1, confirmed) -> heard status(1, confirmed) | say 1 = confirmed
        the connection is lost, and tried again -> (down) | (connects)
        connected -> resume(key, 3)
        told error(resume, bad-key, No.) -> name(build) | heard left(bob, lost) |
            say x*60000 failed: lost | say y*60000 failed: lost
        it is not connected, with nobody
        told named(build, other key) -> to(carol) | heard named(build, other key) | (up)
        it is connected, with nobody
        told paired(carol) -> heard paired(carol) | call carol = carol
        say 1 | x*60000 -> say(1, 1, carol) | say(2, x*60000, carol)
        the connection is lost, and tried again -> (down) | (connects)
        connected -> resume(other key, 2)
    A line that is taken over ends.
        a line with bob
        say hi -> say(1, hi, bob)
        call carol -> to(carol)
        told error(-, bad-key, No.) -> say hi failed: ended | call carol Ended | (hangs up)
        told paired(eve)
        it is not connected, with nobody
        the connection is lost -> (ends: refused: bad-key)
        say x -> say x failed: ended
        who -> who Ended
        start -> start Ended
        quit -> quit = None
    A server that says nothing is given up.
        a line
        just 20 seconds pass -> ping()
        told paired(bob) -> heard paired(bob)
        just 20 seconds pass -> ping()
        just 20 seconds pass -> (hangs up)
        the connection is lost, and tried again -> (down) | (connects)
        back, having seen 2 and said 0, with bob -> (up)
        it is connected, with bob
    Who wakes asks at once whether the server is there.
        a line
        6.25 seconds pass -> ping()
      * just 5 seconds pass -> (hangs up)
      * 6.25 seconds pass -> ping()
        told paired(bob) -> heard paired(bob)
        just 5 seconds pass -> ping()
    A server that holds no line for long is given up sooner.
        a line without a name
        start -> (connects)
        accepted
        told mode(json, 1, 20) -> name(build)
        just 20 seconds pass -> ping()
        just 10 seconds pass -> (hangs up)
    A server that does not greet is given up.
        a line without a name
        start -> (connects)
        accepted
        just 20 seconds pass -> (hangs up)
    """
)
def test_a_line_outlives_its_connections(scene: str) -> None:
    play(scene)


def test_what_was_done_with_while_a_resume_was_asked_for_is_acknowledged() -> None:
    program = Slow(Message)
    play = paired(program)
    message = play.counted(HI)
    play.remote.says(message)
    play.drops()
    play.accepts()
    assert play.said() == [Resume("key", 2)]
    program.waits[0].callback(None)
    assert play.said() == []
    play.remote.says(Resumed("build", "bob", 0), message)
    assert play.said() == [Ping(), Acknowledge(3)]
    assert len(program.waits) == 1


def test_what_a_resume_says_is_seen_needs_no_acknowledgement() -> None:
    play = paired()
    play.remote.says(play.counted(HI))
    play.drops()
    assert play.resumes(3, 0) == []


def test_what_is_given_up_is_given_up_in_order() -> None:
    play = paired()
    lost: list[int] = []
    for number in range(300):
        play.line.say("hi").addErrback(lambda _, number: lost.append(number), number)
    play.drops()
    play.accepts()
    play.remote.says(refused("resume", "bad-key"))
    assert lost == list(range(300))


def test_a_program_that_fails_when_it_hears_of_a_drop_stops_nothing() -> None:
    play = Play()
    line = Conversation(play.endpoint, "build", on_link=lambda up: 1 / 0, clock=play.clock)
    outcome(line.start())
    with capturedLogs() as logged:
        play.accepts()
        play.tells(Named("build", "key"))
    assert (line.connected, len(logged)) == (True, 1)


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


@pytest.mark.parametrize("said", [b"x" * (json_codec.MAX_LENGTH + 100), b"[]\r\nOK\r\n"])
def test_a_server_that_makes_no_sense_is_given_up(said: bytes) -> None:
    play = named()
    play.remote.protocol.dataReceived(said)
    assert play.remote.transport.disconnecting
    play.remote.drops()
    assert [str(why) for why in play.finished] == [f"{NO_SENSE}{said.split()[0].decode()[:200]}"]


def test_a_server_that_tells_more_than_is_done_with_must_wait() -> None:
    slow = Slow(Message)
    play = paired(slow)
    transport = play.remote.transport
    waits = 0
    while transport.producerState == "producing":
        play.tells(Message("bob", "x" * 60_000, Timestamp(0.0)))
        play.said()
        waits += 1
    assert UNHANDLED_BYTES <= waits * 60_000 < UNHANDLED_BYTES + 60_000
    play.clock.pump([5.0] * 12)
    assert not transport.disconnecting  # what it answers is not read yet
    play.remote.protocol.dataReceived(b"[]\r\n")  # which was on its way
    while transport.producerState == "paused":
        slow.waits[-1].callback(None)
        play.clock.advance(0)
    assert 0.4 * waits < len(slow.waits) < 0.6 * waits
    assert transport.disconnecting
