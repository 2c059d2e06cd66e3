"""Flow control: who waits for whom, and that nothing is lost by it."""

import pytest

from chatpair.exchange.visitors import SILENT_SECONDS
from chatpair.wire.turns import PORTION
from tests.support.exchange import Exchange, said, status
from tests.support.transcript import play, scenes

SCENES = r"""
A full peer pauses the speaker alone.
    alice talks with bob
    carol talks with dave
    bob takes no more
    alice waits
    bob waits
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
Whoever does not read is not read, with a peer or without.
    bob enters
    alice takes no more
    alice waits
    alice: hello | To:bob
    alice takes all -> [first call] | You are chatting with bob.
        bob < You are chatting with alice.
    alice is read
    alice takes no more
    alice waits
    alice: hello | Quit
    alice takes all -> Quit | (closed) ; bob < [now] alice: (hello) | Quit.
Nobody can fill the memory with calls.
    alice talks with bob
    bob takes no more
    carol: To:bob -> bob is talking with someone else.
    dave takes no more
    carol: To:dave -> dave is not reading at the moment.
    dave takes all
    carol: To:dave -> You are chatting with dave. ; dave < You are chatting with carol.
The end of input of a speaker who waits.
    alice talks with bob
    bob takes no more
    alice sends b'one\nlast'
    alice ends the input -> Listening. ; bob < [now] alice: (one) | [now] alice: (last)
    bob takes all
    alice waits
The speaker reads on when the full peer is gone.
    alice talks with bob
    bob takes no more
    alice: lost
    bob is lost ; alice < Quit. | [nobody]
    alice is read
A new peer is not held up by the old one.
    alice talks with bob
    alice takes no more
    bob waits
    bob: late
    alice is lost ; bob < Quit. | [nobody]
    bob: To:carol | hello -> You are chatting with carol.
        carol < You are chatting with bob. | [now] bob: (hello)
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


@pytest.mark.parametrize(
    ("flood", "answer"),
    [
        (b"\xff\xfd\x06", b"\xff\xfc\x06"),  # DO TIMING-MARK
        (b"x" * 70_000 + b"\n", b"That line was not sent: it has over 65536 bytes.\r\n"),
        (b"x" * 70_000, b"That line was not sent: it has over 65536 bytes.\r\n"),
    ],
)
def test_nothing_is_answered_to_who_does_not_read(
    exchange: Exchange, flood: bytes, answer: bytes
) -> None:
    for alice in (exchange.enter("alone"), exchange.pair()[0]):
        alice.fills()
        alice.sends(flood * 3)
        assert alice.transport.value() == b""
        alice.drains()
        alice.sends(flood)
        told = alice.transport.value()
        assert told == answer * told.count(answer) != b""


def test_json_is_not_read_before_a_name_from_who_does_not_read(exchange: Exchange) -> None:
    alice = exchange.connect_json()
    alice.fills()
    assert alice.paused
    alice.does("name", name="alice")
    alice.drains()
    assert [event["event"] for event in alice.events()] == ["named"]
    alice.fills()
    assert not alice.paused  # what it acknowledges must be read
    bob = exchange.connect_json()
    bob.fills()
    exchange.clock.advance(SILENT_SECONDS)
    assert bob.closed


def test_a_text_of_many_lines_is_told_as_the_kernel_takes_them_and_others_have_turns(
    exchange: Exchange,
) -> None:
    alice, bob = exchange.mixed_pair()
    lines = [str(number % 10) for number in range(20_000)]
    text = "\\n".join(lines)
    alice.protocol.dataReceived(f'{{"do":"say","id":1,"text":"{text}"}}\n'.encode())
    alice.protocol.dataReceived(b'{"do":"say","id":2,"text":"last"}\n{"do":"bye"}\n')
    assert 0 < len(bob.transport.value()) < PORTION
    assert bob.protocol.full
    bob.transport.full = True
    exchange.clock.advance(0)
    assert len(bob.transport.value()) < 2 * PORTION
    assert alice.events() == []
    bob.drains()
    exchange.clock.advance(0)
    expected = [said(exchange, line) for line in [*lines, "last"]]
    assert bob.heard() == [*expected, "Quit."]
    assert [event["event"] for event in alice.events()] == ["status", "status", "free"]


@pytest.mark.parametrize("ends", [True, False])
def test_a_text_is_told_whole_when_its_listener_leaves(exchange: Exchange, ends: bool) -> None:
    alice, bob = exchange.mixed_pair()
    alice.protocol.dataReceived(b'{"do":"say","id":1,"text":"%s"}\n' % (rb"\n" * 30_000))
    told = len(bob.transport.value())
    if ends:
        exchange.factory.stop()
        assert len(bob.heard()) == 30_002
    else:
        bob.drops()
        assert len(bob.transport.value()) == told
    exchange.clock.advance(0)
    assert alice.uncounted()[0] == status(1, "failed", why="stopped" if ends else "lost")
