"""What can be said in each state, in both dialects, and what all are told: what no case has.

The cases of chatpair.conformance have what the page of the protocol says; see tests/conformance.
"""

import pytest

from chatpair.codecs.plain import HELP
from tests.support.exchange import PAIRED, Exchange
from tests.support.transcript import play, scenes

STATES = """
Who has no name.
    alice enters
    carol connects
    dave connects in JSON
  * dave: name(name=alice) -> error(of=name, code=reuse, text=The name alice is taken.)
  * dave: name(name=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx)
        dave < error(of=name, code=bad-name, text=1 to 32 characters)
  * carol: [long] -> Bad name: 1 to 32 characters
  * carol:  dave -> Bad name: no space and none of : [ ] ( ) / * , in a name
  * carol: アダムadam亜 -> OK
  * carol: /end -> (closed)
  * dave: end() -> quit() | (closed)
  * carol: /foo -> No such command: /foo. Type /help, or put a space first to say it.
  * dave: to(name=alice) -> error(of=to, code=bad-name, text=Say a name first.)
  * dave: who() -> who(names=[{"name": "alice", "paired": false}], more=0)
  * dave: ack(seq=1) -> error(of=ack, code=bad-name, text=Say a name first.)
  * carol: GET / HTTP/1.1
        carol < This is not a web server: talk to it with telnet, nc or the chatpair client. |
            (closed)
Who talks with nobody.
    alice, bob enter
    ann, ben enter in JSON
    dave talks with erin
  * alice: To:Alice -> Please don't try to talk with yourself.
  * alice: [long] -> That line was not sent: it has over 65536 bytes.
  * ann: say(id=1, text=[long])
        ann < error(of=null, code=too-long, text=That line was not sent: it has over 65536 bytes.)
  * ann: name(name=erin) -> error(of=name, code=already, text=You are ann.)
  * ann: resume(key=x) -> error(of=resume, code=already, text=You are ann.)
  * ann: ack(seq=9) -> error(of=ack, code=bad-line, text=There is no event 9.)
  * alice: To:b b -> The user b b does not exist.
  * alice: To:\u200d -> The user \u200d does not exist.
  * alice: /who -> Here: alice, ann, ben, bob, dave*, erin*
  * alice: hello | you? -> [first call] | [nobody]
  * alice:  -> [first call]
  * alice: Quit  -> [first call]
  * ann: typing()
  * alice: /END -> (closed)
  * ann: end() -> quit() | (closed)
Who talks.
    alice talks with bob
  * alice: /bye bye -> Say /bye alone, or put a space first to say it.
  * alice: /Quit it -> Say /quit alone, or put a space first to say it.
What fails keeps the pair.
    ann talks with ben in JSON
    dave talks with erin
    ann: to(name=Dave) -> error(of=to, code=busy, text=dave is talking with someone else.)
        dave < ann tried to reach you.
    ann: say(id=1, text=still there?)
        ben < message(from=ann, text=still there?, time=[time])
"""


@scenes(STATES)
def test_states(exchange: Exchange, scene: str) -> None:
    play(exchange, scene)


def test_help_is_the_same_in_every_state(exchange: Exchange) -> None:
    exchange.enter("bob")
    alice = exchange.connect()
    alice.says("/help", "alice", "/help", "To:bob", "/help")
    help_lines = HELP.split("\n")
    told = ["OK", *help_lines, PAIRED.format("bob"), *help_lines]
    assert alice.heard() == help_lines + told


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"bob\x1b[2J", "Bad name: no space and none of : [ ] ( ) / * , in a name"),
        (b"b\xf6b", "Bad name: U+FFFD can't be in a name"),
        ("\u202ebob".encode(), "OK"),  # without what turns it around
        ("аlice".encode(), "Reuse"),  # in Cyrillic
        (b"b\0x\x7fob\r", "OK"),
        (b"\x07", "Say your name first. /help tells the rest."),
    ],
)
def test_a_name_is_cleaned(exchange: Exchange, line: bytes, answer: str) -> None:
    exchange.enter("alice")
    newcomer = exchange.connect()
    newcomer.sends(line + b"\n")
    assert newcomer.heard() == [answer]
    assert list(exchange.factory.users)[1:] == (["bob"] if answer == "OK" else [])
