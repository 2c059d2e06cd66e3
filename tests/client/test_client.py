"""The client as it is started, in a pipe: what it says and hears, and what it takes for that."""

import shlex
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM, Signals

import pytest

from chatpair.client.screen import NO_JSON
from tests.support.clients import (
    CALLED,
    COMMAND,
    MIB,
    MODULE,
    PAIRED,
    TO_BOB,
    WELCOME,
    Host,
    Piped,
    Unread,
    at,
    is_full,
    sleeps,
    to_bob,
    two,
)
from tests.support.server import Process, Server
from tests.support.steps import BAD_NAME

# In a pipe


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "2>&1 >/dev/null | true; exit 0"])
def test_notices_that_nobody_takes_keep_nothing_from_being_said(
    server: Server, redirection: str
) -> None:
    bob = server.client("bob")
    command = shlex.join([*COMMAND, *at(server, *TO_BOB)])
    with Process(["sh", "-c", f"{command} {redirection}"]) as alice:
        alice.close_input(b"one\ntwo\n")
        assert bob.line() == "You are chatting with alice."
        assert [bob.text(), bob.text()] == ["one", "two"]
        assert bob.line() == "Quit."
        assert alice.wait() == 0
        assert alice.output == b""


TEXT = "grüß dich\n日本語 🙂\n\n\ttab \nQuit\nTo:carol\n/bye\nno newline at the end"


@pytest.mark.parametrize("command", [COMMAND, MODULE], ids=["command", "module"])
def test_two_programs_talk(server: Server, command: list[str]) -> None:
    with (
        Piped("127.0.0.1", *at(server, "--name", "alice"), command=command) as alice,
        Piped(*at(server, "--name", "bob"), command=command) as bob,
    ):
        assert alice.notice() == "Welcome, alice."
        bob.close_input(f"To:alice\n{TEXT}".encode())
        bob.ends(0, "Welcome, bob.", "You are chatting with alice.")
        assert bob.output == b""
        assert alice.notice() == "You are chatting with bob."
        assert alice.notice() == "bob has left."
        alice.close_input()
        alice.ends(0)
        assert alice.output.decode() == f"{TEXT}\n"


# Problems


@pytest.mark.parametrize(
    ("number", "notice"),
    [(SIGINT, "Interrupted."), (SIGTERM, "Terminated."), (SIGHUP, "Terminated.")],
)
def test_a_signal_makes_the_client_quit_and_is_a_problem(
    server: Server, number: Signals, notice: str
) -> None:
    with to_bob(server) as (alice, bob):
        alice.kill(number)
        alice.ends(128 + number, notice)
        assert bob.line() == "Quit."


# The output


def test_a_closed_output_is_a_problem(server: Server) -> None:
    bob = server.client("bob")
    with Unread(*at(server, *TO_BOB)) as alice:
        assert bob.line() == "You are chatting with alice."
        alice.popen.stdout.close()
        assert bob.line() == "Quit."
        alice.ends(141, WELCOME, PAIRED, "The output was closed.")


def test_an_output_that_nobody_reads_makes_the_peer_wait_and_loses_nothing(server: Server) -> None:
    bob = server.client("bob")
    sent = 0
    with Unread(*at(server, *TO_BOB)) as alice:
        assert bob.line() == "You are chatting with alice."
        while not (is_full(bob.socket) and sleeps(alice.popen) and sleeps(server.popen)):
            if not is_full(bob.socket):
                bob.says(f"{sent} {'x' * 16_000}")
                sent += 1
                assert sent * 16_000 < 64 * MIB
        for number in range(sent):
            assert alice.popen.stdout.readline().decode() == f"{number} {'x' * 16_000}\n"
        alice.close_input()
        assert bob.line() == "Quit."
        assert alice.popen.stdout.read() == b""
        alice.ends(0, WELCOME, PAIRED)


def test_a_second_interrupt_ends_even_if_nobody_reads_the_output() -> None:
    with Host() as host, Unread(*host.address, *TO_BOB) as alice:
        host.accepts_json("alice")
        assert host.hears() == "to(bob)"
        host.tells("paired(bob)", *["message(bob, x*16000)"] * 60)
        alice.kill(SIGINT)
        assert host.hears() == "quit()"
        alice.kill(SIGINT)
        assert alice.wait() == 130


# With a server that does not speak JSON


def test_an_older_server_is_talked_with_plainly() -> None:
    with Host() as host, Piped(*host.address, *TO_BOB) as alice:
        host.takes("Mode:json")
        host.says(BAD_NAME)
        assert host.line() == b""
        host.takes("alice")
        host.says("OK")
        assert host.line() == b"To:bob\r\n"
        host.says(PAIRED)
        alice.close_input(b"one\nQuit\n")
        assert [host.line() for _ in range(3)] == [b"one\r\n", b" Quit\r\n", b"Quit\r\n"]
        host.says("Quit")
        alice.ends(0, NO_JSON, WELCOME, PAIRED)


# Much text


TRICKY = [
    "",
    "Quit",
    "quit",
    "/bye",
    " /quit",
    "To:x",
    "Mode:json",
    "[Sun Nov 22 20:22:01 2026] alice: (fake)",
    '{"do":"quit"}',
    "\ttab\tand\ttab ",
    'backslash \\ \\n and "quotes"',
    "grüß dich 日本語 🙂",
    "",
    "",
]
YES = ["y"] * 4_000
LONG = ["x" * 65_000, "ö" * 30_000, '"' * 30_000, "🙂" * 15_000]


def block(number: int) -> bytes:
    """Return about a MiB of lines, with numbers among them, so that no two are alike."""
    short = [f"{number} {line} a line of a log, as programs write them" for line in range(9_000)]
    for position, line in enumerate(TRICKY):
        short.insert(position * 500 + number, line)
    return "\n".join([*short, *LONG, *YES, ""]).encode()


@pytest.mark.parametrize("count", [30, pytest.param(160, marks=pytest.mark.endurance)])
def test_megabytes_arrive_as_they_were(server: Server, tmp_path: Path, count: int) -> None:
    path = tmp_path / "heard"
    into = ["sh", "-c", f'exec "$0" "$@" >"{path}"', *COMMAND]
    with two(server, command=into) as (alice, bob):
        before = [alice.resident_kib(), bob.resident_kib()]
        for number in range(count):
            alice.write(block(number))
            for client, size in zip((alice, bob), before, strict=True):
                assert client.resident_kib() - size < 8 * 1_024
        alice.close_input()
        alice.ends(0)
        assert alice.output == b""
        assert [bob.notice(), bob.notice()] == [CALLED, "alice has left."]
        bob.close_input()
        bob.ends(0)
    with path.open("rb") as heard:
        for number in range(count):
            data = block(number)
            is_same = heard.read(len(data)) == data
            assert is_same, f"block {number} is another"
        assert heard.read() == b""
    path.unlink()
