"""What the client makes of a pipe's lines, without sockets."""

import pytest

from chatpair.client.ending import DONE, Ending, ExitStatus
from chatpair.client.pipe import ENDED_EARLY, NO_NAME, PIECE, PipeTalk
from chatpair.client.session import UNSETTLED_BYTES, UNSETTLED_SAYS
from chatpair.client.talk import LINK_LOST
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
from tests.support.played import HI, refused, status
from tests.support.scene import (
    AGAIN,
    EITHER_SERVER,
    LEFT,
    STOPPED,
    Scene,
    nameless,
    piped,
    piped_to_bob,
)

# The name


@EITHER_SERVER
def test_the_first_lines_are_tried_as_names_when_no_option_gives_one(server: type[Scene]) -> None:
    scene = nameless(PipeTalk, server)
    scene.types("bob")
    scene.claims("bob")
    scene.refuses("reuse", "The name bob is taken.")
    scene.types("alice")
    scene.claims("alice")
    scene.grants("alice")
    assert scene.notices() == ["The name bob is taken.", "Welcome, alice."]
    assert scene.screen.wanted


@pytest.mark.parametrize("line", [None, "", "Quit", "bob"])
@EITHER_SERVER
def test_an_input_without_a_name_is_a_problem(server: type[Scene], line: str | None) -> None:
    scene = nameless(PipeTalk, server)
    if line is not None:
        scene.types(line)
    scene.talk.input_ended()
    if line == "bob":
        scene.claims("bob")
        scene.refuses("reuse")
    assert (scene.results, scene.endpoint.attempts) == ([NO_NAME], [])


def test_lines_for_somebody_are_not_names() -> None:
    scene = Scene(PipeTalk, to="bob")
    assert (scene.results, scene.endpoint.attempts) == ([NO_NAME], [])


def test_a_name_that_was_lost_is_not_looked_for_in_the_text() -> None:
    scene = nameless(PipeTalk)
    scene.types("alice")
    scene.claims("alice")
    scene.grants("alice")
    scene.is_forgotten(refused("name", "reuse"))
    scene.remote.drops()
    assert (scene.screen.questions, scene.results) == (1, [Ending(ExitStatus.NAME, "No.")])


# Lines


def test_lines_are_text_whatever_they_say() -> None:
    scene = piped_to_bob()
    lines = ["one", "Quit", "To:x", "/bye", " /bye", "", "drei: größer"]
    scene.types(*lines)
    assert scene.said() == [Say(i + 1, line, "bob") for i, line in enumerate(lines)]


def as_text(line: str, server: type[Scene]) -> str:
    """Return what the server must be sent, so that it takes a command for text."""
    return line if server is Scene else f" {line}"


@EITHER_SERVER
def test_without_a_pair_the_first_line_is_kept_and_said_first(server: type[Scene]) -> None:
    scene = piped(server=server)
    scene.types("Quit")
    assert (scene.screen.wanted, scene.texts()) == (False, [])
    scene.tells(Paired("bob"))
    scene.types("two")
    assert scene.texts() == [as_text("Quit", server), "two"]


@pytest.mark.parametrize("line", ["To:bob", "to:  bob ", "/to bob"])
@EITHER_SERVER
def test_the_first_line_may_call(server: type[Scene], line: str) -> None:
    scene = piped(server=server)
    scene.types(line)
    assert not scene.screen.wanted
    assert Call("bob") in scene.commands()
    scene.tells(Paired("bob"))
    scene.types(line)
    assert scene.texts() == [as_text(line, server)]


@EITHER_SERVER
def test_who_calls_before_the_one_that_is_called_answers_gets_nothing(server: type[Scene]) -> None:
    scene = piped("bob", server)
    scene.tells(Paired("carol"))
    assert not scene.screen.wanted
    scene.tells(Left("carol", "quit"), Paired("bob"))
    scene.types("for bob")
    assert scene.texts() == ["for bob"]


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


