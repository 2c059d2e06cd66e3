"""The checker of histories: a right one passes, and each thing that may be wrong is found."""

from typing import TypeAlias

import pytest

from chatpair.exchange.messages import (
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
    Ringing,
    Say,
    Status,
    Timestamp,
)
from tests.support.history import Cut, End, History, Moment, Over, Session
from tests.support.history_check import faults

Happening: TypeAlias = Command | Event | Repeated | Over | End
Moments: TypeAlias = list[tuple[float, Happening]]
Changes: TypeAlias = dict[float, Moments | Happening]
"""What is in the place of whatever was at some times; at that time itself, if no other is told."""

NO_ZED = Error("to", "unknown", "The user zed does not exist.")
NO_BEN = Error("to", "unknown", "The user ben does not exist.")
RINGS = Error("to", "ringing", "ben's line is ringing.")


def heard(sender: str, text: str) -> Message:
    """Return what somebody is told of a text."""
    return Message(sender, text, Timestamp(0.0))


# Ann and ben talk, and then somebody else is ann. Cat and dan talk on; cat is a plain user.
RIGHT: dict[str, Moments] = {
    "ann": [
        (3.0, Call("ben")),
        (5.0, Paired("ben")),
        (5.5, Over()),
        (6.0, Say(1, "one")),
        (7.0, Say(2, "two")),
        (12.0, Status(2, "confirmed", seq=2)),
        (13.0, HangUp()),
        (14.0, Free()),
        (16.0, End("quit")),
    ],
    "ben": [
        (5.0, Paired("ann")),
        (8.0, heard("ann", "one")),
        (9.0, heard("ann", "two")),
        (14.0, Left("ann", "bye")),
    ],
    "Ann": [(30.0, Call("zed")), (31.0, NO_ZED), (32.0, Over())],
    "cat": [
        (3.0, Call("dan")),
        (5.0, Paired("dan")),
        (5.5, Over()),
        (6.0, Say(0, "plain")),
        (8.0, heard("dan", "three")),
    ],
    "dan": [
        (5.0, Paired("cat")),
        (6.0, Say(1, "three")),
        (7.0, heard("cat", "plain")),
        (9.0, Status(1, "handed")),
        (10.0, Say(2, "four")),
        (11.0, Status(2, "failed", "lost")),
    ],
}


def rules(changes: dict[str, Changes], *cuts: Cut, at: float = 20) -> set[str]:
    """Return which rules are broken if the right history is changed; the second ann comes late."""
    sessions = []
    for name, moments in RIGHT.items():
        kept = dict(moments) | changes.get(name, {})
        asked = at if name == "Ann" else 1.0
        all_of_it: list[Moment] = []
        for time, what in sorted(kept.items()):
            whole = what if isinstance(what, list) else [(time, what)]
            all_of_it += [Moment(*one) for one in whole]
        sessions.append(Session(name, f"n{name[0]}", asked, asked + 1, name != "cat", all_of_it))
    return {fault.rule for fault in faults(History(sessions, [*cuts]))}


CHANGED: dict[str, tuple[dict[str, Changes], str]] = {
    "nothing is wrong": ({}, ""),
    # Lines
    "a confirmed line is dropped": ({"ben": {9: []}}, "told"),
    "a plain line is dropped": ({"dan": {7: []}}, "told"),
    "a line is told twice": ({"ben": {10: heard("ann", "one")}}, "lines"),
    "a line is told to another": ({"dan": {8: heard("ann", "one")}}, "lines pairs"),
    "two lines are swapped": ({"ben": {8: heard("ann", "two"), 9: heard("ann", "one")}}, "lines"),
    "a line is forged": ({"ben": {10: heard("ann", "forged")}}, "lines"),
    "a line has another sender": ({"ben": {9: heard("cat", "two")}}, "lines pairs"),
    "a line is early": ({"ben": {8: [(5.9, heard("ann", "one"))]}}, "lines"),
    "a line is meant for another": ({"ann": {7: Say(2, "two", "cat")}}, "lines"),
    # What became of them
    "the last status is left out": ({"dan": {11: []}}, "told"),
    "what did not arrive is confirmed": ({"dan": {11: Status(2, "confirmed")}}, "told"),
    "a status is of nothing said": ({"ann": {12: Status(3, "confirmed")}}, "told"),
    "a status is early": ({"ann": {12: [(8.5, Status(2, "confirmed"))]}}, "told"),
    "a status changes": ({"ann": {12.5: Status(2, "failed", "lost")}}, "told"),
    "what arrived was for nobody": ({"ann": {12: Status(2, "failed", "nobody")}}, "told"),
    "a program's line is handed": ({"ann": {12: Status(2, "handed")}}, "told"),
    # Owners
    "a name is kept that another has": (
        {"ann": {16: [(30, Call("zed")), (31, NO_ZED), (31, Over()), (32, End("quit"))]}},
        "owners",
    ),
    "the end of an owner is left out": ({"ann": {16: []}}, "owners"),
    # Pairs
    "a pair is left out": ({"ben": {5: []}}, "mutual pairs"),
    "a pair is told of twice": ({"ben": {6: Paired("ann")}}, "pairs"),
    "there is a second pair": ({"dan": {12: Paired("zed")}}, "mutual pairs"),
    "somebody is in two pairs": (
        {"Ann": {30: Call("dan"), 31: Paired("dan")}, "dan": {12: [(31, Paired("Ann"))]}},
        "mutual pairs",
    ),
    "the end of a pair is left out": ({"ben": {14: []}}, "mutual"),
    "the end is told of twice": ({"ben": {15: Left("ann", "bye")}}, "pairs"),
    "who is not paired is free": ({"Ann": {33: Free()}}, "pairs"),
    "it is said to be a pair": ({"Ann": {31: Error("to", "already", "")}}, "pairs"),
    "a call has no answer": ({"Ann": {31: []}}, "pairs"),
    "a refused call makes a pair": ({"ann": {4: [(4, NO_BEN), (4, Over())]}}, "pairs"),
    # Events
    "it goes on after the end": ({"ann": {17: Status(2, "confirmed")}}, "events owners"),
    "it goes back in time": ({"dan": {9: [(0, Status(1, "handed"))]}}, "events"),
    "an event is missing": ({"ann": {12: Status(2, "confirmed", seq=3)}}, "events"),
}


