"""The options of a client in a pipe: events, lingering, and the progress it shows."""

import shlex
from pathlib import Path

import pytest

from chatpair.client import json_codec
from chatpair.client.ending import ExitStatus
from chatpair.exchange.messages import Back, Held, JsonEvent, Left, Message, Paired, Tried
from tests.support.clients import COMMAND, PAIRED, TO_BOB, WELCOME, Piped, at
from tests.support.emulator import Emulator
from tests.support.played import plain
from tests.support.proxy import Proxy
from tests.support.server import Server, require

WAITING = "Waiting for bob ..."
LEFT = "bob has left."


# Events


def events(client: Piped) -> list[JsonEvent]:
    """Return the events that a client wrote, without their counts and times."""
    lines = client.output.splitlines()
    return [plain(json_codec.parse_event(line)) for line in lines]


def test_what_happens_is_written_as_events(server: Server) -> None:
    with Proxy(server.port) as proxy, Piped(*at(server, *TO_BOB, "--wait", "--json")) as alice:
        assert [alice.notice(), alice.notice()] == [WELCOME, WAITING]
        with Piped(*proxy.address, "--name", "bob", "--linger", "--json") as bob:
            bob.close_input()
            alice.write(b"one\ntwo\n")
            alice.wait_for(b'"paired"')
            server.client("carol").says("To:alice")
            alice.wait_for(b'"tried"')
            proxy.cut()
            alice.wait_for(b'"held"')
            proxy.mend()
            alice.wait_for(b'"back"')
            alice.close_input("größer\n".encode())
            alice.ends(ExitStatus.OK)
            assert events(alice) == [Paired("bob", 1), Tried("carol"), Held("bob"), Back("bob")]
            assert bob.wait() == ExitStatus.OK
            said = [event.text for event in events(bob) if isinstance(event, Message)]
            assert "\n".join(said) == "one\ntwo\ngrößer"
            assert events(bob)[0] == Paired("alice", 1)
            assert events(bob)[-1] == Left("alice", "quit")
            assert len(events(bob)) == 2 + len(said)


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
