"""The exit status of the client, and what it says last, without sockets."""

from collections.abc import Callable
from signal import SIGHUP, SIGINT, SIGPIPE, SIGTERM
from typing import Any

import pytest

from chatpair.client.ending import DONE, Ending, interrupted
from chatpair.client.pipe import PipeTalk
from chatpair.factory import NOBODY
from chatpair.messages import Error, Quit
from tests.support.played import refused, status
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

NO_ANSWER = "The server did not answer."
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


def test_a_pipe_whose_line_another_has_taken_over_has_no_connection() -> None:
    scene = piped_to_bob()
    scene.tells(refused(None, "bad-key"))
    scene.remote.drops()
    assert (scene.results, scene.endpoint.attempts) == ([Ending(2, "No.")], [])


def test_a_refusal_has_no_controls_of_the_server_s() -> None:
    scene = piped("carol")
    scene.tells(Error("to", "unknown", "The user carol\x1b does not exist."))
    scene.answers_quit(Ending(4, "The user carol does not exist."))


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


@pytest.mark.parametrize(
    ("start", "ending"), [(chatting, Ending(130, NO_ANSWER)), (piped_to_bob, INTERRUPTED)]
)
@EITHER_SERVER
def test_a_second_interrupt_does_not_wait_for_the_answer(
    server: type[Scene], start: Callable[[type[Scene]], Scene], ending: Ending
) -> None:
    scene = start(server)
    scene.talk.interrupt(SIGINT)
    assert (scene.commands(), scene.results) == ([Quit()], [])
    scene.talk.interrupt(SIGINT)
    assert scene.results == [ending]
    scene.talk.interrupt(SIGINT)
    scene.remote.drops()
    assert (scene.commands(), scene.results) == ([], [ending])


def test_a_second_interrupt_tells_what_may_not_have_arrived() -> None:
    scene = chatting()
    scene.types("one", "two", "three")
    scene.tells(status(1))
    scene.talk.interrupt(SIGINT)
    scene.talk.interrupt(SIGINT)
    text = "The server did not answer. What is not known to have arrived: 2."
    assert scene.results == [Ending(130, text)]
    scene.remote.drops()


def test_an_interrupt_of_who_quits_already_does_not_wait_for_the_answer() -> None:
    scene = piped_to_bob()
    scene.talk.input_ended()
    scene.talk.interrupt(SIGINT)
    assert scene.results == [Ending(130, NO_ANSWER)]
    scene.remote.drops()
