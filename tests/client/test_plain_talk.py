"""Talks with a server that speaks no JSON, where they differ from others, without sockets."""

import pytest
from twisted.internet.error import ConnectError

from chatpair.client.ending import DONE, Ending, ExitStatus
from chatpair.client.person import PersonTalk
from chatpair.client.pipe import PipeTalk
from chatpair.client.waiters import UNSETTLED_SAYS
from chatpair.exchange.pairs import NOBODY
from tests.support.scene import (
    BAD_NAME,
    EITHER_KIND,
    LOST,
    Kind,
    PlainScene,
    Scene,
    chatting,
    nameless,
    piped_to_bob,
)
from tests.support.talks import play
from tests.support.transcript import scenes

FROM_BOB = "[Sun Nov 22 20:22:01 2026] bob: (hi)"

# Falling back


@pytest.mark.parametrize("answer", ["OK", "Reuse", BAD_NAME])
def test_a_server_that_takes_the_mode_for_a_name_is_talked_with_plainly(answer: str) -> None:
    scene = Scene(PersonTalk, "alice")
    remote = scene.endpoint.accept()
    remote.prints(answer)
    assert remote.transport.disconnecting
    remote.drops()
    scene.remote = scene.endpoint.accept()
    assert (scene.remote.lines(), scene.results) == ([b"alice"], [])


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("The server is full.", "The server is full."),
        ("HTTP/1.1 400 Bad\x1b Request", "HTTP/1.1 400 Bad Request"),
        ("SSH-2.0-OpenSSH_10.0", "SSH-2.0-OpenSSH_10.0"),
        ("", "The server says nothing."),
    ],
)
@EITHER_KIND
def test_a_server_that_says_another_thing_is_a_problem(kind: Kind, answer: str, text: str) -> None:
    scene = Scene(kind, "alice")
    remote = scene.endpoint.accept()
    remote.prints(answer)
    remote.drops()
    assert scene.results == [Ending(ExitStatus.NO_CONNECTION, text)]
    assert (scene.endpoint.attempts, scene.notices()) == ([], [])


@EITHER_KIND
def test_who_quits_meanwhile_does_not_fall_back(kind: Kind) -> None:
    scene = Scene(kind, "alice")
    remote = scene.endpoint.accept()
    remote.prints("OK")
    scene.talk.quit()
    remote.drops()
    assert (scene.results, scene.endpoint.attempts) == ([DONE], [])


def test_a_second_connection_that_can_t_be_made_is_a_problem() -> None:
    scene = PlainScene(PipeTalk, "alice")
    scene.endpoint.refuse()
    assert [type(why) for why in scene.results] == [ConnectError]


def test_a_server_that_is_full_by_then_is_a_problem() -> None:
    scene = PlainScene(PersonTalk, "alice")
    scene.claims("alice")
    scene.remote.prints("The server is full.")
    scene.remote.drops()
    assert scene.notices() == ["The server is full."]
    assert scene.results == [LOST]


@pytest.mark.parametrize("name", ["/help", "/foo", "/who", "To:bob"])
def test_a_name_that_the_server_takes_for_a_command_can_be_corrected(name: str) -> None:
    scene = nameless(PersonTalk, PlainScene)
    scene.types(name)
    assert (scene.notices(), scene.endpoint.attempts) == ([BAD_NAME], [])
    scene.types("alice")
    scene.claims("alice")


