"""Do not disturb, and calls that ring: what each of the two is told."""

import pytest

from chatpair.calls import MAX_TRIED, RING_SECONDS
from tests.support.exchange import NOBODY, PAIRED, Exchange, Party, said

DISTURB = "alice does not want to be disturbed."
RINGING = "alice's line is ringing."
CALLING = "{} is calling. To:{} to answer."
TRIED = "carol tried to reach you."
BUSY = "alice is talking with someone else."
UNANSWERED = "alice does not answer."

# What somebody says, and what is answered; the last one tells whether others can call then.
SWITCHES = [
    (["/dnd"], "You are not disturbed now.", DISTURB),
    (["/dnd on"], "You are not disturbed now.", DISTURB),
    (["/DND  On "], "You are not disturbed now.", DISTURB),
    (["/dnd", "/dnd off"], "You can be called again.", PAIRED.format("alice")),
    (["/dnd off"], "You can be called again.", PAIRED.format("alice")),
    (["/dnd maybe"], "Say /dnd on or /dnd off.", PAIRED.format("alice")),
    (["/ring"], "Your line rings when somebody calls.", RINGING),
    (["/ring on"], "Your line rings when somebody calls.", RINGING),
    (["/ring", "/ring OFF"], "Your line does not ring any more.", PAIRED.format("alice")),
    (["/ring ring"], "Say /ring on or /ring off.", PAIRED.format("alice")),
    (["/ring on", "/dnd on"], "You are not disturbed now.", DISTURB),
]


def rings(exchange: Exchange) -> tuple[Party, Party]:
    """Connect alice and carol, whose call rings at alice."""
    alice, carol = exchange.enter("alice"), exchange.enter("carol")
    alice.says("/ring on")
    carol.says("To:alice")
    assert alice.heard()[1:] == [CALLING.format("carol", "carol")]
    assert carol.heard() == [RINGING]
    return alice, carol


def are_paired(exchange: Exchange, one: Party, other: Party) -> bool:
    """Tell whether two users are a pair."""
    assert one.protocol.user is not None
    return exchange.factory.peer_of(one.protocol.user) is other.protocol.user


@pytest.mark.parametrize(("lines", "answer", "told"), SWITCHES)
def test_a_switch(exchange: Exchange, lines: list[str], answer: str, told: str) -> None:
    alice, carol = exchange.enter("alice"), exchange.enter("carol")
    alice.says(*lines)
    assert alice.heard()[-1] == answer
    carol.says("To:alice")
    assert carol.heard() == [told]
    assert are_paired(exchange, alice, carol) == (told == PAIRED.format("alice"))


@pytest.mark.parametrize("line", ["/dnd", "/ring off", "/block bob", "/unblock bob"])
def test_who_has_no_name_sets_nothing(exchange: Exchange, line: str) -> None:
    newcomer = exchange.connect()
    newcomer.says(line)
    assert newcomer.heard() == ["Bad name: no space and none of : [ ] ( ) / * , in a name"]


# Do not disturb


