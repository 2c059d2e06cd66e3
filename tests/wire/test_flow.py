"""Flow control: who waits for whom, and that nothing is lost by it."""

from tests.support.exchange import NOBODY, PAIRED, Exchange, said


def test_a_full_peer_pauses_the_speaker_alone(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    carol, dave = exchange.pair("carol", "dave")
    bob.fills()
    assert alice.paused
    assert not bob.paused
    assert not carol.paused
    assert not dave.paused
    carol.says("hello")
    assert dave.heard() == [said(exchange, "hello", "carol")]


def test_lines_that_came_before_the_pause_wait_in_order(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    alice.says("one", "two", "/bye")
    assert bob.heard() == []
    bob.drains()
    assert bob.heard() == [said(exchange, "one"), said(exchange, "two"), "Quit."]
    assert alice.heard() == ["You are free."]
    assert not alice.paused
    assert not bob.paused


def test_whoever_does_not_read_the_answers_is_not_read(exchange: Exchange) -> None:
    alice = exchange.enter("alice")
    alice.fills()
    assert alice.paused
    alice.says("hello")
    assert alice.heard() == []
    alice.drains()
    assert not alice.paused
    assert alice.heard() == [NOBODY]


def test_a_peer_that_fills_up_again_pauses_again(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    bob.protocol.transport_emptied()
    bob.protocol.transport_paused()
    exchange.clock.advance(0)
    assert alice.paused
    bob.drains()
    assert not alice.paused


def test_the_speaker_reads_on_when_the_full_peer_is_gone(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    alice.says("lost")
    bob.drops()
    assert alice.heard() == ["Quit."]
    exchange.clock.advance(0)
    assert alice.heard() == [NOBODY]
    assert not alice.paused


def test_lines_of_a_speaker_who_is_gone_are_said(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    alice.sends(b"one\ntwo\nunfinished")
    alice.drops()
    assert bob.heard() == [said(exchange, "one"), said(exchange, "two"), "Quit."]


def test_end_of_input_of_a_paused_speaker(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    alice.sends(b"one\nlast")
    alice.ends_input()
    assert bob.heard() == [said(exchange, "one"), said(exchange, "last")]
    assert alice.heard() == ["Listening."]
    bob.drains()
    assert alice.protocol.transport.producerState == "paused"  # there is nothing to read


def test_nobody_can_fill_the_memory_with_calls(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    carol, dave = exchange.enter("carol"), exchange.enter("dave")
    bob.fills()
    carol.says("To:bob")
    assert carol.heard() == ["bob is talking with someone else."]
    assert bob.heard() == []
    dave.fills()
    carol.says("To:dave")
    assert carol.heard() == ["dave is not reading at the moment."]
    assert dave.heard() == []
    assert alice.heard() == []
    dave.drains()
    carol.says("To:dave")
    assert carol.heard() == [PAIRED.format("dave")]


def test_a_new_peer_is_not_held_up_by_the_old_one(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    carol = exchange.enter("carol")
    alice.fills()
    assert bob.paused
    bob.says("late")
    alice.drops()
    exchange.clock.advance(0)
    assert bob.heard() == ["Quit.", NOBODY]
    bob.says("To:carol", "hello")
    assert carol.heard() == [PAIRED.format("bob"), said(exchange, "hello", "bob")]


def test_closing_reads_on_to_see_the_end(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    alice.says("Quit")
    assert alice.heard() == []
    bob.drains()
    assert alice.heard() == ["Quit"]
    assert alice.closed
    assert bob.heard() == ["Quit."]


def test_whoever_does_not_read_may_speak_but_gets_no_answers(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    bob.says("one", "/who", "two")
    assert alice.heard() == [said(exchange, "one", "bob")]
    assert bob.heard() == []
    assert bob.paused
    bob.drains()
    assert bob.heard() == ["Here: alice*, bob*"]
    assert alice.heard() == [said(exchange, "two", "bob")]
    assert not bob.paused


def test_whoever_does_not_read_may_quit(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    bob.says("Quit")
    assert bob.heard() == ["Quit"]
    assert alice.heard() == ["Quit."]


def test_a_command_that_waits_is_obeyed_once_the_pair_has_ended(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    bob.says("/bye", "hello")
    alice.drops()
    bob.drains()
    assert bob.heard() == ["Quit.", NOBODY, NOBODY]
