"""Clients whose connections are cut at any byte: nothing lost or doubled, or it is known."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatpair.exchange.messages import CountedEvent, Left, Message
from chatpair.exchange.user import User
from chatpair.factory import ChatFactory
from tests.support.exchange import Exchange
from tests.support.network import Cut, Talker, settle

CUTS_A_RUN, RUNS = 50, 330
"""Of which two in three meet a connection that is whole; together more than ten thousand."""

CUT: st.SearchStrategy[Cut] = st.sampled_from(["closed", "reset", "silent"])
BYTES = st.integers(0, 400)
Round = tuple[int, int, int, int, int, Cut, float]
ROUND: st.SearchStrategy[Round] = st.tuples(
    st.integers(0, 1),  # who is cut
    st.integers(0, 3),  # how much alice says before
    st.integers(0, 3),  # and bob
    BYTES,  # of what is said, before the cut
    BYTES,  # of what is told
    CUT,
    st.sampled_from([0.0, 0.3, 5.0, 65.0]),  # seconds until the next
)


ROUNDS = st.lists(ROUND, min_size=CUTS_A_RUN, max_size=CUTS_A_RUN)


def pair(factory: ChatFactory) -> tuple[Talker, Talker]:
    """Let alice call bob."""
    alice, bob = Talker(factory, "alice"), Talker(factory, "bob")
    settle(alice, bob)
    alice.line.call("bob")
    settle(alice, bob)
    return alice, bob


def suffer(talkers: tuple[Talker, Talker], rounds: list[Round]) -> Counter[Cut]:
    """Let two talk while their connections are cut; count the cuts that met a whole one."""
    alice, bob = talkers
    met: Counter[Cut] = Counter()
    for who, by_alice, by_bob, up, down, how, seconds in rounds:
        for talker, count in ((alice, by_alice), (bob, by_bob)):
            for _ in range(count):
                talker.says(f"{talker.line.name} {len(talker.said)}")
        met[how] += talkers[who].network.cut(up, down, how)
        settle(*talkers, seconds=seconds)
    return met


@pytest.mark.parametrize("runs", [50, pytest.param(RUNS, marks=pytest.mark.endurance)])
def test_each_message_arrives_once_and_in_order(runs: int) -> None:
    met: Counter[Cut] = Counter()

    @settings(max_examples=runs)
    @given(ROUNDS)
    def talk(rounds: list[Round]) -> None:
        alice, bob = talkers = pair(Exchange(hold=180).factory)
        met.update(suffer(talkers, rounds))
        settle(*talkers, seconds=100)
        assert alice.line.peer == "bob"
        for one, other in ((alice, bob), (bob, alice)):
            assert other.heard == one.said
            assert one.outcomes == ["confirmed"] * len(one.said)

    talk()
    if runs == RUNS:
        assert met.total() >= 10_000
        assert min(met.values()) > 500


Step = tuple[str, int, int, Cut]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(["say", "answer", "carry", "cut", "handle", "who"]),
        st.integers(0, 40_000),  # characters of what is said, or bytes carried, before the cut too
        BYTES,
        CUT,
    ),
    max_size=60,
)


@settings(max_examples=300)
@given(STEPS)
def test_a_program_that_takes_its_time_hears_all_once_and_acknowledges_what_it_is_done_with(
    steps: list[Step],
) -> None:
    factory = Exchange(hold=180).factory
    alice, bob = pair(factory)
    alice.is_slow = True
    acknowledged = spy(factory)
    asked = 0
    for step, size, down, how in steps:
        if step == "say":
            alice.says(f"{len(alice.said)} {'x' * size}")
        elif step == "answer":
            bob.says(str(len(bob.said)))
        elif step == "who":
            asked += 1
            alice.asks()
        elif step == "handle":
            alice.handles()
        elif step == "carry" and alice.network.link is not None:
            alice.network.link.move(size, down)
        elif step == "cut":
            alice.network.cut(size, down, how)
            settle(alice, bob, seconds=65)
        settle(bob)
        assert acknowledged.get("alice", 0) <= alice.done
    alice.is_slow = False
    alice.handles()
    settle(alice, bob, seconds=100)
    assert (bob.heard, alice.heard) == (alice.said, bob.said)
    assert [len(alice.outcomes), len(alice.answers)] == [len(alice.said), asked]
    assert set(alice.outcomes) <= {"confirmed"}
    numbers = [event.seq for event in alice.events if isinstance(event, CountedEvent)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert acknowledged.get("alice", 2) == len(numbers)


@settings(max_examples=100)
@given(st.lists(ROUND, max_size=20), st.integers(0, 10), BYTES, BYTES, CUT)
def test_when_the_hold_runs_out_just_what_was_not_confirmed_has_failed(
    rounds: list[Round], count: int, up: int, down: int, how: Cut
) -> None:
    factory = Exchange(hold=180).factory
    acknowledged = spy(factory)
    alice, bob = talkers = pair(factory)
    suffer(talkers, rounds)
    settle(*talkers, seconds=100)
    for _ in range(count):
        alice.says(f"alice {len(alice.said)}")
    settle(alice)
    bob.network.cut(up, down, how)
    bob.network.down = True
    for _ in range(count):
        alice.says(f"alice {len(alice.said)}")
    settle(alice, bob, seconds=400)
    assert alice.line.peer is None
    assert isinstance(alice.events[-1], Left)
    texts = [e for e in bob.events if isinstance(e, Message)]
    confirmed = {e.text for e in texts if e.seq and e.seq <= acknowledged["bob"]}
    assert bob.heard == alice.said[: len(bob.heard)]
    assert alice.outcomes == [
        "confirmed" if text in confirmed else "failed: lost" for text in alice.said
    ]


def spy(factory: ChatFactory) -> dict[str, int]:
    """Note up to which event each user acknowledges all."""
    told: dict[str, int] = {}
    acknowledge = factory.receipts.acknowledge

    def note(user: User, seq: int) -> bool:
        told[user.name.text] = seq
        return acknowledge(user, seq)

    factory.receipts.acknowledge = note  # type: ignore[method-assign]
    return told