def test_who_is_not_disturbed_is_told_of_no_call_and_keeps_the_pair(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.says("/dnd")
    carol = exchange.enter("carol")
    carol.says("To:alice")
    assert carol.heard() == [DISTURB]
    assert alice.heard() == ["You are not disturbed now."]
    bob.says("hi")
    assert alice.heard() == [said(exchange, "hi", "bob")]


def test_who_is_not_disturbed_may_call(exchange: Exchange) -> None:
    alice, bob = exchange.enter("alice"), exchange.enter("bob")
    alice.says("/dnd", "To:bob")
    assert bob.heard() == [PAIRED.format("alice")]
    assert alice.heard()[1:] == [PAIRED.format("bob")]


def test_who_is_not_disturbed_can_be_called_back(exchange: Exchange) -> None:
    alice, bob = exchange.enter("alice"), exchange.enter("bob")
    bob.says("/ring on")
    alice.says("/dnd on", "/ring on", "To:bob")
    alice.heard()
    bob.says("To:alice")
    assert alice.heard() == [PAIRED.format("bob")]
    assert bob.heard()[1:] == [CALLING.format("alice", "alice"), PAIRED.format("alice")]


# A call that rings


def test_a_call_rings_until_it_is_answered(exchange: Exchange) -> None:
    alice, carol = rings(exchange)
    alice.says("hello?")
    assert alice.heard() == [NOBODY]
    exchange.clock.advance(RING_SECONDS - 1)
    alice.says("To:carol")
    assert alice.heard() == [PAIRED.format("carol")]
    assert carol.heard() == [PAIRED.format("alice")]
    exchange.clock.advance(RING_SECONDS)
    assert (alice.heard(), carol.heard()) == ([], [])


def test_a_call_that_is_not_answered_is_over_after_a_while(exchange: Exchange) -> None:
    alice, carol = rings(exchange)
    exchange.clock.advance(RING_SECONDS - 1)
    assert (alice.heard(), carol.heard()) == ([], [])
    exchange.clock.advance(1)
    assert alice.heard() == [TRIED]
    assert carol.heard() == [UNANSWERED]
    carol.says("/ring on")
    alice.says("To:carol")
    assert alice.heard() == ["carol's line is ringing."]


def test_who_calls_again_while_it_rings_is_announced_once(exchange: Exchange) -> None:
    alice, carol = rings(exchange)
    exchange.clock.advance(RING_SECONDS - 1)
    carol.says("To:alice", "To:Alice")
    assert carol.heard() == [RINGING] * 2
    exchange.clock.advance(1)
    assert carol.heard() == [UNANSWERED]
    assert alice.heard() == [TRIED]


def test_no_more_callers_ring_than_a_person_reads(exchange: Exchange) -> None:
    alice = exchange.enter("alice")
    alice.says("/ring on")
    callers = [exchange.enter(f"c{number}") for number in range(MAX_TRIED + 2)]
    for caller in callers:
        caller.says("To:alice")
    heard = [line for caller in callers for line in caller.heard()]
    assert heard == [RINGING] * MAX_TRIED + ["alice is not reading at the moment."] * 2
    calls = [CALLING.format(f"c{number}", f"c{number}") for number in range(MAX_TRIED)]
    assert alice.heard()[1:] == calls
    exchange.clock.advance(1)
    callers[-1].says("To:alice")
    assert callers[-1].heard() == [RINGING]
    alice.says("To:c2")
    assert alice.heard()[1:] == [PAIRED.format("c2")]
    exchange.clock.advance(RING_SECONDS)
    assert callers[0].heard() == callers[-1].heard() == [UNANSWERED]


def test_who_does_not_read_is_not_rung(exchange: Exchange) -> None:
    alice, carol = exchange.enter("alice"), exchange.enter("carol")
    alice.says("/ring on")
    alice.fills()
    carol.says("To:alice")
    assert carol.heard() == ["alice is not reading at the moment."]
    alice.drains()
    assert alice.heard()[1:] == []


def test_a_caller_who_does_not_read_can_t_be_answered(exchange: Exchange) -> None:
    alice, carol = rings(exchange)
    carol.fills()
    alice.says("To:carol")
    assert alice.heard() == ["carol is not reading at the moment."]
    carol.drains()
    alice.says("To:carol")
    assert are_paired(exchange, alice, carol)


def test_who_rings_keeps_the_pair_until_the_answer(exchange: Exchange) -> None:
    carol, dave = exchange.pair("carol", "dave")
    alice = exchange.enter("alice")
    alice.says("/ring on")
    carol.says("To:alice", "hi")
    assert carol.heard() == [RINGING]
    assert dave.heard() == [said(exchange, "hi", "carol")]
    alice.says("To:carol")
    assert dave.heard() == ["Quit."]
    assert carol.heard() == [PAIRED.format("alice")]
    assert alice.heard()[1:] == [CALLING.format("carol", "carol"), PAIRED.format("carol")]


def test_an_answer_ends_the_pair_of_whoever_answers(exchange: Exchange) -> None:
    alice, carol = rings(exchange)
    bob = exchange.enter("bob")
    alice.says("To:bob", "To:carol")
    assert alice.heard() == [PAIRED.format("bob"), PAIRED.format("carol")]
    assert bob.heard() == [PAIRED.format("alice"), "Quit."]
    assert carol.heard() == [PAIRED.format("alice")]


def test_who_is_called_meanwhile_rings_no_more(exchange: Exchange) -> None:
    alice, carol = rings(exchange)
    bob = exchange.enter("bob")
    bob.says("To:carol")
    assert alice.heard() == [TRIED]
    assert carol.heard() == [PAIRED.format("bob")]
    alice.says("To:carol")
    assert alice.heard() == ["carol is talking with someone else."]
    assert carol.heard() == ["alice tried to reach you."]
    exchange.clock.advance(RING_SECONDS)
    assert (alice.heard(), carol.heard()) == ([], [])


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("/bye", ["You are free."]),
        ("To:bob", [PAIRED.format("bob")]),
        ("Quit", ["Quit"]),
    ],
)
def test_a_caller_takes_the_call_back(exchange: Exchange, line: str, answers: list[str]) -> None:
    alice, carol = rings(exchange)
    exchange.enter("bob")
    carol.says(line)
    assert carol.heard() == answers
    assert alice.heard() == [TRIED]
    exchange.clock.advance(RING_SECONDS)
    assert (alice.heard(), carol.heard()) == ([], [])


