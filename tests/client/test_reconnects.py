"""The client as it is started, when its connection to a real server is cut."""

from collections import Counter

import pytest

from chatpair.client.ending import ExitStatus
from chatpair.client.pipe import ENDED_EARLY
from chatpair.client.talk import LINK_LOST
from tests.support.clients import PAIRED, TO_BOB, WELCOME, Piped
from tests.support.emulator import Terminal
from tests.support.proxy import Proxy
from tests.support.scene import AGAIN, TALK_IS_OVER
from tests.support.server import Server

PLAIN = ["--plain", "--no-bell"]


def test_a_pipe_s_lines_arrive_once_and_in_order_whatever_is_cut(server: Server) -> None:
    lines = [f"line {number} {'x' * (number % 40)}" for number in range(6_000)]
    # Each lets the handshake through at least; both speaker and listener are cut in the middle
    # of lines, of statuses and of acknowledgements.
    with (
        Proxy(server.port, 1_000, 30_001, 2_003, 100_007, 20_021) as to_alice,
        Proxy(server.port, 1_500, 1_013, 60_029, 20_011, 50_021) as to_bob,
        Piped(*to_alice.address, "--name", "alice") as alice,
    ):
        assert alice.notice() == "Welcome, alice."
        with Piped(*to_bob.address, "--name", "bob", "--to", "alice") as bob:
            bob.write("\n".join(lines).encode())
            bob.close_input()
            assert bob.wait() == 0
            notices = Counter(bob.notices())
        alice.close_input()
        assert alice.wait() == 0
        assert alice.output.decode().splitlines() == lines
        assert (to_alice.limits_left, to_bob.limits_left) == (0, 0)
        assert notices[LINK_LOST] == notices[AGAIN] == 5
        heard = Counter(alice.notices())
        assert heard[LINK_LOST] == heard[AGAIN] == 5
        assert heard["bob has left."] == 1


def test_a_person_goes_on_where_the_connection_was_cut(server: Server) -> None:
    bob = server.client("bob")
    with (
        Proxy(server.port) as proxy,
        Terminal(*proxy.address, *TO_BOB, *PLAIN) as alice,
    ):
        alice.shows(f"{WELCOME}\n{PAIRED}\n")
        assert bob.line() == "You are chatting with alice."
        proxy.cut()
        alice.shows(f"{LINK_LOST}\n")
        away = "alice has lost the connection. What you say is kept for a while."
        assert bob.line() == away
        bob.says("said meanwhile")
        alice.types("typed meanwhile\nand more\n/bye\n")
        proxy.mend()
        assert bob.line() == "alice is back."
        assert [bob.text(), bob.text()] == ["typed meanwhile", "and more"]
        assert bob.line() == "Quit."
        alice.shows_said("bob", "said meanwhile", f"{AGAIN}\n")
        alice.shows("You are free.\n")
        alice.types("/quit\n")
        alice.ends(0)


@pytest.fixture
def forgetful() -> Server:
    """A server that holds lines for a second."""
    return Server("--hold", "1")


def test_a_pipe_whose_line_was_held_no_longer_says_that_not_all_was_said(
    forgetful: Server,
) -> None:
    with forgetful as server, Proxy(server.port) as proxy:
        bob = server.client("bob")
        with Piped(*proxy.address, *TO_BOB) as alice:
            assert bob.line() == "You are chatting with alice."
            alice.write(b"one\n")
            assert bob.text() == "one"
            proxy.cut()
            assert bob.line().startswith("alice has lost the connection.")
            alice.write(b"two\n")
            alice.close_input()
            assert bob.line() == "Quit."
            proxy.mend()
            assert [alice.notice() for _ in range(3)] == [WELCOME, PAIRED, LINK_LOST]
            alice.ends(ExitStatus.NOT_DELIVERED, TALK_IS_OVER, ENDED_EARLY.text)


def test_a_person_whose_line_was_held_no_longer_learns_what_was_not_delivered(
    forgetful: Server,
) -> None:
    with forgetful as server, Proxy(server.port) as proxy:
        bob = server.client("bob")
        with Terminal(*proxy.address, *TO_BOB, *PLAIN) as alice:
            alice.shows(f"{WELCOME}\n{PAIRED}\n")
            assert bob.line() == "You are chatting with alice."
            proxy.cut()
            alice.shows(f"{LINK_LOST}\n")
            alice.types("too late\n")
            assert bob.line().startswith("alice has lost the connection.")
            assert bob.line() == "Quit."
            proxy.mend()
            alice.shows(f"{TALK_IS_OVER}\nNot delivered: too late\n{AGAIN}\n")
            alice.types("To:bob\n")
            alice.shows(f"{PAIRED}\n")
            alice.types("Quit\n")
            alice.ends(0)
