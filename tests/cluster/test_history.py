"""The checker of histories: right ones pass, and each thing that may be wrong is found."""

import random
from dataclasses import replace
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as altered

from chatpair.messages import (
    Call,
    Command,
    Error,
    Event,
    Free,
    HangUp,
    Left,
    Message,
    Paired,
    Repeated,
    Resume,
    Resumed,
    Say,
    Status,
    Timestamp,
)
from tests.support.history import Cut, End, History, Moment, Over, Session
from tests.support.history_check import faults
from tests.support.history_play import Step, Switchboard
from tests.support.history_wrongs import NO_ZED, WRONGS, Wrongs

What: TypeAlias = Command | Event | Repeated | Over | End

ENTERED = 2.0
PAIRED_AT = 5.0


def session(
    name: str, *moments: tuple[float, What], at: float = 1.0, counts: bool = True
) -> Session:
    """Return one that asked for its name at a time, on the node of its first letter."""
    return Session(name, f"n{name[0]}", at, at + 1, counts, [Moment(*one) for one in moments])


def heard(sender: str, text: str) -> Message:
    """Return what somebody is told of a text."""
    return Message(sender, text, Timestamp(0.0))


def pair(*more: tuple[float, What], counts: bool = True) -> Session:
    """Return ann, who has called ben."""
    paired = (PAIRED_AT, Paired("ben")), (PAIRED_AT, Over())
    return session("ann", (3, Call("ben")), *paired, *more, counts=counts)


def called(*more: tuple[float, What], counts: bool = True) -> Session:
    """Return ben, whom she called."""
    return session("ben", (PAIRED_AT, Paired("ann")), *more, counts=counts)


def rules(*sessions: Session, cuts: tuple[Cut, ...] = ()) -> set[str]:
    """Return which rules are broken."""
    return {fault.rule for fault in faults(History([*sessions], [*cuts]))}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # An owner's answer to what was asked after the other had the name.
        ([(11.5, Call("zed")), (12.0, NO_ZED)], 10.0),
        # Told of a call that began then.
        ([(3.0, Call("ben")), (4.0, Paired("ben"))], 1.5),
    ],
)
def test_two_owners(first: list[tuple[float, What]], second: float) -> None:
    ann = session("ann", *first, (20, End("closed")))
    ben = session("ben", (4.5, Paired("ann")), (30, Left("ann", "lost")))
    others = [ben] if len(first) == 2 and first[1][1] == Paired("ben") else []
    assert rules(ann, session("ann", at=second), *others) == {"owners"}


def test_owners_one_after_the_other() -> None:
    # It was asked before the other had read of the name, though answered after that.
    ann = session("ann", (10.9, Call("zed")), (14, NO_ZED), (20, End("closed")))
    assert rules(ann, session("ann", at=10)) == set()
    assert rules(ann, session("Ann", at=9.5)) == {"owners"}


def test_owners_of_whom_nobody_knows_who_was_first() -> None:
    ended = session("ann", (5, End("dropped")), at=1.5)
    assert rules(session("ann", at=1), ended) == set()
    assert rules(session("ann", at=1), session("ann", at=1.5)) == {"owners"}


def test_an_answer_that_anybody_gets_proves_nothing() -> None:
    later = Error("to", "try-later", "The switchboard is not ready.")
    ann = session("ann", (15, Call("zed")), (16, later), (20, End("closed")))
    assert rules(ann, session("ann", at=10)) == set()


@pytest.mark.parametrize("said", [10.5, 11.5])
def test_a_line_proves_an_owner_unless_the_node_is_cut_off(said: float) -> None:
    ann = pair((said, Say(1, "hi")), (13, Status(1, "confirmed")), (14, End("closed")))
    ben = called((12, heard("ann", "hi")), (15, Left("ann", "lost")))
    other = session("ann", at=10)
    assert rules(ann, ben, other) == ({"owners"} if said > 11 else set())
    assert rules(ann, ben, other, cuts=(Cut("na", 6, 20),)) == set()
    assert rules(ann, ben, other, cuts=(Cut("nb", 6, 20),)) == rules(ann, ben, other)


def test_a_call_proves_an_owner_though_the_node_is_cut_off() -> None:
    ann = session("ann", (12, Call("zed")), (13, NO_ZED), (20, End("closed")))
    other = Session("ann", "nb", 10, 11, True)
    assert rules(ann, other, cuts=(Cut("na", 6, 20),)) == {"owners"}


