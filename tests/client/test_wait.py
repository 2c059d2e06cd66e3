"""How the client waits for the one to call, without sockets."""

import pytest

from chatpair.client.ending import DONE, Ending
from chatpair.messages import (
    AskWho,
    Call,
    Error,
    Here,
    JsonCommand,
    JsonEvent,
    Paired,
    Present,
    Quit,
    Say,
)
from tests.support.played import status
from tests.support.scene import EITHER_KIND, PAIRED, Kind, PlainScene, Scene, person, piped, settled

WAITING = "Waiting for bob ..."
WITH_CAROL = "You are chatting with carol."
BUSY = Error("to", "busy", "bob is talking with someone else.")


def asked(scene: Scene) -> list[JsonCommand]:
    """Return what was asked since the last time."""
    return [command for command in scene.said() if isinstance(command, AskWho | Call)]


def here(*names: str, more: int = 0) -> Here:
    """Return who is here; a star marks who is talking."""
    return Here([Present(name.rstrip("*"), name.endswith("*")) for name in names], more)


def finds(scene: Scene, *names: str, more: int = 0) -> list[JsonCommand]:
    """See that the client looks who is here, tell it, and return what it asks then."""
    assert asked(scene) == [AskWho()]
    scene.tells(here(*names, more=more))
    return asked(scene)


def waits_for(scene: Scene, seconds: float) -> None:
    """See that nothing is asked before so many seconds have passed."""
    scene.clock.advance(seconds - 0.25)
    assert asked(scene) == []
    scene.clock.advance(0.25)


@EITHER_KIND
def test_who_is_there_and_free_is_called_at_once(kind: Kind) -> None:
    scene = settled(kind, "bob", wait=True)
    assert finds(scene, "alice", "bob") == [Call("bob")]
    scene.tells(Paired("bob"))
    assert scene.notices() == [PAIRED]
    scene.types("hi")
    assert Say(1, "hi", "bob") in scene.said()
    scene.clock.advance(60)
    assert asked(scene) == []


@EITHER_KIND
def test_who_is_not_there_or_busy_is_looked_for_more_and_more_seldom(
    kind: Kind,
) -> None:
    scene = settled(kind, "Bob", wait=True)
    for names, seconds in (
        *((["alice"], 1.0), (["alice", "bob*"], 2.0), ([], 4.0), (["bob*"], 5.0)),
        (["bobby"], 5.0),
    ):
        assert finds(scene, *names) == []
        waits_for(scene, seconds)
    assert finds(scene, "BOB") == [Call("Bob")]
    scene.tells(Paired("bob"))
    assert scene.notices() == ["Waiting for Bob ...", PAIRED]


@EITHER_KIND
@pytest.mark.parametrize("code", ["unknown", "busy"])
def test_who_goes_or_is_called_by_another_meanwhile_is_waited_for(kind: Kind, code: str) -> None:
    scene = settled(kind, "bob", wait=True)
    assert finds(scene, "bob") == [Call("bob")]
    scene.tells(Error("to", code, "No."))  # type: ignore[arg-type]
    assert (scene.notices(), scene.results) == ([WAITING], [])
    waits_for(scene, 1.0)
    assert finds(scene, "bob") == [Call("bob")]
    scene.tells(Paired("bob"))
    assert scene.notices() == [PAIRED]


def test_where_not_all_are_named_whoever_is_waited_for_is_called_to_find_out() -> None:
    scene = piped("bob", wait=True)
    assert finds(scene, "alice", more=1) == [Call("bob")]


def test_any_other_refusal_ends_the_wait() -> None:
    refusal = Error("to", "self", "Please don't try to talk with yourself.")
    for start in (piped, person):
        scene = start("alice", wait=True)
        assert finds(scene, "alice") == [Call("alice")]
        scene.tells(refusal)
        if start is piped:
            scene.answers_quit(Ending(1, refusal.text))
        else:
            assert scene.notices() == [refusal.text]
            scene.clock.advance(60)
            assert (asked(scene), scene.screen.wanted, scene.results) == ([], True, [])


@pytest.mark.parametrize(
    ("found", "events", "told"),
    [
        ([], [Paired("carol")], [WAITING, WITH_CAROL]),
        (None, [Paired("carol"), here("carol*", more=1)], [WITH_CAROL]),
        (["bob"], [Paired("carol"), BUSY], [WITH_CAROL]),
    ],
    ids=["waiting", "asking", "calling"],
)
def test_a_person_who_talks_with_somebody_else_waits_no_more_and_hears_no_more_of_it(
    found: list[str] | None, events: list[JsonEvent], told: list[str]
) -> None:
    scene = person("bob", wait=True)
    if found is None:
        assert asked(scene) == [AskWho()]
    else:
        assert finds(scene, *found) == [Call(name) for name in found]
    scene.tells(*events)
    scene.clock.advance(60)
    assert asked(scene) == []
    assert scene.notices() == told


