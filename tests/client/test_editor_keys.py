"""The client on a terminal with its line editor: what is typed and pasted."""

import pytest

from chatpair.client.person import HELP
from tests.support.emulator import ALONE, PAIRED, WELCOME, WITH_BOB, pair, played, status
from tests.support.server import Server

CTRL_A, CTRL_C, CTRL_D, CTRL_R = "\x01", "\x03", "\x04", "\x12"
UP, LEFT = "\x1b[A", "\x1b[D"
HANDED = status("alice", "with bob", "connected", "handed")
HINT = status("Ctrl-C again, or Ctrl-D, quits", "alice", "with bob", "connected")
TOO_LONG = "Too long: a message may have 64 KiB. Shorten it, or paste a part; a pipe takes all."


# Pastes


def test_a_pasted_text_is_shown_whole_and_is_one_message() -> None:
    with played() as (alice, host):
        alice.pastes("one\rTo:carol\r/quit")
        alice.shows(WELCOME, PAIRED, WITH_BOB, "> one", "To:carol", "/quit", column=5)
        alice.types("\r")
        assert host.hears() == "say(1, one\\nTo:carol\\n/quit, bob)"
        shown = [WELCOME, PAIRED, "HH:MM alice: one", "      To:carol", "      /quit"]
        alice.shows(*shown, f"{WITH_BOB} | 1 waiting", ">", column=2)
        alice.types("next\r")
        assert host.hears() == "say(2, next, bob)"


def test_a_text_that_is_too_long_stays_in_the_line_or_is_refused_at_once(server: Server) -> None:
    with pair(server) as (alice, bob):
        alice.types("and")
        alice.pastes("x" * 70_000)
        alice.shows(WELCOME, PAIRED, f"HH:MM * {TOO_LONG}", WITH_BOB, "> and", column=5)
        alice.types(" so on\r")
        assert bob.text() == "and so on"
        alice.pastes("\u201c" * 30_000)  # three bytes each
        alice.types("\r")
        alice.waits_until(lambda lines: TOO_LONG in lines[-1] and "\u201c" * 50 in "".join(lines))
        alice.types(CTRL_C)
        alice.shows_last(f"{HINT} | handed", ">")
        alice.types("hi\r")
        assert bob.text() == "hi"
        alice.shows_last(HANDED, ">")
        alice.pastes("/bye\n")
        alice.types("\r")
        assert bob.line() == "Quit."
        alice.shows_last("HH:MM > /bye", "HH:MM * You are free.", ALONE, ">")


def test_what_is_no_text_and_no_key_does_no_harm(server: Server) -> None:
    with pair(server) as (alice, bob):
        alice.types_bytes(b"a\xff\xfeb\r")
        assert bob.text() == "a\ufffd\ufffdb"
        alice.types("a\x00b\x1b[99~c\x1b[1;31md\x1bOz\x0fx\x1b#\r")
        assert bob.text() == "ab[99~cdOzx"
        alice.types("\r\r \rhi\r")
        assert [bob.text(), bob.text()] == [" ", "hi"]
        alice.shows_last("HH:MM alice: ab[99~cdOzx", "HH:MM alice:", "HH:MM alice: hi", HANDED, ">")


def test_nothing_that_is_pasted_steers_the_terminal() -> None:
    with played() as (alice, host):
        before = len(alice.output)
        alice.pastes("a\x1b[31m\x07\x00b\u202e\x9bc")
        alice.waits_until(lambda lines: lines[-1].endswith("c"))
        alice.types("\r")
        assert host.hears() == "say(1, a[31mbc, bob)"
        alice.shows_last("HH:MM alice: a[31mbc", f"{WITH_BOB} | 1 waiting", ">")
        for bad in ("\x1b[31m", "\x07", "\x00", "\u202e", "\x9b"):
            assert bad.encode() not in alice.output[before:]


# Commands


