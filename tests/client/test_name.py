"""How the client gets a connection and a name, without sockets."""

from collections.abc import Callable
from signal import SIGINT

import pytest
from twisted.internet.error import ConnectError

from chatpair.client.ending import DONE, Ending, ExitStatus
from chatpair.client.person import PersonTalk
from chatpair.exchange.messages import Named
from tests.support.scene import BAD_NAME, EITHER_SERVER, INTERRUPTED, Scene, nameless

# The name


@EITHER_SERVER
def test_a_name_is_asked_for_and_asked_again_when_it_is_taken_or_bad(server: type[Scene]) -> None:
    scene = nameless(PersonTalk, server)
    assert (scene.screen.questions, scene.notices(), scene.endpoint.attempts) == (1, [], [])
    scene.types("bob")
    scene.claims("bob")
    scene.refuses("reuse", "The name bob is taken.")
    assert (scene.screen.questions, scene.notices()) == (2, ["The name bob is taken."])
    scene.types("b b")
    assert (scene.screen.questions, scene.notices()) == (3, [BAD_NAME])
    assert scene.endpoint.attempts == []
    scene.types("bob2")
    scene.claims("bob2")
    scene.refuses("bad-name", "not here")
    assert (scene.screen.questions, scene.notices()) == (4, ["Bad name: not here"])
    scene.types("alice")
    scene.claims("alice")
    scene.tells(Named("alice", "key", "Be kind.\n\x1b[2JHave fun."))
    assert scene.notices() == ["Welcome, alice.", "Be kind.", "[2JHave fun."]
    assert scene.screen.wanted


@pytest.mark.parametrize(
    "leave",
    [
        *(lambda scene, name=name: scene.types(name) for name in ("Quit", "/quit")),
        lambda scene: scene.talk.input_ended(),
        lambda scene: scene.talk.interrupt(SIGINT),
    ],
)
@EITHER_SERVER
def test_a_person_may_leave_when_a_name_is_asked_for(
    server: type[Scene], leave: Callable[[Scene], None]
) -> None:
    scene = nameless(PersonTalk, server)
    leave(scene)
    assert (scene.results, scene.screen.wanted, scene.endpoint.attempts) == ([DONE], False, [])


def test_a_person_s_refused_option_makes_the_client_ask() -> None:
    scene = Scene(PersonTalk, "a b")
    assert (scene.screen.questions, scene.notices()) == (1, [BAD_NAME])
    scene.types("bob")
    scene.claims("bob")
    scene.refuses("reuse")
    assert scene.screen.questions == 2


# The first connection


def test_a_server_that_can_t_be_reached_is_a_problem_at_once() -> None:
    scene = Scene(PersonTalk, "alice")
    scene.endpoint.refuse()
    scene.clock.advance(0)
    assert [type(why) for why in scene.results] == [ConnectError]
    assert scene.clock.getDelayedCalls() == []


def test_a_server_that_is_full_is_a_problem() -> None:
    scene = Scene(PersonTalk, "alice")
    scene.claims("alice")
    scene.refuses("try-later")
    assert scene.results == [Ending(ExitStatus.NO_CONNECTION, "No.")]


def test_a_connection_that_is_lost_before_there_is_a_name_is_a_problem() -> None:
    scene = Scene(PersonTalk, "alice")
    scene.claims("alice")
    scene.remote.drops()
    lost = "The connection to the server was lost."
    assert scene.results == [Ending(ExitStatus.NO_CONNECTION, lost)]
    assert scene.clock.getDelayedCalls() == []


def test_an_interrupt_while_connecting_is_a_problem() -> None:
    scene = Scene(PersonTalk, "alice")
    scene.talk.interrupt(SIGINT)
    scene.endpoint.refuse()
    assert scene.results == [INTERRUPTED]
