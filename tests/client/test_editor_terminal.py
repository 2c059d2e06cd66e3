"""The client on a terminal with its line editor: sizes, colors, the bell, jobs and the end."""

import re
import shlex
import signal
import socket

import pytest

from tests.support.clients import COMMAND, at
from tests.support.emulator import (
    ALONE,
    HEART,
    PAIRED,
    WELCOME,
    WIDE_HEART,
    WITH_BOB,
    Emulator,
    pair,
    status,
)
from tests.support.server import TIMEOUT, Server, require

CTRL_C, CTRL_D, CTRL_Z = "\x03", "\x04", "\x1a"


def has_colors(output: bytes) -> bool:
    """Tell whether letters or what is behind them had a color."""
    codes = b";".join(re.findall(rb"\x1b\[([\d;]*)m", output)).split(b";")
    return any(30 <= int(code) < 50 or 90 <= int(code) < 108 for code in codes if code)


# The bell and colors


@pytest.mark.parametrize(
    ("options", "env", "colors", "bells"),
    [
        ([], {}, True, 1),
        (["--no-bell"], {}, True, 0),
        (["--no-color"], {}, False, 1),
        ([], {"NO_COLOR": "1"}, False, 1),
        ([], {"NO_COLOR": ""}, True, 1),
        (["--color"], {"NO_COLOR": "1"}, True, 1),
    ],
    ids=["usual", "no bell", "option", "environment", "empty", "overridden"],
)
def test_the_bell_rings_at_a_call_but_not_at_every_line_and_there_are_colors(
    server: Server, options: list[str], env: dict[str, str], colors: bool, bells: int
) -> None:
    with pair(server, *options, env=env) as (alice, bob):
        assert alice.output.count(b"\a") == bells
        bob.says("it has rung")
        alice.shows(WELCOME, PAIRED, "HH:MM bob: it has rung", WITH_BOB, ">")
        assert alice.output.count(b"\a") == bells
        alice.types("hi\r/bye\r")
        assert bob.text() == "hi"
        alice.waits_until(lambda lines: lines[-2].startswith(ALONE))
        assert has_colors(alice.output) == colors


# Sizes


def test_a_terminal_may_be_narrow(server: Server) -> None:
    with Emulator(*at(server, "--name", "alice"), columns=20) as alice:
        alice.shows_last(status("connected"), ">")  # what is newest
        bob = server.caller("bob", "alice")
        alice.shows_last(status("connected"), ">")
        alice.types("a text that is longer than a row")
        rows = ["> a text that is lon", "ger than a row"]
        alice.shows_last(status("connected"), *rows)
        alice.types("\r")
        assert bob.text() == "a text that is longer than a row"


def test_wide_letters_leave_the_line_in_one_row(server: Server) -> None:
    with Emulator(*at(server, "--name", "日本"), columns=40) as alice:
        welcome = "HH:MM * Welcome, 日本."
        alice.shows(welcome, status("日本", "with nobody", "connected"), ">")
        bob = server.caller("漢字", "日本")
        shown = [welcome, "HH:MM * You are chatting with 漢字."]
        alice.shows(*shown, status("日本", "with 漢字", "connected"), ">")
        alice.types("日本語")
        bob.says("一")
        shown.append("HH:MM 漢字: 一")
        stands = status("日本", "with 漢字", "connected")
        alice.shows(*shown, stands, "> 日本語", column=8)
        # Letters of several characters, of which this terminal finds the tone as wide as the hand.
        alice.types("\x01cafe\u0301\U0001f44d\U0001f3fd\x1b[D\x1b[D-\x7f\x7f\x1b[3~")
        alice.shows(*shown, stands, "> ca\U0001f44d\U0001f3fd日本語", column=4)
        alice.types("\x06!\x1b[C\x7f")
        alice.shows(*shown, stands, "> ca\U0001f44d\U0001f3fd!本語", column=9)
        # One that this terminal finds wider than the library does.
        alice.types(f"\x15\x0b{HEART * 3}!\x01")
        alice.shows(*shown, stands, f"> {WIDE_HEART * 3}!", column=2)
        alice.types("\x1b[3~")
        alice.shows(*shown, stands, f"> {WIDE_HEART * 2}!", column=2)


