"""What only clients that speak JSON have: numbers, what becomes of each say, and the mode."""

from twisted.internet.address import IPv4Address
from twisted.protocols.policies import WrappingFactory

from chatpair.sessions.json import BAD_LINES
from tests.support.exchange import Exchange, Transport, status
from tests.support.transcript import play, scenes

SCENES = r"""
One who speaks JSON and one who does not.
    alice enters in JSON
    bob: To:alice | hi |  |  To:carol -> You are chatting with alice.
        alice < paired(peer=bob) | message(from=bob, text=hi, time=[time])
        alice < message(from=bob, text=, time=[time])
        alice < message(from=bob, text= To:carol, time=[time])
    alice: typing()
Many lines at once are a message each.
    alice enters in JSON
    bob talks with alice
    bob sends b'one\ntwo\nthree\n'
        alice < message(from=bob, text=one, time=[time])
        alice < message(from=bob, text=two, time=[time])
        alice < message(from=bob, text=three, time=[time])
What is meant for one goes to nobody else.
    alice, bob enter in JSON
    alice talks with bob
    bob: quit() -> quit() | (closed) ; alice < left(peer=bob, why=quit)
    carol: To:alice -> You are chatting with alice. ; alice < paired(peer=carol)
    alice: say(id=1, text=for bob, to=bob)
        alice < error(of=say, code=nobody, text=You talk with carol.)
        alice < status(id=1, status=failed, why=nobody)
    alice: say(id=2, text=for carol, to=Carol) -> status(id=2, status=handed)
        carol < [now] alice: (for carol)
    alice: say(id=3, text=for nobody, to=)
        alice < error(of=say, code=nobody, text=You talk with carol.)
        alice < status(id=3, status=failed, why=nobody)
    carol: Quit -> Quit | (closed) ; alice < left(peer=carol, why=quit)
    alice: say(id=4, text=to nobody, pair=2) -> error(of=say, code=nobody, text=[nobody])
        alice < status(id=4, status=failed, why=nobody)
    eve connects
    eve: carol -> OK
    eve: To:alice -> You are chatting with alice. ; alice < paired(peer=carol)
    alice: say(id=5, text=for the next, pair=4)
        alice < error(of=say, code=nobody, text=That pair is over.)
        alice < status(id=5, status=failed, why=nobody)
    alice: say(id=6, text=?, pair=0)
        alice < error(of=say, code=bad-line, text=Expected `int` >= 1 - at `$.pair`)
What is said again after a drop does not go to who has taken the peer's name and calls.
    alice talks with bob in JSON
    alice is lost ; bob < held(peer=alice)
    bob: quit() -> quit() | (closed)
    eve connects in JSON
    eve: name(name=Bob) -> named(name=Bob, key=[key])
    eve: to(name=alice) -> paired(peer=alice) | held(peer=alice)
    alice comes back as again, having seen 2
        eve < back(peer=alice)
        again < resumed(name=alice, peer=Bob, got=0) | left(peer=bob, why=quit) | paired(peer=Bob)
    again: say(id=1, text=a secret for bob, to=bob, pair=1)
        again < error(of=say, code=nobody, text=That pair is over.)
        again < status(id=1, status=failed, why=nobody)
The mode may come after a name that was refused.
    newcomer connects
    newcomer: a b | Mode:json
        newcomer < Bad name: no space and none of : [ ] ( ) / * , in a name
        newcomer < {"event":"mode","mode":"json","version":1,"hold":60}
The mode may come with what follows.
    newcomer connects
    newcomer sends b'mode:JSON\r\n{"do":"ping"}\r\n'
        newcomer < {"event":"mode","mode":"json","version":1,"hold":60} | {"event":"pong"}
A name of JSON is no mode.
    alice: Mode:json -> [first call]
Whoever is silent is closed.
    newcomer connects in JSON
    30 seconds pass
    59 seconds pass
    newcomer: ping() -> pong()
    89 seconds pass
    1 second passes
        newcomer < error(of=null, code=try-later, text=Nothing came for 90 seconds.) | (closed)
Handed is what has left the server.
    alice, in JSON, talks with bob
    bob takes one more
    alice: say(id=1, text=hi) | say(id=2, text=hi) ; bob < [now] alice: (hi) | [now] alice: (hi)
    bob takes all ; alice < status(id=2, status=handed)
    alice: say(id=3, text=hi) -> status(id=3, status=handed) ; bob < [now] alice: (hi)
What has not left the server when the peer drops has failed.
    alice, in JSON, talks with bob
    alice: say(id=1, text=hi) -> status(id=1, status=handed) ; bob < [now] alice: (hi)
    bob takes one more
    alice: say(id=2, text=hi) ; bob < [now] alice: (hi)
    bob is lost ; alice < status(id=2, status=failed, why=lost) | left(peer=bob, why=lost)
What has not left the server a minute after the pair has failed.
    alice, in JSON, talks with bob
    bob takes one more
    alice: say(id=1, text=hi) ; bob < [now] alice: (hi)
    alice: bye() -> free() ; bob < Quit.
    60 seconds pass ; alice < status(id=1, status=failed, why=lost)
One may leave a peer who takes no more.
    alice, in JSON, talks with bob
    bob takes no more
  * alice: bye() -> free() ; bob < Quit.
  * alice: to(name=carol) -> paired(peer=carol)
        bob < Quit.
        carol < You are chatting with alice.
  * alice: quit() -> quit() | (closed) ; bob < Quit.
Half closed and unpaired.
    alice connects in JSON
    alice sends b'{"do":"name","name":"alice"}\n{"do":"who"}' -> named(name=alice, key=[key])
    alice ends the input -> who(names=[{"name": "alice", "paired": false}], more=0) | (closed)
Half closed after something else.
    alice enters in JSON
  * alice sends b'{"do":"foo"}'
    alice ends the input
        alice < error(of=foo, code=no-such, text=No such command: foo) | (closed)
"""


