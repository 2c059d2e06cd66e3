"""The client on a terminal with its line editor: what it shows."""

from datetime import datetime, timedelta, timezone

import pytest

from chatpair.exchange.messages import Message, Timestamp
from tests.support.clients import Host, at
from tests.support.emulator import ALONE, PAIRED, WELCOME, WITH_BOB, Emulator, pair, played, status
from tests.support.server import Server

NAMELESS = status("no name yet")
LOST = "HH:MM * The connection is lost. Trying again; what is typed meanwhile waits."
AWAY = "has lost the connection. What you say is kept for a while."
UP, LEFT = "\x1b[A", "\x1b[D"


def test_a_name_is_asked_for_until_it_is_right_and_is_no_line(server: Server) -> None:
    server.client("bob")
    with Emulator(*at(server)) as alice:
        alice.shows(NAMELESS, "Your name:", column=11)
        alice.types("bob\r")
        taken = "HH:MM * The name bob is taken."
        alice.shows(taken, NAMELESS, "Your name:", column=11)
        alice.types("a b\r")
        bad = "HH:MM * Bad name: no space and none of : [ ] ( ) / * , in a name"
        alice.shows(taken, bad, NAMELESS, "Your name:", column=11)
        alice.types("To\t")
        alice.shows(taken, bad, NAMELESS, "Your name: To", column=13)  # which is not completed
        alice.types("\x7f\x7falice\r")
        alice.shows(taken, bad, WELCOME, ALONE, ">", column=2)
        alice.types("/dnd on\r")
        alice.shows_last("HH:MM * Nobody can call you now.", ALONE, ">")
        alice.types(UP + UP)
        alice.shows_last(ALONE, "> /dnd on")


def test_the_line_below_tells_how_things_stand() -> None:
    with played() as (alice, host):
        shown = [WELCOME, PAIRED]

        def tells(event: str, stands: str, *lines: str) -> None:
            host.tells(event)
            shown.extend(lines)
            alice.shows(*shown, stands, ">")

        def says(number: int, stands: str) -> None:
            alice.types(f"text {number}\r")
            shown.append(f"HH:MM alice: text {number}")
            assert host.hears() == f"say({number}, text {number}, bob)"
            alice.shows(*shown, f"{WITH_BOB} | {stands}", ">")

        tells("typing(bob)", f"{WITH_BOB} | bob is typing")
        tells("message(bob, hi)", WITH_BOB, "HH:MM bob: hi")
        says(1, "1 waiting")
        says(2, "2 waiting")
        tells("status(1, handed)", f"{WITH_BOB} | 1 waiting")
        tells("status(2, handed)", f"{WITH_BOB} | handed")
        says(3, "1 waiting")
        tells("status(3, confirmed)", f"{WITH_BOB} | confirmed")
        says(4, "1 waiting")
        away = status("alice", "with bob, who is away", "connected")
        tells("held(bob)", f"{away} | 1 waiting", f"HH:MM * bob {AWAY}")
        tells("back(bob)", f"{WITH_BOB} | 1 waiting", "HH:MM * bob is back.")
        lost = "HH:MM * Not delivered: text 4"
        tells("status(4, failed, lost)", f"{WITH_BOB} | not delivered", lost)
        tells("left(bob, quit)", ALONE, "HH:MM * bob has left.")


def test_the_time_is_of_the_user_s_zone_and_further_lines_pass_for_nothing_else() -> None:
    with played() as (alice, host):
        now = datetime.now(timezone(timedelta(hours=9)))
        of_today = Message("bob", "three", Timestamp(now.timestamp()))
        host.tells("message(bob, one\\n12:34 * bob has left.\\n12:34 alice: no)", of_today)
        further = [" " * 17 + "12:34 * bob has left.", " " * 17 + "12:34 alice: no"]
        seen = ["1970-01-01 09:00 bob: one", *further, f"{now:%H:%M} bob: three"]
        alice.waits_until(lambda lines: lines[2:6] == seen)


# Before there is a name, and when somebody leaves


def test_what_is_typed_before_there_is_a_name_is_no_name() -> None:
    with Host() as host, Emulator(*host.address, "--name", "bob") as bob:
        host.takes("Mode:json")
        bob.shows(status("connecting"), ">")
        bob.types("for somebody's eyes\r")
        bob.shows(status("connecting"), "> for somebody's eyes")
        host.tells("mode(json, 1, 60)")
        assert host.hears() == "name(bob)"
        host.tells("error(name, reuse, The name bob is taken.)")
        taken = "HH:MM * The name bob is taken."
        bob.shows(taken, NAMELESS, "Your name:", column=11)


def test_what_waits_for_an_answer_is_said_before_the_client_leaves() -> None:
    with played() as (alice, host):
        alice.types("To:carol\rone\rtwo\r\x04three\r")
        assert host.hears() == "to(carol)"
        leaving = status("alice", "with bob", "leaving", "2 waiting")
        alice.waits_until(lambda lines: lines[-2:] == [leaving, "> three"])
        host.tells("paired(carol)")
        said = ["say(1, one, carol)", "say(2, two, carol)", "quit()"]
        assert [host.hears() for _ in said] == said
        host.tells("status(2, confirmed)", "quit()")
        host.hangs_up()
        alice.ends(0)


