"""A connection as a whole: who is let in, what a segment holds, and how it ends."""

import gc
import weakref

import pytest

from chatpair.exchange.users import MAX_LISTED
from chatpair.wire.closing import CLOSING_SECONDS, FLUSHING_SECONDS
from chatpair.wire.line_receiver import LINES_FOR_ONE, LINES_IN_A_CHUNK, SHORT_CHUNK
from chatpair.wire.turns import LINES_A_TURN
from tests.support.exchange import Exchange, Party, said
from tests.support.transcript import play, scenes

SCENES = r"""
A TLS handshake is refused.
    newcomer connects
    newcomer sends b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"
        newcomer < This port talks plain text, not TLS. | (closed)
A byte order mark means nothing, and what counts of keys is what they have left.
    bob enters
    alice, carol connect
    alice sends b'\xef\xbb\xbfbx\x7f\b\balis'
    alice sends b'\x7fce\nTo:bod\b' -> OK
    alice sends b'b\n/byf\x7fe\n' -> You are chatting with bob. | You are free.
        bob < You are chatting with alice. | Quit.
    carol sends b'\xef\xbb'
    carol sends b'\xbfMode:json\n' -> {"event":"mode","mode":"json","version":1,"hold":60}
    dave connects in JSON
    dave sends b'\xef\xbb\xbf{"do":"name","name":"dax\\b\\u007fave"}\n'
        dave < named(name=dave, key=[key])
Quit then end of input.
    alice talks with bob
    alice sends b'Quit\n' -> Quit | (closed) ; bob < Quit.
    alice ends the input
Calls do not keep a listener.
    alice talks with bob
    alice ends the input -> Listening.
    20 seconds pass
    carol: To:alice -> alice is talking with someone else. ; alice < carol tried to reach you.
    20 seconds pass
    carol: To:alice -> alice is talking with someone else. ; alice < carol tried to reach you.
    20 seconds pass ; bob < Quit. ; alice < (closed)
    carol: To:alice -> The user alice does not exist.
A question of one who does not read at the end of input.
    alice talks with bob
    alice takes no more
    alice sends b'/who\n/who\n/who\n/bye\n/who'
    alice ends the input -> You are free. | (closed) ; bob < Quit.
Nothing rings when the server stops.
    carol's call rings at alice
    the server stops
        alice < The server is stopping. | (closed)
        carol < The server is stopping. | (closed)
    30 seconds pass
A full server.
    early connects
    alice talks with bob
    the server has max_users=2
    late connects -> The server is full. | (closed)
    early: carol -> The server is full. | (closed)
    alice: Quit -> Quit | (closed) ; bob < Quit.
    carol enters
The message of the day.
    the server has motd="Welcome.\nBe kind."
    alice connects
    alice: alice -> OK | Welcome. | Be kind.
"""


@scenes(SCENES)
def test_a_connection(exchange: Exchange, scene: str) -> None:
    play(exchange, scene)


def test_who_is_sorted_and_bounded(exchange: Exchange) -> None:
    names = [f"User{number:03}" for number in range(MAX_LISTED + 5)]
    for name in reversed(names):
        exchange.enter(name)
    last = exchange.enter("zed")
    last.says("/who")
    assert last.heard() == [f"Here: {', '.join(names[:200])}, and 6 more"]


