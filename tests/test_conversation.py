"""What the client says to a server and makes of its answers, without a terminal or a socket."""

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from chatpair.client.__main__ import parse_arguments
from chatpair.client.conversation import Conversation
from chatpair.factory import NOBODY
from tests.played import Shown

FROM_BOB = "[Sun Nov 22 20:22:01 2026] bob: (hi)"
PAIRED = "You are chatting with bob."
BAD_NAME = "Bad name: no space and none of : [ ] ( ) / * , in a name"


class Talk:
    """A conversation, the screen it uses, and a server that answers as it is told."""

    def __init__(self, *, name: str = "", to: str = "", from_pipe: bool = False) -> None:
        self.screen = Shown()
        self.transport = StringTransport()
        self.conversation = Conversation(self.screen, name=name, to=to, from_pipe=from_pipe)
        self.results: list[str] = []
        self.conversation.finished.addCallback(self.results.append)
        self.conversation.makeConnection(self.transport)

    def sent(self) -> bytes:
        """Return what the server has been sent since the last time."""
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def hears(self, *lines: str) -> None:
        """Let the server say lines."""
        self.conversation.dataReceived("".join(f"{line}\r\n" for line in lines).encode())

    def types(self, *lines: str) -> None:
        """Type lines, which the conversation must want."""
        for line in lines:
            assert self.screen.wanted
            self.conversation.typed(line)

    def loses_connection(self) -> None:
        """End the connection as the network does."""
        self.conversation.connectionLost(Failure(ConnectionLost()))

    def ends_with(self, problem: str) -> None:
        """Let the server answer Quit, and see how it ended."""
        assert self.sent().endswith(b"Quit\r\n")
        assert self.results == []
        self.hears("Quit")
        assert self.results == [problem]
        assert self.transport.disconnecting
        assert not self.screen.wanted


def person(name: str = "alice", to: str = "") -> Talk:
    """Return the talk of somebody at a terminal who has a name."""
    talk = Talk(name=name, to=to)
    assert talk.sent() == name.encode() + b"\r\n"
    assert not talk.screen.wanted
    talk.hears("OK")
    return talk


def piped(to: str = "") -> Talk:
    """Return the talk of a program named alice."""
    talk = Talk(name="alice", to=to, from_pipe=True)
    assert talk.sent() == b"alice\r\n"
    talk.hears("OK")
    return talk


def piped_to_bob() -> Talk:
    """Return the talk of a program that is paired with bob."""
    talk = piped(to="bob")
    assert talk.sent() == b"To:bob\r\n"
    assert not talk.screen.wanted
    talk.hears(PAIRED)
    return talk


# The name


def test_a_name_is_asked_for_and_asked_again_when_it_is_taken_or_bad() -> None:
    talk = Talk()
    assert (talk.screen.questions, talk.sent()) == (1, b"")
    talk.types("bob")
    assert talk.sent() == b"bob\r\n"
    assert not talk.screen.wanted
    talk.hears("Reuse")
    assert talk.screen.notices == ["The name bob is taken."]
    assert talk.screen.questions == 2
    talk.types("b b")
    assert talk.sent() == b""
    assert talk.screen.questions == 3
    talk.types("bob2")
    assert talk.sent() == b"bob2\r\n"
    talk.hears("Bad name: not here")
    assert talk.screen.questions == 4
    talk.types("alice")
    assert talk.sent() == b"alice\r\n"
    talk.hears("OK")
    assert talk.screen.notices[1:] == [BAD_NAME, "Bad name: not here", "Welcome, alice."]
    assert talk.screen.wanted


@pytest.mark.parametrize("name", ["/help", "/foo", "/who", "To:bob"])
def test_a_name_that_the_server_takes_for_a_command_can_be_corrected(name: str) -> None:
    talk = Talk()
    talk.types(name)
    assert talk.sent() == b""
    assert talk.screen.notices == [BAD_NAME]
    talk.types("alice")
    assert talk.sent() == b"alice\r\n"


@pytest.mark.parametrize("name", ["Quit", "/quit"])
def test_a_person_may_quit_instead_of_a_name(name: str) -> None:
    talk = Talk()
    talk.types(name)
    talk.ends_with("")


def test_an_empty_name_quits() -> None:
    talk = Talk()
    talk.types("")
    talk.ends_with("")


