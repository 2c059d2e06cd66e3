"""The options of a client in a pipe: events, lingering, and the progress it shows."""

import shlex
from pathlib import Path

import pytest

from chatpair.client import json_codec
from chatpair.client.ending import ExitStatus
from chatpair.exchange.messages import Left, Message, Paired
from tests.support.clients import CALLED, COMMAND, PAIRED, TO_BOB, WELCOME, Piped, at
from tests.support.emulator import Emulator
from tests.support.played import plain
from tests.support.server import Server, require

WAITING = "Waiting for bob ..."
LEFT = "bob has left."


# Events


def test_what_happens_is_written_as_events(server: Server) -> None:
    bob = server.client("bob")
    with Piped(*at(server, *TO_BOB, "--json")) as alice:
        assert bob.line() == CALLED
        bob.says("größer", "Quit")
        alice.wait_for(b'"left"')
        alice.close_input()
        alice.ends(ExitStatus.OK, WELCOME)
        paired, message, left = map(json_codec.parse_event, alice.output.splitlines())
        assert (plain(paired), plain(left)) == (Paired("bob", 1), Left("bob", "quit"))
        assert isinstance(message, Message)
        assert (message.sender, message.text) == ("bob", "größer")


# Lingering, and progress

# Waiting for somebody takes a second, and so does it until the progress is shown.
SLOW = [*TO_BOB, "--wait", "--linger"]


@pytest.mark.parametrize(
    ("lines", "end", "shown"),
    [
        (1, "Quit", [LEFT, "status 0"]),
        (10_000, "Quit", [LEFT, "bob left before all was said.", "status 6"]),
        (10_000, "Ctrl-C", ["Interrupted.", "status 130"]),
    ],
    ids=["all said", "failed", "interrupted"],
)
def test_the_shell_goes_on_in_a_row_of_its_own_after_the_progress(
    server: Server, tmp_path: Path, lines: int, end: str, shown: list[str]
) -> None:
    said = tmp_path / "said"
    said.write_text(("x" * 1_000 + "\n") * lines)
    shell = [require("bash"), "--norc", "--noprofile", "--noediting", "-i"]
    with Emulator(command=shell, env={"PS1": "$ ", "HISTFILE": ""}) as terminal:
        terminal.waits_until(lambda lines: lines[-1] == "$")
        terminal.types(f"{shlex.join([*COMMAND, *at(server, *SLOW)])} <{said}; echo status $?\r")
        terminal.waits_for_line(WAITING)
        bob = server.client("bob")
        assert bob.line() == "You are chatting with alice."
        terminal.waits_until(lambda lines: lines[-1].startswith("Arrived: "))
        bob.says("hi")
        terminal.waits_until(lambda lines: lines[-2] == "hi" and lines[-1].startswith("Arrived: "))
        if end == "Ctrl-C":
            terminal.types("\x03")  # of which the terminal itself shows two letters
        else:
            bob.says(end)
        terminal.shows_last(WELCOME, WAITING, PAIRED, "hi", *shown, "$", column=2)


def test_ctrl_c_that_ends_the_reader_too_leaves_the_name_to_others(server: Server) -> None:
    with Emulator(
        *at(server, "--name", "boo"), command=["sh", "-c", '"$0" "$@" | cat', *COMMAND]
    ) as boo:
        boo.waits_until(lambda lines: lines[0] == "Welcome, boo.")
        boo.types("hello\n\x03")
        boo.wait()
        server.client("boo")