@pytest.mark.parametrize("character", ["x", "ö", "\t", '"', "\U0001f600"])
def test_a_line_that_is_too_long_for_a_message_arrives_in_pieces(character: str) -> None:
    scene = piped_to_bob()
    long = character * 70_000
    scene.talk.typed(long)
    texts: list[str] = []
    while said := [command for command in scene.said() if isinstance(command, Say)]:
        texts += [say.text for say in said]
        scene.tells(status(said[-1].id))
    assert [len(text) for text in texts] == [PIECE] * 4 + [6_000]
    assert "".join(texts) == long
    assert scene.notices() == ["A line is too long for a message; it arrives as several."]
    scene.types(long)
    assert scene.notices() == []


def test_the_longest_line_that_fits_is_not_cut() -> None:
    scene = piped_to_bob()
    line = "x" * 65_000
    scene.types(line)
    assert (scene.said(), scene.notices()) == ([Say(1, line, "bob")], [])


def test_a_first_line_that_is_too_long_is_cut_as_well() -> None:
    scene = piped()
    scene.types("x" * 65_536)
    scene.tells(Paired("bob"))
    assert len([command for command in scene.said() if isinstance(command, Say)]) == 5


def test_only_lines_to_a_peer_may_come_many_at_once() -> None:
    scene = piped()
    assert (scene.screen.wanted, scene.screen.many) == (True, False)
    scene.tells(Paired("bob"))
    assert (scene.screen.wanted, scene.screen.many) == (True, True)
    scene.types("one\nTo:carol\n")
    assert Say(1, "one\nTo:carol\n", "bob") in scene.said()


def test_the_screen_is_told_how_much_has_arrived() -> None:
    scene = piped_to_bob()
    scene.types("grüß", "x" * 100, "")
    scene.tells(status(2))
    assert scene.screen.sizes == [6, 100]
    scene.tells(status(3, "failed", why="quit"))
    assert scene.screen.sizes == [6, 100]


# The end


def test_the_end_of_the_input_waits_until_all_has_arrived() -> None:
    scene = piped_to_bob()
    scene.types("one", "two")
    scene.talk.input_ended()
    scene.tells(status(1, "handed"))
    assert Quit() not in scene.said()
    scene.drops()
    scene.resumes(3, 2)
    assert scene.notices() == [LINK_LOST, AGAIN]
    assert Quit() not in scene.said()
    scene.tells(status(2))
    scene.answers_quit(DONE)


def test_an_empty_input_quits() -> None:
    scene = piped()
    scene.talk.input_ended()
    scene.answers_quit(DONE)


def test_an_input_that_ends_early_waits_for_the_pair() -> None:
    scene = piped()
    scene.types("hi")
    scene.talk.input_ended()
    assert Quit() not in scene.said()
    scene.tells(Paired("bob"), status(1))
    scene.answers_quit(DONE)


def test_the_end_waits_until_the_output_has_taken_what_the_peer_said() -> None:
    scene = piped_to_bob()
    scene.talk.pauseProducing()
    scene.tells(HI, Message("bob", "bye", Timestamp(0.0)))
    scene.talk.input_ended()
    assert (len(scene.screen.messages), scene.said()) == (1, [])
    scene.talk.resumeProducing()
    assert len(scene.screen.messages) == 2
    assert scene.said() == [Acknowledge(4), Quit()]
    scene.ends_with(DONE)


@pytest.mark.parametrize(
    ("why", "ending"),
    [
        ("quit", LEFT),
        ("lost", LEFT),
        ("nobody", LEFT),
        ("stopped", STOPPED),
    ],
)
def test_a_line_that_does_not_arrive_is_a_problem(why: str, ending: Ending) -> None:
    scene = piped_to_bob()
    scene.types("one")
    nobody: list[JsonEvent] = [Error("say", "nobody", NOBODY)] if why == "nobody" else []
    scene.tells(*nobody, status(1, "failed", why=why))
    scene.answers_quit(ending)


def test_a_line_that_is_held_no_longer_is_a_problem() -> None:
    scene = piped_to_bob()
    scene.types("one")
    scene.is_forgotten()
    # Without a name there is nothing to quit.
    scene.remote.drops()
    assert scene.results == [ENDED_EARLY]


def test_a_server_that_stops_is_none_as_it_may_be_back() -> None:
    scene = piped()
    scene.tells(Error(None, "try-later", "The server is stopping."))
    scene.drops()
    assert scene.notices() == ["The server is stopping.", LINK_LOST]
    assert (scene.results, scene.screen.wanted) == ([], True)
