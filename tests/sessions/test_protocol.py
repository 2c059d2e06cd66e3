"""A connection as a whole: who is let in, what a segment holds, and how it ends."""

import pytest

from chatpair.calls import MAX_TRIED
from chatpair.connection import CLOSING_SECONDS, FLUSHING_SECONDS
from chatpair.factory import MAX_LISTED, UNNAMED_SECONDS
from chatpair.framing import CHUNK, LINES_A_TURN, LINES_FOR_ONE, SHORT_CHUNK
from tests.support.exchange import NOBODY, PAIRED, Exchange, Party, said


@pytest.mark.parametrize("clean", [True, False])
def test_a_lost_connection_frees_the_peer_and_the_name(exchange: Exchange, clean: bool) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"unfinished")
    alice.drops(clean)
    assert bob.heard() == ["Quit."]
    bob.says("hello")
    assert bob.heard() == [NOBODY]
    exchange.enter("alice").says("To:bob")
    assert bob.heard() == [PAIRED.format("alice")]


def test_quit_in_the_middle_of_a_segment(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"one\ntwo\nQuit\nthree\n")
    assert alice.heard() == ["Quit"]
    assert bob.heard() == [said(exchange, "one"), said(exchange, "two"), "Quit."]
    alice.sends(b"four\n")
    assert bob.heard() == []


def test_all_in_one_segment(exchange: Exchange) -> None:
    bob = exchange.enter("bob")
    alice = exchange.connect()
    alice.sends(b"alice\nTo:bob\nhello\nQuit\n")
    assert alice.heard() == ["OK", PAIRED.format("bob"), "Quit"]
    assert bob.heard() == [PAIRED.format("alice"), said(exchange, "hello"), "Quit."]


