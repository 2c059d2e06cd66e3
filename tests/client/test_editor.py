"""The client on a terminal with its line editor: what it shows."""

from datetime import datetime, timedelta, timezone
from itertools import count
from time import time

import pytest

from chatpair.exchange.messages import (
    Call,
    Claim,
    Error,
    Goodbye,
    Left,
    Message,
    Mode,
    Paired,
    PeerTyping,
    Quit,
    Say,
    Status,
    Timestamp,
)
from tests.support.clients import Host, at
from tests.support.emulator import ALONE, PAIRED, WELCOME, WITH_BOB, Emulator, pair, played, status
from tests.support.proxy import Proxy
from tests.support.server import Server

NAMELESS = status("no name yet")
LOST = "HH:MM * The connection is lost. Trying again; what is typed meanwhile waits."
CONNECTED_AGAIN = "HH:MM * Connected again."
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
        seq = count(3)

        def says(text: str) -> None:
            alice.types(f"{text}\r")
            shown.append(f"HH:MM alice: {text}")
            command = host.hears()
            assert isinstance(command, Say)
            assert command.text == text

        host.tells(PeerTyping("bob"))
        alice.shows(*shown, f"{WITH_BOB} | bob is typing", ">")
        host.tells(Message("bob", "hi", Timestamp(0.0), seq=next(seq)))
        shown.append("HH:MM bob: hi")
        alice.shows(*shown, WITH_BOB, ">")
        says("one")
        alice.shows(*shown, f"{WITH_BOB} | 1 waiting", ">")
        says("two")
        alice.shows(*shown, f"{WITH_BOB} | 2 waiting", ">")
        host.tells(Status(1, "handed", seq=next(seq)))
        alice.shows(*shown, f"{WITH_BOB} | 1 waiting", ">")
        host.tells(Status(2, "handed", seq=next(seq)))
        alice.shows(*shown, f"{WITH_BOB} | handed", ">")
        says("three")
        host.tells(Status(3, "confirmed", seq=next(seq)))
        alice.shows(*shown, f"{WITH_BOB} | confirmed", ">")
        says("four")
        host.tells(Status(4, "failed", "lost", seq=next(seq)))
        shown.append("HH:MM * Not delivered: four")
        alice.shows(*shown, f"{WITH_BOB} | not delivered", ">")
        host.tells(Left("bob", "quit", seq=next(seq)))
        alice.shows(*shown, "HH:MM * bob has left.", ALONE, ">")


def test_times_are_of_the_users_zone_and_those_of_another_day_have_their_date() -> None:
    with played() as (alice, host):
        now = datetime.now(timezone(timedelta(hours=9)))
        host.tells(Message("bob", "one\ntwo", Timestamp(0.0), seq=3))
        host.tells(Message("bob", "three", Timestamp(now.timestamp()), seq=4))
        seen = ["1970-01-01 09:00 bob: one", " " * 17 + "two", f"{now:%H:%M} bob: three"]
        alice.waits_until(lambda lines: lines[2:5] == seen)


# Before there is a name, and when somebody leaves


def test_what_is_typed_before_there_is_a_name_is_no_name() -> None:
    with Host() as host, Emulator(*host.address, "--name", "bob") as bob:
        host.takes("Mode:json")
        bob.shows(status("connecting"), ">")
        bob.types("for somebody's eyes\r")
        bob.shows(status("connecting"), "> for somebody's eyes")
        host.tells(Mode(mode="json", version=1, hold=60))
        assert host.hears() == Claim("bob")
        host.tells(Error("name", "reuse", "The name bob is taken."))
        taken = "HH:MM * The name bob is taken."
        bob.shows(taken, NAMELESS, "Your name:", column=11)


def test_what_waits_for_an_answer_is_said_before_the_client_leaves() -> None:
    with played() as (alice, host):
        alice.types("To:carol\rone\rtwo\r\x04three\r")
        assert host.hears() == Call("carol")
        leaving = status("alice", "with bob", "leaving", "2 waiting")
        alice.waits_until(lambda lines: lines[-2:] == [leaving, "> three"])
        host.tells(Paired("carol", seq=3))
        assert [host.hears(), host.hears()] == [Say(1, "one", "carol"), Say(2, "two", "carol")]
        assert host.hears() == Quit()
        host.tells(Status(2, "confirmed", seq=4), Goodbye(seq=5))
        host.hangs_up()
        alice.ends(0)


