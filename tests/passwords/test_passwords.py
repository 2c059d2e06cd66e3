"""Names that are somebody's own: what is asked, what is answered, and what waits meanwhile."""

from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from zope.interface import directlyProvides

from chatpair.sessions.password import PERHAPS_A_PASSWORD
from chatpair.wire.privacy import is_private
from tests.support.accounts import known, slow
from tests.support.exchange import PAIRED, Exchange
from tests.support.transcript import play, scenes

PERHAPS = f"Bad name: {PERHAPS_A_PASSWORD}"
SECRET = {"alice": "secret", "Bob": "hunter2"}


@pytest.fixture
def guarded() -> Exchange:
    return Exchange(known(**SECRET))


PASSWORDS = r"""
A name with a password asks for it.
    alice connects from 127.0.0.1
    alice: alice | wrong | alice | secret -> Password: | Wrong password. | Password:
    1 second passes ; alice < OK
    carol enters
What counts as the name is the name.
    alice connects from 127.0.0.1
  * alice: аlice | secret | /who -> Password: | OK | Here: alice
  * alice: ａｌｉｃｅ | secret | /who -> Password: | OK | Here: alice
  * alice sends b'alx\bix\x7fce\xcc\x81\x08e\nsekx\x7f\bcret\n' -> Password: | OK
A password where a name is due is no name at once.
    alice connects from 127.0.0.1
    alice: alice | wrong | secret | also wrong | a b | xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        alice < Password: | Wrong password.
        alice < Bad name: if that is a password, say your name first; else say it again
        alice < Bad name: no space and none of : [ ] ( ) / * , in a name
        alice < Bad name: no space and none of : [ ] ( ) / * , in a name
        alice < Bad name: 1 to 32 characters
    alice: alice | secret -> Password:
    1 second passes ; alice < OK
    bob connects from 127.0.0.1
    bob: Bob |  | dave | carol | dave | dave
        bob < Password: | Wrong password.
        bob < Bad name: if that is a password, say your name first; else say it again
        bob < Bad name: if that is a password, say your name first; else say it again
        bob < Bad name: if that is a password, say your name first; else say it again | OK
A password that is too long is wrong.
    alice connects from 127.0.0.1
    alice: alice | [long] | carol | carol
        alice < Password: | Wrong password.
        alice < Bad name: if that is a password, say your name first; else say it again | OK
A password in pieces is not the line before.
    alice connects from 127.0.0.1
    alice sends b"ali"
    alice sends b"ce\r"
    alice sends b"\nsec" -> Password:
    alice sends b"ret\r"
    alice sends b"\n" -> OK
Telnet's Ctrl-C quits at the question.
    alice connects from 127.0.0.1
    alice: alice -> Password:
    alice sends b"sec\xff\xf4" -> Quit | (closed)
Nobody is asked where others can read.
    alice connects from 192.0.2.1
    alice: alice | secret | Bob | carol | carol
        alice < This needs TLS.
        alice < Bad name: if that is a password, say your name first; else say it again
        alice < This needs TLS.
        alice < Bad name: if that is a password, say your name first; else say it again | OK
A name in use is taken whoever asks.
    alice, other connect from 127.0.0.1
    alice: alice | secret -> Password: | OK
    other: alice | secret | аlice | secret
        other < Reuse | Bad name: if that is a password, say your name first; else say it again
        other < Reuse | Bad name: if that is a password, say your name first; else say it again
    alice: Quit -> Quit | (closed)
    other: alice | secret -> Password: | OK
JSON has the password with the name.
    alice, carol connect in JSON from 127.0.0.1
    bob connects in JSON from 192.0.2.1
    alice: name(name=ALICE) -> error(of=name, code=password, text=ALICE needs its password.)
    alice: name(name=alice, password=wrong)
        alice < error(of=name, code=password, text=Wrong password.)
    alice: name(name=alice, password=) -> error(of=name, code=password, text=Wrong password.)
    alice: name(name=ALICE, password=secret)
    1 second passes ; alice < named(name=alice, key=[key])
    carol: name(name=carol, password=for nothing) -> named(name=carol, key=[key])
    bob: name(name=bob, password=hunter2) -> error(of=name, code=password, text=This needs TLS.)
A held line needs no password.
    alice connects from 127.0.0.1
    alice: alice | secret | /key
        alice < Password: | OK
        alice < Your key is alice's key. After a drop, say Back:alice's key instead of a name.
    alice is lost
    again connects from 192.0.2.1
    again: Back:alice's key -> OK | You are free.
Only registered names come in.
    the server has registered_only=True
    carol connects from 127.0.0.1
    alice connects in JSON from 127.0.0.1
    carol: carol | Quit. | bob | hunter2
        carol < Bad name: only registered names are here | Bad name: that word is the server's own
        carol < Password: | OK
    alice: name(name=carol, password=secret)
        alice < error(of=name, code=bad-name, text=only registered names are here)
"""


@scenes(PASSWORDS)
def test_passwords(guarded: Exchange, scene: str) -> None:
    play(guarded, scene)


