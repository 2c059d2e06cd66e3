"""The client as it is started, on a terminal."""

import socket
from signal import SIGINT

import pytest

from chatpair.client.screen import NO_JSON
from chatpair.exchange.messages import Goodbye, Quit, Tried
from chatpair.exchange.pairs import NOBODY
from tests.support.clients import BAD_NAME, TO_BOB, Host, Piped, at, spins_until
from tests.support.emulator import Terminal
from tests.support.server import TIMEOUT, Server

CTRL_C, CTRL_D = "\x03", "\x04"
PLAIN = f"{NO_JSON}\n"
WELCOME = "Welcome, alice.\n"
PAIRED = "You are chatting with bob.\n"


def test_a_person_talks(server: Server) -> None:
    bob = server.client("bob")
    with Terminal(*at(server)) as alice:
        alice.shows("Your name: ")
        alice.types("bob\n")
        alice.shows("The name bob is taken.\nYour name: ")
        alice.types("a b\n")
        alice.shows(f"{BAD_NAME}\nYour name: ")
        alice.types("alice\n")
        alice.shows(WELCOME)
        alice.types("To:carol\nTo:bob\n")
        alice.shows("The user carol does not exist.\n" + PAIRED)
        assert bob.line() == "You are chatting with alice."
        alice.types("grüß dich\n To:x\n")
        assert [bob.text() for _ in range(2)] == ["grüß dich", " To:x"]
        bob.says("hallo, schöne Welt")
        alice.shows_said("bob", "hallo, schöne Welt")
        bob.says("Quit")
        alice.shows("bob has left.\n")
        alice.types("anybody?\n")
        alice.shows(f"{NOBODY}\n")
        alice.types("Quit\n")
        alice.ends(0)


@pytest.mark.parametrize("keys", [CTRL_D, CTRL_C], ids=["Ctrl-D", "Ctrl-C"])
def test_who_gives_no_name_leaves(server: Server, keys: str) -> None:
    with Terminal(*at(server)) as alice:
        alice.shows("Your name: ")
        alice.types("\n")  # which is no answer
        alice.shows("Your name: ")
        alice.types(keys)
        alice.ends(0)


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D], ids=["Ctrl-C", "Ctrl-D"])
def test_the_key_quits_and_waits_for_the_answer(key: str) -> None:
    with Host() as host, Terminal(*host.address, "--name", "alice") as alice:
        host.accepts_json("alice")
        alice.shows(WELCOME)
        alice.types(key)
        assert host.hears() == Quit()
        host.tells(Tried("carol", seq=2))
        alice.shows("carol tried to reach you.\n")
        assert alice.popen.poll() is None
        host.tells(Goodbye(seq=3))
        assert host.line() == b""
        alice.ends(0)


def test_a_second_ctrl_c_does_not_wait() -> None:
    with Host() as host, Terminal(*host.address, "--name", "alice") as alice:
        host.accepts_json("alice")
        alice.shows(WELCOME)
        alice.types(CTRL_C)
        assert host.hears() == Quit()
        alice.types(CTRL_C)
        alice.ends(130, "The server did not answer.\n")


# An older server


def test_an_older_server_gives_a_name_and_an_answer_to_quit() -> None:
    with Host() as host, Terminal(*host.address) as alice:
        host.takes("Mode:json")
        host.says(BAD_NAME)
        alice.shows(PLAIN + "Your name: ")
        alice.types("alice\n")
        host.takes("alice")
        host.says("OK")
        alice.shows(WELCOME)
        alice.types("/who\n")
        assert host.line() == b"/who\r\n"
        alice.types(CTRL_C)
        assert host.line() == b"Quit\r\n"
        host.says("carol tried to reach you.")
        alice.shows("carol tried to reach you.\n")
        assert alice.popen.poll() is None
        host.says("Quit")
        assert host.line() == b""
        alice.ends(0)


@pytest.mark.parametrize(
    ("keys", "texts"),
    [(CTRL_C, []), ("that is all" + CTRL_D + CTRL_D, ["that is all"])],
    ids=["Ctrl-C", "Ctrl-D"],
)
def test_the_key_tells_the_peer_and_says_an_unfinished_line_if_the_input_ends(
    server: Server, keys: str, texts: list[str]
) -> None:
    bob = server.client("bob")
    with Terminal(*at(server, *TO_BOB)) as alice:
        alice.shows(WELCOME + PAIRED)
        assert bob.line() == "You are chatting with alice."
        alice.types(keys)
        assert [bob.text() for _ in texts] == texts
        assert bob.line() == "Quit."
        alice.ends(0)


def test_an_older_server_that_goes_away_is_a_problem() -> None:
    with Host() as host, Terminal(*host.address, "--name", "alice") as alice:
        host.accepts("alice")
        alice.shows(PLAIN + WELCOME)
        host.hangs_up()
        alice.ends(2, "The connection to the server was lost.\n")


def test_an_interrupt_while_connecting_ends_the_client() -> None:
    with Host() as host, socket.create_connection(("127.0.0.1", host.port)):
        # The one that may wait to be accepted does; the kernel drops what more comes.
        with Terminal(*host.address) as alice:
            spins_until(host.is_awaited)
            alice.types(CTRL_C)
            assert alice.popen.wait(TIMEOUT) != 0
            assert alice.blocks
        assert b"Traceback" not in alice.output
        with Piped(*host.address, *TO_BOB) as pipe:
            spins_until(host.is_awaited)
            pipe.kill(SIGINT)
            assert pipe.wait() != 0