def test_a_name_may_be_had_by_another_while_its_node_is_cut_off() -> None:
    ann = session("ann", (30, Call("zed")), (31, NO_ZED))
    other = Session("ann", "nb", 10, 11, True, [Moment(12, Call("zed")), Moment(13, NO_ZED)])
    ended = replace(other, moments=[*other.moments, Moment(14, End("dropped"))])
    assert rules(ann, ended) == {"owners"}
    assert rules(ann, ended, cuts=(Cut("na", 5, 20),)) == set()
    assert rules(ann, ended, cuts=(Cut("na", 5, 9), Cut("na", 40, 50))) == {"owners"}


@pytest.mark.parametrize("answered", [13.0, 31.0])
def test_what_proves_an_owner_in_a_cut_proves_nothing_of_before(answered: float) -> None:
    ann = session("ann", (12, Call("zed")), (answered, NO_ZED), (40, End("closed")))
    other = Session("ann", "nb", 9, 9.5, True, [Moment(10, End("dropped"))])
    assert rules(ann, other, cuts=(Cut("na", 5, 30),)) == set()
    assert rules(ann, other, cuts=(Cut("na", 5, 7),)) == {"owners"}
    assert rules(ann, other) == {"owners"}


def test_two_pairs() -> None:
    cat = session("cat", (6, Call("ben")), (7, Paired("ben")))
    assert rules(pair(), called((8, Paired("cat"))), cat) == {"pairs", "mutual"}
    ann = pair((9, Left("ben", "switched")))
    ben = called((6, Call("cat")), (8, Paired("cat")))
    assert rules(ann, ben, session("cat", (8, Paired("ben")))) == set()


@pytest.mark.parametrize(
    "moments",
    [
        [(6, Left("cat", "quit"))],
        [(6, Left("ben", "quit")), (7, Left("ben", "quit"))],
        [(6, Free()), (7, Free())],
        [(6, Paired("ben"))],
        [(6, HangUp()), (7, Free()), (8, Paired("ben"))],
    ],
)
def test_pairs_that_begin_and_end_out_of_order(moments: list[tuple[float, What]]) -> None:
    assert "pairs" in rules(pair(*moments), called((6, Left("ann", "bye"))))


def test_pairs_of_which_the_other_knows_nothing() -> None:
    assert rules(pair(), session("ben")) == {"mutual"}
    assert rules(pair((6, HangUp()), (7, Free())), session("ben")) == {"mutual"}
    # It was killed, or told of the end at once.
    assert rules(pair((6, HangUp()), (7, Free())), session("ben", (6, End("closed")))) == set()
    assert rules(pair((6, Left("ben", "lost"))), session("ben")) == set()


def test_a_pair_that_ends_for_one_alone() -> None:
    assert rules(pair((6, HangUp()), (7, Free())), called()) == {"mutual"}
    assert rules(pair((6, HangUp()), (7, Free())), called((9, Left("ann", "bye")))) == set()


def test_a_call_that_is_answered_late_may_make_a_pair() -> None:
    later = Error("to", "try-later", "ben's node does not answer.")
    ann = session("ann", (3, Call("ben")), (8, later), (8, Over()), (9, Paired("ben")))
    assert rules(ann, called()) == set()
    refused = Error("to", "unknown", "The user ben does not exist.")
    ann = session("ann", (3, Call("ben")), (8, refused), (8, Over()), (9, Paired("ben")))
    assert rules(ann, called()) == {"pairs"}


def test_a_call_that_is_not_answered() -> None:
    assert rules(session("ann", (3, Call("ben")), (8, Over())), session("ben")) == {"pairs"}


def test_a_call_that_may_have_been_lost_with_the_connection() -> None:
    lost = (3, Call("ben")), (4, Resume("key")), (6, Resumed("ann", None, 0)), (7, Over(lost=True))
    assert rules(session("ann", *lost), session("ben")) == set()
    assert rules(session("ann", *lost, (8, Paired("ben"))), called()) == set()


def test_a_pair_at_a_node_that_was_taken_for_dead() -> None:
    unknown = Error("to", "unknown", "The user ben does not exist.")
    ann = session("ann", (3, Call("ben")), (8, unknown), (8, Over()))
    for after in (Left("ann", "lost"), Free()):
        ben = called((9, after))
        assert rules(ann, ben) >= {"pairs"}
        assert rules(ann, ben, cuts=(Cut("nb", 4, 9),)) == set()
        assert rules(ann, ben, cuts=(Cut("nc", 4, 9),)) >= {"pairs"}


def test_a_call_of_whom_one_talks_with_already() -> None:
    already = Error("to", "already", "You are already chatting with ben.")
    again = (11.5, Call("ben")), (12, already), (12, Over())
    other = session("ann", at=11)
    ann = pair(*again, (14, End("closed")))
    ben = called((15, Left("ann", "lost")))
    assert rules(ann, ben, other, cuts=(Cut("na", 6, 20),)) == set()
    cat = (6.5, Call("cat")), (7, Error("to", "already", "No.")), (7, Over())
    assert rules(pair(*cat), called()) == {"pairs"}


