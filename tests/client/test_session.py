"""What becomes of what a program says, and how it hears of events."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from twisted.logger import LogLevel, capturedLogs

from chatpair.client.errors import NotDelivered, TooLong
from chatpair.client.session import MAX_LINE
from chatpair.codecs import json
from chatpair.exchange.messages import (
    Acknowledge,
    Free,
    JsonEvent,
    Left,
    Mode,
    Paired,
    Resumed,
    Say,
)
from tests.support.lines import play
from tests.support.played import HI, Play, named, outcome, paired, says, status
from tests.support.transcript import scenes


@scenes(
    """
    What is said is handed, confirmed or failed.
        a line with bob
        say 1 | 2 | 3 -> say(1, 1, bob) | say(2, 2, bob) | say(3, 3, bob)
        told status(1, handed) -> heard status(1, handed) | say 1 = handed
        told status(2, confirmed) | status(3, failed, quit) -> heard status(2, confirmed) |
            heard status(3, failed, quit) | say 2 = confirmed | say 3 failed: quit
    One status speaks for all that had none.
        a line with bob
        say 1 to 5 -> say(1, 1, bob) | say(2, 2, bob) | say(3, 3, bob) | say(4, 4, bob) |
            say(5, 5, bob)
        told status(4, confirmed) -> heard status(4, confirmed) | say 1 = confirmed |
            say 2 = confirmed | say 3 = confirmed | say 4 = confirmed
        told status(4, failed, lost) -> heard status(4, failed, lost)
    A status that has no reason is a failure all the same.
        a line with bob
        say hi -> say(1, hi, bob)
        told status(1, failed) -> heard status(1, failed) | say hi failed: failed
    What is said is for one pair.
        a line
        told paired(bob, 2) -> heard paired(bob, 2)
        who -> who()
        say for bob -> say(1, for bob, bob, 2)
        told left(bob, quit) -> heard left(bob, quit)
        say for the next -> say(2, for the next)
    Only so much is on its way at once, but always one.
        a line with bob
        say ö*32000 | e*1536 | x | y*64000 -> say(1, ö*32000, bob) | say(2, e*1536, bob)
        told status(1, confirmed) -> say(3, x, bob) | heard status(1, confirmed) |
            say ö*32000 = confirmed
        told status(3, confirmed) -> say(4, y*64000, bob) | heard status(3, confirmed) |
            say e*1536 = confirmed | say x = confirmed
    Typing is shown while there is a connection.
        a line with bob
        typing -> typing() | typing = None
        the connection is lost, and tried again -> (down) | (connects)
        typing -> typing = None
        back, having seen 2 and said 0, with bob -> (up)
    What is not done with is not acknowledged.
        a line, slow -> (acknowledged up to 0)
        told paired(bob) | message(bob, hi) | typing(bob) | error(to, already, No.) ->
            (acknowledged up to 0)
        the program is done -> (acknowledged up to 1) | heard paired(bob)
        the program is done -> (acknowledged up to 2) | heard message(bob, hi)
        the program is done
    """
)
def test_a_line_says_and_hears(scene: str) -> None:
    play(scene)


def test_a_text_no_server_would_take_is_refused_here() -> None:
    play = paired()
    fits = MAX_LINE - len(json.render_command(Say(1, "", "bob")).strip())
    assert isinstance(outcome(play.line.say("x" * (fits + 1)))[0], TooLong)
    assert isinstance(outcome(play.line.say("\n" * (fits // 2 + 1)))[0], TooLong)
    assert isinstance(outcome(play.line.say("\ud800"))[0], ValueError)
    assert play.said() == []
    play.line.say("x" * fits)
    assert play.said() == [Say(1, "x" * fits, "bob")]


def test_only_so_many_are_on_their_way_at_once() -> None:
    play = paired()
    results = [outcome(play.line.say(str(number))) for number in range(1, 301)]
    assert play.said() == says(*range(1, 257))
    play.tells(status(10))
    assert play.said()[:-1] == says(*range(257, 267))
    play.tells(status(266))
    assert play.said()[:-1] == says(*range(267, 301))
    play.tells(status(300))
    assert results == [["confirmed"]] * 300


def test_what_is_not_sent_yet_never_goes_to_another_peer() -> None:
    for event, why in (
        (Left("bob", "lost"), "lost"),
        (Paired("carol"), "switched"),
        (Free(), "bye"),
    ):
        play = paired()
        results = [outcome(play.line.say(str(number))) for number in range(1, 258)]
        play.said()
        play.tells(event)
        assert results[255] == []
        assert (type(results[256][0]), results[256][0].why) == (NotDelivered, why)
        play.tells(status(256))
        assert [command for command in play.said() if isinstance(command, Say)] == []
        play.line.say("257")
        to = event.peer if isinstance(event, Paired) else UNSET
        assert says(257, to=to)[0] in play.said()


def test_a_cancelled_text_is_taken_back_if_that_is_possible() -> None:
    play = paired()
    said = [play.line.say(str(number)) for number in range(1, 259)]
    results = [outcome(one) for one in said]
    said[0].cancel()
    said[256].cancel()
    play.said()
    play.tells(status(2))
    assert results[1] == ["confirmed"]
    assert play.said()[0] == Say(257, "258", "bob")


def test_a_handler_that_fails_is_logged_and_stops_nothing() -> None:
    async def handle(event: JsonEvent) -> None:
        raise RuntimeError("no")

    with capturedLogs() as logged:
        play = named(on_event=handle)
        play.tells(Paired("bob"), HI)
        assert play.said() == [Acknowledge(3)]
    assert [entry["log_level"] for entry in logged].count(LogLevel.critical) == 3


def test_what_a_later_version_says_is_passed_over() -> None:
    play = named()
    play.remote.protocol.dataReceived(b'{"event":"moved","seq":2}\r\n')
    play.tells(Mode(hold=1), Resumed("x", None, 7))
    play.seq += 1
    play.tells(Paired("bob"))
    assert play.heard() == [Paired("bob")]
    assert play.line.connected


# The wire


@given(st.binary(max_size=60), st.sampled_from(["connected", "asked for JSON", "named", "held"]))
def test_no_bytes_of_a_server_raise_anything(data: bytes, state: str) -> None:
    play = named() if state in ("named", "held") else Play()
    if state == "held":
        play.drops()
    elif state != "named":
        outcome(play.line.start())
    if state == "connected":
        play.remote = play.endpoint.accept()
    elif state != "named":
        play.accepts()
    play.remote.protocol.dataReceived(data + b"\r\n")
    outcome(play.line.quit())
    play.clock.advance(0)
    play.remote.drops()
    assert len(play.finished) == 1
