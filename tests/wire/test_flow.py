"""Flow control: who waits for whom, and that nothing is lost by it."""

from tests.support.exchange import NOBODY, PAIRED, Exchange, said
from tests.support.transcript import play, scenes

SCENES = r"""
A full peer pauses the speaker alone.
    alice talks with bob
    carol talks with dave
    bob takes no more
    alice waits
    bob is read
    carol is read
    dave is read
    carol: hello ; dave < [now] carol: (hello)
Lines that came before the pause wait in order.
    alice talks with bob
    bob takes no more
    alice: one | two | /bye
    bob takes all -> [now] alice: (one) | [now] alice: (two) | Quit. ; alice < You are free.
    alice is read
    bob is read
Whoever does not read the answers is not read.
    alice takes no more
    alice waits
    alice: hello
    alice takes all -> [nobody]
    alice is read
Lines of a speaker who is gone are said.
    alice talks with bob
    bob takes no more
    alice sends b'one\ntwo\nunfinished'
    alice is lost ; bob < [now] alice: (one) | [now] alice: (two) | Quit.
Nobody can fill the memory with calls.
    alice talks with bob
    bob takes no more
    carol: To:bob -> bob is talking with someone else.
    dave takes no more
    carol: To:dave -> dave is not reading at the moment.
    dave takes all
    carol: To:dave -> You are chatting with dave. ; dave < You are chatting with carol.
Closing reads on to see the end.
    alice talks with bob
    bob takes no more
    alice: Quit
    bob takes all -> Quit. ; alice < Quit | (closed)
Whoever does not read may speak but gets no answers.
    alice talks with bob
    bob takes no more
    bob: one | /who | two ; alice < [now] bob: (one)
    bob waits
    bob takes all -> Here: alice*, bob* ; alice < [now] bob: (two)
    bob is read
Whoever does not read may quit.
    alice talks with bob
    bob takes no more
    bob: Quit -> Quit | (closed) ; alice < Quit.
A command that waits is obeyed once the pair has ended.
    alice talks with bob
    bob takes no more
    bob: /bye | hello
    alice is lost ; bob < Quit.
    bob takes all -> [nobody] | [nobody]
"""


@scenes(SCENES)
def test_flow(exchange: Exchange, scene: str) -> None:
    play(exchange, scene)


def test_a_peer_that_fills_up_again_pauses_again(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    bob.protocol.outgoing.resumeProducing()
    bob.protocol.outgoing.pauseProducing()
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


def test_end_of_input_of_a_paused_speaker(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    alice.sends(b"one\nlast")
    alice.ends_input()
    assert bob.heard() == [said(exchange, "one"), said(exchange, "last")]
    assert alice.heard() == ["Listening."]
    bob.drains()
    assert alice.protocol.transport.producerState == "paused"  # there is nothing to read


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


def test_what_waited_is_said_though_its_sender_has_vanished(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.fills()
    alice.says("one", "two", "three")
    alice.protocol.vanished("vanished")
    alice.says("from beyond")
    alice.drops()
    bob.drains()
    texts = ["one", "two", "three", "from beyond"]
    assert bob.heard() == [*(said(exchange, text) for text in texts), "Quit."]


def test_telnet_is_not_answered_that_does_not_read(exchange: Exchange) -> None:
    alice, _ = exchange.pair()
    alice.fills()
    alice.sends(b"\xff\xfd\x06" * 100)  # DO TIMING-MARK
    assert alice.transport.value() == b""
    alice.drains()
    alice.sends(b"\xff\xfd\x06")
    assert alice.transport.value() == b"\xff\xfc\x06"
