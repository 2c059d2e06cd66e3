"""A command as the party, and a client in a pipe as the other: both as they are started."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from chatpair.client import json_codec
from chatpair.client.ending import ExitStatus
from chatpair.exchange.messages import Message, Paired
from tests.support.clients import CALLED, Piped, at, fill, two
from tests.support.played import plain
from tests.support.server import Server

LEFT = "bob has left."


class Words:
    """What a command says, and when it ends."""

    def __init__(self, folder: Path) -> None:
        path = folder / "fifo"
        os.mkfifo(path)
        self.command = f"cat {path}"
        # Who opens it for both need not wait for somebody to read.
        self._file = os.fdopen(os.open(path, os.O_RDWR), "wb", buffering=0)
        self.end = self._file.close

    def says(self, line: str) -> None:
        """Let the command say a line."""
        self._file.write(line.encode() + b"\n")


@pytest.fixture
def words(tmp_path: Path) -> Iterator[Words]:
    """What a command says when the test wants it."""
    words = Words(tmp_path)
    yield words
    words.end()


BOT = """
while read -r line; do
    case $line in
        bye) echo "Bye."; exit ;;
        *) echo "You said: $line" ;;
    esac
done
"""


def test_a_bot_answers_each_line_until_it_is_told_bye(server: Server) -> None:
    with two(server, "--exec", BOT) as (alice, tool):
        for line in ("hi", "/who", "grüß  dich", "back\\slash"):
            alice.write(line.encode() + b"\n")
            alice.wait_for(rf"(^|\n)You said: {line.replace(chr(92), chr(92) * 2)}\n\Z")
        alice.write(b"bye\n")
        assert alice.notice() == LEFT
        alice.close_input()
        alice.ends(ExitStatus.OK)
        tool.ends(ExitStatus.OK, CALLED)
        assert alice.output.endswith(b"\nBye.\n")


@pytest.mark.parametrize("ending", ["", "; printf 'last words'", "; exec >&-"])
def test_all_arrives_of_a_command_that_writes_a_lot_and_exits_at_once(
    server: Server, ending: str
) -> None:
    lines = "seq 200000" + ending
    with two(server, "--exec", lines, of_alice=["--linger"]) as (alice, tool):
        alice.close_input()
        alice.ends(ExitStatus.OK, LEFT)
        tool.ends(ExitStatus.OK, CALLED)
        said = subprocess.check_output(lines, shell=True)
        assert alice.output.splitlines() == said.splitlines()


def test_a_command_hears_the_last_line_however_slow_it_reads(
    server: Server, words: Words, tmp_path: Path
) -> None:
    heard, done = tmp_path / "heard", tmp_path / "done"
    lines = [f"{number} {'x' * 100}" for number in range(500)]
    reads = f"cat >{heard}; echo done >{done}"
    with two(server, "--exec", f"{words.command}; {reads}") as (alice, tool):
        alice.close_input("\n".join(lines).encode())
        alice.ends(ExitStatus.OK)  # what pipes and buffers hold is confirmed
        words.end()
        tool.ends(ExitStatus.OK, CALLED, "alice has left.")
        assert heard.read_text().split("\n") == [*lines, ""]
        assert done.read_text() == "done\n"


def test_a_command_that_reads_nothing_makes_the_peer_wait_and_may_talk_all_the_while(
    server: Server, words: Words
) -> None:
    with two(server, "--exec", words.command) as (alice, tool):
        words.says("first")
        alice.wait_for("^first\n")
        before = tool.resident_kib()
        fill(alice)
        assert tool.resident_kib() - before < 8 * 1_024
        words.says("last")
        alice.wait_for("^first\nlast\n")
        words.end()
        assert alice.notice() == LEFT
        with suppress(BrokenPipeError):  # more was to be said already
            alice.write(b"late\n")
        alice.ends(ExitStatus.PEER_LEFT, "bob left before all was said.")
        tool.ends(ExitStatus.OK, CALLED)


def test_a_command_that_closes_its_input_goes_on_talking(server: Server, words: Words) -> None:
    with two(server, "--exec", f"exec <&-; {words.command}") as (alice, tool):
        words.says("first")
        alice.wait_for("^first\n")
        for _ in range(64):
            alice.write(b"x" * 16_000 + b"\n")
        words.says("last")
        alice.wait_for("^first\nlast\n")
        alice.close_input()
        alice.ends(ExitStatus.OK)
        words.end()
        tool.ends(ExitStatus.OK, CALLED, "alice has left.")


def test_a_command_that_never_ends_is_hung_up_on_when_the_peer_leaves(server: Server) -> None:
    with two(server, "--exec", "yes") as (alice, tool):
        alice.wait_for("^y\n")
        alice.close_input()
        alice.ends(ExitStatus.OK)
        # Its standard error ends, which is the command's too.
        left_early = ["alice has left.", "alice left before all was said."]
        tool.ends(ExitStatus.PEER_LEFT, CALLED, *left_early)


def test_a_command_that_waits_for_ever_is_hung_up_on_when_its_client_is_told_to_end(
    server: Server,
) -> None:
    with two(server, "--exec", "exec sleep infinity") as (alice, tool):
        assert tool.notice() == CALLED
        tool.kill(signal.SIGTERM)
        tool.ends(128 + signal.SIGTERM, "Terminated.")
        assert alice.notice() == LEFT
        alice.close_input()
        alice.ends(ExitStatus.OK)


def test_a_command_may_be_given_events(server: Server) -> None:
    with two(server, "--json", "--exec", "head -n 2", of_alice=["--linger"]) as (alice, tool):
        alice.close_input("grüß dich\n".encode())
        alice.ends(ExitStatus.OK, LEFT)
        paired, message = map(json_codec.parse_event, alice.output.splitlines())
        assert isinstance(message, Message)
        assert (plain(paired), message.text) == (Paired("alice", 1), "grüß dich")
        tool.ends(ExitStatus.OK)


@pytest.mark.parametrize(
    ("end", "status", "notices"),
    [
        ("exit 0", 0, []),
        ("exit 3", 8, ["The command ended with status 3."]),
        ("kill -9 $$", 8, ["The command ended with signal 9."]),
        ("exec sleep infinity >&-", 8, ["The command did not end when it had said all."]),
    ],
)
def test_how_a_command_ended_is_told(
    server: Server, end: str, status: int, notices: list[str]
) -> None:
    bob = server.client("bob")
    with Piped(*at(server, "--name", "one", "--to", "bob", "--exec", f"echo one; {end}")) as one:
        assert bob.line() == "You are chatting with one."
        assert bob.text() == "one"
        one.ends(status, "Welcome, one.", "You are chatting with bob.", *notices)
