"""The talks of a person and of a pipe with a server that speaks no JSON, without sockets."""

from signal import SIGINT

import pytest

from chatpair.client.ending import DONE, Ending, ExitStatus
from chatpair.client.person import HELP, PersonTalk
from chatpair.client.pipe import PipeTalk
from chatpair.client.session import UNSETTLED_SAYS
from chatpair.factory import NOBODY
from tests.support.scene import INTERRUPTED, LEFT, LOST, PAIRED, Scene, claims_plainly, without_json

KINDS = [PersonTalk, PipeTalk]
FROM_BOB = "[Sun Nov 22 20:22:01 2026] bob: (hi)"


def settled(kind: type[PersonTalk | PipeTalk], to: str = "", **options: bool) -> Scene:
    """Return a talk that has the name alice."""
    scene = without_json(kind, "alice", to, **options)
    claims_plainly(scene, "alice")
    scene.remote.prints("OK")
    assert scene.notices() == ["Welcome, alice."]
    return scene


def paired(kind: type[PersonTalk | PipeTalk], **options: bool) -> Scene:
    """Return a talk that has called bob."""
    scene = settled(kind, "bob", **options)
    assert scene.remote.lines() == [b"To:bob"]
    assert not scene.screen.wanted
    scene.remote.prints(PAIRED)
    assert scene.notices() == [PAIRED]
    assert scene.screen.wanted
    return scene


def lets_go(scene: Scene, ending: Ending) -> None:
    """Answer to Quit, and see how the talk ended."""
    assert scene.remote.lines()[-1:] == [b"Quit"]
    assert scene.results == []
    scene.remote.prints("Quit")
    scene.remote.drops()
    assert (scene.results, scene.screen.wanted) == ([ending], False)
    assert scene.endpoint.attempts == []


# A person


def test_what_a_person_types_is_said_or_done() -> None:
    scene = paired(PersonTalk)
    scene.types("/who", " grüß dich", " To:carol", "To be\nor not\nTo:be", "/help", "/bye")
    lines = ["/who", " grüß dich", " To:carol", "To be", "or not", " To:be", "/bye"]
    assert [line.decode() for line in scene.remote.lines()] == lines
    assert scene.notices() == HELP.split("\n")
    scene.types("To:carol")
    assert (scene.remote.lines(), scene.screen.wanted) == ([b"To:carol"], False)
    scene.remote.prints("You are chatting with carol.")
    scene.types("/quit")
    lets_go(scene, DONE)


def test_the_peer_s_lines_are_shown_apart_from_the_server_s() -> None:
    scene = settled(PersonTalk)
    others = ["carol tried to reach you.", "Here: alice, bob", "[bob: (hi)", "Bad name: x"]
    scene.remote.prints(PAIRED, FROM_BOB, *others, NOBODY, "Quit.", "You are free.")
    assert [(said.sender, said.text) for said in scene.screen.messages] == [("bob", "hi")]
    assert scene.notices() == [PAIRED, *others, NOBODY, "bob has left.", "You are free."]
    assert scene.screen.wanted


def test_a_text_is_sent_and_not_delivered_where_nobody_is() -> None:
    scene = paired(PersonTalk)
    lasts = []
    for answer in ("Quit.", NOBODY):
        scene.types("hi")
        lasts.append(scene.screen.standings[-1].last)
        scene.remote.prints(answer)
        lasts.append(scene.screen.standings[-1].last)
    assert lasts == ["sent", None, "sent", "failed"]


def test_who_has_hung_up_has_no_peer() -> None:
    scene = paired(PersonTalk)
    assert scene.screen.standings[-1].peer == "bob"
    scene.types("/bye")
    scene.remote.prints("You are free.")
    assert scene.screen.standings[-1].peer is None
    assert scene.screen.standings[-1].connected


def test_a_refused_call_leaves_a_person_where_they_are() -> None:
    scene = settled(PersonTalk, "carol")
    scene.remote.prints("The user carol does not exist.")
    assert scene.notices() == ["The user carol does not exist."]
    assert (scene.screen.wanted, scene.results) == (True, [])