@pytest.mark.parametrize("keys", ["\x04\x04", "\x03\x03"], ids=["Ctrl-D", "Ctrl-C"])
def test_what_is_not_said_when_the_client_leaves_is_shown(keys: str) -> None:
    with played() as (alice, host):
        alice.types("To:carol\rone\r")
        assert host.hears() == "to(carol)"
        alice.waits_until(lambda lines: "1 waiting" in lines[-2])
        alice.types(keys)
        assert host.hears() == "quit()"
        host.tells("quit()")
        host.hangs_up()
        alice.ends(0)
        alice.shows_last("HH:MM alice: one", "HH:MM * Not delivered: one")


# What is typed stays as it is


def test_messages_leave_what_is_typed_as_it_is(server: Server) -> None:
    with pair(server) as (alice, bob):
        alice.types("half a line")
        alice.shows(WELCOME, PAIRED, WITH_BOB, "> half a line", column=13)
        bob.says("one")
        said = ["HH:MM bob: one"]
        alice.shows(WELCOME, PAIRED, *said, WITH_BOB, "> half a line", column=13)
        alice.types(LEFT * 4)
        alice.shows(WELCOME, PAIRED, *said, WITH_BOB, "> half a line", column=9)
        bob.says(*map(str, range(300)))
        said += [f"HH:MM bob: {number}" for number in range(300)]
        alice.shows(WELCOME, PAIRED, *said, WITH_BOB, "> half a line", column=9)
        alice.types("new ")
        alice.shows(WELCOME, PAIRED, *said, WITH_BOB, "> half a new line", column=13)
        # With other columns a screenful is shown again.
        above = alice.lines()[:200]
        alice.resize(24, 60)
        alice.shows_last(*said[-22:], WITH_BOB, "> half a new line", column=13)
        assert alice.lines()[:200] == above
        alice.types("\r")
        assert bob.text() == "half a new line"


# What the peer, or the server, can't do


# This terminal takes it for two letters, which have four columns.
WAVE = "\U0001f44b\U0001f3fd"


def test_the_rest_of_a_long_line_passes_for_nothing_else(server: Server) -> None:
    with pair(server, columns=40) as (alice, bob):
        bob.says("x" * 28 + "12:34 * bob has left. Now you are alone, alice.")
        rows = [
            "HH:MM bob: " + "x" * 28,
            "      12:34 * bob has left. Now you are",
            "      alone, alice.",
        ]
        alice.shows(WELCOME, PAIRED, *rows, WITH_BOB, ">")
        bob.says(WAVE * 14 + " 12:34 * bob has left.")
        seen = alice.waits_until(lambda lines: lines[-3] == "      12:34 * bob has left.")
        assert [line.count(WAVE) for line in seen[-5:]] == [7, 7, 0, 0, 0]


def test_nor_when_the_terminal_has_become_narrower_or_wider(server: Server) -> None:
    with pair(server, columns=80) as (alice, bob):
        bob.says("see " + "x" * 24 + " 12:34 * bob has left.")
        row = "HH:MM bob: see " + "x" * 24 + " 12:34 * bob has left."
        alice.shows(WELCOME, PAIRED, row, WITH_BOB, ">")
        alice.types("half")
        alice.resize(24, 40)
        rows = [row[:39], "      12:34 * bob has left."]
        alice.shows(WELCOME, PAIRED, *rows, WITH_BOB, "> half", column=6)
        alice.resize(24, 100)
        alice.shows(WELCOME, PAIRED, row, WITH_BOB, "> half", column=6)


def test_nothing_that_comes_steers_the_terminal() -> None:
    with played() as (alice, host):
        bad = "\x1b[31m\x9b2J\u202e\x07\r"
        host.tells(f"message(bo{bad}b\\nx, a{bad}bx\x7f)")
        alice.waits_until(lambda lines: " bo[31m2Jbx: a[31m2Jb" in "\n".join(lines))
        alice.types("To:carol\r")
        assert host.hears() == "to(carol)"
        host.tells(f"error(to, unknown, No{bad}\\nnobody\x9b)")
        alice.waits_until(lambda lines: lines[-3].endswith(" * No[31m2Jnobody"))
        host.tells(f"paired(car{bad}ol\\nx)")
        alice.waits_until(lambda lines: "car[31m2Jolx" in lines[-2])
        for character in ("\x1b[31m", "\x9b", "\u202e", "\x07"):
            assert character.encode() not in alice.output.partition(b"bo[31m")[2]


# Drops


def test_a_server_that_is_killed_and_comes_back(server: Server) -> None:
    with pair(server) as (alice, _):
        server.kill()
        server.wait()
        alice.types("half a line")
        alice.shows(
            WELCOME, PAIRED, LOST, status("alice", "with bob", "not connected"), "> half a line"
        )
        with Server(port=str(server.port)) as again:
            alice.shows_last(ALONE, "> half a line")
            bob = again.caller("bob", "alice")
            alice.waits_until(lambda lines: lines[-2].startswith(WITH_BOB))
            alice.types("\r")
            assert bob.text() == "half a line"
