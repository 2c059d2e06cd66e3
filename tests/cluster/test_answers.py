"""Connections to a node that wait for what other nodes and the engine answer."""

import pytest

from chatpair.cluster import frames
from chatpair.cluster.questions import LISTING_SECONDS
from tests.support.cluster_exchange import Network
from tests.support.cluster_scenes import Across, play_across
from tests.support.transcript import scenes

SCENES = r"""
A name, a call and a line may come in one piece.
    bob enters at b
    alice connects at a
    the engine hangs
    alice sends b"alice\nTo:bob\nhello\n/who"
    alice ends the input
    all arrives
        bob < You are chatting with alice. | [now] alice: (hello)
        alice < OK | You are chatting with bob. | Here: alice*, bob* | Listening.
Whoever is back elsewhere while a call is under way waits for it.
    alice, bob enter at a
    carol enters at b
    alice: /key -> Your key is alice's key. After a drop, say Back:alice's key instead of a name.
    alice: To:bob -> You are chatting with bob. ; bob < You are chatting with alice.
    the engine hangs
    alice: To:carol
    alice comes back as again at b -> Another connection has taken this line over. | (closed)
        again < OK | You are chatting with bob.
    again: one
    all arrives
        bob < Quit.
        carol < You are chatting with alice. | [now] alice: (one)
        again < You are chatting with carol.
What a program says again goes to whom it has called by then.
    alice enters in JSON at a
    bob enters at a
    carol enters at b
    alice: to(name=bob) -> paired(peer=bob) ; bob < You are chatting with alice.
    a can not tell b
    alice: to(name=carol) | say(id=1, text=for carol)
    alice is lost ; bob < alice has lost the connection. What you say is kept for a while.
    alice comes back as again at a, having seen 2
        bob < alice is back.
        again < resumed(name=alice, peer=bob, got=0)
    again: say(id=1, text=for carol)
    all arrives
        bob < Quit.
        carol < You are chatting with alice. | [now] alice: (for carol)
        again < paired(peer=carol) | status(id=1, status=handed)
A call is refused if this node is cut off before it is made.
    alice, bob enter
    nothing arrives
    alice: To:bob
    node a is cut off
    the engine answers ; alice < The switchboard is not ready.
    all arrives
Where somebody is is known before the next line is handled.
    alice, bob enter
    nothing arrives
    alice: /block bob | /dnd on -> You have blocked bob.
    all arrives ; alice < Nobody can call you now.
Who asks who is here all the time is answered at intervals.
    alice enters at a
    alice: /who -> Here: alice
    alice: /who | /who | /who | /who
    1 second passes ; alice < Here: alice
    1 second passes ; alice < Here: alice
The list comes when the node is gone that puts it together.
    alice, bob, carol enter
    c can not tell a
    b can not tell a
    carol: /who
  * node a dies ; carol < Here: bob, carol
  * 4 seconds pass
    2 seconds pass ; carol < Here: bob, carol
The list is not put together by a node that is slow.
    alice, bob, carol enter
    for c node a is slow
    c can not tell a
    carol: /who -> Here: bob, carol
"""


@scenes(SCENES)
def test_who_waits_for_answers(scene: str) -> None:
    play_across(scene)


@pytest.mark.parametrize(
    "line", ["To:nobody\n", "/block n\n", "/block n\n/unblock n\n", "Back:a-b-c\n", "x\n"]
)
def test_who_says_much_at_once_has_one_thing_asked_at_a_time(line: str) -> None:
    across = Across()
    network = across.network
    party = across.connect("a")
    if line not in ("Back:a-b-c\n", "x\n"):
        party.says("alice")
    network.hold()
    party.sends((line * 100).encode())
    assert len(network.asked) + len(network.link("a", "b").waiting) == 1
    network.settle()
    across.enter("bob")


def test_however_many_ask_who_is_here_each_node_is_asked_once_in_a_while() -> None:
    network = Network(*"abcdef")
    people = [node.enter(f"user-{node.inc[0]}") for node in network.nodes.values()]
    seconds = 20
    for party in people:
        party.sends(b"/who\n" * 1_000)
    for _ in range(seconds * 10):
        network.clock.advance(LISTING_SECONDS / 10)
        network.settle()
    sent = [type(frame) for link in network.links.values() for frame in link.sent]
    here = "Here: " + ", ".join(f"user-{one}" for one in "abcdef")
    for party in people:
        answers = party.heard()
        assert len(answers) > seconds / 3
        assert set(answers) == {here}
    assert sent.count(frames.Ask) + sent.count(frames.Answer) < 4 * len(people) * (seconds + 2)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        *[("/who", True), ("/who", "192.0.2.1")],
        *[("Back:a-b-b", "192.0.2.1"), ("Back:a-b-b", frames.List([], 0))],
        *[("/block bob", True), ("/block bob", frames.List([], 0))],
    ],
)
def test_an_answer_of_the_wrong_kind_is_none(
    line: str, answer: bool | str | frames.List, logged: list[str]
) -> None:
    network = Network("a", "b")
    a, b = network.node("a"), network.node("b")
    b.enter("bob")
    party = a.connect() if line.startswith("Back") else a.enter("alice")
    network.link("a", "b").held = True
    party.says(line)
    [asked] = [one for one in network.link("a", "b").sent if isinstance(one, frames.Ask)]
    network.receive(b.inc, a.inc, frames.Answer(asked.ask, answer))
    network.settle()
    party.says("/help")
    network.clock.advance(LISTING_SECONDS)
    network.settle()
    assert len(party.heard()) > 2
    assert sum("told was wrong" in line for line in logged) == 1


@pytest.mark.parametrize("frame", [frames.NotUnderstood([22, 1]), frames.Garbled([23, 1])])
def test_who_can_not_answer_is_not_waited_for(frame: frames.Frame, logged: list[str]) -> None:
    network = Network("a", "b")
    alice = network.node("a").enter("alice")
    network.link("a", "b").held = True
    alice.says("/who")
    for _ in range(2):
        network.receive("b.00000001", "a.00000001", frame)
    assert alice.heard() == ["Here: alice"]
    assert not any("was wrong" in line for line in logged)
