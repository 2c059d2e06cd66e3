"""What the client makes of a pipe's lines, without sockets."""

import pytest

from chatpair.client.pipe import PipeTalk
from chatpair.client.session import UNSETTLED_BYTES, UNSETTLED_SAYS
from chatpair.client.talk import TOO_LONG
from chatpair.factory import NOBODY
from chatpair.messages import (
    Acknowledge,
    Call,
    Error,
    JsonEvent,
    Left,
    Message,
    Paired,
    Quit,
    Say,
    Timestamp,
)
from tests.played import HI, refused, status
from tests.scene import AGAIN, LOST, NO_NAME, PAIRED, Scene

LEFT = "bob left before all was said."


def piped(to: str = "") -> Scene:
    """Return the talk of a program named alice."""
    scene = Scene(PipeTalk, "alice", to)
    scene.claims("alice")
    scene.grants("alice")
    assert scene.notices() == ["Welcome, alice."]
    return scene


def piped_to_bob() -> Scene:
    """Return the talk of a program that is paired with bob."""
    scene = piped("bob")
    assert Call("bob") in scene.said()
    assert not scene.screen.wanted
    scene.tells(Paired("bob"))
    assert scene.notices() == [PAIRED]
    scene.said()
    return scene


# The name


def test_a_refused_option_is_a_problem() -> None:
    scene = Scene(PipeTalk, "bob")
    scene.claims("bob")
    scene.refuses("reuse")
    assert (scene.screen.questions, scene.results) == (0, ["No."])


def test_the_first_lines_are_tried_as_names_when_no_option_gives_one() -> None:
    scene = Scene(PipeTalk)
    scene.claims("")
    scene.refuses("bad-name")
    scene.types("bob")
    scene.claims("bob")
    scene.refuses("reuse")
    scene.types("alice")
    scene.claims("alice")
    scene.grants("alice")
    assert scene.notices() == ["No.", "Welcome, alice."]
    assert scene.screen.wanted


@pytest.mark.parametrize("line", [None, "", "Quit", "bob"])
def test_an_input_without_a_name_is_a_problem(line: str | None) -> None:
    scene = Scene(PipeTalk)
    scene.claims("")
    scene.refuses("bad-name")
    if line is not None:
        scene.types(line)
    scene.talk.input_ended()
    if line == "bob":
        scene.claims("bob")
        scene.refuses("reuse")
    assert scene.results == [NO_NAME]


def test_lines_for_somebody_are_not_names() -> None:
    scene = Scene(PipeTalk, to="bob")
    assert (scene.results, scene.endpoint.attempts) == ([NO_NAME], [])


def test_a_name_that_was_lost_is_not_looked_for_in_the_text() -> None:
    scene = Scene(PipeTalk)
    scene.claims("")
    scene.refuses("bad-name")
    scene.types("alice")
    scene.claims("alice")
    scene.grants("alice")
    scene.drops()
    scene.accepts()
    scene.remote.says(refused("resume", "bad-key"), refused("name", "reuse"))
    scene.remote.drops()
    assert (scene.screen.questions, scene.results) == (1, ["No."])


# Lines


def test_lines_are_text_whatever_they_say() -> None:
    scene = piped_to_bob()
    lines = ["one", "Quit", "To:x", "/bye", " /bye", "", "drei: größer"]
    scene.types(*lines)
    assert scene.said() == [Say(i + 1, line, "bob") for i, line in enumerate(lines)]


def test_without_a_pair_the_first_line_is_kept_and_said_first() -> None:
    scene = piped()
    scene.types("Quit")
    assert not scene.screen.wanted
    scene.said()
    scene.tells(Paired("bob"))
    scene.types("two")
    assert scene.said()[:2] == [Say(1, "Quit", "bob"), Say(2, "two", "bob")]


@pytest.mark.parametrize("line", ["To:bob", "to:  bob ", "/to bob"])
def test_the_first_line_may_call(line: str) -> None:
    scene = piped()
    scene.types(line)
    assert not scene.screen.wanted
    assert Call("bob") in scene.said()
    scene.tells(Paired("bob"))
    scene.types(line)
    assert Say(1, line, "bob") in scene.said()


def test_who_calls_before_the_one_that_is_called_answers_gets_nothing() -> None:
    scene = piped("bob")
    scene.said()
    scene.tells(Paired("carol"), Left("carol", "quit"))
    assert not scene.screen.wanted
    scene.tells(Paired("bob"))
    scene.types("for bob")
    assert Say(1, "for bob", "bob") in scene.said()