def test_a_person_s_refused_option_makes_the_client_ask() -> None:
    talk = Talk(name="bob")
    assert (talk.screen.questions, talk.sent()) == (0, b"bob\r\n")
    talk.hears("Reuse")
    assert talk.screen.questions == 1
    talk.types("alice")
    assert talk.sent() == b"alice\r\n"


def test_a_program_s_refused_option_is_a_problem() -> None:
    talk = Talk(name="bob", from_pipe=True)
    talk.sent()
    talk.hears("Reuse")
    assert talk.screen.questions == 0
    talk.ends_with("The name bob is taken.")


def test_a_program_s_first_lines_are_tried_as_names_when_no_option_gives_one() -> None:
    talk = Talk(from_pipe=True)
    talk.types("bob")
    talk.hears("Reuse")
    talk.types("alice")
    assert talk.sent() == b"bob\r\nalice\r\n"
    talk.hears("OK")
    assert talk.screen.notices == ["The name bob is taken.", "Welcome, alice."]
    assert talk.screen.wanted


def test_a_program_s_input_without_a_name_is_a_problem() -> None:
    talk = Talk(from_pipe=True)
    talk.conversation.input_ended()
    talk.ends_with("There is no name; give one with --name.")


def test_a_program_s_lines_for_somebody_are_not_names() -> None:
    talk = Talk(to="bob", from_pipe=True)
    assert not talk.screen.wanted
    talk.ends_with("There is no name; give one with --name.")


def test_a_program_whose_name_ends_the_conversation_has_a_problem() -> None:
    talk = Talk(name="Quit", to="bob", from_pipe=True)
    talk.hears("Quit")
    assert len(talk.results) == 1
    assert talk.results != [""]


def test_an_option_is_one_line_whatever_it_holds() -> None:
    options = parse_arguments(["--name", "alice\nQuit", "--to", "bob\r\n\x1bQuit"])
    assert (options.name, options.to) == ("aliceQuit", "bobQuit")


# A person


def test_what_a_person_types_goes_out_as_it_is() -> None:
    talk = person(to="bob")
    talk.types("/who", "To:bob", "Quit", "", " grüß dich")
    assert talk.sent() == "To:bob\r\n/who\r\nTo:bob\r\nQuit\r\n\r\n grüß dich\r\n".encode()


def test_the_peer_s_lines_are_shown_apart_from_the_server_s() -> None:
    talk = person()
    others = ["carol tried to reach you.", "OK", "Here: alice, bob", "[bob: (hi)"]
    talk.hears(PAIRED, FROM_BOB, *others, "Bad name: x", "Quit.", "You are free.")
    assert talk.screen.lines == [FROM_BOB]
    assert talk.screen.notices == [
        *("Welcome, alice.", PAIRED, *others, "Bad name: x", "bob has left.", "You are free."),
    ]
    assert talk.screen.wanted


def test_a_server_s_line_can_t_reach_the_terminal_s_controls() -> None:
    talk = person()
    talk.conversation.dataReceived(
        b"[Sun Nov 22 20:22:01 2026] bob: (\x1b[2Jhi\xff\x9b)\r\n\x07x\r\n"
    )
    assert talk.screen.lines == ["[Sun Nov 22 20:22:01 2026] bob: ([2Jhi\ufffd\ufffd)"]
    assert talk.screen.notices[1:] == ["x"]


def test_a_refused_call_leaves_a_person_where_they_are() -> None:
    talk = person(to="carol")
    talk.hears("The user carol does not exist.")
    assert talk.screen.notices[1:] == ["The user carol does not exist."]
    assert talk.sent() == b"To:carol\r\n"
    assert (talk.screen.wanted, talk.results) == (True, [])


def test_a_person_s_end_of_input_quits() -> None:
    talk = person()
    talk.conversation.input_ended()
    assert not talk.screen.wanted
    talk.conversation.typed("too late")
    talk.hears(PAIRED)
    assert not talk.screen.wanted
    talk.ends_with("")


def test_a_person_s_interrupt_quits() -> None:
    talk = person()
    talk.conversation.interrupt()
    talk.ends_with("")


def test_a_second_interrupt_does_not_wait_for_the_answer() -> None:
    talk = person()
    talk.conversation.interrupt()
    assert talk.sent() == b"Quit\r\n"
    talk.conversation.interrupt()
    assert talk.sent() == b""
    assert talk.transport.disconnected
    talk.loses_connection()
    assert talk.results == ["The server did not answer."]


