"""Held lines, of clients that count and of plain users with a key: what is told, and to whom."""

import pytest

from chatpair.exchange.kept_events import KEPT_EVENTS
from chatpair.exchange.keys import NEAR_MISSES, WRONG_KEYS, WRONG_KEYS_SECONDS, words
from chatpair.exchange.recalled_inbox import LATELY_SECONDS, RecalledInbox
from chatpair.protocol import ChatProtocol
from tests.support.exchange import PAIRED, Exchange, Party, said
from tests.support.transcript import play, scenes

SCENES = """
A lost line is held and resumed.
    alice talks with bob in JSON
    bob is lost ; alice < held(peer=bob)
    alice: say(id=1, text=one)
    59 seconds pass
    alice: who()
        alice < who(names=[{"name": "alice", "paired": true},
            {"name": "bob", "paired": true}], more=0)
    bob comes back as again, having seen 2
        alice < back(peer=bob)
        again < resumed(name=bob, peer=alice, got=0) | message(from=alice, text=one, time=[time])
    again: ack(seq=3) ; alice < status(id=1, status=confirmed)
    again: say(id=1, text=two) ; alice < message(from=bob, text=two, time=[time])
    60 seconds pass
A line is held no longer than that.
    alice talks with bob in JSON
    alice: say(id=1, text=one) ; bob < message(from=alice, text=one, time=[time])
    bob: ack(seq=3) ; alice < status(id=1, status=confirmed)
    alice: say(id=2, text=two) | say(id=3, text=three)
        bob < message(from=alice, text=two, time=[time])
        bob < message(from=alice, text=three, time=[time])
    bob is lost ; alice < held(peer=bob)
    30 seconds pass
    alice: ping() -> pong()
    30 seconds pass ; alice < status(id=3, status=failed, why=lost) | left(peer=bob, why=lost)
    bob comes back as again
        again < error(of=resume, code=bad-key, text=No line is held for that key.)
    again: name(name=bob) -> named(name=bob, key=[key])
Nothing is held if lines are not.
    the server has hold=0
    alice talks with bob in JSON
    carol: /key -> Lines are not held here.
    alice: say(id=1, text=one) ; bob < message(from=alice, text=one, time=[time])
    bob is lost ; alice < status(id=1, status=failed, why=lost) | left(peer=bob, why=lost)
    bob comes back as again
        again < error(of=resume, code=bad-key, text=No line is held for that key.)
A resume that has seen too much is refused and harms nobody.
    alice talks with bob in JSON
    other connects in JSON
    other: resume(key=bob's key, seen=3)
        other < error(of=resume, code=bad-line, text=You can't have seen 3 events.)
    alice: say(id=1, text=hi) ; bob < message(from=alice, text=hi, time=[time])
    other: resume(key=bob's key, seen=2)
        bob < error(of=null, code=bad-key, text=Another connection has taken this line over.)
        bob < (closed)
        other < resumed(name=bob, peer=alice, got=0) | message(from=alice, text=hi, time=[time])
A line is taken over from a connection that looks alive.
    alice talks with bob in JSON
    bob takes no more
    alice: say(id=1, text=one)
    bob comes back as again, having seen 2
        bob < error(of=null, code=bad-key, text=Another connection has taken this line over.)
        bob < (closed)
        again < resumed(name=bob, peer=alice, got=0) | message(from=alice, text=one, time=[time])
    bob: say(id=1, text=from the old one)
    bob is lost
    again: say(id=1, text=from the new one)
        alice < message(from=bob, text=from the new one, time=[time])
Somebody who is away may be called, and the caller knows.
    bob enters in JSON
    bob is lost
    carol: To:bob | hi
        carol < You are chatting with bob.
        carol < bob has lost the connection. What you say is kept for a while.
    bob comes back as again, having seen 1
        carol < bob is back.
        again < resumed(name=bob, peer=carol, got=0) | paired(peer=carol)
        again < message(from=carol, text=hi, time=[time])
Two who are both away.
    alice talks with bob in JSON
    alice is lost ; bob < held(peer=alice)
    bob is lost
    bob comes back as bob2, having seen 2
        bob2 < resumed(name=bob, peer=alice, got=0) | held(peer=alice)
    alice comes back as alice2, having seen 2
        bob2 < back(peer=alice)
        alice2 < resumed(name=alice, peer=bob, got=0) | held(peer=bob) | back(peer=bob)
One may come back to a full server.
    alice talks with bob in JSON
    carol enters
    the server has max_users=1
    bob is lost ; alice < held(peer=bob)
    bob comes back as again, having seen 2
        alice < back(peer=bob)
        again < resumed(name=bob, peer=alice, got=0)
    late connects
    late: dave -> The server is full. | (closed)
What is said to a plain user who is away is handed later.
    alice enters in JSON
    bob: /key -> Your key is bob's key. After a drop, say Back:bob's key instead of a name.
    alice: to(name=bob) -> paired(peer=bob) ; bob < You are chatting with alice.
    bob takes one more
    alice: say(id=1, text=on its way) ; bob < [now] alice: (on its way)
    bob is lost ; alice < held(peer=bob)
    alice: say(id=2, text=kept)
    bob comes back as again
        alice < back(peer=bob) | status(id=2, status=handed)
        again < OK | [now] alice (again): (on its way) | You are chatting with alice.
        again < [now] alice: (kept)
A key of one kind is none of the other.
    alice enters in JSON
    bob: /key -> Your key is bob's key. After a drop, say Back:bob's key instead of a name.
    newcomer connects
    newcomer: Back:alice's key -> No line is held for that key.
    other connects in JSON
    other: resume(key=bob's key)
        other < error(of=resume, code=bad-key, text=No line is held for that key.)
A wrong key opens nothing.
    bob: /key -> Your key is bob's key. After a drop, say Back:bob's key instead of a name.
    newcomer connects
  * newcomer: Back: | carol -> No line is held for that key. | OK
  * newcomer: Back:Quit | carol -> No line is held for that key. | OK
What happened meanwhile is told in order.
    alice talks with bob
    bob: /key -> Your key is bob's key. After a drop, say Back:bob's key instead of a name.
    carol enters
    bob is lost ; alice < bob has lost the connection. What you say is kept for a while.
    alice: hi | Quit -> Quit | (closed)
    carol: To:bob | hello
        carol < You are chatting with bob.
        carol < bob has lost the connection. What you say is kept for a while.
    bob comes back as again
        carol < bob is back.
        again < OK | You are chatting with alice. | [now] alice: (hi) | Quit.
        again < You are chatting with carol. | [now] carol: (hello)
A half closed plain user may come back.
    alice talks with bob
    bob: /key -> Your key is bob's key. After a drop, say Back:bob's key instead of a name.
    bob ends the input -> Listening.
    alice: one | Quit -> Quit | (closed) ; bob < [now] alice: (one) | Quit. | (closed)
    bob comes back as again ; again < OK | [now] alice (again): (one) | You are free.
What was said to a plain user who never comes back has failed.
    alice enters in JSON
    bob: /key -> Your key is bob's key. After a drop, say Back:bob's key instead of a name.
    alice: to(name=bob) -> paired(peer=bob) ; bob < You are chatting with alice.
    alice: say(id=1, text=one) -> status(id=1, status=handed) ; bob < [now] alice: (one)
    bob is lost ; alice < held(peer=bob)
    alice: say(id=2, text=two)
    60 seconds pass ; alice < status(id=2, status=failed, why=lost) | left(peer=bob, why=lost)
The last lines of a connection that is taken over are said.
    alice enters and has a key
    alice talks with bob
    bob takes no more
    alice: one | two
    alice comes back as again -> Another connection has taken this line over. | (closed)
        bob < [now] alice: (one) | [now] alice: (two)
        again < OK | You are chatting with bob.
A line whose last word was quit can not be taken over.
    alice enters and has a key
    alice talks with bob
    bob takes no more
    alice: one | Quit
    alice comes back as again -> Quit | (closed)
        bob < [now] alice: (one) | Quit.
        again < No line is held for that key.
"""