def test_a_drop_takes_the_call_back(exchange: Exchange) -> None:
    alice, carol = rings(exchange)
    carol.drops()
    assert alice.heard() == [TRIED]
    alice.says("To:carol")
    assert alice.heard() == ["The user carol does not exist."]
    exchange.clock.advance(RING_SECONDS)
    assert alice.heard() == []


def test_a_call_that_fails_lets_the_first_one_ring(exchange: Exchange) -> None:
    alice, carol = rings(exchange)
    exchange.pair("dave", "erin")
    carol.says("To:dave", "To:nobody", "To:carol", "To:")
    carol.heard()
    alice.says("To:carol")
    assert alice.heard() == [PAIRED.format("carol")]


def test_a_call_to_another_who_lets_it_ring_takes_the_first_one_back(exchange: Exchange) -> None:
    alice, carol = rings(exchange)
    bob = exchange.enter("bob")
    bob.says("/ring on")
    carol.says("To:bob")
    assert carol.heard() == ["bob's line is ringing."]
    assert alice.heard() == [TRIED]
    exchange.clock.advance(RING_SECONDS)
    assert bob.heard()[1:] == [CALLING.format("carol", "carol"), TRIED]
    assert carol.heard() == ["bob does not answer."]
    assert alice.heard() == []


@pytest.mark.parametrize("how", ["Quit", "drop"])
def test_who_is_called_and_leaves_does_not_answer(exchange: Exchange, how: str) -> None:
    alice, carol = rings(exchange)
    if how == "drop":
        alice.drops()
    else:
        alice.says(how)
    assert carol.heard() == [UNANSWERED]
    carol.says("To:alice")
    assert carol.heard() == ["The user alice does not exist."]
    exchange.clock.advance(RING_SECONDS)
    assert carol.heard() == []


def test_who_is_called_and_is_in_a_pair_by_then_can_still_be_called(exchange: Exchange) -> None:
    alice, carol = rings(exchange)
    exchange.enter("bob").says("To:alice")
    assert alice.heard() == [CALLING.format("bob", "bob")]
    alice.says("To:bob")
    carol.says("To:alice")
    assert carol.heard() == [BUSY]
    assert alice.heard() == [PAIRED.format("bob"), TRIED]


def test_who_does_not_want_to_be_rung_any_more_is_paired_by_the_next_call(
    exchange: Exchange,
) -> None:
    alice, carol = rings(exchange)
    alice.says("/ring off")
    carol.says("To:alice")
    assert carol.heard() == [PAIRED.format("alice")]
    assert alice.heard() == ["Your line does not ring any more.", PAIRED.format("carol")]


def test_who_is_not_disturbed_any_more_hears_of_no_end_of_ringing(exchange: Exchange) -> None:
    alice, carol = rings(exchange)
    alice.says("/dnd")
    exchange.clock.advance(RING_SECONDS)
    assert alice.heard() == ["You are not disturbed now."]
    assert carol.heard() == [UNANSWERED]


def test_nothing_rings_when_the_server_stops(exchange: Exchange) -> None:
    alice, carol = rings(exchange)
    exchange.factory.stop()
    exchange.clock.advance(RING_SECONDS)
    assert alice.heard() == carol.heard() == ["The server is stopping."]