def test_a_person_whom_the_server_lets_go_has_no_problem() -> None:
    talk = person()
    talk.types("/quit")
    talk.hears("Quit")
    assert talk.results == [""]
    talk.loses_connection()
    assert talk.results == [""]


# A program


def test_a_program_s_lines_are_text_whatever_they_say() -> None:
    talk = piped_to_bob()
    talk.types("one", "Quit", "quit", "To:x", "tO: x", "/bye", "/", " /bye", "", "drei: größer")
    assert talk.sent().decode() == (
        "one\r\n Quit\r\nquit\r\n To:x\r\n tO: x\r\n /bye\r\n /\r\n /bye\r\n\r\ndrei: größer\r\n"
    )
    talk.conversation.input_ended()
    talk.ends_with("")


def test_without_a_pair_a_program_s_first_line_is_kept_and_said_first() -> None:
    talk = piped()
    talk.types("Quit")
    assert not talk.screen.wanted
    assert talk.sent() == b""
    talk.hears(PAIRED)
    talk.types("two")
    assert talk.sent() == b" Quit\r\ntwo\r\n"


@pytest.mark.parametrize("line", ["To:bob", "to:  bob ", "/to bob"])
def test_a_program_s_first_line_may_call(line: str) -> None:
    talk = piped()
    talk.types(line)
    assert not talk.screen.wanted
    assert talk.sent() == b"To:bob\r\n"
    talk.hears(PAIRED)
    talk.types(line)
    assert talk.sent() == b" " + line.encode() + b"\r\n"


def test_a_program_s_first_line_does_not_call_when_an_option_does() -> None:
    talk = piped_to_bob()
    talk.types("To:carol")
    assert talk.sent() == b" To:carol\r\n"


def test_a_peer_that_leaves_with_lines_still_to_come_is_a_problem() -> None:
    talk = piped_to_bob()
    talk.types("one")
    talk.hears("Quit.")
    assert talk.screen.notices[1:] == [PAIRED, "bob has left."]
    talk.types("two")
    assert not talk.screen.wanted
    talk.conversation.typed("three")
    assert talk.transport.value() == b"one\r\nQuit\r\n"
    talk.ends_with("bob left before all was said.")


def test_lines_meant_for_one_who_left_are_not_said_to_the_next_who_calls() -> None:
    talk = piped_to_bob()
    talk.hears("Quit.", "You are chatting with carol.")
    talk.types("one")
    talk.ends_with("bob left before all was said.")


def test_a_peer_that_leaves_when_all_was_said_is_no_problem() -> None:
    talk = piped_to_bob()
    talk.types("one")
    talk.hears("Quit.")
    talk.conversation.input_ended()
    talk.ends_with("")


@pytest.mark.parametrize(
    "refusal",
    [
        "The user bob does not exist.",
        "Say who: To:bob",
        "bob is talking with someone else.",
        "bob is not reading at the moment.",
        "Please don't try to talk with yourself.",
        "That line was not sent: it has over 65536 bytes.",
        NOBODY,
    ],
)
def test_a_program_s_refused_command_is_a_problem_and_the_first_one_counts(refusal: str) -> None:
    talk = piped(to="bob")
    talk.hears(refusal, "The user carol does not exist.")
    assert talk.screen.notices == ["Welcome, alice."]
    talk.ends_with(refusal)


def test_an_interrupt_is_a_problem_for_a_program() -> None:
    talk = piped_to_bob()
    talk.conversation.interrupt()
    talk.ends_with("Interrupted.")


def test_a_second_interrupt_leaves_the_first_problem() -> None:
    talk = piped_to_bob()
    talk.conversation.interrupt()
    talk.conversation.interrupt()
    talk.loses_connection()
    assert talk.results == ["Interrupted."]


# Both


def test_a_closed_output_is_a_problem() -> None:
    talk = piped_to_bob()
    talk.conversation.stopProducing()
    talk.ends_with("The output was closed.")


@pytest.mark.parametrize("quits", [True, False])
def test_a_server_that_closes_without_an_answer_is_a_problem(quits: bool) -> None:
    for talk in (person(), piped()):
        if quits:
            talk.conversation.input_ended()
        talk.loses_connection()
        assert talk.results == ["The connection to the server was lost."]


def test_a_line_without_an_end_is_a_problem() -> None:
    talk = person()
    talk.conversation.dataReceived(b"x" * (talk.conversation.MAX_LENGTH + 3))
    assert talk.results == ["The server sent a line without an end."]
    assert talk.transport.disconnecting
