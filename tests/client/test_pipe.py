"""What the client makes of a pipe's lines, without sockets."""

import pytest

from chatpair.client.pipe import PIECE
from chatpair.client.waiters import UNSETTLED_SAYS
from chatpair.exchange.messages import Say
from tests.support.played import status
from tests.support.talks import EITHER_SERVER, Scene, Talk, play
from tests.support.transcript import scenes

# Lines


@scenes(
    """
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
    No more bytes are read than may be on their way.
        a pipe with bob -> (reads many)
        said x*40000 | ö*16384 -> say(1, x*40000, bob) | (waits)
        told status(1, confirmed) -> say(2, ö*16384, bob) | (reads many)
    The screen is told how much has arrived.
        a pipe with bob, watched -> (reads many)
        said grüß | two -> say(1, grüß, bob) | say(2, two, bob) | [waiting 1, last waiting] |
            [waiting 2]
        told status(2, confirmed) -> [6 bytes] | [waiting 1] | [3 bytes] | [last confirmed] |
            [waiting 0]
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
    Lines are text whatever they say.
        a pipe with bob -> (reads many)
        said one | Quit | quit | To:x | tO: x | / |  /bye |  | drei: größer -> say(1, one, bob) |
            say(2, Quit, bob) | say(3, quit, bob) | say(4, To:x, bob) | say(5, tO: x, bob) |
            say(6, /, bob) | say(7,  /bye, bob) | say(8, , bob) | say(9, drei: größer, bob)
    The first line may call.
        a pipe -> (reads)
      * said To:bob -> to(bob) | (waits)
        told paired(bob) -> You are chatting with bob. | (reads many)
        said To:bob -> say(1, To:bob, bob)
      * said to:  bob  -> to(bob) | (waits)
        told paired(bob) -> You are chatting with bob. | (reads many)
        said to:  bob  -> say(1, to:  bob , bob)
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
    talk = Talk()
    talk.does("a pipe with bob")
    lines = " | ".join(map(str, range(UNSETTLED_SAYS)))
    assert talk.does(f"said {lines}")[UNSETTLED_SAYS - 1 :] == ["say(256, 255, bob)", "(waits)"]
    assert talk.does("told status(127, confirmed)") == []
    assert talk.does("told status(128, confirmed)") == ["(reads many)"]


@pytest.mark.parametrize("character", ["x", "ö", "\t", '"', "\U0001f600"])
def test_a_line_that_is_too_long_for_a_message_arrives_in_pieces(character: str) -> None:
    talk = Talk()
    talk.does("a pipe with bob")
    talk.stage.talk.typed(character * 70_000)
    texts: list[str] = []
    while said := [command for command in talk.stage.said() if isinstance(command, Say)]:
        texts += [say.text for say in said]
        talk.stage.tells(status(said[-1].id))
    assert [len(text) for text in texts] == [PIECE] * 4 + [6_000]
    assert "".join(texts) == character * 70_000
    told = "A line is too long for a message; it arrives as several."
    talk.stage.types(character * 70_000)
    assert talk.stage.screen.log == [told]