def test_no_more_lines_are_read_than_may_be_on_their_way() -> None:
    scene = piped_to_bob()
    scene.types(*(str(number) for number in range(UNSETTLED_SAYS)))
    assert not scene.screen.wanted
    assert len(scene.said()) == UNSETTLED_SAYS
    scene.tells(status(UNSETTLED_SAYS // 2 - 1))
    assert not scene.screen.wanted
    scene.tells(status(UNSETTLED_SAYS // 2))
    assert scene.screen.wanted


def test_no_more_bytes_are_read_than_may_be_on_their_way() -> None:
    scene = piped_to_bob()
    scene.types("x" * 40_000, "ö" * (UNSETTLED_BYTES // 4))
    assert not scene.screen.wanted
    assert len(scene.said()) == 1
    scene.tells(status(1))
    assert scene.screen.wanted


# The end


def test_the_end_of_the_input_waits_until_all_has_arrived() -> None:
    scene = piped_to_bob()
    scene.types("one", "two")
    scene.talk.input_ended()
    scene.tells(status(1, "handed"))
    assert Quit() not in scene.said()
    scene.drops()
    scene.resumes(3, 2)
    assert scene.notices() == [LOST, AGAIN]
    assert Quit() not in scene.said()
    scene.tells(status(2))
    scene.answers_quit("")


def test_an_empty_input_quits() -> None:
    scene = piped()
    scene.talk.input_ended()
    scene.answers_quit("")


def test_an_input_that_ends_early_waits_for_the_pair() -> None:
    scene = piped()
    scene.types("hi")
    scene.talk.input_ended()
    assert Quit() not in scene.said()
    scene.tells(Paired("bob"), status(1))
    scene.answers_quit("")


def test_the_end_waits_until_the_output_has_taken_what_the_peer_said() -> None:
    scene = piped_to_bob()
    scene.talk.pauseProducing()
    scene.tells(HI, Message("bob", "bye", Timestamp(0.0)))
    scene.talk.input_ended()
    assert (len(scene.screen.lines), scene.said()) == (1, [])
    scene.talk.resumeProducing()
    assert len(scene.screen.lines) == 2
    assert scene.said() == [Acknowledge(4), Quit()]
    scene.ends_with("")


def test_a_peer_that_leaves_with_lines_still_to_come_is_a_problem() -> None:
    scene = piped_to_bob()
    scene.types("one")
    scene.tells(status(1), Left("bob", "quit"))
    assert scene.notices() == ["bob has left."]
    scene.types("two")
    scene.answers_quit(LEFT)


def test_a_server_that_stops_with_lines_still_to_come_is_the_problem() -> None:
    scene = piped_to_bob()
    scene.tells(Left("bob", "stopped"))
    assert scene.notices() == []
    scene.types("one")
    scene.answers_quit("The server stopped before all was said.")


def test_a_peer_that_leaves_when_all_was_said_is_no_problem() -> None:
    scene = piped_to_bob()
    scene.types("one")
    scene.tells(status(1), Left("bob", "quit"))
    scene.talk.input_ended()
    scene.answers_quit("")


@pytest.mark.parametrize("caller", ["carol", "bob"])
def test_lines_meant_for_one_who_left_are_not_said_to_the_next_who_calls(caller: str) -> None:
    scene = piped_to_bob()
    scene.tells(Left("bob", "quit"), Paired(caller))
    scene.types("one")
    scene.answers_quit(LEFT)


def test_nor_when_the_output_is_too_full_to_tell_that_one_left() -> None:
    scene = piped_to_bob()
    scene.talk.pauseProducing()
    scene.tells(HI, Left("bob", "quit"), Paired("carol"))
    assert scene.notices() == []
    scene.types("one")
    scene.answers_quit(LEFT)


@pytest.mark.parametrize(
    ("why", "problem"),
    [
        ("quit", LEFT),
        ("lost", LEFT),
        ("nobody", LEFT),
        ("stopped", "The server stopped before all was said."),
    ],
)
def test_a_line_that_does_not_arrive_is_a_problem(why: str, problem: str) -> None:
    scene = piped_to_bob()
    scene.types("one")
    nobody: list[JsonEvent] = [Error("say", "nobody", NOBODY)] if why == "nobody" else []
    scene.tells(*nobody, status(1, "failed", why=why))
    scene.answers_quit(problem)


def test_a_line_that_is_held_no_longer_is_a_problem() -> None:
    scene = piped_to_bob()
    scene.types("one")
    scene.drops()
    scene.accepts()
    scene.remote.says(refused("resume", "bad-key"))
    # Without a name there is nothing to quit.
    scene.remote.drops()
    assert scene.results == ["The connection was lost for too long; not all was said."]


def test_a_refused_call_is_a_problem() -> None:
    scene = piped("carol")
    scene.tells(Error("to", "unknown", "The user carol\x1b does not exist."))
    scene.answers_quit("The user carol does not exist.")


def test_a_line_that_is_too_long_is_a_problem() -> None:
    scene = piped_to_bob()
    scene.types("x" * 65_536)
    scene.answers_quit(TOO_LONG)


def test_a_line_that_the_server_finds_too_long_is_a_problem() -> None:
    scene = piped_to_bob()
    scene.types("x" * 50)
    scene.tells(Error(None, "too-long", "It has over 40 bytes."))
    scene.answers_quit("It has over 40 bytes.")


def test_a_server_that_stops_is_none_as_it_may_be_back() -> None:
    scene = piped()
    scene.tells(Error(None, "try-later", "The server is stopping."))
    scene.drops()
    assert scene.notices() == ["The server is stopping.", LOST]
    assert (scene.results, scene.screen.wanted) == ([], True)


def test_an_interrupt_is_a_problem_and_a_second_one_leaves_the_first() -> None:
    scene = piped_to_bob()
    scene.talk.interrupt()
    scene.talk.interrupt()
    assert scene.results == ["Interrupted."]
    scene.remote.drops()
