"""Do not disturb, and calls that ring, in JSON and over drops."""

import pytest

from chatpair.calls import RING_SECONDS
from tests.exchange.test_calls import BUSY, CALLING, DISTURB, RINGING, UNANSWERED, rings
from tests.support.exchange import PAIRED, Exchange, JsonParty, Party


def error(code: str, text: str, of: str = "to") -> dict[str, str]:
    return {"event": "error", "of": of, "code": code, "text": text}


def test_in_json(exchange: Exchange) -> None:
    alice, carol = exchange.enter_json("alice"), exchange.enter_json("carol")
    alice.does("dnd", on=True)
    assert alice.events() == [{"event": "dnd", "on": True, "seq": 2}]
    carol.does("to", name="alice")
    assert carol.uncounted() == [error("dnd", DISTURB)]
    alice.does("dnd", on=False)
    alice.does("ring", on=True)
    assert alice.uncounted() == [{"event": "dnd", "on": False}, {"event": "ring", "on": True}]
    carol.does("to", name="alice")
    assert carol.uncounted() == [error("ringing", RINGING)]
    assert alice.uncounted() == [{"event": "ringing", "name": "carol"}]
    exchange.clock.advance(RING_SECONDS)
    assert carol.uncounted() == [{"event": "unanswered", "name": "alice"}]
    assert alice.uncounted() == [{"event": "tried", "name": "carol"}]
    carol.does("to", name="alice")
    alice.does("to", name="carol")
    assert alice.uncounted() == [
        {"event": "ringing", "name": "carol"},
        {"event": "paired", "peer": "carol"},
    ]
    alice.does("ring", on=False)
    assert alice.uncounted() == [{"event": "ring", "on": False}]
    alice.does("dnd")
    assert alice.uncounted()[0]["code"] == "bad-line"


def test_a_caller_in_json_takes_the_call_back(exchange: Exchange) -> None:
    alice, carol = exchange.enter_json("alice"), exchange.enter_json("carol")
    alice.does("ring", on=True)
    carol.does("to", name="alice")
    carol.events()
    carol.does("bye")
    assert carol.uncounted() == [{"event": "free"}]
    assert alice.uncounted()[1:] == [
        {"event": "ringing", "name": "carol"},
        {"event": "tried", "name": "carol"},
    ]


def test_what_is_set_outlasts_a_drop_and_a_call_rings_meanwhile(exchange: Exchange) -> None:
    alice, carol = exchange.enter_json("alice"), exchange.enter_json("carol")
    alice.does("ring", on=True)
    alice.drops()
    carol.does("to", name="alice")
    assert carol.uncounted() == [error("ringing", RINGING)]
    carol.drops()
    again, carol_again = exchange.connect_json(), exchange.connect_json()
    assert [event["event"] for event in again.resumes(alice, 2)] == ["resumed", "ringing"]
    carol_again.resumes(carol)
    again.does("to", name="carol")
    assert carol_again.uncounted() == [{"event": "paired", "peer": "alice"}]
    assert again.uncounted() == [{"event": "paired", "peer": "carol"}]


def back(exchange: Exchange, key: str) -> Party:
    """Come back on a new connection."""
    party = exchange.connect()
    party.says(f"Back:{key}")
    return party


@pytest.mark.parametrize(
    ("setting", "told"), [("/dnd", DISTURB), ("/ring", RINGING), ("/block carol", BUSY)]
)
def test_what_a_plain_user_has_set_outlasts_a_drop(
    exchange: Exchange, setting: str, told: str
) -> None:
    alice, carol = exchange.enter("alice"), exchange.enter("carol")
    alice.says(setting, "/key")
    key = alice.heard()[1].split()[3].removesuffix(".")
    alice.drops()
    carol.says("To:alice")
    again = back(exchange, key)
    carol.says("To:alice")
    assert carol.heard() == [told] * 2
    calls = [CALLING.format("carol", "carol")] if setting == "/ring" else []
    assert again.heard() == ["OK", "You are free.", *calls]


def test_who_comes_back_too_late_reads_that_the_ringing_is_over(exchange: Exchange) -> None:
    alice, carol = exchange.enter_json("alice"), exchange.enter("carol")
    alice.does("ring", on=True)
    alice.drops()
    carol.says("To:alice")
    exchange.clock.advance(RING_SECONDS)
    again = exchange.connect_json()
    events = [event["event"] for event in again.resumes(alice, 2)]
    assert events == ["resumed", "ringing", "tried"]
    assert carol.heard() == [RINGING, UNANSWERED]


def test_who_does_not_come_back_does_not_answer() -> None:
    exchange = Exchange(hold=5)
    alice, carol = exchange.enter_json("alice"), exchange.enter("carol")
    alice.does("ring", on=True)
    carol.says("To:alice")
    alice.drops()
    exchange.clock.advance(5)
    assert carol.heard() == [RINGING, UNANSWERED]


def test_a_new_owner_of_a_name_has_set_nothing(exchange: Exchange) -> None:
    alice, carol = exchange.enter("alice"), exchange.enter("carol")
    alice.says("/dnd", "/ring", "/block carol")
    alice.drops()
    exchange.enter("alice")
    carol.says("To:alice")
    assert carol.heard() == [PAIRED.format("alice")]


def test_who_has_set_nothing_costs_nothing(exchange: Exchange) -> None:
    alice, carol = rings(exchange)
    exchange.enter("bob")
    factory = exchange.factory
    assert (len(factory._rules), len(factory._called)) == (1, 1)
    carol.says("/block bob")
    alice.drops()
    carol.drops()
    assert not factory._rules
    assert not factory._called
    assert not factory._blocked_hosts


def test_a_json_client_may_set_nothing_before_it_has_a_name(exchange: Exchange) -> None:
    party: JsonParty = exchange.connect_json()
    party.does("dnd", on=True)
    party.does("block", name="bob")
    assert party.events() == [
        error("bad-name", "Say a name first.", "dnd"),
        error("bad-name", "Say a name first.", "block"),
    ]