@pytest.mark.parametrize(("changes", "broken"), CHANGED.values(), ids=CHANGED)
def test_a_right_history_passes_and_what_is_wrong_is_found(
    changes: dict[str, Changes], broken: str
) -> None:
    assert rules(changes) == set(broken.split())


def test_each_call_that_begins_to_ring_is_told_of() -> None:
    def rules_if_told(*times: float, end: End | None = None) -> set[str]:
        calls: Moments = []
        for at in (40.0, 50.0):
            calls += [(at, Call("ben")), (at + 1, RINGS), (at + 2, Over())]
            calls += [(at + 3, HangUp()), (at + 4, Free())]
        ben: Changes = {at: Ringing("Ann") for at in times}
        return rules({"Ann": {40: calls}, "ben": ben | {60: end or []}})

    assert rules_if_told(41, 51) == set()
    assert rules_if_told(41) == {"rung"}
    assert rules_if_told(41, 49) == {"rung"}
    assert rules_if_told(41, end=End("quit")) == {"rung"}
    assert rules_if_told(41, end=End("dropped")) == set()


# Whatever only an owner is told proves one

PAIR: dict[str, Changes] = {
    "ann": {5: [(8, Paired("ben"))], **{at: [] for at in (3, 5.5, 6, 7, 12, 13, 14)}},
    "ben": {
        5: [(7, Call("ann")), (8, Paired("ann")), (8, Over())],
        **{at: [] for at in (8, 9)},
        14: [(17, Left("ann", "quit"))],
    },
}
LINE: dict[str, Changes] = {
    "ann": {11: heard("ben", "back")},
    "ben": {10: Say(1, "back"), 12: Status(1, "confirmed")},
}
RETURN: dict[str, Changes] = {"ann": {15: [(14.5, Resume("key")), (15, Resumed("ann", None, 0))]}}

# What a node that was cut off excuses, and no other

STAYS: dict[str, Changes] = {"ann": {16: [(40, Call("zed")), (41, NO_ZED), (42, End("closed"))]}}
GOES: dict[str, Changes] = {**STAYS, "Ann": {33: End("dropped")}}
LATE: dict[str, Changes] = {
    "ann": {7: [(7.5, Say(2, "two"))], 14: [], 13: [], 16: End("closed")},
    "ben": {14: [(15, Left("ann", "lost"))]},
}
REFUSED: dict[str, Changes] = {
    "ann": {5: NO_BEN, **{at: [] for at in (6, 7, 12, 13, 14)}},
    "ben": {5: Paired("ann"), 8: [], 9: [], 14: Left("ann", "lost")},
}


@pytest.mark.parametrize(
    ("changes", "at", "cut", "broken"),
    [
        (PAIR, 5, None, "owners"),
        (LINE, 9, None, "owners"),
        (RETURN, 13, None, "owners"),
        # A name may be had by another while its node is cut off.
        (GOES, 20, None, "owners"),
        (GOES, 20, Cut("na", 15, 35), ""),
        (GOES, 20, Cut("nb", 15, 35), "owners"),
        (GOES, 20, Cut("na", 15, 19), "owners"),
        (STAYS, 20, Cut("na", 15, 35), "owners"),
        (STAYS, 20, Cut("na", 35, 45), "owners"),  # a call is for whoever has the name
        # A line proves an owner unless the node is cut off.
        (LATE, 6, None, "owners"),
        (LATE, 6, Cut("na", 5.7, 20), ""),
        (LATE, 6, Cut("nb", 5.7, 20), "owners"),
        # A pair may be left at a node that was taken for dead.
        (REFUSED, 20, None, "pairs"),
        (REFUSED, 20, Cut("nb", 4, 9), ""),
        (REFUSED, 20, Cut("nc", 4, 9), "pairs"),
    ],
)
def test_who_owns_a_name_is_proved_but_for_what_a_node_that_is_cut_off_excuses(
    changes: dict[str, Changes], at: float, cut: Cut | None, broken: str
) -> None:
    assert rules(changes, *filter(None, [cut]), at=at) == set(broken.split())
