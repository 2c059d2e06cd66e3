"""What users set for calls, and calls that ring, in the client: without sockets, and with."""

import pytest

from chatpair.client.ending import DONE, Ending, ExitStatus
from chatpair.client.session import Refused
from chatpair.codecs import json
from chatpair.messages import (
    AnyEvent,
    AskWho,
    Block,
    Blocked,
    Call,
    DndSet,
    Error,
    Free,
    HangUp,
    Here,
    JsonCommand,
    Paired,
    Present,
    Ringing,
    RingSet,
    Say,
    SetDnd,
    SetRing,
    Setting,
    Unanswered,
    Unblock,
    Unblocked,
)
from tests.support.clients import Piped, Terminal, at
from tests.support.played import HI, named, outcome, paired, refused, status
from tests.support.scene import (
    EITHER_KIND,
    EITHER_SERVER,
    PAIRED,
    Kind,
    PlainScene,
    Scene,
    chatting,
    person,
    piped,
    settled,
)
from tests.support.server import Server

RINGS = Error("to", "ringing", "bob's line is ringing.")
DND = Error("to", "dnd", "bob does not want to be disturbed.")
NO_ANSWER = "bob does not answer."

# What is set, how the server confirms it, what a person types for it, and the line that says so.
SETTINGS: list[tuple[Setting, AnyEvent, str, str]] = [
    (SetDnd(True), DndSet(True), "/dnd", "You are not disturbed now."),
    (SetDnd(False), DndSet(False), "/DND off", "You can be called again."),
    (SetRing(True), RingSet(True), "/ring on", "Your line rings when somebody calls."),
    (SetRing(False), RingSet(False), "/ring off", "Your line does not ring any more."),
    (Block("bob"), Blocked("bob"), "/block bob", "You have blocked bob."),
    (Unblock("bob"), Unblocked("bob"), "/unblock bob", "You have unblocked bob."),
]
TYPED = pytest.mark.parametrize(("setting", "event", "line", "shown"), SETTINGS)


# A program's line


@TYPED
def test_what_a_program_sets_is_answered(
    setting: Setting, event: AnyEvent, line: str, shown: str
) -> None:
    play = named()
    done, failed = outcome(play.line.apply(setting)), outcome(play.line.apply(setting))
    assert play.said() == [setting]
    play.tells(event)  # type: ignore[arg-type]
    assert (done, play.heard()) == ([None], [event])
    assert setting in play.said()
    play.tells(refused(json.word(setting), "unknown"))
    assert [why.code for why in failed] == ["unknown"]
    assert play.heard() == []


def test_a_line_that_blocks_its_peer_has_none() -> None:
    play = paired()
    done = outcome(play.line.apply(Block("bob")))
    play.tells(Free())
    assert (done, play.line.peer) == ([], None)
    play.tells(Blocked("bob"))
    assert done == [None]


def test_a_setting_that_a_drop_swallowed_is_sent_again() -> None:
    play = named()
    done = outcome(play.line.apply(SetDnd(True)))
    play.said()
    play.drops()
    play.resumes(1, 0, peer=None)
    assert play.said() == [SetDnd(True)]
    play.tells(DndSet(True))
    assert done == [None]


def test_a_program_hears_what_comes_of_a_call_that_rings() -> None:
    play = named()
    called, called_again = outcome(play.line.call("bob")), outcome(play.line.call("bob"))
    play.tells(RINGS)
    assert [(type(why), why.code) for why in called] == [(Refused, "ringing")]
    play.tells(Unanswered("bob"))
    assert (play.heard(), called_again) == ([Unanswered("bob")], [])
    play.tells(RINGS, Paired("bob"))
    assert [why.code for why in called_again] == ["ringing"]
    assert (play.heard(), play.line.peer) == ([Paired("bob")], "bob")


# A person


@TYPED
@EITHER_SERVER
def test_what_a_person_sets_is_shown(
    server: type[Scene], setting: Setting, event: AnyEvent, line: str, shown: str
) -> None:
    scene = person(server=server)
    scene.types(line)
    assert setting in scene.commands()
    assert scene.screen.wanted == (server is PlainScene)  # which may never answer
    scene.tells(event)  # type: ignore[arg-type]
    assert scene.notices() == [shown]
    assert scene.screen.wanted


def test_what_a_person_can_t_set_is_shown() -> None:
    scene = person()
    scene.types("/dnd maybe")
    assert scene.notices() == ["Say /dnd on or /dnd off."]
    scene.types("/block alice")
    scene.tells(Error("block", "self", "You can't block yourself."))
    assert scene.notices() == ["You can't block yourself."]
    assert scene.screen.wanted


def test_a_person_who_blocks_the_peer_is_with_nobody() -> None:
    scene = chatting()
    scene.types("/block bob")
    scene.tells(Free(), Blocked("bob"))
    assert scene.notices() == ["You are free.", "You have blocked bob."]
    assert scene.screen.standings[-1].peer is None


