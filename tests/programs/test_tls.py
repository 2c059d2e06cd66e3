"""The programs that people have for TLS, in conversation through a real server."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.programs.test_programs import Program, pair
from tests.support.certificates import made, usual
from tests.support.doors import through
from tests.support.server import Server, require

# As the README has them; without the rest they would trust whoever answers.
COMMANDS = {
    "openssl": "openssl s_client -quiet -connect localhost:{port} -servername localhost "
    "-verify_quiet -verify_return_error -CAfile {root}",
    "ncat": "ncat --ssl localhost {port} --ssl-verify --ssl-trustfile {root}",
    "socat": "socat - OPENSSL:localhost:{port},cafile={root}",
}

pytestmark = through("ssl")

PROGRAMS = pytest.mark.parametrize("command", COMMANDS)
OPENSSLS_OWN = b"Can't use SSL_get_servername\n"


class TLSProgram(Program):
    """A program whose own words are not of interest."""

    def shown(self) -> list[str]:
        """Return the lines that the server told."""
        self.output = self.output.replace(OPENSSLS_OWN, b"")
        return super().shown()


Start = Callable[..., TLSProgram]


@pytest.fixture
def start(server: Server) -> Iterator[Start]:
    """Start a program of COMMANDS, and say a name to the server if there is one."""
    with ExitStack() as programs:

        def start(command: str, name: str = "") -> TLSProgram:
            arguments = COMMANDS[command].format(port=server.port, root=made().root).split()
            require(arguments[0])
            program = programs.enter_context(TLSProgram(arguments))
            if name:
                program.types(name)
                program.shows("OK")
            return program

        yield start


@pytest.mark.parametrize(
    ("callers", "callees"), [("openssl", "ncat"), ("ncat", "openssl"), ("socat", "openssl")]
)
def test_two_programs_talk(start: Start, callers: str, callees: str) -> None:
    alice, bob = start(callers, "alice"), start(callees, "bob")
    pair(alice, bob)
    alice.types("Good morning")
    bob.shows("alice: (Good morning)")
    bob.types("Grüße, 你好 🙂", "")
    alice.shows("bob: ()")
    bob.leaves()
    alice.shows("Quit.")
    alice.leaves()
    assert alice.shown() == [
        "OK",
        "You are chatting with bob.",
        "[] bob: (Grüße, 你好 🙂)",
        "[] bob: ()",
        "Quit.",
        "Quit",
    ]
    assert bob.shown() == ["OK", "You are chatting with alice.", "[] alice: (Good morning)", "Quit"]


@PROGRAMS
def test_a_program_that_says_end_is_answered_and_let_go(start: Start, command: str) -> None:
    alice = start(command)
    alice.types("alice", "To:bob", "/end")
    alice.wait_for(r"The user bob does not exist\.\r\n")
    alice.close_input()
    assert alice.wait() == 0
    assert alice.shown() == ["OK", "The user bob does not exist."]


@PROGRAMS
def test_a_program_that_says_end_listens_until_its_peer_leaves(
    start: Start, server: Server, command: str
) -> None:
    bob = server.client("bob")
    alice = start(command)
    alice.types("alice", "To:bob", "This is all.", "/end", "This is too late.")
    assert bob.line() == "You are chatting with alice."
    assert bob.text() == "This is all."
    alice.shows("Listening.")
    bob.says("Are you still there?")
    alice.shows("bob: (Are you still there?)")
    bob.says("Quit")
    assert bob.line() == "Quit"
    alice.wait_for(r"Quit\.\r\n")
    alice.close_input()
    assert alice.wait() == 0
    assert alice.shown()[2:] == ["Listening.", "[] bob: (Are you still there?)", "Quit."]


def test_ncat_at_the_end_of_its_input_listens_as_without_tls(start: Start, server: Server) -> None:
    bob = server.client("bob")
    alice = start("ncat")
    alice.write(b"alice\nTo:bob\nThis is all.\nNearly")
    alice.close_input()
    assert bob.line() == "You are chatting with alice."
    assert bob.text() == "This is all."
    alice.shows("Listening.")
    bob.says("Quit")
    assert bob.line() == "Quit"
    assert alice.wait() == 0
    assert alice.shown()[2:] == ["That line was not sent: it has no end.", "Listening.", "Quit."]


@PROGRAMS
def test_a_killed_program_leaves_its_name_and_no_line_that_may_be_cut(
    start: Start, server: Server, command: str
) -> None:
    bob = server.client("bob")
    alice = start(command, "alice")
    alice.types("To:bob")
    assert bob.line() == "You are chatting with alice."
    alice.shows("You are chatting with bob.")
    alice.write(b"I wanted to say\nthat the ke")
    assert bob.text() == "I wanted to say"
    alice.kill()
    assert bob.line() == "Quit."
    server.client("alice").calls("bob")


def test_who_trusts_the_wrong_authority_is_not_let_on(server: Server) -> None:
    arguments = COMMANDS["openssl"].format(port=server.port, root=usual().leaf).split()
    require("openssl")
    with Program(arguments) as alice:
        assert alice.wait() != 0
        assert re.search(rb"certificate verify failed", alice.output)