def test_calls_that_cross() -> None:
    already = Error("to", "already", "You are already chatting with ann.")
    ben = session("ben", (4, Call("ann")), (5, Paired("ann")), (6, already))
    assert rules(pair(), ben) == set()


SAYS = ((6.0, Say(1, "one")), (7.0, Say(2, "two")))
CONFIRMED = (12.0, Status(2, "confirmed"))
HEARS = ((8.0, heard("ann", "one")), (9.0, heard("ann", "two")))


def test_lines_that_arrive() -> None:
    assert rules(pair(*SAYS, CONFIRMED), called(*HEARS)) == set()
    assert rules(pair(*SAYS, counts=False), called(*HEARS, counts=False)) == set()


@pytest.mark.parametrize(
    "arrives",
    [
        [*HEARS, (10.0, heard("ann", "one"))],
        [(8.0, heard("ann", "two")), (9.0, heard("ann", "one"))],
        [*HEARS, (10.0, heard("ann", "three"))],
        [(6.5, heard("ann", "one")), (6.6, heard("ann", "two"))],
    ],
)
def test_lines_twice_out_of_order_forged_or_early(arrives: list[tuple[float, What]]) -> None:
    assert rules(pair(*SAYS, CONFIRMED), called(*arrives)) == {"lines"}


def test_a_line_under_another_name_or_to_another() -> None:
    cat = session("cat", (3, Call("dan")), (5, Paired("dan")))
    dan = session("dan", (5, Paired("cat")), HEARS[0], HEARS[1])
    assert rules(pair(*SAYS, CONFIRMED), called(), cat, dan) == {"pairs", "lines"}
    dan = session("dan", (5, Paired("cat")), (8, heard("cat", "one")), (9, heard("cat", "two")))
    assert rules(pair(*SAYS, CONFIRMED), called(), cat, dan) == {"lines"}
    meant = (6.0, Say(1, "one", "cat"))
    ann = pair(meant, (12.0, Status(1, "confirmed")))
    assert rules(ann, called(HEARS[0])) == {"lines"}


def test_a_line_to_whom_the_speaker_has_left() -> None:
    ann = pair(
        (6, HangUp()), (7, Free()), (8, Say(1, "one")), (9, Call("cat")), (10, Paired("cat"))
    )
    cat = session("cat", (10, Paired("ann")), (11, heard("ann", "one")))
    ben = called((7, Left("ann", "bye")))
    told = replace(ann, moments=[*ann.moments, Moment(12, Status(1, "confirmed"))])
    assert rules(told, ben, cat) == set()  # it was late, and is for whoever is the peer then
    late = called((8.5, heard("ann", "one")), (9, Left("ann", "bye")))
    assert "lines" in rules(told, late, session("cat", (10, Paired("ann"))))


@pytest.mark.parametrize(
    ("arrives", "told", "wrong"),
    [
        (0, (12.0, Status(2, "failed", "lost")), False),
        (1, (12.0, Status(2, "failed", "lost")), False),
        (2, (12.0, Status(2, "failed", "lost")), False),
        (2, (12.0, Status(2, "failed", "nobody")), True),
        (2, (12.0, Status(1, "confirmed")), True),
        (2, (12.0, Status(3, "confirmed")), True),
        (2, (8.5, Status(2, "confirmed")), True),
        (2, (12.0, Status(2, "handed")), True),
        (1, (12.0, Status(2, "confirmed")), True),
        (1, (12.0, Status(2, "handed")), True),
        (1, (12.0, End("closed")), False),
    ],
)
def test_what_a_program_is_told_of_its_lines(
    arrives: int, told: tuple[float, What], wrong: bool
) -> None:
    ben = called(*HEARS[:arrives])
    if isinstance(told[1], End):
        ben = called(*HEARS[:arrives], (13, Left("ann", "lost")))
    assert rules(pair(*SAYS, told), ben) == ({"told"} if wrong else set())


def test_a_status_that_changes() -> None:
    again = (13.0, Status(2, "failed", "lost"))
    assert rules(pair(*SAYS, CONFIRMED, again), called(*HEARS)) == {"told"}
    assert rules(pair(*SAYS, CONFIRMED, (13.0, CONFIRMED[1])), called(*HEARS)) == set()


