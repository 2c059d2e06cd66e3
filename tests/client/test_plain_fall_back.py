"""How the client comes to talk with a server that speaks no JSON, without sockets."""

import pytest
from twisted.internet.error import ConnectError

from chatpair.client.ending import DONE, Ending, ExitStatus
from chatpair.client.person import PersonTalk
from chatpair.client.pipe import NO_NAME, PipeTalk
from tests.support.scene import BAD_NAME, LOST, Scene, claims_plainly, without_json

KINDS = [PersonTalk, PipeTalk]


def refuses(scene: Scene, answer: str) -> None:
    """Refuse the name, and let the client hang up."""
    scene.remote.prints(answer)
    assert scene.remote.transport.disconnecting
    scene.remote.drops()


# Falling back


@pytest.mark.parametrize("answer", ["OK", "Reuse", BAD_NAME])
def test_a_server_that_takes_the_mode_for_a_name_is_talked_with_plainly(answer: str) -> None:
    scene = Scene(PersonTalk, "alice")
    remote = scene.endpoint.accept()
    remote.prints(answer)
    assert remote.transport.disconnecting
    remote.drops()
    claims_plainly(scene, "alice")
    assert scene.results == []


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("The server is full.", "The server is full."),
        ("HTTP/1.1 400 Bad\x1b Request", "HTTP/1.1 400 Bad Request"),
        ("SSH-2.0-OpenSSH_10.0", "SSH-2.0-OpenSSH_10.0"),
        ("", "The server says nothing."),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_says_another_thing_is_a_problem(
    kind: type[PersonTalk | PipeTalk], answer: str, text: str
) -> None:
    scene = Scene(kind, "alice")
    remote = scene.endpoint.accept()
    remote.prints(answer)
    remote.drops()
    assert scene.results == [Ending(ExitStatus.NO_CONNECTION, text)]
    assert (scene.endpoint.attempts, scene.notices()) == ([], [])


@pytest.mark.parametrize("kind", KINDS)
def test_who_quits_meanwhile_does_not_fall_back(kind: type[PersonTalk | PipeTalk]) -> None:
    scene = Scene(kind, "alice")
    remote = scene.endpoint.accept()
    remote.prints("OK")
    scene.talk.quit()
    remote.drops()
    assert (scene.results, scene.endpoint.attempts) == ([DONE], [])


def test_a_second_connection_that_can_t_be_made_is_a_problem() -> None:
    scene = without_json(PipeTalk)
    scene.endpoint.refuse()
    assert [type(why) for why in scene.results] == [ConnectError]


def test_a_server_that_is_full_by_then_is_a_problem() -> None:
    scene = without_json(PersonTalk)
    claims_plainly(scene, "alice")
    scene.remote.prints("The server is full.")
    scene.remote.drops()
    assert scene.notices() == ["The server is full."]
    assert scene.results == [LOST]


# The name


def test_a_name_is_asked_for_and_asked_again_when_it_is_taken_or_bad() -> None:
    scene = without_json(PersonTalk, "")
    assert (scene.screen.questions, scene.endpoint.attempts) == (1, [])
    scene.types("bob")
    claims_plainly(scene, "bob")
    refuses(scene, "Reuse")
    assert (scene.screen.questions, scene.notices()) == (2, ["The name bob is taken."])
    scene.types("b b")
    assert (scene.screen.questions, scene.notices()) == (3, [BAD_NAME])
    assert scene.endpoint.attempts == []
    scene.types("bob2")
    claims_plainly(scene, "bob2")
    refuses(scene, "Bad name: not here")
    assert (scene.screen.questions, scene.notices()) == (4, ["Bad name: not here"])
    scene.types("alice")
    claims_plainly(scene, "alice")
    scene.remote.prints("OK", "Be kind.")
    assert scene.notices() == ["Welcome, alice.", "Be kind."]
    assert scene.screen.wanted


@pytest.mark.parametrize("name", ["/help", "/foo", "/who", "To:bob"])
def test_a_name_that_the_server_takes_for_a_command_can_be_corrected(name: str) -> None:
    scene = without_json(PersonTalk, "")
    scene.types(name)
    assert (scene.notices(), scene.endpoint.attempts) == ([BAD_NAME], [])
    scene.types("alice")
    claims_plainly(scene, "alice")


@pytest.mark.parametrize("name", ["", "Quit", "/quit"])
def test_a_person_may_quit_instead_of_a_name(name: str) -> None:
    scene = without_json(PersonTalk, "")
    scene.types(name)
    assert (scene.results, scene.endpoint.attempts) == ([DONE], [])


def test_a_pipe_s_refused_option_is_a_problem() -> None:
    scene = without_json(PipeTalk)
    claims_plainly(scene, "alice")
    refuses(scene, "Reuse")
    assert scene.screen.questions == 0
    assert scene.results == [Ending(ExitStatus.NAME, "The name alice is taken.")]


def test_a_pipe_s_first_lines_are_tried_as_names_when_no_option_gives_one() -> None:
    scene = without_json(PipeTalk, "")
    scene.types("bob")
    claims_plainly(scene, "bob")
    refuses(scene, "Reuse")
    scene.types("alice")
    claims_plainly(scene, "alice")
    scene.remote.prints("OK")
    assert scene.notices() == ["The name bob is taken.", "Welcome, alice."]
    assert scene.screen.wanted


def test_a_pipe_s_input_without_a_name_is_a_problem() -> None:
    scene = without_json(PipeTalk, "")
    scene.talk.input_ended()
    assert (scene.results, scene.endpoint.attempts) == ([NO_NAME], [])
