"""The client as it is started, on a terminal without its line editor."""

import socket
from signal import SIGINT

import pytest

from chatpair.exchange.pairs import NOBODY
from tests.support.clients import PAIRED, TO_BOB, WELCOME, Host, Piped, at, spins_until
from tests.support.emulator import Emulator
from tests.support.server import TIMEOUT, Server
from tests.support.steps import BAD_NAME

CTRL_C, CTRL_D = "\x03", "\x04"
ASKS = "Your name:"


@pytest.mark.parametrize(
    ("option", "env"),
    [("--plain", {}), ("--bell", {"TERM": "dumb"}), ("--bell", {"TERM": ""})],
    ids=["option", "dumb", "unset"],
)
def test_a_person_talks(server: Server, option: str, env: dict[str, str]) -> None:
    bob = server.client("bob")
    with Emulator(*at(server, option), env=env) as alice:
        shown: list[str] = []

        def shows(line: str, *answers: str) -> None:
            alice.types(f"{line}\r")
            asked = shown and shown[-1].startswith(ASKS)
            shown[-1:] = [f"{ASKS} {line}"] if asked else [*shown[-1:], line]
            shown.extend(answers)
            alice.shows(*shown)

        shown.append(ASKS)
        alice.shows(ASKS, column=11)
        shows("bob", "The name bob is taken.", ASKS)
        shows("a b", BAD_NAME, ASKS)
        shows("alice", WELCOME)
        shows("To:carol", "The user carol does not exist.")
        shows("To:bob", PAIRED)
        assert bob.line() == "You are chatting with alice."
        shows("grüß dich")
        shows(" To:x")
        assert [bob.text() for _ in range(2)] == ["grüß dich", " To:x"]
        bob.says("hallo, schöne Welt", "Quit")
        shown += ["bob: (hallo, schöne Welt)", "bob has left."]
        alice.shows(*shown)
        shows("anybody?", NOBODY)
        alice.types(CTRL_D)
        alice.ends(0)
        assert b"\x1b" not in alice.output


@pytest.mark.parametrize(
    ("editor", "keys"),
    [("--plain", CTRL_D), ("--plain", CTRL_C), ("--no-plain", CTRL_D), ("--no-plain", CTRL_C * 2)],
)
def test_who_gives_no_name_leaves(server: Server, editor: str, keys: str) -> None:
    with Emulator(*at(server, editor)) as alice:
        alice.waits_for_line(ASKS)
        alice.types("\r")  # which is no answer
        alice.types(keys)
        alice.ends(0)
        if editor == "--no-plain":
            alice.shows("")


@pytest.mark.parametrize(
    ("keys", "texts"),
    [(CTRL_C, []), ("that is all" + CTRL_D + CTRL_D, ["that is all"])],
    ids=["Ctrl-C", "Ctrl-D"],
)
def test_the_key_tells_the_peer_and_says_an_unfinished_line_if_the_input_ends(
    server: Server, keys: str, texts: list[str]
) -> None:
    bob = server.client("bob")
    with Emulator("--plain", *at(server, *TO_BOB)) as alice:
        alice.shows(WELCOME, PAIRED)
        assert bob.line() == "You are chatting with alice."
        alice.types(keys)
        assert [bob.text() for _ in texts] == texts
        assert bob.line() == "Quit."
        alice.ends(0)


def test_an_interrupt_while_connecting_ends_the_client() -> None:
    with Host() as host, socket.create_connection(("127.0.0.1", host.port)):
        # The one that may wait to be accepted does; the kernel drops what more comes.
        with Emulator("--plain", *host.address) as alice:
            spins_until(host.is_awaited)
            alice.types(CTRL_C)
            assert alice.popen.wait(TIMEOUT) != 0
            assert alice.blocks
        with Piped(*host.address, *TO_BOB) as pipe:
            spins_until(host.is_awaited)
            pipe.kill(SIGINT)
            assert pipe.wait() != 0
