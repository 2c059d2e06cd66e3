"""What the client makes of a pipe's lines, without sockets."""

import pytest

from chatpair.client.ending import Ending, ExitStatus
from chatpair.client.pipe import NO_NAME, PIECE, PipeTalk
from chatpair.client.waiters import UNSETTLED_BYTES, UNSETTLED_SAYS
from chatpair.exchange.messages import (
    Say,
)
from tests.support.played import refused, status
from tests.support.scene import (
    EITHER_SERVER,
    Scene,
    nameless,
    piped_to_bob,
)
from tests.support.talks import play
from tests.support.transcript import scenes

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


@scenes(
    """
    Lines are text whatever they say.
        a pipe with bob -> (reads many)
        said one | Quit | To:x | /bye |  /bye |  | drei: größer -> say(1, one, bob) | say(2, Quit,
            bob) | say(3, To:x, bob) | say(4, /bye, bob) | say(5,  /bye, bob) | say(6, , bob) |
            say(7, drei: größer, bob)
    Only lines to a peer may come many at once.
        a pipe -> (reads)
        told paired(bob) -> You are chatting with bob. | (reads many)
        said one\\nTo:carol\\n -> say(1, one\\nTo:carol\\n, bob)
    The longest line that fits is not cut.
        a pipe with bob -> (reads many)
        said x*65000 -> say(1, x*65000, bob)
    A first line that is too long is cut as well.
        a pipe -> (reads)
        said x*65536 -> (waits)
        told paired(bob) -> say(1, x*16000, bob) | say(2, x*16000, bob) | say(3, x*16000, bob) |
            say(4, x*16000, bob) | say(5, x*1536, bob) | A line is too long for a message; it
            arrives as several. | You are chatting with bob.
    """
)
def test_a_pipe_s_lines_are_text(scene: str) -> None:
    play(scene)


@scenes(
    """
    Without a pair the first line is kept and said first.
        a pipe -> (reads)
        said Quit -> (waits)
        told paired(bob) -> say(1, Quit, bob) | You are chatting with bob. | (reads many)
        said two -> say(2, two, bob)
    The first line may call.
        a pipe -> (reads)
      * said To:bob -> to(bob) | (waits)
        told paired(bob) -> You are chatting with bob. | (reads many)
        said To:bob -> say(1, To:bob, bob)
      * said to:  bob  -> to(bob) | (waits)
        told paired(bob) -> You are chatting with bob. | (reads many)
        said to:  bob  -> say(1, to:  bob , bob)
      * said /to bob -> to(bob) | (waits)
        told paired(bob) -> You are chatting with bob. | (reads many)
        said /to bob -> say(1, /to bob, bob)
    Who calls before the one that is called answers gets nothing.
        a pipe for bob -> to(bob)
        told paired(carol) -> You are chatting with carol.
        told left(carol, quit) | paired(bob) -> carol has left. | You are chatting with bob. |
            (reads many)
        said for bob -> say(1, for bob, bob)
    """
)
@EITHER_SERVER
def test_a_pipe_s_first_line(server: type[Scene], scene: str) -> None:
    play(scene, server)


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


def test_the_screen_is_told_how_much_has_arrived() -> None:
    scene = piped_to_bob()
    scene.types("grüß", "x" * 100, "")
    scene.tells(status(2))
    assert scene.screen.sizes == [6, 100]
    scene.tells(status(3, "failed", why="quit"))
    assert scene.screen.sizes == [6, 100]