def test_a_person_whose_call_rings_may_do_something_else_meanwhile() -> None:
    scene = person("bob")
    scene.tells(RINGS)
    assert scene.notices() == [RINGS.text]
    scene.types("/who")
    scene.tells(Here([Present("alice", False), Present("bob", False)], 0))
    assert scene.notices() == ["Here: alice, bob"]
    scene.tells(Unanswered("bob"))
    assert scene.notices() == [NO_ANSWER]
    scene.types("To:bob")
    scene.tells(RINGS)
    scene.tells(Paired("bob"))
    assert scene.notices() == [RINGS.text, PAIRED]
    scene.types("hi", "/bye")
    assert scene.said()[-3:-1] == [Say(1, "hi", "bob"), HangUp()]


def test_a_bell_rings_when_a_call_does() -> None:
    scene = person()
    scene.talk.is_typing()
    scene.clock.advance(30)
    scene.tells(Ringing("carol"))
    assert scene.notices() == ["carol is calling. To:carol to answer."]
    assert scene.screen.rings == 1


@EITHER_KIND
def test_who_does_not_want_to_be_disturbed_is_waited_for(kind: Kind) -> None:
    scene = settled(kind, "bob", wait=True)
    bob = Here([Present("alice", False), Present("bob", False)], 0)
    assert asked(scene) == [AskWho()]
    scene.tells(bob)
    assert asked(scene) == [Call("bob")]
    scene.tells(DND)
    assert (scene.notices(), scene.results) == (["Waiting for bob ..."], [])
    scene.clock.advance(1)
    assert asked(scene) == [AskWho()]
    scene.tells(bob)
    assert asked(scene) == [Call("bob")]
    scene.tells(RINGS)
    assert scene.notices() == [RINGS.text]
    scene.clock.advance(60)
    assert asked(scene) == []  # it rings once
    scene.tells(Paired("bob"))
    assert scene.notices() == [PAIRED]
    assert scene.screen.wanted


def asked(scene: Scene) -> list[JsonCommand]:
    """Return what was asked since the last time."""
    return [command for command in scene.said() if isinstance(command, AskWho | Call)]


# A pipe


def test_a_pipe_whose_call_rings_waits_for_the_answer() -> None:
    scene = piped("bob")
    scene.talk.input_ended()
    scene.tells(RINGS)
    assert (scene.notices(), scene.screen.wanted, scene.results) == ([RINGS.text], False, [])
    scene.tells(Paired("bob"))
    scene.answers_quit(DONE)


def test_a_pipe_s_first_line_may_ring_too() -> None:
    scene = piped()
    scene.types("To:bob")
    scene.tells(RINGS)
    assert not scene.screen.wanted
    scene.tells(Paired("bob"))
    scene.types("hi")
    assert Say(1, "hi", "bob") in scene.said()
    scene.tells(status(1))
    scene.talk.input_ended()
    scene.answers_quit(DONE)


def test_a_pipe_ends_when_nobody_answers() -> None:
    scene = piped("bob")
    scene.tells(RINGS, Unanswered("bob"))
    assert scene.notices() == [RINGS.text]
    scene.answers_quit(Ending(ExitStatus.BUSY, NO_ANSWER))


def test_a_pipe_ends_when_the_one_to_call_is_not_to_be_disturbed() -> None:
    scene = piped("bob")
    scene.tells(DND)
    scene.answers_quit(Ending(ExitStatus.BUSY, DND.text))


# A server that speaks no JSON


def test_a_plain_server_s_calls_ring() -> None:
    scene = piped("bob", PlainScene)
    scene.tells(RINGS)
    assert scene.notices() == [RINGS.text]
    scene.tells(Paired("bob"), HI)
    assert scene.screen.messages == [HI]
    assert scene.screen.wanted


# A real server


def test_a_person_s_line_rings(server: Server) -> None:
    carol = server.client("carol")
    with Terminal(*at(server), "--name", "alice") as alice:
        alice.types("/ring on\n")
        alice.shows("Welcome, alice.\nYour line rings when somebody calls.\n")
        carol.says("To:alice")
        assert carol.line() == "alice's line is ringing."
        alice.shows("carol is calling. To:carol to answer.\n")
        alice.types("To:carol\n")
        alice.shows("You are chatting with carol.\n")
        assert carol.line() == "You are chatting with alice."
        alice.types("/block carol\n/dnd\n")
        alice.shows("You are free.\nYou have blocked carol.\nYou are not disturbed now.\n")
        assert carol.line() == "Quit."
        carol.says("To:alice")
        assert carol.line() == "alice is talking with someone else."
        alice.types("/unblock carol\n")
        alice.shows("You have unblocked carol.\n")
        carol.says("To:alice")
        assert carol.line() == "alice does not want to be disturbed."
        alice.types("/quit\n")
        alice.ends(0)


def test_a_pipe_is_answered(server: Server) -> None:
    alice = server.client("alice")
    alice.says("/ring on")
    assert alice.line() == "Your line rings when somebody calls."
    with Piped(*at(server), "--name", "build", "--to", "alice") as build:
        build.write(b"The build is done.\n")
        build.close_input()
        assert alice.line() == "build is calling. To:build to answer."
        alice.says("To:build")
        assert alice.line() == "You are chatting with build."
        assert alice.text() == "The build is done."
        assert alice.line() == "Quit."
        assert build.wait() == 0
        assert "alice's line is ringing." in build.notices()
