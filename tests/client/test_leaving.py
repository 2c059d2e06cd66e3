"""What a pipe does when its peer leaves, and when its input ends, without sockets."""

from collections.abc import Callable
from typing import Any

import pytest

from chatpair.client.ending import DONE, Ending
from chatpair.client.pipe import ENDED_EARLY, NO_NAME, PipeTalk
from chatpair.client.talk import LINK_LOST
from chatpair.messages import Error, Goodbye, JsonEvent, Left, Message, Paired, Quit, Say, Timestamp
from tests.support.played import HI, status
from tests.support.scene import (
    EITHER_SERVER,
    LEFT,
    STOPPED,
    TALK_IS_OVER,
    PlainScene,
    Scene,
    piped,
    piped_to_bob,
)


def left_by(why: str = "quit", server: type[Scene] = Scene, **options: bool) -> Scene:
    """Return the talk of a pipe whose peer has left, and which has told the server so."""
    scene = piped_to_bob(server, **options)
    scene.types("one")
    scene.tells(status(1), Left("bob", why))  # type: ignore[arg-type]
    assert scene.notices() == ([] if why == "stopped" else ["bob has left."])
    assert Quit() in scene.commands()
    assert scene.results == []
    return scene


# The peer


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize(
    ("why", "server"), [("quit", Scene), ("lost", Scene), ("quit", PlainScene)]
)
@pytest.mark.parametrize(
    ("goes_on", "ending"),
    [(lambda talk: talk.typed("two"), LEFT), (lambda talk: talk.input_ended(), DONE)],
    ids=["says more", "has said all"],
)
def test_nobody_can_call_a_pipe_whose_peer_has_left_and_lines_that_still_come_are_the_problem(
    goes_on: Callable[[Any], None], ending: Ending, why: str, server: type[Scene], gone: bool
) -> None:
    scene = left_by(why, server)
    if gone:
        scene.tells(Goodbye())
        scene.remote.drops()
        assert (scene.results, scene.endpoint.attempts) == ([], [])
    assert scene.screen.wanted
    goes_on(scene.talk)
    if gone:
        assert scene.results == [ending]
    else:
        assert scene.texts() == []
        scene.ends_with(ending)
    assert not scene.screen.wanted


def test_lines_that_come_when_the_server_has_forgotten_the_line_are_the_problem() -> None:
    scene = piped_to_bob()
    scene.is_forgotten()
    assert scene.notices() == [LINK_LOST, TALK_IS_OVER]
    scene.remote.drops()
    scene.types("one")
    assert scene.results == [ENDED_EARLY]


def test_who_lingers_may_have_missed_something_when_the_server_has_forgotten_the_line() -> None:
    scene = piped_to_bob(linger=True)
    scene.talk.input_ended()
    scene.is_forgotten()
    scene.remote.drops()
    assert scene.results == [ENDED_EARLY]


def test_an_input_that_has_ended_waits_for_nothing_more() -> None:
    scene = piped_to_bob()
    scene.types("one")
    scene.talk.input_ended()
    scene.tells(Left("bob", "quit"))
    assert (Quit() in scene.said(), scene.results) == (False, [])
    scene.tells(status(1))
    scene.answers_quit(DONE)


def test_the_screen_is_told_once_that_the_peer_has_left() -> None:
    scene = piped()
    scene.tells(Left("carol", "quit"))
    assert scene.screen.departures == 0
    assert left_by().screen.departures == 1


def test_what_is_on_its_way_to_a_peer_that_leaves_is_waited_for() -> None:
    scene = piped_to_bob()
    scene.types("one")
    scene.tells(Left("bob", "quit"))
    assert Quit() not in scene.said()
    scene.tells(status(1, "failed", why="quit"))
    scene.answers_quit(LEFT)


@pytest.mark.parametrize("gone", [False, True])
def test_a_server_that_stops_with_lines_still_to_come_is_the_problem(gone: bool) -> None:
    scene = left_by("stopped")
    if gone:
        scene.remote.drops()
        assert scene.results == []
        scene.types("two")
        assert scene.results == [STOPPED]
    else:
        scene.types("two")
        scene.ends_with(STOPPED)


