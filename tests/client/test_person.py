"""What a person's screen is told beside lines: how things stand, and when to ring."""

from dataclasses import asdict
from itertools import pairwise
from typing import Any

import pytest

from chatpair.client.ending import DONE
from chatpair.client.screen import Standing
from chatpair.messages import (
    AskWho,
    Back,
    Free,
    Held,
    Here,
    Left,
    Paired,
    PeerTyping,
    Present,
    StartTyping,
)
from tests.support.played import HI, status
from tests.support.scene import Scene, chatting, person, piped_to_bob


def changes(scene: Scene) -> list[dict[str, Any]]:
    """Return what has changed, one step after the other, since the last time."""
    steps = scene.screen.standings
    scene.screen.standings = steps[-1:]
    return [
        {key: new for key, new in asdict(after).items() if new != asdict(before)[key]}
        for before, after in pairwise(steps)
    ]


def typings(scene: Scene) -> int:
    """Return how often the peer was told that something is being typed, since the last time."""
    return scene.said().count(StartTyping())


# How things stand


def test_how_things_stand_is_shown_from_the_name_to_the_end() -> None:
    scene = person()
    assert scene.screen.standings == [Standing("alice"), Standing("alice", connected=True)]
    changes(scene)
    scene.tells(Paired("bob"))
    assert changes(scene) == [{"peer": "bob"}]
    scene.tells(Held("bob"))
    assert changes(scene) == [{"peer_is_away": True}]
    scene.tells(Back("bob"))
    assert changes(scene) == [{"peer_is_away": False}]
    scene.drops()
    assert changes(scene) == [{"connected": False}]
    scene.resumes(4, 0)
    assert changes(scene) == [{"connected": True}]
    scene.tells(Left("bob", "quit"))
    assert changes(scene) == [{"peer": None}]
    scene.talk.quit()
    scene.answers_quit(DONE)
    assert changes(scene) == [{"leaving": True}, {"connected": False}]


def test_what_became_of_the_last_text_is_shown() -> None:
    scene = chatting()
    changes(scene)
    scene.types("one")
    assert changes(scene) == [{"waiting": 1, "last": "waiting"}]
    scene.tells(status(1, "handed"))
    assert changes(scene) == [{"last": "handed"}, {"waiting": 0}]
    scene.types("two", "three")
    assert changes(scene) == [{"waiting": 1, "last": "waiting"}, {"waiting": 2}]
    scene.tells(status(2))
    assert changes(scene) == [{"waiting": 1}]
    scene.tells(status(3))
    assert changes(scene) == [{"last": "confirmed"}, {"waiting": 0}]
    scene.types("four")
    scene.tells(status(4, "failed", why="quit"))
    assert changes(scene)[1:] == [{"last": "failed"}, {"waiting": 0}]


@pytest.mark.parametrize("event", [Left("bob", "lost"), Free(), Paired("carol")])
def test_what_became_of_a_text_is_shown_while_its_peer_is_there(
    event: Left | Free | Paired,
) -> None:
    scene = chatting()
    scene.types("one", "two")
    for told, last in ((event, "waiting"), (status(2), "confirmed"), (event, None)):
        scene.tells(told)
        assert scene.screen.standings[-1].last == last


@pytest.mark.parametrize("event", [Left("bob", "lost"), Free(), Paired("carol")])
def test_a_peer_that_is_gone_is_neither_away_nor_typing(event: Left | Free | Paired) -> None:
    scene = chatting()
    scene.tells(Held("bob"), PeerTyping("bob"), event)
    standing = scene.screen.standings[-1]
    assert (standing.peer_is_away, standing.peer_is_typing) == (False, False)
    assert standing.peer == (event.peer if isinstance(event, Paired) else None)


def test_a_lost_line_has_no_peer() -> None:
    scene = chatting()
    scene.talk.quit()
    scene.answers_quit(DONE)
    assert scene.screen.standings[-1] == Standing("alice", leaving=True)


# The peer's typing


def test_the_peer_s_typing_is_shown_for_a_while() -> None:
    scene = chatting()
    changes(scene)
    scene.tells(PeerTyping("bob"))
    assert changes(scene) == [{"peer_is_typing": True}]
    scene.clock.advance(5.75)
    scene.tells(PeerTyping("bob"))
    scene.clock.advance(5.75)
    assert changes(scene) == []
    scene.clock.advance(0.25)
    assert changes(scene) == [{"peer_is_typing": False}]
    assert (scene.notices(), scene.screen.messages) == ([], [])


