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


def test_who_trusts_the_wrong_authority_is_not_let_on(server: Server) -> None:
    require("openssl")
    wrong = COMMANDS["openssl"].format(tls=server.tls_port, root=usual().leaf)
    with Process(wrong.split()) as alice:
        alice.wait_for("certificate verify failed")
        assert alice.wait() != 0
