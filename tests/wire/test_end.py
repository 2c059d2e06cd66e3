"""The command "end": as a half-close, "I have said all; I still listen", for any transport."""

from tests.support.exchange import Exchange
from tests.support.transcript import play, scenes

SCENES = r"""
A program's other commands are refused.
    alice, in JSON, talks with bob
    alice: ack(seq=2)
    alice: end() -> pong()
  * alice: to(name=bob) -> error(of=to, code=already, text=You have said all, and only listen.)
  * alice: end() -> error(of=end, code=already, text=You have said all, and only listen.)
Who is paired listens on.
    alice talks with bob
    alice sends b'one\n/end\ntoo late\nunfin' -> Listening. ; bob < [now] alice: (one)
    alice sends b'ished\nQuit\n\xff\xf4\xff\xfd\x06'
    bob: I see | /who -> Here: alice*, bob* ; alice < [now] bob: (I see)
    bob: /bye -> You are free. ; alice < Quit. | (closed)
Who is unpaired is answered and let go.
    newcomer connects
    newcomer: alice | /who | hi | /end | too late -> OK | Here: alice | [first call] | (closed)
Whoever does not read may end.
    alice talks with bob
    alice takes no more
    alice: /who | /end | too late
    alice waits
    alice takes all -> Here: alice*, bob* | Listening.
    alice is read
Lines that waited before it are said.
    alice talks with bob
    bob takes no more
    alice: one | /end | too late
    bob takes all -> [now] alice: (one) ; alice < Listening.
    bob takes no more
    alice is read
Lines that waited are said though the connection is lost.
    alice talks with bob
    bob takes no more
    alice: one | /end | too late
    alice is lost ; bob < [now] alice: (one) | Quit.
A half close after it is no second line.
    alice talks with bob
    alice sends b'/end\nunfinished' -> Listening.
    alice ends the input -> Listening.
    bob: Quit -> Quit | (closed) ; alice < Quit. | (closed)
A listener is gone when nothing is said to it.
    alice talks with bob
    alice: /end -> Listening.
    50 seconds pass
    bob: still there? ; alice < [now] bob: (still there?)
    59 seconds pass
    alice: I am, but nobody reads this
    2 seconds pass ; bob < Quit. ; alice < (closed)
A program leaves for good when its pair has ended.
    alice, in JSON, talks with bob
    alice: ack(seq=2)
    alice: end() -> pong()
    bob: /bye -> You are free. ; alice < left(peer=bob, why=bye) | quit() | (closed)
A program may first acknowledge what it was told.
    bob talks with alice in JSON
    bob: say(id=1, text=hello) ; alice < message(from=bob, text=hello, time=[time])
    bob: bye() -> free() ; alice < left(peer=bob, why=bye)
    alice: end() -> pong()
    alice: ack(seq=4) -> quit() | (closed) ; bob < status(id=1, status=confirmed)
A program that acknowledges nothing is let go in time.
    bob talks with alice in JSON
    bob: say(id=1, text=hello) ; alice < message(from=bob, text=hello, time=[time])
    alice: end() -> pong()
    30 seconds pass
    alice: ping() -> pong()
    29 seconds pass
    bob: ping() -> pong()
    2 seconds pass
        bob < status(id=1, status=failed, why=quit) | left(peer=alice, why=quit)
        alice < quit() | (closed)
A program that listens still has to ping.
    the server has linger=200
    alice, in JSON, talks with bob
    alice: end() -> pong()
    89 seconds pass
    2 seconds pass
        alice < error(of=null, code=try-later, text=Nothing came for 90 seconds.) | (closed)
        bob < alice has lost the connection. What you say is kept for a while.
A program that comes back may speak again.
    alice, in JSON, talks with bob
    alice: ack(seq=2)
    alice: end() -> pong()
    alice is lost ; bob < alice has lost the connection. What you say is kept for a while.
    alice comes back as again, having seen 2
        bob < alice is back.
        again < resumed(name=alice, peer=bob, got=0)
    again: say(id=1, text=one more thing) -> status(id=1, status=handed)
        bob < [now] alice: (one more thing)
A program's half close after it.
    alice, in JSON, talks with bob
    alice: ack(seq=2)
    alice: end() -> pong()
    alice ends the input -> pong()
    bob: Quit -> Quit | (closed) ; alice < left(peer=bob, why=quit) | (closed)
"""


@scenes(SCENES)
def test_the_end(exchange: Exchange, scene: str) -> None:
    play(exchange, scene)


def test_what_still_comes_is_read_and_kept_nowhere(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.says("/end")
    bob.fills()
    for _ in range(100):
        alice.sends(b"x" * 65_536)
        assert not alice.paused
        assert alice.protocol._buffer == b""
    assert alice.heard() == ["Listening."]