def test_letters_stay_whole_where_a_row_ends(server: Server) -> None:
    man, woman = "\U0001f468", "\U0001f469"
    family = f"{man}\u200d{woman}"
    with Emulator(*at(server, "--name", "alice"), columns=20) as alice:
        alice.shows_last(status("connected"), ">", column=2)
        alice.pastes(f"{family * 5}{HEART}{'日' * 19}\t!")
        rows = [
            f"> {man}{woman}{man}{woman}{man}{woman}{man}{woman}",
            f"{man}{woman}{WIDE_HEART}{'日' * 7}",
            f"{'日' * 10}",
            "日日^I!",
        ]
        alice.shows_last(status("connected"), *rows, column=7)
        alice.types("\x01")
        alice.shows_last(status("connected"), *rows, column=2)
        alice.types("\x1b[C" * 5 + "\x0b")
        alice.shows_last(status("connected"), rows[0], f"{man}{woman}", column=4)
        alice.types("\x7f" * 5)
        alice.shows_last(status("connected"), ">", column=2)


# Jobs


def test_a_job_that_is_suspended_comes_back_whole(server: Server) -> None:
    shell = [require("bash"), "--norc", "--noprofile", "--noediting", "-i"]
    env = {"PS1": "$ ", "HISTFILE": ""}
    with Emulator(command=shell, env=env) as terminal:
        terminal.waits_until(lambda lines: lines[-1] == "$")
        terminal.types(shlex.join([*COMMAND, *at(server, "--name", "alice")]) + "\r")
        terminal.shows_last(ALONE, ">")
        bob = server.caller("bob", "alice")
        terminal.shows_last(WITH_BOB, ">")
        for number in range(2):
            terminal.types("half a line")
            terminal.waits_until(lambda lines: lines[-1] == "> half a line")
            terminal.types(CTRL_Z)
            terminal.waits_until(lambda lines: lines[-1] == "$")
            terminal.types("echo here $((40 + 2))\r")
            terminal.shows_last("$ echo here $((40 + 2))", "here 42", "$")
            bob.says(f"meanwhile {number}")
            terminal.types("fg\r")
            terminal.shows_last(f"HH:MM bob: meanwhile {number}", WITH_BOB, "> half a line")
            terminal.types(CTRL_C)
        terminal.types(CTRL_C)
        assert bob.line() == "Quit."
        terminal.waits_until(lambda lines: lines[-1] == "$")
        terminal.types("echo status $?\r")
        terminal.shows_last("status 0", "$")


# The end


def test_the_terminal_is_as_before_after_a_signal(server: Server) -> None:
    with pair(server) as (alice, bob):
        alice.types("half a line")
        alice.shows(WELCOME, PAIRED, WITH_BOB, "> half a line")
        alice.kill(signal.SIGTERM)
        assert bob.line() == "Quit."
        alice.ends(128 + signal.SIGTERM)
        alice.shows(WELCOME, PAIRED, "Terminated.")


@pytest.mark.parametrize("option", ["--no-plain", "--plain"])
def test_the_terminal_is_as_before_when_nobody_listens(option: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and no listen
        port = str(unused.getsockname()[1])
        with Emulator("127.0.0.1", "--port", port, option, columns=120) as alice:
            alice.ends(2)
            why = "Connection was refused by other side: 111: Connection refused."
            alice.shows(f"Can't connect to 127.0.0.1, port {port}: {why}")


def test_who_closes_the_window_has_left(server: Server) -> None:
    with pair(server) as (alice, bob):
        alice.types("half a line")
        alice.shows(WELCOME, PAIRED, WITH_BOB, "> half a line")
        alice.closes_window()
        assert bob.line() == "Quit."
        assert alice.popen.wait(TIMEOUT) == 128 + signal.SIGHUP