# PLAIN
@scenes(
    """
    What a person types is said or done.
        a person with bob -> (reads)
        said /who |  grüß dich |  To:carol | To be\\nor not\\nTo:be | /bye -> who() | say(0,  grüß
            dich) | say(0,  To:carol) | say(0, To be) | say(0, or not) | say(0,  To:be) | bye()
        said To:carol -> to(carol) | (waits)
        printed You are chatting with carol. -> You are chatting with carol. | (reads)
        said /quit -> quit() | (waits)
        let go -> (ends 0)
    The peer's lines are shown apart from the server's.
        a person -> (reads)
        printed You are chatting with bob. | [Sun Nov 22 20:22:01 2026] bob: (hi) -> (rings) | You
            are chatting with bob. | bob: (hi)
        printed carol tried to reach you. | Here: alice, bob | [bob: (hi) | Bad name: x -> carol
            tried to reach you. | Here: alice, bob | [bob: (hi) | Bad name: x
        printed [nobody] | Quit. | You are free. -> [nobody] | bob has left. | You are free.
    A person learns what a lost connection has not taken.
        a person with bob -> (reads)
        said one -> say(0, one)
        the server takes no more
        said two -> say(0, two)
        the connection is lost -> Not delivered: two | (waits) | (ends 2: The connection to the
            server was lost.)
    Others' events and a refusal leave a person with whom they are.
        a person -> (reads)
        said hello? | To:bob -> say(0, hello?) | to(bob) | (waits)
        printed [nobody] | You are chatting with carol. | dave tried to reach you. -> [nobody] | You
            are chatting with carol. | dave tried to reach you.
        printed bob is talking with someone else. -> bob is talking with someone else. | (reads)
        said hello! -> say(0, hello!)
    A pipe's lines are text whatever they say.
        a pipe with bob -> (reads many)
        said one | Quit | quit | To:x | tO: x | / |  /bye |  | drei: größer -> say(0, one) |
            say(0,  Quit) | say(0, quit) | say(0,  To:x) | say(0,  tO: x) | say(0,  /) |
            say(0,  /bye) | say(0, ) | say(0, drei: größer)
        said many\\n/bye\\n -> say(0, many) | say(0,  /bye) | say(0, )
        the input ends -> quit() | (waits)
        let go -> (ends 0)
    A call without an answer is no problem for a person.
        a person for bob -> to(bob)
        just 10 seconds pass -> The server did not answer. | (reads)
    A call without an answer is a problem for a pipe.
        a pipe for bob -> to(bob)
        just 10 seconds pass -> quit()
        let go -> (ends 2: The server did not answer.)
    A server that closes without an answer is a problem.
        a person with bob -> (reads)
      * the connection is lost -> (waits) | (ends 2: The connection to the server was lost.)
      * quits -> quit() | (waits)
        the connection is lost -> (ends 2: The connection to the server was lost.)
    It is for a pipe as well.
        a pipe with bob -> (reads many)
      * the connection is lost -> (waits) | (ends 7: The connection was lost; not all may have
              arrived.)
      * the input ends -> quit() | (waits)
        the connection is lost -> (ends 7: The connection was lost; not all may have arrived.)
    Lines that a lost connection has not taken have not arrived.
        a pipe with bob -> (reads many)
        the server takes no more
        said one -> say(0, one)
        the connection is lost -> (waits) | (ends 7: The talk ended early: the connection was lost
            for too long, or the server was restarted.)
    """
)
def test_a_talk_is_plain(scene: str) -> None:
    play(scene, PlainScene)


def test_a_text_is_sent_and_not_delivered_where_nobody_is() -> None:
    scene = chatting(PlainScene)
    lasts = []
    for answer in ("Quit.", NOBODY):
        scene.types("hi")
        lasts.append(scene.screen.standings[-1].last)
        scene.remote.prints(answer)
        lasts.append(scene.screen.standings[-1].last)
    assert lasts == ["sent", None, "sent", "failed"]


def test_who_has_hung_up_has_no_peer() -> None:
    scene = chatting(PlainScene)
    assert scene.screen.standings[-1].peer == "bob"
    scene.types("/bye")
    scene.remote.prints("You are free.")
    assert scene.screen.standings[-1].peer is None
    assert scene.screen.standings[-1].connected


def test_nobody_is_told_of_typing_and_who_is_there_is_not_known() -> None:
    scene = chatting(PlainScene)
    scene.talk.is_typing()
    found: list[list[str]] = []
    scene.talk.others().addCallback(found.append)
    assert (scene.remote.lines(), found) == ([], [[]])


def test_no_more_lines_are_read_than_the_server_takes() -> None:
    scene = piped_to_bob(PlainScene)
    scene.remote.takes_more(False)
    scene.types(*(str(number) for number in range(UNSETTLED_SAYS)))
    assert not scene.screen.wanted
    scene.talk.input_ended()
    assert b"Quit" not in scene.remote.lines()
    scene.remote.takes_more(True)
    assert scene.screen.sizes == [len(str(number)) for number in range(UNSETTLED_SAYS)]
    scene.answers_quit(DONE)


def test_the_server_waits_until_the_output_takes_more() -> None:
    scene = piped_to_bob(PlainScene)
    scene.talk.pauseProducing()
    scene.remote.prints(FROM_BOB, FROM_BOB, "Quit.")
    assert scene.remote.transport.producerState == "paused"
    assert (len(scene.screen.messages), scene.notices()) == (1, [])
    scene.talk.resumeProducing()
    assert scene.remote.transport.producerState == "producing"
    assert (len(scene.screen.messages), scene.notices()) == (2, ["bob has left."])