WHILE_IT_IS_CHECKED = r"""
A server that gets full meanwhile.
    the server has max_users=1
    alice connects from 127.0.0.1
    alice: alice | secret -> Password:
    bob enters
    the password is right ; alice < The server is full. | (closed)
A name that is taken while the password is checked.
    alice, other connect from 127.0.0.1
    alice: alice | secret -> Password:
    other: alice | secret -> Password:
    the password is right ; alice < OK
    the password is right ; other < Reuse
Lines after the password wait.
    bob enters
    alice connects from 127.0.0.1
    alice: alice | secret | To:bob | hello -> Password:
    alice waits
    the password is right ; alice < OK
    0 seconds pass
        bob < You are chatting with alice. | [now] alice: (hello)
        alice < You are chatting with bob.
    alice is read
The lines after a wrong one are names again.
    alice connects from 127.0.0.1
    alice sends b"alice\nwrong\ncarol\ncarol\n/who\n" -> Password:
    the password is wrong ; alice < Wrong password.
    0 seconds pass
        alice < Bad name: if that is a password, say your name first; else say it again | OK
        alice < Here: carol
The end of input waits too.
    bob enters
    alice connects from 127.0.0.1
    alice sends b"alice\nsecret\nTo:bob\nhello" -> Password:
    alice ends the input
    the password is right
        bob < You are chatting with alice.
        alice < OK | You are chatting with bob.
    0 seconds pass ; bob < [now] alice: (hello) ; alice < Listening.
The limit of the unnamed does not cut a check.
    alice connects from 127.0.0.1
    20 seconds pass
    alice: alice | secret -> Password:
    50 seconds pass
    the password is wrong ; alice < Wrong password.
    30 seconds pass ; alice < No name came within 30 seconds. | (closed)
A server that stops meanwhile.
    alice connects from 127.0.0.1
    alice: alice | secret | To:bob -> Password:
    the server stops ; alice < The server is stopping. | (closed)
    the password is right
A checker that never answers.
    alice connects from 127.0.0.1
    alice: alice | secret -> Password:
    60 seconds pass ; alice < There are too many passwords to check. Try later.
Who tries again at once is the newest.
    older connects in JSON from 127.0.0.1
    newer connects from 127.0.0.1
    newer: alice | wrong -> Password:
    the password is wrong ; newer < Wrong password.
    older: name(name=alice, password=one) | name(name=alice, password=secret)
    older ends the input
    newer: alice | two -> Password: | There are too many passwords to check. Try later.
        older < error(of=name, code=try-later, text=There are too many passwords to check. Try
            later.)
    1 second passes
    the password is right ; older < named(name=alice, key=[key]) | (closed)
A connection that is lost meanwhile.
    alice connects from 127.0.0.1
    alice: alice | secret | /quit | To:bob -> Password:
    alice is lost
  * the password is right
  * the password is wrong
JSON commands after it wait in order.
    alice connects in JSON from 127.0.0.1
    alice: name(name=alice, password=secret)
    alice: who() | name(name=carol) | ping() -> pong()
    the password is right ; alice < named(name=alice, key=[key])
    0 seconds pass
        alice < who(names=[{"name": "alice", "paired": false}], more=0)
        alice < error(of=name, code=already, text=You are alice.)
JSON that ends its input waits too.
    alice connects in JSON from 127.0.0.1
    alice: name(name=alice, password=secret) | who()
    alice ends the input
    the password is right
        alice < named(name=alice, key=[key])
        alice < who(names=[{"name": "alice", "paired": false}], more=0) | (closed)
    0 seconds pass
"""


@scenes(WHILE_IT_IS_CHECKED)
def test_while_it_is_checked(scene: str) -> None:
    exchange, checker = slow("alice")
    play(
        exchange,
        scene,
        the_password_is_right=lambda: checker.answers(True),
        the_password_is_wrong=lambda: checker.answers(False),
    )
    assert not exchange.factory.visitors
    assert not list(exchange.factory.visitors.unnamed)
    assert exchange.accounts._waiting == {}


@pytest.mark.parametrize("line", ["Quit", "/quit", "Mode:json", "To:bob", "Back:x", "", "bob"])
def test_whatever_comes_next_is_the_password(guarded: Exchange, line: str) -> None:
    alice = guarded.local("alice", line, "carol", "carol")
    assert alice.heard() == ["Password:", "Wrong password.", PERHAPS, "OK"]
    opened = Exchange(known(alice=line or "x"))
    alice = opened.local("alice", line)
    assert alice.heard()[-1] == ("OK" if line else "Wrong password.")


def test_a_password_is_bytes_that_nothing_is_taken_from() -> None:
    exchange = Exchange(known(alice=" grüß\tdich\u200e "))
    alice = exchange.local()
    alice.sends("alice\r\n grüß\tdich\u200e \r\n".encode())
    assert alice.heard() == ["Password:", "OK"]


def test_who_had_the_name_before_keeps_it() -> None:
    exchange = Exchange()
    alice = exchange.enter("alice")
    exchange.factory.users._accounts = Exchange(known(**SECRET)).factory.users._accounts
    bob = exchange.enter("carol")
    bob.says("To:alice")
    assert alice.heard() == [PAIRED.format("carol")]


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