def test_a_person_who_calls_somebody_else_waits_no_more() -> None:
    scene = person("bob", wait=True)
    assert finds(scene) == []
    scene.types("To:carol")
    assert asked(scene) == [Call("carol")]
    scene.tells(Error("to", "unknown", "The user carol does not exist."))
    scene.clock.advance(60)
    assert asked(scene) == []
    assert scene.notices() == [WAITING, "The user carol does not exist."]


def test_a_person_may_do_anything_meanwhile() -> None:
    scene = person("bob", wait=True)
    assert scene.screen.wanted
    scene.types("/help", "/quit")
    scene.answers_quit(DONE)
    scene.clock.advance(60)


def test_a_pipe_waits_on_whoever_else_calls() -> None:
    scene = piped("bob", wait=True)
    assert finds(scene, "alice") == []
    scene.tells(Paired("carol"))
    waits_for(scene, 1.0)
    assert not scene.screen.wanted
    assert finds(scene, "alice*", "carol*", "bob") == [Call("bob")]
    scene.tells(Paired("bob"))
    scene.types("hi")
    assert Say(1, "hi", "bob") in scene.said()


@EITHER_KIND
@pytest.mark.parametrize("state", ["asking", "calling", "waiting"])
def test_who_is_waited_for_may_call(kind: Kind, state: str) -> None:
    scene = settled(kind, "bob", wait=True)
    if state == "asking":
        assert asked(scene) == [AskWho()]
    else:
        finds(scene, *(["bob"] if state == "calling" else []))
    scene.tells(Paired("bob"))
    if state == "asking":
        scene.tells(here("alice*", "bob*"))
    elif state == "calling":
        scene.tells(Error("to", "already", "You are already chatting with bob."))
    scene.types("hi")
    assert Say(1, "hi", "bob") in scene.said()
    scene.clock.advance(60)
    assert asked(scene) == []
    assert scene.notices() == ([WAITING, PAIRED] if state == "waiting" else [PAIRED])


def test_the_first_line_of_a_pipe_may_say_whom_to_wait_for() -> None:
    scene = piped(wait=True)
    scene.types("To:bob")
    assert finds(scene) == []
    waits_for(scene, 1.0)
    assert finds(scene, "bob") == [Call("bob")]


def test_an_input_that_has_ended_waits_as_well() -> None:
    scene = piped("bob", wait=True)
    scene.talk.input_ended()
    assert finds(scene) == []
    assert Quit() not in scene.said()
    waits_for(scene, 1.0)
    assert finds(scene, "bob") == [Call("bob")]
    scene.tells(Paired("bob"))
    scene.answers_quit(DONE)


@pytest.mark.parametrize("state", ["asking", "waiting"])
def test_who_quits_meanwhile_asks_no_more(state: str) -> None:
    scene = piped("bob", wait=True)
    if state == "waiting":
        finds(scene)
    scene.talk.quit()
    scene.answers_quit(DONE)
    scene.clock.advance(60)
    assert asked(scene) == []


def test_a_wait_goes_on_over_a_lost_connection() -> None:
    scene = piped("bob", wait=True)
    assert asked(scene) == [AskWho()]
    scene.drops()
    scene.resumes(1, 0, peer=None)
    assert asked(scene) == [AskWho()]
    scene.tells(here("bob"))
    assert asked(scene) == [Call("bob")]
    scene.tells(Paired("bob"))
    scene.types("hi")
    scene.talk.input_ended()
    scene.said()
    scene.tells(status(1))
    scene.answers_quit(DONE)


@EITHER_KIND
def test_a_plain_server_is_not_asked_who_is_there(kind: Kind) -> None:
    scene = settled(kind, "bob", PlainScene, wait=True)
    # To an old server that would be text, for nobody.
    assert scene.remote.lines() == [b"To:bob"]
    scene.remote.prints("bob is talking with someone else.")
    scene.clock.advance(1.0)
    assert scene.remote.lines() == [b"To:bob"]
    scene.remote.prints("The user bob does not exist.")
    scene.clock.advance(2.0)
    assert scene.remote.lines() == [b"To:bob"]
    scene.remote.prints(PAIRED)
    scene.clock.advance(60)
    assert scene.remote.lines() == []
    assert scene.notices() == [WAITING, PAIRED]