def test_a_byte_a_second(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    for byte in "grüße\r\n".encode():
        exchange.clock.advance(1)
        alice.sends(bytes([byte]))
    assert bob.heard() == [said(exchange, "grüße")]


def test_ctrl_c_in_telnet_is_quit(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"half\xff\xf4\xff\xfd\x06")
    assert alice.transport.value() == b"\xff\xfc\x06Quit\r\n"
    assert bob.heard() == ["Quit."]


def test_no_name_in_time(exchange: Exchange) -> None:
    slow, alice = exchange.connect(), exchange.connect()
    exchange.clock.advance(UNNAMED_SECONDS - 1)
    slow.says("a b")
    alice.says("alice")
    slow.heard()
    exchange.clock.advance(1)
    assert slow.heard() == ["No name came within 30 seconds."]
    assert slow.closed
    assert not alice.closed


def test_a_tls_handshake_is_refused(exchange: Exchange) -> None:
    client = exchange.connect()
    client.sends(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03")
    assert client.heard() == ["This port talks plain text, not TLS."]
    assert client.closed


def test_half_closed_and_unpaired(exchange: Exchange) -> None:
    for data, answers in (
        (b"", []),
        (b"al", ["OK"]),
        (b"al\n/who\nhi", ["OK", "Here: al", NOBODY]),
    ):
        party = exchange.connect()
        party.sends(data)
        party.ends_input()
        assert party.heard() == answers
        assert party.closed
        party.drops(clean=True)
    assert exchange.factory.users == {}


def test_half_closed_and_paired(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"one\nlast")
    alice.ends_input()
    assert bob.heard() == [said(exchange, "one"), said(exchange, "last")]
    assert alice.heard() == ["Listening."]
    bob.says("I see")
    assert alice.heard() == [said(exchange, "I see", "bob")]
    bob.says("/bye")
    assert alice.heard() == ["Quit."]
    assert alice.closed


def test_a_listener_is_gone_when_nothing_is_said_to_it(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.ends_input()
    exchange.clock.pump([1] * 50)
    bob.says("still there?")
    exchange.clock.pump([1] * 59)
    assert bob.heard() == []
    assert not alice.closed
    exchange.clock.pump([1] * 2)
    assert bob.heard() == ["Quit."]
    assert alice.closed


def test_quit_then_end_of_input(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"Quit\n")
    alice.ends_input()
    assert alice.heard() == ["Quit"]
    assert bob.heard() == ["Quit."]


def test_who_is_sorted_and_bounded(exchange: Exchange) -> None:
    names = [f"User{number:03}" for number in range(MAX_LISTED + 5)]
    for name in reversed(names):
        exchange.enter(name)
    last = exchange.enter("zed")
    last.says("/who")
    assert last.heard() == [f"Here: {', '.join(names[:200])}, and 6 more"]


def test_a_full_server(exchange: Exchange) -> None:
    exchange.factory.max_users = 2
    early = exchange.connect()
    alice, bob = exchange.pair()
    late = exchange.connect()
    assert late.heard() == ["The server is full."]
    assert late.closed
    early.says("carol")
    assert early.heard() == ["The server is full."]
    assert early.closed
    alice.says("Quit")
    exchange.enter("carol")
    assert bob.heard() == ["Quit."]


def test_too_many_from_one_host(exchange: Exchange) -> None:
    exchange.factory.max_per_host = 2
    parties = [exchange.connect("192.0.2.7") for _ in range(3)]
    assert [party.closed for party in parties] == [False, False, True]
    assert parties[2].heard() == ["There are too many connections from your address."]
    assert not exchange.connect("192.0.2.8").closed
    for party in parties:
        party.drops()
    assert not exchange.connect("192.0.2.7").closed


def test_the_message_of_the_day(exchange: Exchange) -> None:
    exchange.factory.motd = "Welcome.\nBe kind."
    alice = exchange.connect()
    alice.says("alice")
    assert alice.heard() == ["OK", "Welcome.", "Be kind."]


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


def test_stopping_with_nobody_here(exchange: Exchange) -> None:
    done: list[None] = []
    exchange.factory.stop().addCallback(done.append)
    assert done == [None]


def test_a_client_that_does_not_take_the_last_answer(exchange: Exchange) -> None:
    alice = exchange.enter("alice")
    alice.says("Quit")
    exchange.clock.advance(FLUSHING_SECONDS)
    assert alice.transport.disconnected


def test_nothing_is_left_of_those_who_went(exchange: Exchange) -> None:
    parties: list[Party] = [*exchange.pair(), exchange.connect(), exchange.enter("сarol")]
    parties[0].says("Quit")
    for party in parties:
        party.drops()
    factory = exchange.factory
    assert not factory.users
    assert not factory.pairs
    assert not factory.connections
    assert not factory._names.first(1)
    assert not factory._connections_of_host
    assert not factory._names._ascii
    assert not factory._names._others
    exchange.clock.advance(60)
    exchange.clock.advance(60)
    assert exchange.clock.getDelayedCalls() == []


def test_closing_is_patient_only_so_long(exchange: Exchange) -> None:
    alice = exchange.enter("alice")
    alice.says("Quit")
    alice.protocol.writeConnectionLost()
    exchange.clock.advance(CLOSING_SECONDS)
    assert alice.transport.disconnecting
    assert not alice.transport.disconnected


def test_a_call_that_the_end_of_input_finishes(exchange: Exchange) -> None:
    bob, carol = exchange.enter("bob"), exchange.enter("carol")
    alice = exchange.connect()
    alice.sends(b"alice\nTo:bob\nhello\nTo:carol")
    alice.ends_input()
    assert bob.heard() == [PAIRED.format("alice"), said(exchange, "hello"), "Quit."]
    assert carol.heard() == [PAIRED.format("alice")]
    assert alice.heard()[-2:] == [PAIRED.format("carol"), "Listening."]
    carol.says("I hear you")
    assert alice.heard() == [said(exchange, "I hear you", "carol")]
    carol.says("/bye")
    assert alice.heard() == ["Quit."]
    assert alice.closed
    assert set(exchange.factory.users) == {"bob", "carol"}


def test_a_goodbye_that_the_end_of_input_finishes(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"/bye")
    alice.ends_input()
    assert alice.heard() == ["You are free."]
    assert alice.closed
    assert bob.heard() == ["Quit."]


def test_the_end_of_input_adds_no_line(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    alice.says("one")
    alice.ends_input()
    assert bob.heard() == [said(exchange, "one")]


def test_calls_do_not_keep_a_listener(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    carol = exchange.enter("carol")
    alice.ends_input()
    for _ in range(3):
        exchange.clock.advance(20)
        carol.says("To:alice")
    assert bob.heard() == ["Quit."]
    assert alice.closed


def test_lines_of_one_who_floods_wait_for_the_turns_of_others(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.protocol.dataReceived(b"hello\x7f\n" * 250)  # which takes cleaning, line by line
    assert bob.heard() == [said(exchange, "hello")] * LINES_A_TURN
    exchange.clock.advance(0)
    assert bob.heard() == [said(exchange, "hello")] * (250 - LINES_A_TURN)
    assert not alice.paused


def test_many_lines_at_once_wait_for_the_turns_of_others_too(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    line = "x" * 63
    alice.protocol.dataReceived(f"{line}\n".encode() * 3_000)
    a_chunk = CHUNK // 64
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


def test_a_question_of_one_who_does_not_read_at_the_end_of_input(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.fills()
    alice.sends(b"/who\n" * 3 + b"/bye\n/who")
    alice.ends_input()
    assert alice.heard() == ["You are free."]
    assert bob.heard() == ["Quit."]
    assert alice.closed


@pytest.mark.parametrize("line", ["/who", "To:nobody", "/help", "/foo"])
def test_a_command_is_a_turn(exchange: Exchange, line: str) -> None:
    alice, _ = exchange.pair()
    alice.protocol.dataReceived(f"{line}\n{line}\n".encode())
    once = alice.heard()
    exchange.clock.advance(0)
    assert alice.heard() == once
    assert once


def test_a_name_is_a_turn(exchange: Exchange) -> None:
    exchange.enter("é")
    newcomer = exchange.connect()
    newcomer.protocol.dataReceived("é\né\nalice\n".encode())
    assert newcomer.heard() == ["Reuse"]
    exchange.clock.advance(0)
    assert newcomer.heard() == ["Reuse", "OK"]


def test_nobody_works_on_the_questions_of_those_who_are_gone(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = exchange.enter("alice")
    alice.fills()
    alice.sends(b"/who\nTo:bob\n" * 1_000)
    monkeypatch.setattr(exchange.factory, "who", None)
    monkeypatch.setattr(exchange.factory, "call", None)
    alice.drops()
    assert not exchange.factory.users


@pytest.mark.parametrize("how", ["reset", "stop"])
def test_the_last_lines_are_said_to_a_peer_who_is_slow(exchange: Exchange, how: str) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    alice.says(*map(str, range(300)))
    if how == "reset":
        alice.drops()
    else:
        exchange.factory.stop()
    assert bob.heard()[:300] == [said(exchange, str(number)) for number in range(300)]


def test_calls_that_no_person_could_read_are_not_told(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    carol = exchange.enter("carol")
    carol.says(*["To:bob"] * 8)
    assert carol.heard() == ["bob is talking with someone else."] * 8
    assert bob.heard() == ["carol tried to reach you."] * MAX_TRIED
    exchange.clock.advance(1)
    carol.says("To:bob")
    assert bob.heard() == ["carol tried to reach you."]
    assert alice.heard() == []
