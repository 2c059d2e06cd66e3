"""The exit status of the client, and what it says last, without sockets."""

from signal import SIGHUP, SIGINT, SIGPIPE, SIGTERM

import pytest

from chatpair.client.ending import DONE, Ending, interrupted
from chatpair.client.person import PersonTalk
from chatpair.client.pipe import PipeTalk
from chatpair.messages import Error, Quit
from tests.support.played import refused, status
from tests.support.scene import INTERRUPTED, Scene, chatting, person, piped, piped_to_bob

KINDS = [PersonTalk, PipeTalk]
NO_ANSWER = "The server did not answer."

# Refusals


@pytest.mark.parametrize(("code", "number"), [("reuse", 3), ("bad-name", 3), ("try-later", 2)])
def test_a_pipe_ends_when_its_name_is_refused(code: str, number: int) -> None:
    scene = Scene(PipeTalk, "alice")
    scene.claims("alice")
    scene.refuses(code)
    text = "Bad name: No." if code == "bad-name" else "No."
    assert scene.results == [Ending(number, text)]


def test_a_name_that_no_server_would_take_is_refused_at_once() -> None:
    scene = Scene(PipeTalk, "a b")
    ((number, text),) = scene.results
    assert (number, text[:10], scene.endpoint.attempts) == (3, "Bad name: ", [])


@pytest.mark.parametrize(
    ("code", "number"),
    [("unknown", 4), ("busy", 5), ("self", 1), ("too-long", 7), ("no-such", 2), ("try-later", 2)],
)
def test_a_pipe_ends_when_its_call_is_refused(code: str, number: int) -> None:
    scene = piped("bob")
    scene.tells(refused("to", code))
    scene.answers_quit(Ending(number, "No."))


@pytest.mark.parametrize(("code", "number"), [("nobody", 6), ("too-long", 7)])
def test_a_pipe_ends_when_the_server_takes_no_more(code: str, number: int) -> None:
    scene = piped_to_bob()
    scene.types("one")
    scene.tells(refused(None, code))
    scene.answers_quit(Ending(number, "No."))


def test_a_pipe_whose_line_another_has_taken_over_has_no_connection() -> None:
    scene = piped_to_bob()
    scene.tells(refused(None, "bad-key"))
    scene.remote.drops()
    assert (scene.results, scene.endpoint.attempts) == ([Ending(2, "No.")], [])


def test_the_first_refusal_counts() -> None:
    scene = piped("bob")
    scene.tells(Error("to", "busy", "One."), Error(None, "too-long", "Two."))
    scene.answers_quit(Ending(5, "One."))


def test_a_refusal_has_no_controls_of_the_server_s() -> None:
    scene = piped("carol")
    scene.tells(Error("to", "unknown", "The user carol\x1b does not exist."))
    scene.answers_quit(Ending(4, "The user carol does not exist."))


@pytest.mark.parametrize("code", ["unknown", "busy", "self", "nobody", "too-long"])
def test_a_person_goes_on_after_a_refusal(code: str) -> None:
    scene = person("bob")
    scene.tells(refused("to", code))
    assert (scene.notices(), scene.results, scene.screen.wanted) == (["No."], [], True)
    scene.types("/quit")
    scene.answers_quit(DONE)


# Interrupts


def test_a_person_s_interrupt_is_no_problem() -> None:
    scene = chatting()
    scene.talk.interrupt(SIGINT)
    scene.answers_quit(DONE)


def test_a_pipe_s_interrupt_is_a_problem() -> None:
    scene = piped_to_bob()
    scene.talk.interrupt(SIGINT)
    scene.answers_quit(INTERRUPTED)


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_interrupted_before_there_is_a_name_has_a_problem(
    kind: type[PersonTalk | PipeTalk],
) -> None:
    scene = Scene(kind, "alice")
    scene.claims("alice")
    scene.talk.interrupt(SIGINT)
    assert scene.said() == [Quit()]
    scene.remote.drops()
    assert scene.results == [INTERRUPTED]


def test_a_second_interrupt_does_not_wait_for_the_answer() -> None:
    scene = chatting()
    scene.talk.interrupt(SIGINT)
    assert scene.results == []
    scene.talk.interrupt(SIGINT)
    assert scene.results == [Ending(130, NO_ANSWER)]
    scene.talk.interrupt(SIGINT)
    scene.remote.drops()
    assert len(scene.results) == 1


def test_a_second_interrupt_tells_what_may_not_have_arrived() -> None:
    scene = chatting()
    scene.types("one", "two", "three")
    scene.tells(status(1))
    scene.talk.interrupt(SIGINT)
    scene.talk.interrupt(SIGINT)
    text = "The server did not answer. What is not known to have arrived: 2."
    assert scene.results == [Ending(130, text)]
    scene.remote.drops()


def test_a_second_interrupt_leaves_the_first_problem() -> None:
    scene = piped_to_bob()
    scene.talk.interrupt(SIGINT)
    scene.talk.interrupt(SIGINT)
    assert scene.results == [INTERRUPTED]
    scene.remote.drops()


def test_an_interrupt_of_who_quits_already_does_not_wait_for_the_answer() -> None:
    scene = piped_to_bob()
    scene.talk.input_ended()
    scene.talk.interrupt(SIGINT)
    assert scene.results == [Ending(130, NO_ANSWER)]
    scene.remote.drops()


@pytest.mark.parametrize(
    ("number", "ending"),
    [
        (SIGTERM, Ending(143, "Terminated.")),
        (SIGHUP, Ending(129, "Terminated.")),
        (SIGPIPE, Ending(141, "The output was closed.")),
    ],
)
@pytest.mark.parametrize("is_person", [False, True])
def test_a_signal_waits_for_the_answer(number: int, ending: Ending, is_person: bool) -> None:
    scene = chatting() if is_person else piped_to_bob()
    scene.talk.fail(interrupted(number))
    scene.answers_quit(ending)


@pytest.mark.parametrize("is_person", [False, True])
def test_a_closed_output_is_a_problem(is_person: bool) -> None:
    scene = chatting() if is_person else piped_to_bob()
    scene.talk.stopProducing()
    scene.answers_quit(Ending(141, "The output was closed."))
