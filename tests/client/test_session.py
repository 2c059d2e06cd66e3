"""What becomes of what a program says, and how it hears of events."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from twisted.logger import LogLevel, capturedLogs

from chatpair.client.session import MAX_LINE, NotDelivered, TooLong
from chatpair.codecs import json
from chatpair.messages import (
    Acknowledge,
    Back,
    Free,
    Held,
    Here,
    JsonEvent,
    Left,
    Message,
    Paired,
    PeerTyping,
    Present,
    Say,
    StartTyping,
    Timestamp,
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

# Saying


def test_what_is_said_is_handed_confirmed_or_failed() -> None:
    play = paired()
    results = [outcome(play.line.say(str(number))) for number in (1, 2, 3)]
    assert play.said() == says(1, 2, 3)
    play.tells(status(1, "handed"))
    assert results == [["handed"], [], []]
    play.tells(status(2), status(3, "failed", why="quit"))
    assert results[1] == ["confirmed"]
    assert (type(results[2][0]), results[2][0].why) == (NotDelivered, "quit")
    assert play.heard() == [status(1, "handed"), status(2), status(3, "failed", why="quit")]


def test_one_status_speaks_for_all_that_had_none() -> None:
    play = paired()
    results = [outcome(play.line.say("hi")) for _ in range(5)]
    play.tells(status(4))
    assert results == [["confirmed"]] * 4 + [[]]
    play.tells(status(4, "failed", why="lost"))
    assert results == [["confirmed"]] * 4 + [[]]


def test_a_status_that_has_no_reason_is_a_failure_all_the_same() -> None:
    play = paired()
    said = outcome(play.line.say("hi"))
    play.tells(status(1, "failed"))
    assert said[0].why == "failed"


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


def test_only_so_much_is_on_its_way_at_once_but_always_one() -> None:
    play = paired()
    long, short = "é" * 32_000, "e" * 1_536
    results = [outcome(play.line.say(text)) for text in (long, short, "x", long)]
    assert play.said() == [Say(1, long, "bob"), Say(2, short, "bob")]
    play.tells(status(1))
    assert play.said()[:-1] == [Say(3, "x", "bob")]
    play.tells(status(3))
    assert play.said()[:-1] == [Say(4, long, "bob")]
    assert [len(result) for result in results] == [1, 1, 1, 0]


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


def test_typing_is_shown_while_there_is_a_connection() -> None:
    play = paired()
    assert outcome(play.line.typing()) == [None]
    assert play.said() == [StartTyping()]
    play.drops()
    assert outcome(play.line.typing()) == [None]
    play.resumes(2, 0)
    assert play.said() == []


# Hearing


def test_the_program_hears_what_happens() -> None:
    play = named()
    events: list[JsonEvent] = [Paired("bob"), HI, PeerTyping("bob"), Held("bob"), Back("bob")]
    play.tells(*events)
    assert play.heard() == events
    assert play.said() == [Acknowledge(5)]


def test_what_is_not_done_with_is_not_acknowledged() -> None:
    program = Slow()
    play = named(on_event=program)
    assert play.said() == []
    play.tells(Paired("bob"), HI, PeerTyping("bob"), refused("to", "already"))
    assert len(program.heard) == 1
    program.is_done(0)
    assert play.said() == [Acknowledge(1)]
    program.is_done(1)
    program.is_done(2)
    assert [plain(event) for event in program.heard[1:]] == [Paired("bob"), HI]
    assert play.said() == [Acknowledge(4)]


def test_a_handler_that_fails_is_logged_and_stops_nothing() -> None:
    async def handle(event: JsonEvent) -> None:
        raise RuntimeError("no")

    with capturedLogs() as logged:
        play = named(on_event=handle)
        play.tells(Paired("bob"), HI)
        assert play.said() == [Acknowledge(3)]
    assert [entry["log_level"] for entry in logged].count(LogLevel.critical) == 3


def test_a_handler_may_wait_for_what_it_says() -> None:
    play: Play

    async def handle(event: JsonEvent) -> None:
        if isinstance(event, Message):
            results.append(await play.line.say("1"))

    results: list[str] = []
    play = paired(handle)
    play.tells(HI)
    assert play.said() == says(1)
    play.tells(status(1))
    assert results == ["confirmed"]
    assert play.said() == [Acknowledge(4)]


def test_what_a_later_version_says_is_passed_over() -> None:
    play = named()
    play.remote.protocol.dataReceived(b'{"event":"moved","seq":2}\r\n[]\r\n')
    play.seq += 1
    play.tells(Paired("bob"))
    assert play.heard() == [Paired("bob")]
    assert play.line.connected


# The wire

CONVERSATION: list[JsonEvent] = [
    Paired("bob"),
    HI,
    Message("bob", "söme \n lines", Timestamp(1.5)),
    status(2),
    Here([Present("bob", True)], 0),
    Held("bob"),
    status(3, "failed", why="lost"),
    Left("bob", "lost"),
]


@given(st.lists(st.integers(0, 1_000)))
def test_it_does_not_matter_where_the_bytes_are_cut(cuts: list[int]) -> None:
    play = named()
    results = [outcome(play.line.say(str(number))) for number in (1, 2, 3)]
    here = outcome(play.line.who())
    data = b"".join(json.render(play.counted(event)) for event in CONVERSATION)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for begin, end in pairwise(places):
        play.remote.protocol.dataReceived(data[begin:end])
    assert results[:2] == [["confirmed"]] * 2
    assert (results[2][0].why, here) == ("lost", [CONVERSATION[4]])
    assert play.heard() == [event for event in CONVERSATION if not isinstance(event, Here)]
    assert play.said()[-1] == Acknowledge(8)


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
