"""How fast a user may speak."""

import pytest

from tests.support.exchange import Exchange, Party
from tests.support.transcript import play, scenes


def texts(party: Party) -> list[str]:
    return [line.partition(": (")[2].removesuffix(")") for line in party.heard()]


@pytest.mark.parametrize("chunk", [True, False])
def test_a_fast_speaker_loses_nothing(chunk: bool) -> None:
    exchange = Exchange(rate=10)
    alice, bob = exchange.pair()
    exchange.clock.advance(60)
    lines = [str(number) for number in range(25)]
    if chunk:
        alice.sends("".join(f"{line}\n" for line in lines).encode())
    else:
        alice.says(*lines)
    assert texts(bob) == lines[:10]
    assert alice.paused
    assert exchange.factory.activity._tallies["slowed"].names == [("alice", "")]
    exchange.clock.pump([0.1, 0] * 5)
    assert texts(bob) == lines[10:15]
    exchange.clock.pump([0.1, 0] * 11)
    assert texts(bob) == lines[15:]
    assert not alice.paused
    assert not exchange.clock.getDelayedCalls()[1:]  # the log's, and none of the speaker's
    assert exchange.factory.activity._tallies["slowed"].count == 1


SLOWED = r"""
Commands count, and keep their order.
    the server has rate=2
    alice talks with bob
    60 seconds pass
    alice sends b'one\ntwo\n/bye\nfour\nQuit\n' ; bob < [now] alice: (one) | [now] alice: (two)
    0.5 seconds pass ; alice < You are free. ; bob < Quit.
    0.5 seconds pass ; alice < [first call]
    0.5 seconds pass ; alice < Quit | (closed)
The last lines wait too.
    the server has rate=2
    alice talks with bob
    60 seconds pass
    alice sends b'one\ntwo\nthree\nfour\nfive' ; bob < [now] alice: (one) | [now] alice: (two)
    alice ends the input
    0.5 seconds pass ; bob < [now] alice: (three)
    0.5 seconds pass ; bob < [now] alice: (four)
    alice is lost ; bob < [now] alice: (five) | Quit.
What a slowed speaker sent before it was lost arrives.
    the server has rate=1
    alice talks with bob
    60 seconds pass
    alice sends b'one\ntwo\nthree\nunfinished' ; bob < [now] alice: (one)
    alice is lost ; bob < [now] alice: (two) | [now] alice: (three) | Quit.
Programs are slowed by each line of a text, but not their acknowledgements.
    the server has rate=2
    alice, in JSON, talks with bob
    60 seconds pass
    alice: say(id=1, text=1\n1) | say(id=2, text=2\n2) | say(id=3, text=3\n3) | ack(seq=2) | ping()
        alice < status(id=1, status=handed) | pong()
        bob < [now] alice: (1) | [now] alice: (1)
    0.5 seconds pass
    0.5 seconds pass ; alice < status(id=2, status=handed)
        bob < [now] alice: (2) | [now] alice: (2)
    0.5 seconds pass
    0.5 seconds pass ; alice < status(id=3, status=handed)
        bob < [now] alice: (3) | [now] alice: (3)
A long text waits as long as its lines would have to.
    the server has rate=2
    alice, in JSON, talks with bob
    60 seconds pass
    alice: say(id=1, text=1\n2\n3\n4\n5\n6)
    1 second passes
    0.5 seconds pass
    0.5 seconds pass ; alice < status(id=1, status=handed)
        bob < [now] alice: (1) | [now] alice: (2) | [now] alice: (3) | [now] alice: (4)
        bob < [now] alice: (5) | [now] alice: (6)
"""


@scenes(SLOWED)
def test_who_is_slowed(exchange: Exchange, scene: str) -> None:
    play(exchange, scene)
    exchange.clock.pump([60, 60])
    assert not exchange.clock.getDelayedCalls()


def test_who_comes_back_is_no_faster() -> None:
    exchange = Exchange(rate=2)
    alice, bob = exchange.mixed_pair()
    exchange.clock.advance(60)
    for number in range(1, 20):
        alice.say(number, str(number))
        again = exchange.connect_json()
        again.key = alice.key
        alice = again
        alice.does("resume", key=alice.key, seen=1)
    assert texts(bob) == ["1", "2"]
    alice.drops()
    exchange.clock.advance(61)
    assert bob.heard()[-1] == "Quit."
    assert len(exchange.clock.getDelayedCalls()) == 1  # the log's


@pytest.mark.parametrize("key", [False, True])
def test_who_comes_and_goes_is_no_faster(key: bool) -> None:
    exchange = Exchange(rate=2)
    bob, heard = exchange.enter("bob"), 0
    for number in range(100):
        alice = exchange.connect("192.0.2.7")
        alice.says(f"alice{number}", "To:bob", *["/key"] * key, *["spam"] * 20)
        alice.drops()
        bob.says("/bye")
        heard += sum(line.endswith("(spam)") for line in bob.heard())
        exchange.clock.advance(1)
    assert 100 < heard <= 2 * (100 + 6)
    other = exchange.connect("192.0.2.8")
    other.says("carol", "To:bob", "hello")
    assert bob.heard()[-1].endswith("carol: (hello)")
