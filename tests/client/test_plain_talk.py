"""Talks with a server that speaks no JSON, where they differ from others, without sockets."""

import pytest
from twisted.internet.error import ConnectError

from chatpair.client.ending import DONE, Ending, ExitStatus
from chatpair.client.person import HELP, PersonTalk
from chatpair.client.pipe import PipeTalk
from chatpair.client.session import UNSETTLED_SAYS
from chatpair.factory import NOBODY
from tests.support.scene import (
    BAD_NAME,
    EITHER_KIND,
    LOST,
    PAIRED,
    Kind,
    PlainScene,
    Scene,
    chatting,
    nameless,
    person,
    piped,
    piped_to_bob,
)

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


# A person


def test_what_a_person_types_is_said_or_done() -> None:
    scene = chatting(PlainScene)
    scene.types("/who", " grüß dich", " To:carol", "To be\nor not\nTo:be", "/help", "/bye")
    lines = ["/who", " grüß dich", " To:carol", "To be", "or not", " To:be", "/bye"]
    assert [line.decode() for line in scene.remote.lines()] == lines
    assert scene.notices() == HELP.split("\n")
    scene.types("To:carol")
    assert (scene.remote.lines(), scene.screen.wanted) == ([b"To:carol"], False)
    scene.remote.prints("You are chatting with carol.")
    scene.types("/quit")
    assert scene.remote.lines() == [b"Quit"]
    scene.ends_with(DONE)


def test_the_peer_s_lines_are_shown_apart_from_the_server_s() -> None:
    scene = person(server=PlainScene)
    others = ["carol tried to reach you.", "Here: alice, bob", "[bob: (hi)", "Bad name: x"]
    scene.remote.prints(PAIRED, FROM_BOB, *others, NOBODY, "Quit.", "You are free.")
    assert [(said.sender, said.text) for said in scene.screen.messages] == [("bob", "hi")]
    assert scene.notices() == [PAIRED, *others, NOBODY, "bob has left.", "You are free."]
    assert scene.screen.wanted


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


def test_a_person_learns_what_a_lost_connection_has_not_taken() -> None:
    scene = chatting(PlainScene)
    scene.types("one")
    scene.remote.takes_more(False)
    scene.types("two")
    standing = scene.screen.standings[-1]
    assert (standing.waiting, standing.last) == (1, "waiting")
    scene.remote.drops()
    assert scene.notices() == ["Not delivered: two"]
    assert scene.screen.standings[-1].last == "failed"
    assert scene.results == [LOST]


def test_nobody_is_told_of_typing_and_who_is_there_is_not_known() -> None:
    scene = chatting(PlainScene)
    scene.talk.is_typing()
    found: list[list[str]] = []
    scene.talk.others().addCallback(found.append)
    assert (scene.remote.lines(), found) == ([], [[]])


def test_others_events_and_a_refusal_leave_a_person_with_whom_they_are() -> None:
    scene = person(server=PlainScene)
    scene.types("hello?", "To:bob")
    scene.remote.prints(NOBODY, "You are chatting with carol.", "dave tried to reach you.")
    assert not scene.screen.wanted
    scene.remote.prints("bob is talking with someone else.")
    assert scene.notices() == [
        *(NOBODY, "You are chatting with carol.", "dave tried to reach you."),
        "bob is talking with someone else.",
    ]
    assert scene.screen.standings[-1].peer == "carol"
    scene.types("hello!")
    assert scene.remote.lines() == [b"hello?", b"To:bob", b"hello!"]


# A pipe


def test_a_pipe_s_lines_are_text_whatever_they_say() -> None:
    scene = piped_to_bob(PlainScene)
    scene.types("one", "Quit", "quit", "To:x", "tO: x", "/", " /bye", "", "drei: größer")
    scene.types("many\n/bye\n")
    assert [line.decode() for line in scene.remote.lines()] == [
        *("one", " Quit", "quit", " To:x", " tO: x", " /", " /bye", "", "drei: größer"),
        *("many", " /bye", ""),
    ]
    scene.talk.input_ended()
    scene.answers_quit(DONE)


# Both


def test_a_call_without_an_answer_is_a_problem_for_a_pipe_alone() -> None:
    to_person, to_pipe = person("bob", PlainScene), piped("bob", PlainScene)
    for scene in (to_person, to_pipe):
        scene.clock.advance(9.75)
        assert (scene.remote.lines(), scene.screen.wanted) == ([b"To:bob"], False)
        scene.clock.advance(0.25)
    assert to_person.notices() == ["The server did not answer."]
    assert (to_person.screen.wanted, to_person.results) == (True, [])
    to_pipe.answers_quit(Ending(ExitStatus.NO_CONNECTION, "The server did not answer."))


@pytest.mark.parametrize("quits", [True, False])
def test_a_server_that_closes_without_an_answer_is_a_problem(quits: bool) -> None:
    text = "The connection was lost; not all may have arrived."
    for start, ending in ((chatting, LOST), (piped_to_bob, Ending(7, text))):
        scene = start(PlainScene)
        if quits:
            scene.talk.input_ended()
        scene.remote.drops()
        assert scene.results == [ending]


def test_a_line_without_an_end_is_a_problem() -> None:
    scene = chatting(PlainScene)
    scene.remote.protocol.dataReceived(b"x" * (2**20 + 3))
    assert scene.remote.transport.disconnecting
    assert scene.results == [LOST]


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


def test_lines_that_a_lost_connection_has_not_taken_have_not_arrived() -> None:
    scene = piped_to_bob(PlainScene)
    scene.remote.takes_more(False)
    scene.types("one")
    scene.remote.drops()
    assert [ending.status for ending in scene.results] == [ExitStatus.NOT_DELIVERED]


def test_the_server_waits_until_the_output_takes_more() -> None:
    scene = piped_to_bob(PlainScene)
    scene.talk.pauseProducing()
    scene.remote.prints(FROM_BOB, FROM_BOB, "Quit.")
    assert scene.remote.transport.producerState == "paused"
    assert (len(scene.screen.messages), scene.notices()) == (1, [])
    scene.talk.resumeProducing()
    assert scene.remote.transport.producerState == "producing"
    assert (len(scene.screen.messages), scene.notices()) == (2, ["bob has left."])