def test_stopping_tells_everybody_and_handles_what_came(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    unnamed = exchange.connect()
    bob.fills()
    alice.says("one", "two")
    stopped = exchange.factory.stop()
    assert bob.heard() == [said(exchange, "one"), said(exchange, "two"), "The server is stopping."]
    assert alice.heard() == ["The server is stopping."]
    assert unnamed.heard() == ["The server is stopping."]
    done: list[None] = []
    stopped.addCallback(done.append)
    for party in (alice, bob, unnamed):
        assert party.closed
        assert done == []
        party.drops(clean=True)
    assert done == [None]
    assert exchange.clock.getDelayedCalls() == []
    exchange.connect().drops()  # one that was accepted at the last moment changes nothing
    assert done == [None]


def test_stopping_does_not_wait_for_ever(exchange: Exchange) -> None:
    alice, _ = exchange.pair()
    exchange.factory.stop()
    assert not alice.transport.disconnected
    exchange.clock.advance(4)
    assert alice.transport.disconnected


def test_nothing_is_left_of_those_who_went(exchange: Exchange) -> None:
    parties: list[Party] = [*exchange.pair(), exchange.connect(), exchange.enter("кира")]
    parties[0].says("Quit")
    for party in parties:
        party.drops()
    factory = exchange.factory
    assert not factory.users
    assert not factory.pairs
    assert not factory.visitors
    assert not factory.users._keys
    assert not factory.visitors._of_host
    assert not factory.users._names._ascii
    assert not factory.users._names._others
    exchange.clock.advance(60)
    exchange.clock.advance(60)
    assert exchange.clock.getDelayedCalls() == []
    done: list[None] = []
    factory.stop().addCallback(done.append)
    assert done == [None]


def test_closing_is_patient_only_so_long(exchange: Exchange) -> None:
    alice, bob = exchange.enter("alice"), exchange.enter("bob")
    for party in (alice, bob):
        party.says("Quit")
    bob.protocol.writeConnectionLost()  # who has taken the last answer
    exchange.clock.advance(CLOSING_SECONDS)
    assert bob.transport.disconnecting
    assert not bob.transport.disconnected
    exchange.clock.advance(FLUSHING_SECONDS - CLOSING_SECONDS)
    assert alice.transport.disconnected


def test_lines_of_one_who_floods_wait_for_the_turns_of_others(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.protocol.dataReceived(b"hello\x07\n" * 250)  # which takes cleaning, line by line
    assert bob.heard() == [said(exchange, "hello")] * LINES_A_TURN
    exchange.clock.advance(0)
    assert bob.heard() == [said(exchange, "hello")] * (250 - LINES_A_TURN)
    assert not alice.paused


def test_many_lines_at_once_wait_for_the_turns_of_others_too(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    line = "x" * 63
    alice.protocol.dataReceived(f"{line}\n".encode() * 3_000)
    a_chunk = LINES_IN_A_CHUNK
    a_turn = -(-LINES_A_TURN // (1 + a_chunk // LINES_FOR_ONE)) * a_chunk
    assert bob.heard() == [said(exchange, line)] * a_turn
    exchange.clock.advance(0)
    assert bob.heard() == [said(exchange, line)] * (3_000 - a_turn)
    assert not alice.paused


def test_short_lines_are_fewer_chunks_a_turn(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.protocol.dataReceived(b"\n" * 20_000)
    assert len(bob.heard()) == SHORT_CHUNK
    exchange.clock.advance(0)
    assert len(bob.heard()) == 20_000 - SHORT_CHUNK


@pytest.mark.parametrize("line", ["/who", "To:nobody", "/help", "/foo", "é"])
def test_a_command_or_a_name_is_a_turn(exchange: Exchange, line: str) -> None:
    exchange.enter("é")
    alice = exchange.connect() if line == "é" else exchange.pair()[0]
    alice.protocol.dataReceived(f"{line}\n{line}\n".encode())
    once = alice.heard()
    exchange.clock.advance(0)
    assert alice.heard() == once
    assert once


def test_nobody_works_on_the_questions_of_those_who_are_gone(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = exchange.enter("alice")
    alice.fills()
    alice.sends(b"/who\nTo:bob\n" * 1_000)
    monkeypatch.setattr(exchange.factory, "who", None)
    monkeypatch.setattr(exchange.factory.calls, "call", None)
    alice.drops()
    assert not exchange.factory.users


def test_what_a_lost_connection_was_made_of_needs_no_collecting(exchange: Exchange) -> None:
    gc.disable()
    try:
        for party in (exchange.connect(), exchange.enter("alice"), exchange.enter_json("bob")):
            protocol = weakref.ref(party.protocol)
            party.drops()
            del party.protocol
            assert protocol() is None
    finally:
        gc.enable()
