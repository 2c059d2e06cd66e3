"""Much text through two clients in pipes: it arrives as it was, and takes no memory."""

from pathlib import Path

import pytest

from tests.support.clients import COMMAND, MIB, PAIRED, TO_BOB, WELCOME, Piped, at, resident
from tests.support.server import Server


def into(path: Path) -> list[str]:
    """Return the command of a client whose standard output is a file."""
    return ["sh", "-c", f'exec "$0" "$@" >"{path}"', *COMMAND]


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
    with (
        Piped(*at(server, "--name", "bob"), command=into(path)) as bob,
        Piped(*at(server, "--name", "alice")) as alice,
    ):
        assert [alice.notice(), bob.notice()] == [WELCOME, "Welcome, bob."]
        alice.write(b"To:bob\n")
        assert [alice.notice(), bob.notice()] == [PAIRED, "You are chatting with alice."]
        before = [resident(alice), resident(bob)]
        for number in range(count):
            alice.write(block(number))
            for client, size in zip((alice, bob), before, strict=True):
                assert resident(client) - size < 8 * MIB
        alice.close_input()
        alice.ends(0)
        assert alice.output == b""
        assert bob.notice() == "alice has left."
        bob.close_input()
        bob.ends(0)
    with path.open("rb") as heard:
        for number in range(count):
            data = block(number)
            is_same = heard.read(len(data)) == data
            assert is_same, f"block {number} is another"
        assert heard.read() == b""
    path.unlink()


def test_a_line_that_is_too_long_arrives_as_several_and_that_is_told(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    line = "".join(f"{number} " for number in range(100_000))
    with Piped(*at(server, "--name", "bob"), command=into(path)) as bob:
        assert bob.notice() == "Welcome, bob."
        with Piped(*at(server, *TO_BOB)) as alice:
            alice.close_input(f"before\n{line}\n{line}\nafter".encode())
            told = "A line is too long for a message; it arrives as several."
            alice.ends(0, WELCOME, PAIRED, told)
        bob.close_input()
        bob.ends(0, "You are chatting with alice.", "alice has left.")
    heard = path.read_text().split("\n")
    assert (heard[0], heard[-2:]) == ("before", ["after", ""])
    assert "".join(heard[1:-2]) == line * 2
    assert len(heard) > 5