def test_a_call_without_an_answer_leaves_a_person_where_they_are() -> None:
    scene = settled(PersonTalk, "bob")
    scene.clock.advance(10)
    assert scene.notices() == ["The server did not answer."]
    assert (scene.screen.wanted, scene.results) == (True, [])


def test_a_person_s_end_of_input_quits() -> None:
    scene = settled(PersonTalk)
    scene.talk.input_ended()
    scene.talk.typed("too late")
    scene.remote.prints(PAIRED)
    assert not scene.screen.wanted
    lets_go(scene, DONE)


def test_a_person_s_interrupt_quits() -> None:
    scene = settled(PersonTalk)
    scene.talk.interrupt(SIGINT)
    lets_go(scene, DONE)


def test_a_second_interrupt_does_not_wait_for_the_answer() -> None:
    scene = settled(PersonTalk)
    scene.talk.interrupt(SIGINT)
    scene.talk.interrupt(SIGINT)
    assert scene.remote.lines() == [b"Quit"]
    assert scene.results == [Ending(130, "The server did not answer.")]
    scene.remote.drops()


def test_a_person_learns_what_a_lost_connection_has_not_taken() -> None:
    scene = paired(PersonTalk)
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
    scene = paired(PersonTalk)
    scene.talk.is_typing()
    found: list[list[str]] = []
    scene.talk.others().addCallback(found.append)
    assert (scene.remote.lines(), found) == ([], [[]])


# A pipe


def test_a_pipe_s_lines_are_text_whatever_they_say() -> None:
    scene = paired(PipeTalk)
    scene.types("one", "Quit", "quit", "To:x", "tO: x", "/", " /bye", "", "drei: größer")
    scene.types("many\n/bye\n")
    assert [line.decode() for line in scene.remote.lines()] == [
        *("one", " Quit", "quit", " To:x", " tO: x", " /", " /bye", "", "drei: größer"),
        *("many", " /bye", ""),
    ]
    scene.talk.input_ended()
    lets_go(scene, DONE)


def test_without_a_pair_a_pipe_s_first_line_is_kept_and_said_first() -> None:
    scene = settled(PipeTalk)
    scene.types("Quit")
    assert (scene.screen.wanted, scene.remote.lines()) == (False, [])
    scene.remote.prints(PAIRED)
    scene.types("two")
    assert scene.remote.lines() == [b" Quit", b"two"]


@pytest.mark.parametrize("line", ["To:bob", "to:  bob ", "/to bob"])
def test_a_pipe_s_first_line_may_call(line: str) -> None:
    scene = settled(PipeTalk)
    scene.types(line)
    assert (scene.screen.wanted, scene.remote.lines()) == (False, [b"To:bob"])
    scene.remote.prints(PAIRED)
    scene.types(line)
    assert scene.remote.lines() == [b" " + line.encode()]


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("says_more", [False, True])
def test_a_peer_that_leaves_is_a_problem_if_lines_still_come(gone: bool, says_more: bool) -> None:
    scene = paired(PipeTalk)
    scene.types("one")
    scene.remote.prints("Quit.", "You are chatting with carol.")
    assert scene.notices()[0] == "bob has left."
    assert scene.remote.lines() == [b"one", b"Quit"]
    if gone:
        scene.remote.prints("Quit")
        scene.remote.drops()
        assert scene.results == []
    if says_more:
        scene.types("two")
    else:
        scene.talk.input_ended()
    assert scene.remote.lines() == []
    if not gone:
        scene.remote.prints("Quit")
    assert scene.results == [LEFT if says_more else DONE]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The user bob does not exist.", 4),
        ("Say who: To:bob", 4),
        ("bob is talking with someone else.", 5),
        ("bob is not reading at the moment.", 5),
        ("Please don't try to talk with yourself.", 1),
        ("That line was not sent: it has over 65536 bytes.", 7),
    ],
)
@pytest.mark.parametrize("calls", [False, True])
def test_a_refused_command_is_a_problem_for_a_pipe_and_the_first_one_counts(
    text: str, number: int, calls: bool
) -> None:
    scene = settled(PipeTalk, "bob") if calls else paired(PipeTalk)
    scene.remote.prints(text, "The user carol does not exist.")
    assert scene.notices() == []
    lets_go(scene, Ending(number, text))


