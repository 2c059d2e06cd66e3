"""A line to a plain server by itself, without sockets: the test plays the server."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, ConnectionLost

from chatpair.client.plain_line import ANSWER_SECONDS, PlainLine
from chatpair.client.session import Ended, NotDelivered, Refused
from chatpair.codecs import plain
from chatpair.factory import NOBODY
from chatpair.messages import AnyEvent, Error, Left, Message, Named, Notice, Paired
from tests.support.played import Slow, Stage, outcome
from tests.support.scene import PAIRED

FROM_BOB = "[Sun Nov 22 20:22:01 2026] bob: (hi)"
NO_ANSWER = ("try-later", "The server did not answer.")
NOT_READY = "The switchboard is not ready."


class Play(Stage):
    """A plain line, what it tells its program, and the server that the test plays."""

    def __init__(self, on_event: Callable[[AnyEvent], object] | None = None) -> None:
        super().__init__()
        self.events: list[AnyEvent] = []
        self.links: list[bool] = []
        handle = on_event or self.events.append
        self.line = PlainLine(self.endpoint, "alice", handle, self.links.append, clock=self.clock)
        self.finished = outcome(self.line.finished)
        self.started = outcome(self.line.start())

    def accepts(self) -> None:
        """Let the line connect, and claim its name."""
        self.remote = self.endpoint.accept()
        assert self.remote.lines() == [b"alice"]

    def heard(self) -> list[AnyEvent]:
        """Return what the program was told since the last time."""
        heard, self.events[:] = list(self.events), []
        return heard

    def ended(self) -> Any:
        """Return what ended the line, which must have closed its connection and wait no more."""
        ((why),) = self.finished
        assert self.remote.transport.disconnecting
        assert (self.line.connected, self.line.peer) == (False, None)
        assert self.clock.getDelayedCalls() == []
        return why


def named(on_event: Callable[[AnyEvent], object] | None = None) -> Play:
    """Return a line that has its name."""
    play = Play(on_event)
    play.accepts()
    assert (play.started, play.line.connected) == ([], False)
    play.remote.prints("OK")
    assert (play.started, play.links, play.line.connected) == ([None], [True], True)
    assert play.heard() == ([] if on_event else [Named("alice", "")])
    return play


def paired() -> Play:
    """Return a line that is paired with bob."""
    play = named()
    play.remote.prints(PAIRED)
    assert (play.heard(), play.line.peer) == ([Paired("bob")], "bob")
    return play


def refusal(result: list[Any]) -> tuple[str, str]:
    """Return why something was refused, which it must have been."""
    (why,) = result
    assert isinstance(why, Refused)
    return why.code, why.text


# The name


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        ("Reuse", "reuse", "The name alice is taken."),
        ("Bad name: not here", "bad-name", "not here"),
        (NOT_READY, "try-later", NOT_READY),
    ],
)
def test_a_refused_name_ends_the_line(answer: str, code: str, text: str) -> None:
    play = Play()
    play.accepts()
    play.remote.prints(answer)
    assert refusal(play.started) == refusal(play.finished) == (code, text)
    play.ended()
    assert (play.heard(), play.links) == ([], [])


def test_what_comes_before_the_name_is_told() -> None:
    play = Play()
    play.accepts()
    play.remote.prints("Welcome to chat.example.org.")
    assert (play.heard(), play.started) == ([Notice("Welcome to chat.example.org.")], [])


# Calls


def test_a_call_is_answered_with_the_name_of_the_peer() -> None:
    play = named()
    called = outcome(play.line.call("BOB\n\x1b"))
    assert (play.remote.lines(), called) == ([b"To:BOB"], [])
    play.remote.prints(PAIRED)
    assert (called, play.heard(), play.line.peer) == (["bob"], [Paired("bob")], "bob")
    assert play.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("The user bob does not exist.", "unknown"),
        ("Say who: To:bob", "unknown"),
        ("bob is talking with someone else.", "busy"),
        ("bob is not reading at the moment.", "busy"),
        ("Please don't try to talk with yourself.", "self"),
        ("That line was not sent: it has over 65536 bytes.", "too-long"),
        (NOT_READY, "try-later"),
        ("The last call is still on its way.", "try-later"),
    ],
)
def test_a_refused_call_is_answered_with_the_refusal_alone(answer: str, code: str) -> None:
    play = named()
    called = outcome(play.line.call("bob"))
    play.remote.prints(answer, answer)
    assert refusal(called) == (code, answer)
    assert play.heard() == [Error(None, code, answer)]  # type: ignore[arg-type]
    assert (play.clock.getDelayedCalls(), play.finished) == ([], [])


def test_events_are_told_while_a_call_waits() -> None:
    play = paired()
    called = outcome(play.line.call("carol"))
    play.remote.prints(FROM_BOB, "dave tried to reach you.", "Quit.")
    message, *others = play.heard()
    assert isinstance(message, Message)
    assert (message.sender, message.text) == ("bob", "hi")
    assert others == [Notice("dave tried to reach you."), Left("bob", "quit")]
    assert (called, play.line.peer) == ([], None)
    play.remote.prints("You are chatting with carol.")
    assert called == ["carol"]


def test_what_is_no_answer_to_a_call_leaves_it_waiting() -> None:
    play = named()
    called = outcome(play.line.call("BOB"))
    play.remote.prints(NOBODY, "You are chatting with carol.", "Quit.")
    assert play.heard() == [Error(None, "nobody", NOBODY), Paired("carol"), Left("carol", "quit")]
    assert called == []
    play.remote.prints(PAIRED)
    assert (called, play.line.peer) == (["bob"], "bob")


def test_an_unknown_server_may_never_answer_a_call() -> None:
    play = named()
    called = outcome(play.line.call("bob"))
    play.remote.prints("Trying bob ...")
    play.clock.advance(ANSWER_SECONDS - 0.25)
    assert called == []
    play.clock.advance(0.25)
    assert refusal(called) == NO_ANSWER
    play.remote.prints(PAIRED)
    assert (play.line.peer, play.finished) == ("bob", [])


def test_a_further_call_waits_for_no_answer_to_the_last() -> None:
    play = named()
    first, second = outcome(play.line.call("bob")), outcome(play.line.call("carol"))
    assert refusal(first) == NO_ANSWER
    play.clock.advance(ANSWER_SECONDS - 0.25)
    play.remote.prints("You are chatting with carol.")
    assert second == ["carol"]
    assert play.remote.lines() == [b"To:bob", b"To:carol"]


# Other commands


def test_what_else_can_be_asked_is_done_at_once() -> None:
    play = paired()
    assert outcome(play.line.hang_up()) == outcome(play.line.who()) == [None]
    assert outcome(play.line.typing()) == [None]
    assert play.remote.lines() == [b"/bye", b"/who"]
    play.remote.prints("You are free.", "Here: alice")
    assert play.line.peer is None
    assert play.heard()[-1] == Notice("Here: alice")


def test_whoever_leaves_is_named_if_that_is_known() -> None:
    play = paired()
    play.remote.prints("Quit.", "Quit.")
    assert play.heard() == [Left("bob", "quit"), Left("The other", "quit")]


def test_a_server_s_line_has_no_controls() -> None:
    play = paired()
    play.remote.protocol.dataReceived(
        b"[Sun Nov 22 20:22:01 2026] bob: (\x1b[2Jhi\xff\x9b)\r\n\x07x\n"
    )
    message, notice = play.heard()
    assert isinstance(message, Message)
    assert (message.text, notice) == ("[2Jhi\ufffd\ufffd", Notice("x"))


# Texts


def test_a_text_is_sent_as_soon_as_the_connection_has_taken_it() -> None:
    play = paired()
    assert outcome(play.line.say("one\n\nTo:carol\nQuit\n grüß")) == ["sent"]
    lines = [line.decode() for line in play.remote.lines()]
    assert lines == ["one", "", " To:carol", " Quit", " grüß"]


def test_a_text_waits_while_the_connection_is_full() -> None:
    play = paired()
    assert play.remote.transport.streaming
    play.remote.takes_more(False)
    results = [outcome(play.line.say(text)) for text in ("one", "two")]
    assert results == [[], []]
    play.remote.takes_more(True)
    assert results == [["sent"]] * 2
    assert outcome(play.line.say("three")) == ["sent"]


def test_a_text_that_the_connection_has_not_taken_is_lost_with_it() -> None:
    play = paired()
    play.remote.takes_more(False)
    said = outcome(play.line.say("one"))
    play.remote.drops()
    ((why),) = said
    assert (type(why), why.why) == (NotDelivered, "lost")
    assert type(play.ended()) is ConnectionLost


def test_the_server_waits_while_an_event_is_handled() -> None:
    program = Slow()
    play = named(program)
    assert play.remote.transport.producerState == "paused"
    program.is_done(0)
    assert play.remote.transport.producerState == "producing"
    play.remote.prints(PAIRED, FROM_BOB)
    assert (len(program.heard), play.remote.transport.producerState) == (2, "paused")
    program.is_done(1)
    assert (len(program.heard), play.remote.transport.producerState) == (3, "paused")
    program.is_done(2)
    assert play.remote.transport.producerState == "producing"


# The end


def test_quit_waits_for_the_answer() -> None:
    play = paired()
    play.line.say("one")
    play.line.quit()
    play.line.quit()
    assert play.remote.lines() == [b"one", b"Quit"]
    assert play.finished == []
    assert outcome(play.line.say("two"))[0].why == "ended"
    assert isinstance(outcome(play.line.call("carol"))[0], Ended)
    assert play.remote.lines() == []
    play.remote.prints(FROM_BOB, "Quit")
    assert (play.ended(), len(play.heard())) == (None, 1)
    play.remote.drops()
    assert play.finished == [None]


def test_who_quits_before_there_is_a_connection_gives_it_up() -> None:
    play = Play()
    play.line.quit()
    assert [type(why) for why in play.started + play.finished] == [CancelledError] * 2


def test_who_quits_before_there_is_a_name_waits_for_the_answer() -> None:
    play = Play()
    play.accepts()
    play.line.quit()
    assert (play.remote.lines(), play.finished) == ([b"Quit"], [])
    play.remote.prints("Quit")
    assert play.ended() is None
    assert isinstance(play.started[0], Ended)


def test_a_server_that_lets_one_go_unasked_ends_the_line() -> None:
    play = paired()
    play.remote.prints("Quit", FROM_BOB)
    assert play.ended() is None


def test_a_failed_attempt_ends_the_line() -> None:
    play = Play()
    play.endpoint.refuse()
    assert [type(why) for why in play.started] == [ConnectError]
    assert (play.finished, play.endpoint.attempts) == (play.started, [])


@pytest.mark.parametrize("has_name", [False, True])
def test_a_lost_connection_ends_the_line(has_name: bool) -> None:
    play = Play()
    play.accepts()
    if has_name:
        play.remote.prints("OK", PAIRED)
        called = outcome(play.line.call("carol"))
        play.remote.drops()
        assert isinstance(called[0], Ended)
    else:
        play.remote.drops()
        assert [type(why) for why in play.started] == [ConnectionLost]
    assert (type(play.ended()), play.endpoint.attempts) == (ConnectionLost, [])


def test_a_line_without_an_end_ends_the_line() -> None:
    play = paired()
    play.remote.protocol.dataReceived(b"x" * (play.line.MAX_LENGTH - 1) + b"\r\n")
    assert len(play.heard()) == 1
    play.remote.protocol.dataReceived(b"x" * (play.line.MAX_LENGTH + 2))
    assert type(play.ended()) is ConnectionLost


@given(st.lists(st.integers(0, 200)))
def test_it_does_not_matter_where_the_bytes_are_cut(cuts: list[int]) -> None:
    play = named()
    events: list[AnyEvent] = [Paired("bob"), Notice("grüß"), Left("bob", "quit")]
    data = b"".join(map(plain.render, events))
    begin = 0
    for end in [*sorted(cut for cut in cuts if cut < len(data)), len(data)]:
        play.remote.protocol.dataReceived(data[begin:end])
        begin = end
    assert play.heard() == events


@given(st.binary(max_size=60), st.sampled_from(["connected", "named", "calling", "quitting"]))
def test_no_bytes_of_a_server_raise_anything(data: bytes, state: str) -> None:
    play = Play() if state == "connected" else named()
    if state == "connected":
        play.accepts()
    elif state == "calling":
        outcome(play.line.call("bob"))
    elif state == "quitting":
        play.line.quit()
    play.remote.protocol.dataReceived(data + b"\r\n")
    play.remote.drops()
    play.ended()