def test_the_commands(server: Server) -> None:
    with pair(server) as (alice, bob):
        alice.types("/help\r")
        shown = [
            WELCOME,
            PAIRED,
            "HH:MM > /help",
            *(f"HH:MM * {line}" for line in HELP.split("\n")),
        ]
        alice.shows(*shown, WITH_BOB, ">", column=2)
        alice.types(" /bye\r")
        assert bob.text() == " /bye"
        shown.append("HH:MM alice:  /bye")
        alice.shows(*shown, HANDED, ">")
        alice.types("/quit\r")
        assert bob.line() == "Quit."
        alice.ends(0)
        alice.shows(*shown, "HH:MM > /quit")


# Keys


def test_tab_completes_commands_and_names(server: Server) -> None:
    with pair(server) as (alice, bob):
        server.client("Carol")
        for begun, whole in (
            ("/w", "/who"),
            ("t", "To:"),
            ("/q", "/quit"),
            ("/bl", "/block"),
            ("/block c", "/block Carol"),
            ("/to c", "/to Carol"),
            ("To:c", "To:Carol"),
        ):
            alice.types(CTRL_C)
            alice.shows_last(HINT, ">")
            alice.types(f"{begun}\t")
            alice.waits_for_line(f"> {whole}")
        alice.types("\r")
        assert bob.line() == "Quit."


def test_what_was_typed_comes_back(server: Server) -> None:
    with pair(server) as (alice, bob):
        alice.types("first\rsecond\r")
        assert [bob.text(), bob.text()] == ["first", "second"]
        shown = [WELCOME, PAIRED, "HH:MM alice: first", "HH:MM alice: second"]
        alice.shows(*shown, HANDED, ">")
        alice.types(UP + UP)
        alice.shows(*shown, HANDED, "> first", column=7)
        alice.types("!\r")
        assert bob.text() == "first!"
        shown.append("HH:MM alice: first!")
        alice.shows(*shown, HANDED, ">")
        alice.types(f"{CTRL_R}sec")
        alice.waits_until(lambda lines: "second" in lines[-1] + lines[-2])
        alice.types("\r\r")
        assert bob.text() == "second"


def test_ctrl_c_empties_the_line_and_the_second_quits(server: Server) -> None:
    with pair(server) as (alice, bob):
        alice.types("not this")
        alice.shows(WELCOME, PAIRED, WITH_BOB, "> not this")
        for _ in range(2):  # any other key makes it the first again
            alice.types(CTRL_C)
            alice.shows(WELCOME, PAIRED, HINT, ">", column=2)
            alice.types(LEFT)
            alice.shows(WELCOME, PAIRED, WITH_BOB, ">")
        alice.types("hi\r")
        assert bob.text() == "hi"
        shown = [WELCOME, PAIRED, "HH:MM alice: hi"]
        alice.shows(*shown, HANDED, ">")
        alice.types(CTRL_C)
        alice.shows(*shown, f"{HINT} | handed", ">")
        alice.types(CTRL_C)
        assert bob.line() == "Quit."
        alice.ends(0)
        alice.shows(*shown)


def test_ctrl_d_deletes_and_quits_where_nothing_is(server: Server) -> None:
    with pair(server) as (alice, bob):
        alice.types(f"ab{CTRL_A}{CTRL_D}")
        alice.shows(WELCOME, PAIRED, WITH_BOB, "> b", column=2)
        alice.types(CTRL_D + CTRL_D)
        assert bob.line() == "Quit."
        alice.ends(0)
        alice.shows(WELCOME, PAIRED)


@pytest.mark.parametrize(
    "key", ["", "\r", CTRL_D, CTRL_C], ids=["none", "Enter", "Ctrl-D", "Ctrl-C"]
)
def test_a_paste_that_is_torn_ends_by_itself_or_at_a_key(key: str) -> None:
    with played() as (alice, host):
        alice.types_apart("\x1b[200~torn")
        if key == CTRL_C:
            alice.types(key)
            alice.shows(WELCOME, PAIRED, HINT, ">", column=2)
        else:
            alice.types(key)
            if key != "\r":
                alice.shows(WELCOME, PAIRED, WITH_BOB, "> torn", column=6)
                alice.types("\r")
            assert host.hears() == "say(1, torn, bob)"