def test_who_calls_before_the_one_that_is_called_answers_gets_nothing_of_a_pipe() -> None:
    scene = settled(PipeTalk, "bob")
    scene.remote.prints("You are chatting with carol.")
    assert not scene.screen.wanted
    scene.remote.prints("Quit.", PAIRED)
    scene.types("for bob")
    assert scene.remote.lines() == [b"To:bob", b"for bob"]


def test_a_line_that_nobody_got_is_a_problem_for_a_pipe() -> None:
    scene = paired(PipeTalk)
    scene.types("one")
    scene.remote.prints(NOBODY)
    lets_go(scene, Ending(6, NOBODY))


def test_others_events_and_a_refusal_leave_a_person_with_whom_they_are() -> None:
    scene = settled(PersonTalk)
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


def test_a_call_without_an_answer_is_a_problem_for_a_pipe() -> None:
    scene = settled(PipeTalk, "bob")
    scene.clock.advance(9.75)
    assert b"Quit" not in scene.remote.lines()
    scene.clock.advance(0.25)
    lets_go(scene, Ending(ExitStatus.NO_CONNECTION, "The server did not answer."))


def test_an_interrupt_is_a_problem_for_a_pipe_and_a_second_one_leaves_it() -> None:
    for interrupts in (1, 2):
        scene = paired(PipeTalk)
        for _ in range(interrupts):
            scene.talk.interrupt(SIGINT)
        if interrupts == 1:
            lets_go(scene, INTERRUPTED)
        else:
            assert scene.results == [INTERRUPTED]
            scene.remote.drops()


# Both


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_output_is_a_problem(kind: type[PersonTalk | PipeTalk]) -> None:
    scene = paired(kind)
    scene.talk.stopProducing()
    lets_go(scene, Ending(141, "The output was closed."))


@pytest.mark.parametrize("quits", [True, False])
def test_a_server_that_closes_without_an_answer_is_a_problem(quits: bool) -> None:
    text = "The connection was lost; not all may have arrived."
    for kind, ending in ((PersonTalk, LOST), (PipeTalk, Ending(7, text))):
        scene = paired(kind)
        if quits:
            scene.talk.input_ended()
        scene.remote.drops()
        assert scene.results == [ending]


def test_a_line_without_an_end_is_a_problem() -> None:
    scene = paired(PersonTalk)
    scene.remote.protocol.dataReceived(b"x" * (2**20 + 3))
    assert scene.remote.transport.disconnecting
    assert scene.results == [LOST]


def test_no_more_lines_are_read_than_the_server_takes() -> None:
    scene = paired(PipeTalk)
    scene.remote.takes_more(False)
    scene.types(*(str(number) for number in range(UNSETTLED_SAYS)))
    assert not scene.screen.wanted
    scene.talk.input_ended()
    assert b"Quit" not in scene.remote.lines()
    scene.remote.takes_more(True)
    assert scene.screen.sizes == [len(str(number)) for number in range(UNSETTLED_SAYS)]
    lets_go(scene, DONE)


def test_lines_that_a_lost_connection_has_not_taken_have_not_arrived() -> None:
    scene = paired(PipeTalk)
    scene.remote.takes_more(False)
    scene.types("one")
    scene.remote.drops()
    assert [ending.status for ending in scene.results] == [ExitStatus.NOT_DELIVERED]


def test_the_server_waits_until_the_output_takes_more() -> None:
    scene = paired(PipeTalk)
    scene.talk.pauseProducing()
    scene.remote.prints(FROM_BOB, FROM_BOB, "Quit.")
    assert scene.remote.transport.producerState == "paused"
    assert (len(scene.screen.messages), scene.notices()) == (1, [])
    scene.talk.resumeProducing()
    assert scene.remote.transport.producerState == "producing"
    assert (len(scene.screen.messages), scene.notices()) == (2, ["bob has left."])
