"""Names that are somebody's own: what is asked, what is answered, and what waits meanwhile."""

from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from zope.interface import directlyProvides

from chatpair.login import PERHAPS_A_PASSWORD
from chatpair.names import parse
from chatpair.privacy import is_private
from tests.support.accounts import LOOPBACK, Guarded, known, slow
from tests.support.exchange import PAIRED, said

PERHAPS = f"Bad name: {PERHAPS_A_PASSWORD}"
SECRET = {"alice": "secret", "Bob": "hunter2"}


@pytest.fixture
def guarded() -> Guarded:
    return Guarded(known(**SECRET))


# Plain


def test_a_name_with_a_password_asks_for_it(guarded: Guarded) -> None:
    alice = guarded.local()
    alice.says("alice")
    assert alice.heard() == ["Password:"]
    alice.says("wrong")
    assert alice.heard() == ["Wrong password."]
    alice.says("alice")
    assert alice.heard() == ["Password:"]
    alice.says("secret")
    assert alice.heard() == []
    guarded.clock.advance(1)
    assert alice.heard() == ["OK"]
    guarded.enter("carol")


@pytest.mark.parametrize("name", ["ALICE", "Alice", "аlice", "ａｌｉｃｅ"])
def test_what_counts_as_the_name_is_the_name(guarded: Guarded, name: str) -> None:
    alice = guarded.local()
    alice.says(name, "secret", "/who")
    assert alice.heard() == ["Password:", "OK", "Here: alice"]


@pytest.mark.parametrize("line", ["Quit", "/quit", "Mode:json", "To:bob", "Back:x", "", "bob"])
def test_whatever_comes_next_is_the_password(guarded: Guarded, line: str) -> None:
    alice = guarded.local()
    alice.says("alice", line, "carol", "carol")
    assert alice.heard() == ["Password:", "Wrong password.", PERHAPS, "OK"]
    opened = Guarded(known(alice=line or "x"))
    alice = opened.local()
    alice.says("alice", line)
    assert alice.heard()[-1] == ("OK" if line else "Wrong password.")


def test_a_password_is_bytes_that_nothing_is_taken_from() -> None:
    exchange = Guarded(known(alice=" grüß\tdich\u200e "))
    alice = exchange.local()
    alice.sends("alice\r\n grüß\tdich\u200e \r\n".encode())
    assert alice.heard() == ["Password:", "OK"]


def test_a_password_that_is_too_long_is_wrong(guarded: Guarded) -> None:
    alice = guarded.local()
    alice.says("alice", "x" * 70_000, "carol", "carol")
    assert alice.heard() == ["Password:", "Wrong password.", PERHAPS, "OK"]


def test_a_password_where_a_name_is_due_is_no_name_at_once(guarded: Guarded) -> None:
    alice = guarded.local()
    alice.says("alice", "wrong", "secret", "also wrong", "a b", "x" * 40, "alice", "secret")
    bad = ["Bad name: no space and none of : [ ] ( ) / * , in a name"] * 2
    bad.append("Bad name: 1 to 32 characters")
    assert alice.heard() == ["Password:", "Wrong password.", PERHAPS, *bad, "Password:"]
    guarded.clock.advance(1)
    assert alice.heard() == ["OK"]
    carol = guarded.local()
    carol.says("Bob", "", "dave", "carol", "dave", "dave")
    assert carol.heard() == ["Password:", "Wrong password.", *[PERHAPS] * 3, "OK"]


def test_a_password_in_pieces_is_not_the_line_before(guarded: Guarded) -> None:
    alice = guarded.local()
    for piece in (b"ali", b"ce\r", b"\nsec", b"ret\r", b"\n"):
        alice.sends(piece)
    assert alice.heard() == ["Password:", "OK"]


def test_telnet_s_ctrl_c_quits_at_the_question(guarded: Guarded) -> None:
    alice = guarded.local()
    alice.says("alice")
    alice.sends(b"sec\xff\xf4")
    assert alice.heard() == ["Password:", "Quit"]
    assert alice.closed


def test_nobody_is_asked_where_others_can_read(guarded: Guarded) -> None:
    alice = guarded.connect("192.0.2.1")
    alice.says("alice", "secret", "Bob", "carol", "carol")
    assert alice.heard() == ["This needs TLS.", PERHAPS, "This needs TLS.", PERHAPS, "OK"]