def test_the_peer_s_typing_ends_with_its_message() -> None:
    scene = chatting()
    scene.tells(PeerTyping("bob"))
    scene.clock.advance(5)
    changes(scene)
    scene.tells(HI)
    assert changes(scene) == [{"peer_is_typing": False}]
    scene.tells(PeerTyping("bob"))
    scene.clock.advance(5)
    assert changes(scene) == [{"peer_is_typing": True}]
    scene.clock.advance(1)
    assert changes(scene) == [{"peer_is_typing": False}]


# The person's typing


def test_the_peer_is_told_of_typing_now_and_then() -> None:
    scene = chatting()
    for _ in range(12):
        scene.talk.is_typing()
        scene.clock.advance(0.25)
    assert typings(scene) == 1
    scene.talk.is_typing()
    assert typings(scene) == 1


def test_the_next_text_is_told_of_at_once() -> None:
    scene = chatting()
    scene.talk.is_typing()
    scene.types("hi")
    scene.talk.is_typing()
    assert typings(scene) == 2


def test_nobody_is_told_of_typing_that_is_for_nobody() -> None:
    scene = person()
    scene.talk.is_typing()
    assert typings(scene) == 0
    scene.tells(Paired("bob"))
    scene.talk.is_typing()
    assert typings(scene) == 1
    scene.clock.advance(3)
    scene.tells(Left("bob", "quit"))
    scene.talk.is_typing()
    assert typings(scene) == 0


# The bell


def test_who_has_typed_nothing_for_a_while_is_called_once() -> None:
    scene = chatting()
    scene.talk.is_typing()
    scene.screen.rings = 0
    scene.clock.advance(29.75)
    scene.tells(HI)
    assert scene.screen.rings == 0
    scene.clock.advance(0.25)
    scene.tells(HI, HI)
    assert scene.screen.rings == 1
    scene.clock.advance(60)
    scene.tells(HI, Left("bob", "quit"), Paired("carol"))
    assert scene.screen.rings == 1


@pytest.mark.parametrize("types", [False, True])
def test_who_is_back_can_be_called_again(types: bool) -> None:
    scene = chatting()
    for rings in (1, 2):
        if types:
            scene.talk.is_typing()
        else:
            scene.types("hi")
        scene.screen.rings = 0 if rings == 1 else 1
        scene.tells(HI)
        assert scene.screen.rings == rings - 1
        scene.clock.advance(30)
        scene.tells(HI)
        assert scene.screen.rings == rings


def test_whoever_calls_somebody_is_there_until_the_answer_takes_a_while() -> None:
    for seconds in (29.75, 30):
        scene = person("bob")
        scene.clock.advance(seconds)
        scene.tells(Paired("bob"))
        assert scene.screen.rings == (seconds == 30)


def test_a_call_rings_but_no_other_event() -> None:
    scene = person()
    scene.talk.is_typing()
    scene.clock.advance(30)
    scene.tells(Left("carol", "quit"), Free())
    assert scene.screen.rings == 0
    scene.tells(Paired("bob"))
    assert scene.screen.rings == 1


def test_typing_and_statuses_ring_no_bell() -> None:
    scene = chatting()
    scene.types("hi")
    scene.screen.rings = 0
    scene.clock.advance(30)
    scene.tells(status(1), PeerTyping("bob"), Held("bob"), Back("bob"))
    assert scene.screen.rings == 0


def test_a_pipe_rings_no_bell() -> None:
    scene = piped_to_bob()
    scene.clock.advance(29)
    scene.tells(HI)
    scene.clock.advance(29)
    scene.tells(HI)
    assert scene.screen.rings == 0


# Who is there


def test_the_others_are_known_while_there_is_a_connection() -> None:
    scene = chatting()
    found: list[list[str]] = []
    scene.talk.others().addCallback(found.append)
    assert AskWho() in scene.said()
    scene.tells(Here([Present("alice", True), Present("bob", True)], 3))
    assert (found, scene.notices()) == ([["bob"]], [])
    scene.drops()
    scene.talk.others().addCallback(found.append)
    assert found[1:] == [[]]


def test_the_others_are_not_known_when_the_line_ends_meanwhile() -> None:
    scene = chatting()
    found: list[list[str]] = []
    scene.talk.others().addCallback(found.append)
    scene.talk.quit()
    scene.answers_quit(DONE)
    assert found == [[]]