@scenes(SCENES)
def test_json(exchange: Exchange, scene: str) -> None:
    play(exchange, scene)


# Other nodes hear of an end of input a turn later, and they have their own options.
SCENES_OF_ONE_NODE = r"""
The message of the day.
    the server has motd="one\ntwo"
    alice connects in JSON
    alice: name(name=alice) -> named(name=alice, key=[key], motd=one\ntwo)
A full server may have room later.
    the server has max_users=1
    alice, bob connect in JSON
    alice: name(name=alice) -> named(name=alice, key=[key])
    bob: name(name=bob) -> error(of=name, code=try-later, text=The server is full.)
    alice: quit() -> quit() | (closed)
    bob: name(name=bob) -> named(name=bob, key=[key])
The server stops.
    alice talks with bob in JSON
    carol enters in JSON
    alice: say(id=1, text=hi) ; bob < message(from=alice, text=hi, time=[time])
    the server stops
        alice < status(id=1, status=failed, why=stopped) | left(peer=bob, why=stopped)
        alice < error(of=null, code=try-later, text=The server is stopping.) | (closed)
        bob < left(peer=alice, why=stopped)
        bob < error(of=null, code=try-later, text=The server is stopping.) | (closed)
        carol < error(of=null, code=try-later, text=The server is stopping.) | (closed)
"""


@scenes(SCENES_OF_ONE_NODE)
def test_json_of_one_node(exchange: Exchange, scene: str) -> None:
    play(exchange, scene)


def test_what_a_wrapped_transport_has_is_not_handed(exchange: Exchange) -> None:
    alice = exchange.enter_json("alice")
    inner = Transport(peerAddress=IPv4Address("TCP", "192.0.2.1", 40_000))
    wrapping = WrappingFactory(exchange.factory)
    wrapping.noisy = False
    wrapper = wrapping.buildProtocol(inner.getPeer())
    assert wrapper is not None
    wrapper.makeConnection(inner)
    wrapper.dataReceived(b"bob\n")
    alice.does("to", name="bob")
    alice.events()
    inner.full = True
    alice.say(1, "hi")
    assert alice.events() == []
    inner.full = False
    assert inner.producer is not None
    inner.producer.resumeProducing()
    assert alice.uncounted() == [status(1, "handed")]
    assert inner.bufferSize == 65_536


def test_nothing_is_handed_to_a_connection_that_is_being_aborted(exchange: Exchange) -> None:
    alice, bob = exchange.mixed_pair()
    bob.protocol.abort()
    alice.say(1, "hi")
    assert alice.events() == []
    bob.drops()
    left = {"event": "left", "peer": "bob", "why": "lost"}
    assert alice.uncounted() == [status(1, "failed", why="lost"), left]


def test_much_that_has_not_left_the_server_makes_the_speaker_wait(exchange: Exchange) -> None:
    alice, bob = exchange.mixed_pair()
    bob.transport.full = True
    for number in (1, 2, 3):
        alice.say(number, "x" * 40_000)
    assert len(bob.heard()) == 2  # the third waits
    bob.drains()
    assert len(bob.heard()) == 1


def test_a_stop_tells_what_became_of_all_that_came() -> None:
    exchange = Exchange()
    alice, bob = exchange.mixed_pair()
    bob.fills()
    for number in range(1, 301):
        alice.say(number, "hi")
    exchange.factory.stop()
    *statuses, _, _ = alice.uncounted()
    assert {event["why"] for event in statuses} == {"stopped"}
    assert statuses[-1]["id"] == 300


def test_a_line_that_was_cut_in_the_middle_is_no_bad_line(exchange: Exchange) -> None:
    alice = exchange.enter_json("alice")
    for _ in range(BAD_LINES):
        alice.sends(b'{"do":"foo"}\n{"do":"say","id":1,"te')
        alice.ends_input()
        alice, old = exchange.connect_json(), alice
        assert [event.get("code") for event in alice.resumes(old)[-1:]] == ["no-such"]
