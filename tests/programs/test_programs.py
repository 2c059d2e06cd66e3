"""The programs that people have, in conversation through a real server, with and without TLS."""

import pytest

from tests.programs.conftest import Start
from tests.support.certificates import usual
from tests.support.programs import COMMANDS, PIPED, TLS, Program
from tests.support.server import Process, Server, require


@pytest.mark.parametrize(
    ("callers", "callees"),
    [
        ("nc", "nc"),
        ("nc", "nc on a unix socket"),
        ("ncat", "socat"),
        ("socat", "ncat"),
        ("nc", "telnet"),
        ("telnet", "nc"),
        ("telnet", "telnet"),
        ("openssl", "ncat with TLS"),
        ("ncat with TLS", "openssl"),
        ("socat with TLS", "openssl"),
    ],
)
def test_two_programs_talk(start: Start, callers: str, callees: str) -> None:
    alice, bob = start(callers, "alice"), start(callees, "bob")
    alice.types("To:bob")
    alice.shows("You are chatting with bob.")
    bob.shows("You are chatting with alice.")
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


@pytest.mark.parametrize("command", [*PIPED, *TLS])
def test_a_program_at_the_end_is_answered_and_let_go(start: Start, command: str) -> None:
    """As printf 'alice\\nTo:bob\\n' | nc -N does it; with TLS it says so."""
    alice = start(command)
    assert isinstance(alice, Program)
    alice.types("alice", "To:bob")
    if command in TLS:
        alice.types("/end")
        alice.shows("The user bob does not exist.")
    alice.close_input()
    assert alice.wait() == 0
    assert alice.shown() == ["OK", "The user bob does not exist."]


Ending = tuple[str, list[str], list[str]]
UNFINISHED: Ending = ("Nearly", ["Nearly"], [])
CUT_SHORT: Ending = ("Nearly", [], ["That line was not sent: it has no end."])
SAYS_END: Ending = ("/end\nThis is too late.\n", [], [])


@pytest.mark.parametrize(
    ("command", "rest", "said", "told"),
    [
        *((command, *UNFINISHED) for command in PIPED),
        ("ncat with TLS", *CUT_SHORT),
        *((command, *SAYS_END) for command in TLS),
    ],
)
def test_a_program_at_the_end_still_listens_until_its_peer_leaves(
    start: Start, server: Server, command: str, rest: str, said: list[str], told: list[str]
) -> None:
    """With TLS anybody could have cut an unfinished line."""
    bob = server.client("bob")
    alice = start(command)
    assert isinstance(alice, Program)
    alice.types("alice", "To:bob", "This is all.")
    alice.write(rest.encode())
    if rest == "Nearly":
        alice.close_input()
    assert bob.line() == "You are chatting with alice."
    assert bob.text() == "This is all."
    assert [bob.text() for _ in said] == said
    alice.shows("Listening.")
    bob.says("Are you still there?")
    alice.shows("bob: (Are you still there?)")
    bob.says("Quit")
    assert bob.line() == "Quit"
    if rest != "Nearly":
        alice.shows("Quit.")
        alice.close_input()
    assert alice.wait() == 0
    answers = ["[] bob: (Are you still there?)", "Quit."]
    assert alice.shown() == ["OK", "You are chatting with bob.", *told, "Listening.", *answers]


@pytest.mark.parametrize("command", [*PIPED, *TLS])
def test_a_killed_program_leaves_its_name_and_its_unfinished_line(
    start: Start, server: Server, command: str
) -> None:
    """With TLS the line is not said, as anybody could have cut it."""
    bob = server.client("bob")
    alice = start(command, "alice")
    assert isinstance(alice, Program)
    alice.types("To:bob")
    assert bob.line() == "You are chatting with alice."
    alice.shows("You are chatting with bob.")
    alice.write(b"I wanted to say\nthat the ke")  # one write: they arrive together
    assert bob.text() == "I wanted to say"
    alice.kill()
    if command not in TLS:
        assert bob.text() == "that the ke"
    assert bob.line() == "Quit."
    server.client("alice").calls("bob")
    assert bob.line() == "You are chatting with alice."


def test_who_trusts_the_wrong_authority_is_not_let_on(server: Server) -> None:
    require("openssl")
    wrong = COMMANDS["openssl"].format(tls=server.tls_port, root=usual().leaf)
    with Process(wrong.split()) as alice:
        alice.wait_for("certificate verify failed")
        assert alice.wait() != 0
