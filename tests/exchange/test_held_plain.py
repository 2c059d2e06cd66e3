"""Held lines of plain users: their keys, what is repeated, and who can't come in."""

from chatpair.keys import NEAR_MISSES, WRONG_KEYS, words
from chatpair.user import KEPT_EVENTS, LATELY_SECONDS
from tests.support.exchange import PAIRED, Exchange, Party, said, status
from tests.support.transcript import play, scenes

SCENES = """
A wrong key opens nothing.
    bob: /key -> Your key is bob's key. After a drop, say Back:bob's key instead of a name.
    newcomer connects
  * newcomer: Back: | carol -> No line is held for that key. | OK
  * newcomer: Back:x | carol -> No line is held for that key. | OK
  * newcomer: Back:Quit | carol -> No line is held for that key. | OK
  * newcomer: Back:tomato-endless-flush | carol -> No line is held for that key. | OK
A plain user without a key is not held.
    alice talks with bob
    bob is lost ; alice < Quit.
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
A free plain user who comes back.
    bob: /key -> Your key is bob's key. After a drop, say Back:bob's key instead of a name.
    bob is lost
    bob comes back as again ; again < OK | You are free.
A half closed plain user may come back.
    alice talks with bob
    bob: /key -> Your key is bob's key. After a drop, say Back:bob's key instead of a name.
    bob ends the input -> Listening.
    alice: one | Quit -> Quit | (closed) ; bob < [now] alice: (one) | Quit. | (closed)
    bob comes back as again ; again < OK | [now] alice (again): (one) | You are free.
A plain line is taken over.
    alice talks with bob
    bob: /key -> Your key is bob's key. After a drop, say Back:bob's key instead of a name.
    alice: one ; bob < [now] alice: (one)
    bob comes back as again -> Another connection has taken this line over. | (closed)
        again < OK | [now] alice (again): (one) | You are chatting with alice.
What was said to a plain user who never comes back has failed.
    alice enters in JSON
    bob enters
    bob: /key -> Your key is bob's key. After a drop, say Back:bob's key instead of a name.
    alice: to(name=bob) -> paired(peer=bob) ; bob < You are chatting with alice.
    alice: say(id=1, text=one) -> status(id=1, status=handed) ; bob < [now] alice: (one)
    bob is lost ; alice < held(peer=bob)
    alice: say(id=2, text=two)
    60 seconds pass ; alice < status(id=2, status=failed, why=lost) | left(peer=bob, why=lost)
The last lines of a connection that is taken over are said.
    alice talks with bob
    alice: /key
        alice < Your key is alice's key. After a drop, say Back:alice's key instead of a name.
    bob takes no more
    alice: one | two
    alice comes back as again -> Another connection has taken this line over. | (closed)
        bob < [now] alice: (one) | [now] alice: (two)
        again < OK | You are chatting with bob.
A line whose last word was quit can not be taken over.
    alice talks with bob
    alice: /key
        alice < Your key is alice's key. After a drop, say Back:alice's key instead of a name.
    bob takes no more
    alice: one | Quit
    alice comes back as again -> Quit | (closed)
        bob < [now] alice: (one) | Quit.
        again < No line is held for that key.
"""


@scenes(SCENES)
def test_lines_of_plain_users(exchange: Exchange, scene: str) -> None:
    play(exchange, scene)


AWAY = "{} has lost the connection. What you say is kept for a while."
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


def test_a_key_gives_a_plain_user_the_line_back(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    key = key_of(bob)
    assert key_of(bob) == key
    alice.says("before")
    assert bob.heard() == [said(exchange, "before")]
    bob.drops()
    assert alice.heard() == [AWAY.format("bob")]
    alice.says("since")
    again = back(exchange, f" {key.upper()} ")
    assert again.heard() == [
        "OK",
        said(exchange, "before", "alice (again)"),
        PAIRED.format("alice"),
        said(exchange, "since"),
    ]
    assert alice.heard() == ["bob is back."]
    again.says("hello")
    assert alice.heard() == [said(exchange, "hello", "bob")]


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
    third = [line.partition(": ")[2] for line in back(exchange, key).heard()]
    assert third == ["", "(one)", "(two)", ""]


def test_what_is_said_to_a_plain_user_who_is_away_is_handed_later(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
    key = key_of(bob)
    alice.does("to", name="bob")
    alice.events()
    bob.transport.full = True
    alice.say(1, "on its way")
    bob.drops()
    alice.say(2, "kept")
    assert alice.uncounted() == [{"event": "held", "peer": "bob"}]
    again = back(exchange, key).heard()
    assert "alice (again): (on its way)" in again[1]
    assert "alice: (kept)" in again[3]
    assert alice.uncounted() == [{"event": "back", "peer": "bob"}, status(2, "handed")]


def test_many_wrong_keys_of_one_host(exchange: Exchange) -> None:
    bob = exchange.enter("bob")
    key = key_of(bob)
    guesser = exchange.connect("bad")
    for _ in range(1_000):
        guesser.says(f"Back:{words()}")
    answers = guesser.heard()
    assert answers[:WRONG_KEYS] == [NO_LINE] * WRONG_KEYS, words
    assert set(answers[WRONG_KEYS:]) == {"There were too many wrong keys. Try later."}
    assert back(exchange, key).heard()[0] == "OK"
    assert len(exchange.factory._words._wrong) == 1


def test_the_owner_of_a_key_that_was_nearly_guessed_is_told(exchange: Exchange) -> None:
    bob = exchange.enter("bob")
    key = key_of(bob)
    first = key.partition("-")[0]
    for _ in range(NEAR_MISSES):
        back(exchange, f"{first}-x-y")
    assert bob.heard() == [
        "Others have tried to guess your key. It opens nothing now: ask for a new one."
    ]
    assert back(exchange, key).heard() == [NO_LINE]
    assert key_of(bob) != key


def test_a_key_of_one_kind_is_none_of_the_other(exchange: Exchange) -> None:
    alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
    key = key_of(bob)
    assert back(exchange, alice.key).heard() == [NO_LINE]
    other = exchange.connect_json()
    other.does("resume", key=key)
    assert other.events()[0]["code"] == "bad-key"


def test_a_new_key_forgets_nothing(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    first = key_of(bob).partition("-")[0]
    alice.says("one")
    for _ in range(NEAR_MISSES):
        back(exchange, f"{first}-x-y")
    bob.heard()
    key = key_of(bob)
    bob.drops()
    assert said(exchange, "one", "alice (again)") in back(exchange, key).heard()


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
    recall = exchange.factory.users["bob"].recall
    assert recall is not None
    assert recall.lately.bytes < 4 * 2**20