def test_handed_is_all_that_a_kernel_tells() -> None:
    handed = (12.0, Status(2, "handed"))
    assert rules(pair(*SAYS, handed), called(HEARS[0], counts=False)) == {"told"}
    ben = called(HEARS[0], (10, End("dropped")), counts=False)
    ann = pair(*SAYS, handed, (13, Left("ben", "lost")))
    assert rules(ann, ben) == set()


def test_what_a_plain_user_is_told_of_its_lines() -> None:
    left = (10.0, Left("", "quit"))
    ben = called(HEARS[0], (9, Left("ann", "lost")), counts=False)
    assert rules(pair(*SAYS, left, counts=False), ben) == set()
    ben = called(HEARS[0], counts=False)
    assert rules(pair(*SAYS, counts=False), ben) == {"told"}
    # Whoever has ended the pair hears no more of it.
    ann = pair(*SAYS, (10, HangUp()), (11, Free()), counts=False)
    ben = called(HEARS[0], (12, Left("", "quit")), counts=False)
    assert rules(ann, ben) == {"told"}
    assert rules(ann, ben, cuts=(Cut("nb", 5, 20),)) == set()
    assert rules(ann, called(HEARS[0], (12, End("closed")), counts=False)) == set()


def test_a_plain_user_who_says_something_to_nobody() -> None:
    nobody = Error(None, "nobody", "Nobody is chatting with you.")
    assert rules(session("ann", SAYS[0], (7, nobody), counts=False)) == set()
    assert rules(session("ann", SAYS[0], counts=False)) == {"told"}


def test_what_a_plain_user_said_may_be_lost_with_the_connection() -> None:
    ann = pair(*SAYS, (8, Resume("key")), (9, Resumed("ann", "ben", 0)), counts=False)
    assert rules(ann, called(counts=False)) == set()


def test_what_a_plain_user_is_told_again() -> None:
    again: list[tuple[float, What]] = [(8, heard("ann", "one")), (8.5, Resume("key"))]
    repeated: list[tuple[float, What]] = [
        (9.0, Repeated(heard("ann", text))) for text in ("one", "two")
    ]
    back: list[tuple[float, What]] = [(9.0, Resumed("ben", "ann", 0))]
    ben = called(*again, *repeated, *back, counts=False)
    assert rules(pair(*SAYS, counts=False), ben) == set()
    ben = called(*again, repeated[1], repeated[0], *back, (9.5, HEARS[1][1]), counts=False)
    assert rules(pair(*SAYS, counts=False), ben) == {"lines"}


def test_a_plain_user_who_comes_back_may_have_missed_a_pair() -> None:
    ben = session("ben", (8, Resume("key")), (9, Resumed("ben", "ann", 0)), counts=False)
    assert rules(pair(), ben) == set()
    ben = called((8, Resume("key")), (9, Resumed("ben", None, 0)), counts=False)
    assert rules(pair((6, HangUp()), (7, Free())), ben) == set()
    assert rules(pair(), ben) == {"mutual"}


def test_events_out_of_order() -> None:
    assert rules(session("ann", (3, Call("zed")), (2.5, NO_ZED))) == {"events"}
    assert rules(session("ann", (3, End("quit")), (4, NO_ZED))) == {"events"}
    one, two = (altered(NO_ZED, seq=seq) for seq in (2, 3))
    assert rules(session("ann", (3, one), (4, two))) == set()
    assert rules(session("ann", (3, two))) == {"events"}
    assert rules(session("ann", (3, one), (4, one))) == {"events"}


# Any right history, and what may be done to it

KINDS = {"call": 4.0, "say": 8.0, "bye": 1.0, "serve": 12.0, "read": 12.0}
ENDS = {"quit": 0.5, "drop": 0.5, "kill": 0.2}


def a_history(seed: int, length: int = 250, *, ends: bool = True) -> History:
    """Return a right one, in which sessions end or none does."""
    chance = random.Random(seed)
    weights = {**KINDS, **ENDS} if ends else KINDS
    kinds = chance.choices([*weights], [*weights.values()], k=length)
    return Switchboard().play(
        Step(kind, chance.randrange(8), chance.randrange(8)) for kind in kinds
    )


@given(st.builds(a_history, st.integers(), st.integers(0, 250)))
@settings(max_examples=300)
def test_a_right_history_passes(history: History) -> None:
    assert faults(history) == []


@pytest.mark.parametrize("how", WRONGS)
@given(history=st.builds(a_history, st.integers(), ends=st.booleans()), chance=st.randoms())
@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_a_history_with_one_thing_wrong_is_found(
    how: str, history: History, chance: random.Random
) -> None:
    wrongs = list(getattr(Wrongs(history), how)())
    assume(wrongs)
    chance.choice(wrongs)()
    assert faults(history)