@pytest.mark.parametrize("keys", ["\x04\x04", "\x03\x03"], ids=["Ctrl-D", "Ctrl-C"])
def test_what_is_not_said_when_the_client_leaves_is_shown(keys: str) -> None:
    with played() as (alice, host):
        alice.types("To:carol\rone\r")
        assert host.hears() == Call("carol")
        alice.waits_until(lambda lines: "1 waiting" in lines[-2])
        alice.types(keys)
        assert host.hears() == Quit()
        host.tells(Goodbye(seq=3))
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


def test_further_lines_of_a_message_pass_for_nothing_else() -> None:
    with played() as (alice, host):
        text = "hi\n12:34 * bob has left.\n12:34 alice: no"
        host.tells(Message("bob", text, Timestamp(time()), seq=3))
        further = ["      12:34 * bob has left.", "      12:34 alice: no"]
        alice.shows(WELCOME, PAIRED, "HH:MM bob: hi", *further, WITH_BOB, ">")


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
        host.tells(Message(f"bo{bad}b\nx", f"a{bad}bx\x7f", Timestamp(0.0), seq=3))
        alice.waits_until(lambda lines: " bo[31m2Jbx: a[31m2Jb" in "\n".join(lines))
        alice.types("To:carol\r")
        assert host.hears() == Call("carol")
        host.tells(Error("to", "unknown", f"No{bad}\nnobody\x9b", seq=4))
        alice.waits_until(lambda lines: lines[-3].endswith(" * No[31m2Jnobody"))
        host.tells(Paired(f"car{bad}ol\nx", seq=5))
        alice.waits_until(lambda lines: "car[31m2Jolx" in lines[-2])
        for character in ("\x1b[31m", "\x9b", "\u202e", "\x07"):
            assert character.encode() not in alice.output.partition(b"bo[31m")[2]


# Drops


def test_a_lost_connection_is_shown_to_both_and_nothing_is_lost(server: Server) -> None:
    with Proxy(server.port) as proxy, Emulator(*proxy.address, "--name", "bob") as bob:
        bob.shows("HH:MM * Welcome, bob.", status("bob", "with nobody", "connected"), ">")
        with Emulator(*at(server, "--name", "alice")) as alice:
            alice.shows(WELCOME, ALONE, ">")
            alice.types("To:bob\r")
            shown = [WELCOME, "HH:MM > To:bob", PAIRED]
            alice.shows(*shown, WITH_BOB, ">")
            alice.types("h")
            seen = ["HH:MM * Welcome, bob.", "HH:MM * You are chatting with alice."]
            with_alice = status("bob", "with alice", "connected")
            bob.shows(*seen, f"{with_alice} | alice is typing", ">")
            alice.types("i\r")
            seen.append("HH:MM alice: hi")
            bob.shows(*seen, with_alice, ">")
            confirmed = f"{WITH_BOB} | confirmed"
            alice.shows(*shown, "HH:MM alice: hi", confirmed, ">")
            proxy.cut()
            away = status("alice", "with bob, who is away", "connected")
            held = "HH:MM * bob has lost the connection. What you say is kept for a while."
            shown += ["HH:MM alice: hi", held]
            alice.shows(*shown, f"{away} | confirmed", ">")
            seen.append(LOST)
            bob.shows(*seen, status("bob", "with alice", "not connected"), ">")
            alice.types("are you there?\r")
            shown.append("HH:MM alice: are you there?")
            alice.shows(*shown, f"{away} | 1 waiting", ">")
            bob.types("one\rtwo\r")
            seen += ["HH:MM bob: one", "HH:MM bob: two"]
            bob.shows(*seen, status("bob", "with alice", "not connected", "2 waiting"), ">")
            proxy.mend()
            shown += ["HH:MM * bob is back.", "HH:MM bob: one", "HH:MM bob: two"]
            alice.shows(*shown, confirmed, ">")
            seen += [CONNECTED_AGAIN, "HH:MM alice: are you there?"]
            bob.shows(*seen, f"{with_alice} | confirmed", ">")
            bob.types("\x04")
            alice.waits_until(lambda lines: "* bob has left." in lines[-3])


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
            bob = again.client("bob")
            bob.calls("alice")
            alice.waits_until(lambda lines: lines[-2].startswith(WITH_BOB))
            alice.types("\r")
            assert bob.text() == "half a line"