def test_a_name_in_use_is_taken_whoever_asks(guarded: Guarded) -> None:
    first = guarded.local()
    first.says("alice", "secret")
    assert first.heard() == ["Password:", "OK"]
    second = guarded.local()
    second.says("alice", "secret", "аlice", "secret")
    assert second.heard() == ["Reuse", PERHAPS] * 2
    first.says("Quit")
    second.says("alice", "secret")
    assert second.heard() == ["Password:", "OK"]


def test_a_name_that_is_taken_while_the_password_is_checked() -> None:
    exchange, checker = slow("alice")
    first, second = exchange.local(), exchange.connect(LOOPBACK)
    first.says("alice", "secret")
    second.says("alice", "secret")
    checker.answers(True)
    checker.answers(True)
    assert first.heard() == ["Password:", "OK"]
    assert second.heard() == ["Password:", "Reuse"]


def test_a_server_that_got_full_while_the_password_was_checked() -> None:
    exchange, checker = slow("alice")
    exchange.factory.max_users = 1
    alice = exchange.local()
    alice.says("alice", "secret")
    exchange.enter("bob")
    checker.answers(True)
    assert alice.heard() == ["Password:", "The server is full."]
    assert alice.closed


def test_who_had_the_name_before_keeps_it() -> None:
    exchange = Guarded()
    alice = exchange.enter("alice")
    exchange.factory.accounts = Guarded(known(**SECRET)).factory.accounts
    bob = exchange.enter("carol")
    bob.says("To:alice")
    assert alice.heard() == [PAIRED.format("carol")]


def test_a_held_line_needs_no_password(guarded: Guarded) -> None:
    alice = guarded.local()
    alice.says("alice", "secret", "/key")
    key = alice.heard()[-1].split()[3].rstrip(".")
    alice.drops()
    again = guarded.connect("192.0.2.1")
    again.says(f"Back:{key}")
    assert again.heard() == ["OK", "You are free."]


def test_only_registered_names() -> None:
    exchange = Guarded(known(**SECRET))
    exchange.factory.registered_only = True
    carol = exchange.local()
    carol.says("carol", "Quit.", "bob", "hunter2")
    refused = "Bad name: only registered names are here"
    assert carol.heard()[0] == refused
    assert carol.heard() == []
    alice = exchange.connect_json(LOOPBACK)
    alice.does("name", name="carol", password="secret")
    [error] = alice.events()
    assert (error["code"], error["text"]) == ("bad-name", "only registered names are here")


def test_the_predicate_for_others(guarded: Guarded) -> None:
    assert guarded.factory.has_account(parse("ALICE"))
    assert guarded.factory.has_account(parse("bob"))
    assert not guarded.factory.has_account(parse("carol"))
    assert not Guarded().factory.has_account(parse("alice"))


# While it is checked


def test_lines_after_the_password_wait() -> None:
    exchange, checker = slow("alice")
    bob = exchange.enter("bob")
    alice = exchange.local()
    alice.says("alice", "secret", "To:bob", "hello")
    assert alice.paused
    assert alice.heard() == ["Password:"]
    assert checker.answers(True) == ("alice", "secret")
    exchange.clock.advance(0)
    assert alice.heard() == ["OK", PAIRED.format("bob")]
    assert bob.heard() == [PAIRED.format("alice"), said(exchange, "hello")]
    assert not alice.paused


def test_the_lines_after_a_wrong_one_are_names_again() -> None:
    exchange, checker = slow("alice")
    alice = exchange.local()
    alice.sends(b"alice\nwrong\ncarol\ncarol\n/who\n")
    checker.answers(False)
    exchange.clock.advance(0)
    assert alice.heard() == ["Password:", "Wrong password.", PERHAPS, "OK", "Here: carol"]


def test_the_end_of_input_waits_too() -> None:
    exchange, checker = slow("alice")
    bob = exchange.enter("bob")
    alice = exchange.local()
    alice.sends(b"alice\nsecret\nTo:bob\nhello")
    alice.ends_input()
    assert alice.heard() == ["Password:"]
    checker.answers(True)
    exchange.clock.advance(0)
    assert alice.heard() == ["OK", PAIRED.format("bob"), "Listening."]
    assert bob.heard() == [PAIRED.format("alice"), said(exchange, "hello")]


def test_the_limit_of_the_unnamed_does_not_cut_a_check() -> None:
    exchange, checker = slow("alice")
    alice = exchange.local()
    exchange.clock.advance(20)
    alice.says("alice", "secret")
    exchange.clock.advance(50)
    checker.answers(False)
    assert alice.heard() == ["Password:", "Wrong password."]
    assert not alice.closed
    exchange.clock.advance(30)
    assert alice.heard() == ["No name came within 30 seconds."]
    assert alice.closed


