"""A command as the party, and a client in a pipe as the other: both as they are started."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatpair.client.ending import ExitStatus
from tests.clients import Piped, at, sleeps, spins_until
from tests.server import Server

WELCOME = "Welcome, alice."
PAIRED = "You are chatting with tool."
LEFT = "tool has left."
CALLED = "You are chatting with alice."


@pytest.fixture
def port() -> str:
    """Any port: a client does not notice which kind it is."""
    return "0"


@contextmanager
def pair(server: Server, command: str, *options: str) -> Iterator[tuple[Piped, Piped]]:
    """Start a command's client and alice, who calls it with some options; yield her first."""
    with Piped(*at(server, "--name", "tool", "--exec", command)) as tool:
        assert tool.notice() == "Welcome, tool."
        with Piped(*at(server, "--name", "alice", "--to", "tool", *options)) as alice:
            assert [alice.notice(), alice.notice()] == [WELCOME, PAIRED]
            yield alice, tool


def test_python_is_talked_with(server: Server) -> None:
    with pair(server, "python3 -iq 2>/dev/null", "--linger") as (alice, tool):
        alice.write(b"6 * 7\nfor word in 'Quit', '/bye':\n\tprint(word)\n\nexit()\n")
        alice.close_input()
        alice.ends(ExitStatus.OK, LEFT)
        tool.ends(ExitStatus.OK, CALLED)
        assert alice.output == b"42\nQuit\n/bye\n"


BOT = """
while read -r line; do
    case $line in
        bye) echo "Bye."; exit ;;
        *) echo "You said: $line" ;;
    esac
done
"""


def test_a_bot_answers_each_line_until_it_is_told_bye(server: Server) -> None:
    with pair(server, BOT) as (alice, tool):
        for line in ("hi", "/who", "grüß  dich", "back\\slash"):
            alice.write(line.encode() + b"\n")
            alice.wait_for(rf"(^|\n)You said: {line.replace(chr(92), chr(92) * 2)}\n\Z")
        alice.write(b"bye\n")
        assert alice.notice() == LEFT
        alice.close_input()
        alice.ends(ExitStatus.OK)
        tool.ends(ExitStatus.OK, CALLED)
        assert alice.output.endswith(b"\nBye.\n")


def test_two_commands_talk_with_each_other(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "heard"
    asks = f"for word in one two three; do echo $word; read -r answer; echo $answer >>{path}; done"
    with Piped(*at(server, "--name", "tool", "--exec", BOT)) as tool:
        assert tool.notice() == "Welcome, tool."
        with Piped(*at(server, "--name", "alice", "--to", "tool", "--exec", asks)) as alice:
            alice.ends(ExitStatus.OK, WELCOME, PAIRED)
        tool.ends(ExitStatus.OK, CALLED, "alice has left.")
    assert path.read_text() == "You said: one\nYou said: two\nYou said: three\n"


@pytest.mark.parametrize("ending", ["", "; printf 'last words'", "; exec >&-"])
def test_all_arrives_of_a_command_that_writes_a_lot_and_exits_at_once(
    server: Server, ending: str
) -> None:
    lines = "seq 200000" + ending
    with pair(server, lines, "--linger") as (alice, tool):
        alice.close_input()
        alice.ends(ExitStatus.OK, LEFT)
        tool.ends(ExitStatus.OK, CALLED)
        said = subprocess.check_output(lines, shell=True)
        assert alice.output.splitlines() == said.splitlines()


def test_a_command_hears_the_last_line_however_slow_it_reads(
    server: Server, tmp_path: Path
) -> None:
    heard, done = tmp_path / "heard", tmp_path / "done"
    may_read = tmp_path / "fifo"
    subprocess.check_call(["mkfifo", may_read])
    lines = [f"{number} {'x' * 100}" for number in range(750)]
    command = f"cat {may_read}; cat >{heard}; echo done >{done}"
    with pair(server, command) as (alice, tool):
        alice.write("\n".join(lines).encode())
        alice.close_input()
        alice.ends(ExitStatus.OK)  # a pipe does not hold it all; the rest is with the client
        spins_until(lambda: sleeps(tool.popen))
        may_read.write_text("")
        tool.ends(ExitStatus.OK, CALLED, "alice has left.")
        assert heard.read_text().split("\n") == [*lines, ""]
        assert done.read_text() == "done\n"