def test_a_server_that_stops_when_all_was_said_is_no_problem() -> None:
    scene = left_by("stopped")
    scene.remote.drops()
    scene.talk.input_ended()
    assert scene.results == [DONE]


@pytest.mark.parametrize("caller", ["carol", "bob"])
@EITHER_SERVER
def test_lines_meant_for_one_who_left_are_not_said_to_the_next_who_calls(
    server: type[Scene], caller: str
) -> None:
    scene = left_by(server=server)
    scene.tells(Paired(caller))
    scene.types("two")
    assert scene.texts() == []
    scene.ends_with(LEFT)


def test_nor_when_the_output_is_too_full_to_tell_that_one_left() -> None:
    scene = piped_to_bob()
    scene.talk.pauseProducing()
    scene.tells(HI, Left("bob", "quit"), Paired("carol"))
    assert scene.notices() == []
    scene.types("one")
    assert scene.texts() == []
    scene.ends_with(LEFT)


def test_a_peer_s_last_words_are_shown_before_the_end() -> None:
    scene = piped_to_bob(has_end=False)
    scene.talk.pauseProducing()
    scene.tells(HI, Message("bob", "bye", Timestamp(0.0)), Left("bob", "quit"))
    assert (len(scene.screen.messages), scene.said()) == (1, [])
    scene.talk.resumeProducing()
    assert [message.text for message in scene.screen.messages] == ["hi", "bye"]
    scene.answers_quit(DONE)


@pytest.mark.parametrize("lingers", [False, True])
def test_a_keyboard_has_no_end_to_wait_for_when_the_peer_leaves(lingers: bool) -> None:
    scene = left_by(has_end=False, linger=lingers)
    assert not scene.screen.wanted
    scene.ends_with(DONE)


def test_one_who_pairs_before_the_one_that_is_called_may_leave() -> None:
    scene = piped("bob")
    scene.tells(Paired("carol"), Left("carol", "quit"))
    assert (Quit() in scene.said(), scene.screen.departures) == (False, 0)


# Lingering


def test_who_lingers_listens_on_when_all_is_said() -> None:
    scene = piped_to_bob(linger=True)
    scene.types("one")
    scene.talk.input_ended()
    scene.tells(status(1), HI)
    assert Quit() not in scene.said()
    assert len(scene.screen.messages) == 1
    scene.tells(Left("bob", "lost"))
    scene.answers_quit(DONE)


def test_who_lingers_without_a_peer_waits_for_a_first_caller() -> None:
    scene = piped(linger=True)
    scene.talk.input_ended()
    assert (Quit() in scene.said(), scene.results) == (False, [])
    scene.tells(Paired("bob"), HI)
    assert Quit() not in scene.said()
    scene.tells(Left("bob", "quit"))
    scene.answers_quit(DONE)


def test_a_line_that_does_not_arrive_is_a_problem_for_who_lingers_too() -> None:
    scene = piped_to_bob(linger=True)
    scene.types("one")
    scene.talk.input_ended()
    events: list[JsonEvent] = [Left("bob", "quit"), status(1, "failed", why="quit")]
    scene.tells(*events)
    scene.answers_quit(LEFT)


def test_a_refusal_is_a_problem_for_who_lingers_too() -> None:
    scene = piped("bob", linger=True)
    scene.talk.input_ended()
    scene.tells(Error("to", "busy", "bob is talking with someone else."))
    scene.answers_quit(Ending(5, "bob is talking with someone else."))


# Before the pair


def test_an_input_that_is_not_read_early_waits_for_the_pair() -> None:
    scene = piped(reads_early=False)
    assert not scene.screen.wanted
    scene.tells(Paired("bob"))
    scene.types("To:carol")
    assert Say(1, "To:carol", "bob") in scene.said()


def test_an_input_that_is_not_read_early_gives_no_name() -> None:
    scene = Scene(PipeTalk, reads_early=False)
    assert (scene.results, scene.endpoint.attempts) == ([NO_NAME], [])
    assert not scene.screen.wanted


def test_an_empty_input_for_somebody_waits_for_the_answer_to_the_call() -> None:
    scene = piped("bob")
    scene.talk.input_ended()
    assert Quit() not in scene.said()
    scene.tells(Paired("bob"))
    scene.answers_quit(DONE)