@scenes(SCENES)
def test_held_lines(exchange: Exchange, scene: str) -> None:
    play(exchange, scene)


# Plain users

NO_LINE = "No line is held for that key."


def key_of(party: Party) -> str:
    """Ask for a key."""
    party.says("/key")
    [line] = party.heard()
    key = line.split()[3].removesuffix(".")
    assert line == f"Your key is {key}. After a drop, say Back:{key} instead of a name."
    return key


def back(exchange: Exchange, key: str) -> Party:
    """Come back on a new connection."""
    party = exchange.connect()
    party.says(f"Back:{key}")
    return party


def test_a_key_may_be_typed_in_any_case(exchange: Exchange) -> None:
    bob = exchange.enter("bob")
    key = key_of(bob)
    assert key_of(bob) == key
    bob.drops()
    assert back(exchange, f" {key.upper()} ").heard() == ["OK", "You are free."]


def test_lines_are_repeated_that_a_dead_connection_may_have_swallowed(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    key = key_of(bob)
    alice.says("long ago")
    exchange.clock.advance(LATELY_SECONDS)
    alice.says("lately")
    exchange.clock.advance(1)
    alice.sends(b"one\ntwo\n")
    at_two = said(exchange, "two", "alice (again)")
    bob.drops()
    exchange.clock.advance(50)
    again = back(exchange, key).heard()
    assert len(again) == 5
    assert "(again): (lately)" in again[1]
    assert again[3] == at_two


def test_no_more_than_a_store_full_is_repeated(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    key = key_of(bob)
    alice.says(*map(str, range(KEPT_EVENTS + 500)))
    bob.drops()
    again = [line for line in back(exchange, key).heard() if "(again)" in line]
    assert KEPT_EVENTS - 1 <= len(again) <= KEPT_EVENTS
    last = range(KEPT_EVENTS + 500 - len(again), KEPT_EVENTS + 500)
    assert [line.partition(": ")[2] for line in again] == [f"({number})" for number in last]


def test_what_is_repeated_may_be_lost_again(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    key = key_of(bob)
    alice.says("one")
    bob.drops()
    alice.says("two")
    exchange.clock.advance(50)
    second = back(exchange, key)
    second.drops()
    third = back(exchange, key)
    assert [line.partition(": ")[2] for line in third.heard()] == ["", "(one)", "(two)", ""]
    exchange.clock.advance(LATELY_SECONDS + 1)
    third.drops()
    assert back(exchange, key).heard() == ["OK", PAIRED.format("alice")]


@pytest.mark.parametrize(("has_arrived", "times"), [(False, 16), (True, 1)])
def test_what_is_repeated_every_few_seconds_is_at_an_end(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, has_arrived: bool, times: int
) -> None:
    alice, bob = exchange.pair()
    key = key_of(bob)
    alice.says("one")
    monkeypatch.setattr(ChatProtocol, "is_all_delivered", lambda _: has_arrived)
    told = []
    for _ in range(20):
        bob.drops()
        bob = back(exchange, key)
        told.append(len(bob.heard()) - 2)
        exchange.clock.advance(2)
    assert told == [1] * times + [0] * (20 - times)


def test_the_clock_of_another_node_does_not_tell_what_may_be_lost(exchange: Exchange) -> None:
    bob = exchange.enter("bob")
    key = key_of(bob)
    for seconds in (-3_600, 3_600):
        then = exchange.clock.seconds() + seconds
        exchange.factory.users["bob"].inbox.listener.tell_lines(
            "eve", f"{seconds}\n".encode(), then
        )
    bob.drops()
    assert len(back(exchange, key).heard()) == 4


def test_many_wrong_keys_of_one_host(exchange: Exchange) -> None:
    bob = exchange.enter("bob")
    key = key_of(bob)
    guesser = exchange.connect("bad")
    guesser.says(*(f"Back:{words()}" for _ in range(100)), f"Back:{key}")
    answers = guesser.heard()
    assert answers[:WRONG_KEYS] == [NO_LINE] * WRONG_KEYS
    assert set(answers[WRONG_KEYS:]) == {"There were too many wrong keys. Try later."}
    assert back(exchange, key).heard()[0] == "OK"
    assert len(exchange.factory.held._words._wrong._times) == 1
    exchange.clock.advance(WRONG_KEYS_SECONDS)
    late = exchange.connect("bad")
    late.says(f"Back:{key}")
    assert late.heard()[0] == "OK"


def test_the_owner_of_a_key_that_was_nearly_guessed_is_told(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    key, other_key = key_of(bob), key_of(alice)
    alice.says("one")
    assert bob.heard() == [said(exchange, "one")]
    for _ in range(NEAR_MISSES):
        assert bob.heard() == []
        back(exchange, f"{key.partition('-')[0]}-x-y")
    told = ["Others have tried to guess your key. It opens nothing now: ask for a new one."]
    assert bob.heard() == told
    assert back(exchange, key).heard() == [NO_LINE]
    assert back(exchange, other_key).heard()[0] == "OK"
    new_key = key_of(bob)
    assert new_key != key
    bob.drops()
    assert said(exchange, "one", "alice (again)") in back(exchange, new_key).heard()


def test_a_plain_user_who_never_reads_does_not_fill_the_memory(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    key = key_of(bob)
    for _ in range(5):
        bob.drops()
        alice.says(*["x" * 60_000] * 20)
        exchange.clock.pump([0] * 50)
        bob = exchange.connect()
        bob.transport.full = True
        bob.says(f"Back:{key}")
    inbox = exchange.factory.users["bob"].inbox
    assert isinstance(inbox, RecalledInbox)
    assert inbox._lately.bytes < 4 * 2**20