@pytest.mark.parametrize("right", [True, False])
def test_a_connection_that_is_lost_meanwhile(right: bool) -> None:
    exchange, checker = slow("alice")
    alice = exchange.local()
    alice.says("alice", "secret", "/quit", "To:bob")
    alice.drops()
    checker.answers(right)
    exchange.clock.advance(0)
    assert exchange.factory.users == {}
    assert exchange.factory.connections == set()
    assert not list(exchange.factory.unnamed)


def test_a_server_that_stops_meanwhile() -> None:
    exchange, checker = slow("alice")
    alice = exchange.local()
    alice.sends(b"alice\nsecret\nTo:bob\n")
    exchange.factory.stop()
    checker.answers(True)
    assert alice.heard() == ["Password:", "The server is stopping."]
    assert exchange.factory.users == {}


def test_a_checker_that_never_answers() -> None:
    exchange, _ = slow("alice")
    alice = exchange.local()
    alice.says("alice", "secret")
    exchange.clock.advance(60)
    later = "There are too many passwords to check. Try later."
    assert alice.heard() == ["Password:", later]


# JSON


def test_json_has_the_password_with_the_name(guarded: Guarded) -> None:
    alice = guarded.connect_json(LOOPBACK)
    alice.does("name", name="ALICE")
    alice.does("name", name="alice", password="wrong")
    alice.does("name", name="alice", password="")
    assert [(event["of"], event["code"], event["text"]) for event in alice.events()] == [
        ("name", "password", "ALICE needs its password."),
        ("name", "password", "Wrong password."),
        ("name", "password", "Wrong password."),
    ]
    alice.does("name", name="ALICE", password="secret")
    guarded.clock.advance(1)
    [named] = alice.events()
    assert (named["event"], named["name"], named["seq"]) == ("named", "alice", 1)
    carol = guarded.connect_json(LOOPBACK)
    carol.does("name", name="carol", password="for nothing")
    assert [event["event"] for event in carol.events()] == ["named"]
    far = guarded.connect_json("192.0.2.1")
    far.does("name", name="bob", password="hunter2")
    [error] = far.events()
    assert (error["code"], error["text"]) == ("password", "This needs TLS.")


def test_json_commands_after_it_wait_in_order() -> None:
    exchange, checker = slow("alice")
    alice = exchange.connect_json(LOOPBACK)
    alice.does("name", name="alice", password="secret")
    alice.does("who")
    alice.does("name", name="carol")
    alice.does("ping")
    assert [event["event"] for event in alice.events()] == ["pong"]
    checker.answers(True)
    exchange.clock.advance(0)
    events = alice.events()
    assert [event["event"] for event in events] == ["named", "who", "error"]
    assert events[2]["code"] == "already"


def test_json_that_ends_its_input_waits_too() -> None:
    exchange, checker = slow("alice")
    alice = exchange.connect_json(LOOPBACK)
    alice.does("name", name="alice", password="secret")
    alice.does("who")
    alice.ends_input()
    assert alice.events() == []
    checker.answers(True)
    exchange.clock.advance(0)
    assert [event["event"] for event in alice.events()] == ["named", "who"]
    assert alice.closed


# What is private


def test_what_is_private() -> None:
    def over(peer: object) -> bool:
        return is_private(StringTransport(peerAddress=peer))

    assert over(IPv4Address("TCP", "127.0.0.1", 1))
    assert over(IPv4Address("TCP", "127.8.8.8", 1))
    assert over(IPv6Address("TCP", "::1", 1))
    assert over(IPv6Address("TCP", "::ffff:127.0.0.1", 1))
    assert over(UNIXAddress("/run/chatpair.sock"))
    assert over(UNIXAddress(None))
    for host in ("192.0.2.1", "localhost", "", "::ffff:192.0.2.1", "fe80::1%eth0"):
        assert not over(IPv6Address("TCP", host, 1))
    assert not over(None)


def test_tls_is_private_under_any_wrapper() -> None:
    far = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.1", 1))
    factory: Any = None
    inner, outer = (ProtocolWrapper(WrappingFactory(factory), Protocol()) for _ in range(2))
    inner.makeConnection(far)
    outer.makeConnection(inner)
    assert not is_private(outer)
    directlyProvides(far, ISSLTransport)
    assert is_private(outer)
