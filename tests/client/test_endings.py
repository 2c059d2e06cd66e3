"""The exit status of the client, and what it says last, without sockets."""

from collections.abc import Callable
from signal import SIGHUP, SIGINT, SIGPIPE, SIGTERM
from typing import Any

import pytest

from chatpair.client.ending import DONE, Ending, interrupted
from chatpair.client.pipe import PipeTalk
from chatpair.exchange.messages import Error, Quit
from chatpair.exchange.pairs import NOBODY
from tests.support.scene import (
    EITHER_KIND,
    EITHER_SERVER,
    INTERRUPTED,
    Kind,
    PlainScene,
    Scene,
    chatting,
    person,
    piped,
    piped_to_bob,
)
from tests.support.talks import play
from tests.support.transcript import scenes

NOT_READY = "The switchboard is not ready."

# Refusals


@pytest.mark.parametrize(
    ("code", "text", "ending"),
    [
        ("reuse", "The name alice is taken.", Ending(3, "The name alice is taken.")),
        ("bad-name", "not here", Ending(3, "Bad name: not here")),
        ("try-later", NOT_READY, Ending(2, NOT_READY)),
    ],
)
@EITHER_SERVER
def test_a_pipe_ends_when_its_name_is_refused(
    server: type[Scene], code: str, text: str, ending: Ending
) -> None:
    scene = server(PipeTalk, "alice")
    scene.claims("alice")
    scene.refuses(code, text)
    assert (scene.screen.questions, scene.results) == (0, [ending])


def test_a_name_that_no_server_would_take_is_refused_at_once() -> None:
    scene = Scene(PipeTalk, "a b")
    ((number, text),) = scene.results
    assert (number, text[:10], scene.endpoint.attempts) == (3, "Bad name: ", [])


REFUSALS = [
    ("unknown", "The user bob does not exist.", 4),
    ("unknown", "Say who: To:bob", 4),
    ("busy", "bob is talking with someone else.", 5),
    ("busy", "bob is not reading at the moment.", 5),
    ("self", "Please don't try to talk with yourself.", 1),
    ("nobody", NOBODY, 6),
    ("too-long", "That line was not sent: it has over 65536 bytes.", 7),
    ("try-later", NOT_READY, 2),
]


@pytest.mark.parametrize(
    ("server", "code", "text", "number"),
    [
        *((server, *refusal) for server in (Scene, PlainScene) for refusal in REFUSALS),
        (Scene, "no-such", "There is no such command.", 2),
    ],
)
def test_a_pipe_ends_when_its_call_is_refused_and_the_first_refusal_counts(
    server: type[Scene], code: Any, text: str, number: int
) -> None:
    scene = piped("bob", server)
    scene.tells(Error("to", code, text), Error(None, "unknown", "The user carol does not exist."))
    assert scene.notices() == []
    scene.answers_quit(Ending(number, text))


@pytest.mark.parametrize(
    ("server", "code", "text", "number"),
    [
        *((PlainScene, *refusal) for refusal in REFUSALS if refusal[0] != "try-later"),
        (Scene, "nobody", NOBODY, 6),
        (Scene, "too-long", "It has over 40 bytes.", 7),
    ],
)
def test_a_pipe_ends_when_the_server_takes_no_more(
    server: type[Scene], code: Any, text: str, number: int
) -> None:
    scene = piped_to_bob(server)
    scene.types("one")
    scene.tells(Error(None, code, text))
    scene.answers_quit(Ending(number, text))


@pytest.mark.parametrize(("code", "text", "number"), REFUSALS)
@EITHER_SERVER
def test_a_person_goes_on_after_a_refusal(
    server: type[Scene], code: Any, text: str, number: int
) -> None:
    scene = person("bob", server)
    scene.tells(Error("to", code, text))
    if server is Scene or code != "nobody":  # which is no answer to a call
        assert scene.screen.wanted
    assert (scene.notices(), scene.results) == ([text], [])
    scene.talk.typed("/quit")
    scene.answers_quit(DONE)


# Leaving

SIGNALS = [
    (SIGTERM, Ending(143, "Terminated.")),
    (SIGHUP, Ending(129, "Terminated.")),
    (SIGPIPE, Ending(141, "The output was closed.")),
]


@pytest.mark.parametrize(
    ("start", "leave", "ending"),
    [
        (chatting, lambda talk: talk.quit(), DONE),
        (chatting, lambda talk: talk.input_ended(), DONE),
        (chatting, lambda talk: talk.interrupt(SIGINT), DONE),
        (piped_to_bob, lambda talk: talk.interrupt(SIGINT), INTERRUPTED),
        *(
            (start, lambda talk, number=number: talk.fail(interrupted(number)), ending)
            for start in (chatting, piped_to_bob)
            for number, ending in SIGNALS
        ),
        (chatting, lambda talk: talk.stopProducing(), Ending(141, "The output was closed.")),
        (piped_to_bob, lambda talk: talk.stopProducing(), Ending(141, "The output was closed.")),
    ],
)
@EITHER_SERVER
def test_who_leaves_waits_for_the_answer(
    server: type[Scene],
    start: Callable[[type[Scene]], Scene],
    leave: Callable[[Any], None],
    ending: Ending,
) -> None:
    scene = start(server)
    scene.types("last")
    leave(scene.talk)
    assert not scene.screen.wanted
    scene.talk.typed("too late")
    said, left = scene.commands()
    assert (getattr(said, "text", None), left) == ("last", Quit())
    assert scene.results == []
    scene.ends_with(ending)


@EITHER_KIND
@EITHER_SERVER
def test_who_is_interrupted_before_there_is_a_name_has_a_problem(
    server: type[Scene], kind: Kind
) -> None:
    scene = server(kind, "alice")
    scene.claims("alice")
    scene.talk.interrupt(SIGINT)
    assert scene.commands() == [Quit()]
    scene.remote.drops()
    assert scene.results == [INTERRUPTED]


@scenes(
    """
    A second interrupt does not wait for the answer.
        a person with bob -> (reads)
        is interrupted -> quit() | (waits)
        is interrupted -> (ends 130: The server did not answer.)
        is interrupted
        the connection is lost
    Nor does that of a pipe.
        a pipe with bob -> (reads many)
        is interrupted -> quit() | (waits)
        is interrupted -> (ends 130: Interrupted.)
        is interrupted
        the connection is lost
    """
)
@EITHER_SERVER
def test_who_insists_does_not_wait(server: type[Scene], scene: str) -> None:
    play(scene, server)


@scenes(
    """
    A second interrupt tells what may not have arrived.
        a person with bob -> (reads)
        said one | two | three -> say(1, one, bob) | say(2, two, bob) | say(3, three, bob)
        told status(1, confirmed)
        is interrupted -> quit() | (waits)
        is interrupted -> (ends 130: The server did not answer. What is not known to have arrived:
            2.)
    An interrupt of who quits already does not wait for the answer.
        a pipe with bob -> (reads many)
        the input ends -> quit() | (waits)
        is interrupted -> (ends 130: The server did not answer.)
    A pipe whose line another has taken over has no connection.
        a pipe with bob -> (reads many)
        taken over -> (hangs up)
        the connection is lost -> (waits) | (ends 2: No.)
    A refusal has no controls of the server's.
        a pipe for carol -> to(carol)
        told error(to, unknown, The user carol\\e does not exist.) -> quit()
        let go -> (ends 4: The user carol does not exist.)
    """
)
def test_a_talk_ends(scene: str) -> None:
    play(scene)
