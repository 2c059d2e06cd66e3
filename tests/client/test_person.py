"""What a person's screen is told beside lines: how things stand, and when to ring."""

from dataclasses import asdict
from itertools import pairwise
from typing import Any

import pytest

from chatpair.client.ending import DONE
from chatpair.client.screen import Standing
from chatpair.exchange.messages import (
    AskWho,
    Back,
    Free,
    Held,
    Here,
    Left,
    Paired,
    PeerTyping,
    Present,
)
from tests.support.played import HI, status
from tests.support.scene import Scene, chatting, person
from tests.support.talks import play
from tests.support.transcript import scenes


def changes(scene: Scene) -> list[dict[str, Any]]:
    """Return what has changed, one step after the other, since the last time."""
    steps = scene.screen.standings
    scene.screen.standings = steps[-1:]
    return [
        {key: new for key, new in asdict(after).items() if new != asdict(before)[key]}
        for before, after in pairwise(steps)
    ]


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


# The person's typing, and the bell


@scenes(
    """
    The peer is told of typing now and then.
        a person with bob -> (reads)
        a key is pressed -> typing()
        2.75 seconds pass
        a key is pressed
        0.25 seconds pass
        a key is pressed -> typing()
        a key is pressed
    The next text is told of at once.
        a person with bob -> (reads)
        a key is pressed -> typing()
        said hi -> say(1, hi, bob)
        a key is pressed -> typing()
    Nobody is told of typing that is for nobody.
        a person -> (reads)
        a key is pressed
        told paired(bob) -> You are chatting with bob.
        a key is pressed -> typing()
        3 seconds pass
        told left(bob, quit) -> bob has left.
        a key is pressed
    Who has typed nothing for a while is called once.
        a person with bob -> (reads)
        a key is pressed -> typing()
        29.75 seconds pass -> ping()
        told message(bob, hi) -> bob: (hi)
        0.25 seconds pass
        told message(bob, hi) | message(bob, hi) -> (rings) | bob: (hi) | bob: (hi)
        60 seconds pass -> ping()
        told message(bob, hi) | left(bob, quit) | paired(carol) -> bob: (hi) | bob has left. |
            You are chatting with carol.
    Who is back can be called again.
        a person with bob -> (reads)
      * a key is pressed -> typing()
        told message(bob, hi) -> bob: (hi)
        30 seconds pass -> ping()
        told message(bob, hi) -> (rings) | bob: (hi)
        a key is pressed -> typing()
        told message(bob, hi) -> bob: (hi)
        30 seconds pass -> ping()
        told message(bob, hi) -> (rings) | bob: (hi)
      * said hi -> say(1, hi, bob)
        told message(bob, hi) -> bob: (hi)
        30 seconds pass -> ping()
        told message(bob, hi) -> (rings) | bob: (hi)
        said hi -> say(2, hi, bob)
        told message(bob, hi) -> bob: (hi)
        30 seconds pass -> ping()
        told message(bob, hi) -> (rings) | bob: (hi)
    Whoever calls somebody is there until the answer takes a while.
        a person for bob -> to(bob)
      * 29.75 seconds pass -> ping()
        told paired(bob) -> You are chatting with bob. | (reads)
      * 30 seconds pass -> ping()
        told paired(bob) -> (rings) | You are chatting with bob. | (reads)
    A call rings, but no other event.
        a person -> (reads)
        a key is pressed
        30 seconds pass -> ping()
        told left(carol, quit) | free() -> carol has left. | You are free.
        told paired(bob) -> (rings) | You are chatting with bob.
    Typing and statuses ring no bell.
        a person with bob -> (reads)
        said hi -> say(1, hi, bob)
        30 seconds pass -> ping()
        told status(1, confirmed) | typing(bob) | held(bob) | back(bob) ->
            bob has lost the connection. What you say is kept for a while. | bob is back.
    A pipe rings no bell.
        a pipe with bob -> (reads many)
        29 seconds pass -> ping()
        told message(bob, hi) -> bob: (hi)
        29 seconds pass -> ping()
        told message(bob, hi) -> bob: (hi)
    """
)
def test_a_person_types_and_is_called(scene: str) -> None:
    play(scene)


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
