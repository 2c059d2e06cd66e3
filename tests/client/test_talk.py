"""What the client makes of what a person types and of what the server tells, without sockets."""

import pytest

from chatpair.client.ending import DONE, Ending, ExitStatus
from chatpair.client.talk import LINK_LOST, TOO_LONG
from chatpair.codecs import plain
from chatpair.factory import NOBODY
from chatpair.messages import (
    Acknowledge,
    AskWho,
    Back,
    Call,
    Error,
    Free,
    HangUp,
    Held,
    Here,
    Left,
    Message,
    Paired,
    PeerTyping,
    Present,
    Resume,
    Say,
    Timestamp,
    Tried,
)
from tests.support.played import HI, refused, status
from tests.support.scene import AGAIN, PAIRED, TALK_IS_OVER, chatting, person

# What is typed


def test_what_is_typed_is_said_or_done() -> None:
    scene = chatting()
    scene.types("grüß dich", " To:carol", "", "/who")
    said = [Say(1, "grüß dich", "bob"), Say(2, " To:carol", "bob"), AskWho()]
    assert scene.said() == said
    scene.tells(status(2), Here([Present("alice", True), Present("bob", True)], 1))
    assert scene.notices() == ["Here: alice*, bob*, and 1 more"]
    scene.types("/bye")
    assert scene.said() == [HangUp(), Acknowledge(3)]
    scene.tells(Free())
    assert scene.notices() == ["You are free."]
    scene.types("/to carol")
    assert scene.said() == [Call("carol"), Acknowledge(4)]
    scene.tells(Error("to", "unknown", "The user carol does not exist."))
    assert scene.notices() == ["The user carol does not exist."]
    scene.types("/Quit")
    scene.answers_quit(DONE)


def test_help_tells_of_nothing_that_a_client_does_by_itself() -> None:
    scene = chatting()
    scene.types("/help")
    without = [line for line in plain.HELP.split("\n") if line[:4] not in ("/key", "/end")]
    assert scene.notices() == without
    assert len(without) == 9
    scene.types("/key", "/end", "/foo")
    assert scene.notices() == [
        "You need no key: this client comes back by itself.",
        "You need no /end: this client says when it leaves.",
        "No such command: /foo. Type /help, or put a space first to say it.",
    ]
    assert scene.said() == []


def test_a_line_after_a_call_waits_for_its_answer() -> None:
    scene = person(to="bob")
    assert not scene.screen.wanted
    assert Call("bob") in scene.said()
    scene.tells(Paired("bob"))
    scene.types("hi", "To:carol")
    assert not scene.screen.wanted
    assert scene.said()[:2] == [Say(1, "hi", "bob"), Call("carol")]
    scene.tells(Paired("carol"))
    scene.types("hello")
    assert scene.said()[0] == Say(2, "hello", "carol")


def test_whoever_is_called_again_is_already_there() -> None:
    scene = chatting()
    scene.types("To:Bob")
    scene.tells(Error("to", "already", "You are already chatting with bob."))
    assert scene.notices() == ["You are already chatting with bob."]
    assert scene.screen.wanted


def test_a_line_that_is_too_long_is_not_said() -> None:
    scene = chatting()
    scene.types("x" * 65_536, "To:" + "x" * 65_536)
    assert (scene.said(), scene.notices()) == ([], [TOO_LONG] * 2)
    assert scene.screen.wanted


# What is shown


def test_the_peer_s_lines_are_shown_apart_from_the_rest() -> None:
    scene = chatting()
    text = "hi\nOK\x1b[2J"
    scene.tells(
        *(Message("bob", text, Timestamp(0.0)), PeerTyping("bob"), Held("bob")),
        *(Back("bob"), Tried("carol"), Error(None, "try-later", "The server is stopping.")),
        *(Error(None, "bad-line", "This is no JSON object."), Left("bob", "switched")),
    )
    assert [(said.sender, said.text) for said in scene.screen.messages] == [("bob", text)]
    assert scene.notices() == [
        "bob has lost the connection. What you say is kept for a while.",
        "bob is back.",
        "carol tried to reach you.",
        "The server is stopping.",
        "bob has left.",
    ]
    assert scene.screen.wanted


