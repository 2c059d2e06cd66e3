"""The client in a pipe when the server, or the peer, is killed: as a crash would do it."""

import signal

import pytest

from chatpair.client.ending import ExitStatus
from chatpair.client.pipe import ENDED_EARLY
from chatpair.client.talk import LINK_LOST
from tests.support.clients import PAIRED, TO_BOB, WELCOME, Piped, at, fill, spins_until
from tests.support.scene import AGAIN, TALK_IS_OVER
from tests.support.server import Client, Server

WAITING = "Waiting for bob ..."
OF_BOB = TALK_IS_OVER.replace("bob", "alice")


def kill(server: Server, number: signal.Signals = signal.SIGKILL) -> Server:
    """Kill a server, or stop it; return another on its port."""
    server.kill(number)
    server.wait()
    return Server(port=f"epoll:{server.port}")


def here(client: Client) -> str:
    """Ask who is here; return the answer."""
    client.says("/who")
    return client.line()


@pytest.mark.parametrize("input_has_ended", [False, True])
def test_a_server_that_is_killed_in_the_middle_is_a_problem_of_who_says_something(
    server: Server, input_has_ended: bool
) -> None:
    with (
        Piped(*at(server, "--name", "bob")) as bob,
        Piped(*at(server, "--name", "alice")) as alice,
    ):
        assert [alice.notice(), bob.notice()] == [WELCOME, "Welcome, bob."]
        alice.write(b"To:bob\n")
        assert [alice.notice(), bob.notice()] == [PAIRED, "You are chatting with alice."]
        alice.write(b"first\n")
        bob.wait_for("^first\n")
        bob.kill(signal.SIGSTOP)
        said = ["first", *fill(alice)]
        if input_has_ended:
            alice.close_input()
        with kill(server):
            assert alice.notice() == LINK_LOST
            alice.ends(ExitStatus.NOT_DELIVERED, TALK_IS_OVER, ENDED_EARLY.text)
            bob.kill(signal.SIGCONT)
            assert [bob.notice(), bob.notice()] == [LINK_LOST, OF_BOB]
            bob.close_input()
            bob.ends(ExitStatus.OK)
            heard = bob.output.decode().splitlines()
            assert heard == said[: len(heard)]


def test_a_server_that_is_killed_while_nothing_is_said_is_a_problem_of_who_says_more(
    server: Server,
) -> None:
    with Piped(*at(server, "--name", "bob")) as bob:
        assert bob.notice() == "Welcome, bob."
        with Piped(*at(server, *TO_BOB)) as alice:
            assert [alice.notice(), alice.notice()] == [WELCOME, PAIRED]
            assert bob.notice() == "You are chatting with alice."
            with kill(server) as again:
                assert [alice.notice(), alice.notice()] == [LINK_LOST, TALK_IS_OVER]
                assert [bob.notice(), bob.notice()] == [LINK_LOST, OF_BOB]
                # The names are nobody's now, and this text is for neither who has them next.
                other = again.client("bob")
                alice.write(b"late\n")
                alice.ends(ExitStatus.NOT_DELIVERED, ENDED_EARLY.text)
                assert here(other) == "Here: bob"


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGKILL, []), (signal.SIGTERM, ["The server is stopping."])],
    ids=["killed", "stopped"],
)
def test_a_server_that_starts_again_while_nobody_is_paired_loses_nothing(
    server: Server, number: signal.Signals, words: list[str]
) -> None:
    with Piped(*at(server, *TO_BOB, "--wait")) as alice:
        alice.close_input(b"one\ntwo\n")
        assert [alice.notice(), alice.notice()] == [WELCOME, WAITING]
        with (
            kill(server, number) as again,
            Piped(*at(again, "--name", "bob", "--linger")) as bob,
        ):
            bob.close_input()
            alice.ends(ExitStatus.OK, *words, LINK_LOST, AGAIN, PAIRED)
            called = ["Welcome, bob.", "You are chatting with alice.", "alice has left."]
            bob.ends(ExitStatus.OK, *called)
            assert bob.output == b"one\ntwo\n"


def test_a_peer_that_is_killed_has_left_when_it_is_held_no_longer() -> None:
    with (
        Server("--hold", "1") as server,
        Piped(*at(server, "--name", "bob")) as bob,
    ):
        assert bob.notice() == "Welcome, bob."
        with Piped(*at(server, *TO_BOB)) as alice:
            alice.write(b"one\n")
            bob.wait_for("^one\n")
            bob.kill()
            assert [alice.notice() for _ in range(4)] == [
                WELCOME,
                PAIRED,
                "bob has lost the connection. What you say is kept for a while.",
                "bob has left.",
            ]
            carol = server.client("carol")
            spins_until(lambda: here(carol) == "Here: carol")
            alice.write(b"two\n")
            alice.ends(ExitStatus.PEER_LEFT, "bob left before all was said.")