def test_what_is_not_delivered_is_shown() -> None:
    scene = chatting()
    scene.types("one", "two")
    scene.tells(status(2, "failed", why="lost"), Left("bob", "lost"))
    assert scene.notices() == ["Not delivered: one", "Not delivered: two", "bob has left."]
    scene.types("three")
    scene.tells(Error("say", "nobody", NOBODY), status(3, "failed", why="nobody"))
    assert scene.notices() == [NOBODY]


def test_what_was_meant_for_another_is_not_delivered() -> None:
    scene = chatting()
    scene.types("for bob")
    scene.tells(Left("bob", "bye"), Paired("carol"))
    scene.notices()
    wrong = Error("say", "nobody", "You talk with carol.")
    scene.tells(wrong, status(1, "failed", why="nobody"))
    assert scene.notices() == ["You talk with carol.", "Not delivered: for bob"]


def test_an_event_is_not_done_with_before_the_output_takes_it() -> None:
    scene = chatting()
    scene.talk.pauseProducing()
    scene.tells(HI, HI)
    assert (len(scene.screen.messages), scene.said()) == (1, [])
    scene.talk.resumeProducing()
    assert (len(scene.screen.messages), scene.said()) == (2, [Acknowledge(4)])


# Drops


def test_a_lost_connection_is_told_and_what_is_typed_meanwhile_is_said_later() -> None:
    scene = chatting()
    scene.types("one")
    scene.drops()
    assert scene.notices() == [LINK_LOST]
    scene.types("two")
    assert scene.resumes(2, 1, scene.counted(status(1))) == [Acknowledge(3)]
    assert scene.notices() == [AGAIN]
    assert scene.said() == [Say(2, "two", "bob")]
    scene.tells(status(2))
    assert scene.notices() == []


def test_who_was_held_no_longer_learns_what_is_lost() -> None:
    scene = chatting()
    scene.types("one")
    scene.drops()
    scene.accepts()
    assert scene.said()[0] == Resume("key", 2)
    scene.remote.says(refused("resume", "bad-key"))
    scene.grants("alice")
    assert sorted(scene.notices()) == [AGAIN, "Not delivered: one", LINK_LOST, TALK_IS_OVER]
    scene.types("To:bob")
    scene.said()
    scene.tells(Paired("bob"))
    assert scene.notices() == [PAIRED]


def test_who_lost_the_name_meanwhile_is_asked_for_another() -> None:
    scene = chatting()
    scene.is_forgotten(refused("name", "reuse"))
    scene.remote.drops()
    assert scene.notices() == [LINK_LOST, TALK_IS_OVER, "No."]
    scene.types("alice2")
    scene.claims("alice2")
    scene.grants("alice2")
    assert scene.notices() == ["Welcome, alice2."]
    assert scene.screen.wanted


def test_a_line_that_another_has_taken_over_is_a_problem() -> None:
    scene = chatting()
    scene.types("one")
    scene.remote.says(refused(None, "bad-key"))
    scene.remote.drops()
    assert scene.notices() == ["Not delivered, as far as is known: one"]
    refusal = Ending(ExitStatus.NO_CONNECTION, "No.")
    assert (scene.results, scene.endpoint.attempts) == ([refusal], [])


# The end


def test_who_has_quit_has_no_problem_any_more() -> None:
    scene = chatting()
    scene.talk.quit()
    scene.remote.says(refused(None, "bad-key"))
    scene.remote.drops()
    assert scene.results == [DONE]


@pytest.mark.parametrize("typed", ["", "said meanwhile"])
def test_who_quits_without_a_connection_is_gone_at_once(typed: str) -> None:
    scene = chatting()
    scene.drops()
    if typed:
        scene.types(typed)
    scene.types("/quit")
    scene.endpoint.refuse()
    assert scene.results == [DONE]
    lost = ["Not delivered, as far as is known: said meanwhile"] if typed else []
    assert scene.notices() == [LINK_LOST, *lost]
