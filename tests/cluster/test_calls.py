"""Calls between nodes, while their answers are on the way."""

import pytest

from chatpair.cluster import frames
from chatpair.exchange import messages
from chatpair.exchange.names import parse
from tests.support.cluster_scenes import Across, play_across
from tests.support.exchange import said
from tests.support.transcript import scenes

SCENES = """
An answer that takes long still counts.
    alice, bob, carol enter
    b can not tell a
    alice: To:bob ; bob < You are chatting with alice.
    5 seconds pass ; alice < The last call is still on its way.
    alice: To:carol -> The last call is still on its way.
    all arrives ; alice < You are chatting with bob.
A refusal that takes long is not told.
    alice, bob enter
    dave enters at b
    dave: To:bob -> You are chatting with bob. ; bob < You are chatting with dave.
    b can not tell a
    alice: To:bob ; bob < alice tried to reach you.
    5 seconds pass ; alice < The last call is still on its way.
  * all arrives
    alice: To:bob -> bob is talking with someone else. ; bob < alice tried to reach you.
  * alice: /bye -> You are free.
    dave: /bye -> You are free. ; bob < Quit.
    alice: To:bob ; bob < You are chatting with alice.
    all arrives ; alice < You are chatting with bob.
Two who call each other are one pair.
    alice, bob, carol enter
    dave enters at a
    alice: To:carol -> You are chatting with carol. ; carol < You are chatting with alice.
    nothing arrives
    alice: To:bob
    bob: To:alice
    dave: To:bob
    the engine answers
  * a tells b one thing ; bob < You are chatting with alice.
    all arrives
        alice < You are chatting with bob.
        carol < Quit.
        bob < dave tried to reach you.
        dave < bob is talking with someone else.
  * the engine answers
    the engine answers
    a tells b one thing
    a tells b one thing ; bob < dave tried to reach you.
    all arrives
        alice < You are chatting with bob.
        bob < You are chatting with alice.
        carol < Quit.
        dave < bob is talking with someone else.
    alice: hi ; bob < [now] alice: (hi)
A call is taken back before its answer.
    alice, bob enter
    b can not tell a
    alice: To:bob ; bob < You are chatting with alice.
    5 seconds pass ; alice < The last call is still on its way.
    alice: /bye -> You are free. ; bob < Quit.
  * all arrives
    alice: To:bob -> You are chatting with bob. ; bob < You are chatting with alice.
  * alice: To:bob ; bob < You are chatting with alice.
    all arrives ; alice < You are chatting with bob.
Nobody has the name, or not any more.
    alice, bob enter
    alice: To:dave | To:b b -> The user dave does not exist. | The user b b does not exist.
    a can not tell b
    alice: To:bob
    bob: Quit -> Quit | (closed)
    all arrives ; alice < The user bob does not exist.
Who came to this node meanwhile is called.
    alice enters at a
    nothing arrives
    alice: To:bob
    bob connects at a
    bob: bob
    all arrives
        alice < The user bob does not exist.
        bob < OK
    alice: To:bob -> You are chatting with bob. ; bob < You are chatting with alice.
Who is about to come to this node is called once here.
    alice enters at a
    bob connects at a
    nothing arrives
    bob: bob
    alice: To:bob
    all arrives ; bob < OK | You are chatting with alice. ; alice < You are chatting with bob.
Nobody can tell where a user is.
    alice, bob enter
    node a is cut off
    alice: To:bob -> The switchboard is not ready.
    node a is back
    nothing arrives
    alice: To:bob
    5 seconds pass ; alice < The last call is still on its way.
    alice: /bye | To:bob -> You are free.
    the engine fails
    the engine fails ; alice < The switchboard is not ready.
Nothing is left of a call that was answered by one that was taken back meanwhile.
    alice's call rings at bob
    nothing arrives
    bob: To:alice
    the engine answers
    5 seconds pass ; bob < The last call is still on its way.
    bob: /bye -> You are free.
    all arrives ; alice < You are chatting with bob. | Quit.
    30 seconds pass
A call for one who has gone crosses none of who has the name now.
    bob enters at b
    alice enters at c
    b can not tell c
    bob: To:alice
    alice: Quit -> Quit | (closed)
    alan connects at a
    alan: alice | To:bob -> OK | bob is talking with someone else. ; bob < alice tried to reach you.
    all arrives ; bob < The user alice does not exist.
A call waits while the way is full.
    alice, bob enter
    a can tell b nothing more
    alice: To:bob
    a can tell b more ; alice < You are chatting with bob. ; bob < You are chatting with alice.
It is sent once, however often it is asked where the user is.
    alice, bob, carol enter
    bob: To:carol -> You are chatting with carol. ; carol < You are chatting with bob.
    b can not tell a
    a can tell b nothing more
    alice: To:bob
    the engine hangs
    a can tell b more
    for a node b is slow no more
    the engine answers ; bob < alice tried to reach you.
    the engine answers
    all arrives ; alice < bob is talking with someone else.
Who waits for room may take the call back, or go.
    alice, bob, carol enter
    a can tell b nothing more
    alice: To:bob
    5 seconds pass ; alice < The last call is still on its way.
    alice: /bye -> You are free.
    a can tell b more
    a can tell b nothing more
    alice: To:bob | Quit
    a can tell b more ; alice < You are chatting with bob. | Quit | (closed)
        bob < You are chatting with alice. | Quit.
The node to which there is no room dies.
    alice, bob enter
    a can tell b nothing more
    alice: To:bob
    node b dies ; alice < The user bob does not exist.
Users here are called as long as their names are theirs.
    alice, dave, eve enter at a
    node a is cut off
    alice: To:dave -> You are chatting with dave. ; dave < You are chatting with alice.
    node a has lost its names
    alice: To:dave -> You are already chatting with dave.
    dave: To:alice -> You are already chatting with alice.
    eve: To:alice -> The switchboard is not ready.
A call for another user, be it of that node, rings on.
    alice's call rings at bob
    dave, erin enter at c
    dave: /ring on -> Your line rings when somebody calls.
    erin: /ring on -> Your line rings when somebody calls.
    alice: To:dave -> dave's line is ringing.
        bob < alice tried to reach you.
        dave < alice is calling. To:alice to answer.
    60 seconds pass
        alice < dave does not answer.
        dave < alice tried to reach you.
    alice: To:dave -> dave's line is ringing. ; dave < alice is calling. To:alice to answer.
    alice: To:erin -> erin's line is ringing.
        dave < alice tried to reach you.
        erin < alice is calling. To:alice to answer.
    c can not tell b
    30 seconds pass ; erin < alice tried to reach you.
    alice: To:bob -> bob's line is ringing. ; bob < alice is calling. To:alice to answer.
    all arrives
A node dies while a call is under way.
    alice, bob enter
    a can not tell b
    alice: To:bob
    node b dies ; alice < The user bob does not exist.
A node dies at which a call rings.
    alice's call rings at bob
  * node a dies ; alice < bob does not answer.
  * node b dies ; bob < alice tried to reach you.
A node that was taken for dead keeps the pairs within it.
    alice, bob, carol enter
    dave enters at c
    alice: To:bob -> You are chatting with bob. ; bob < You are chatting with alice.
    dave: To:carol -> You are chatting with carol. ; carol < You are chatting with dave.
    node a was taken for dead ; alice < Quit.
    node c was taken for dead
A node that stops takes its calls back and answers none.
    alice's call rings at bob
    carol enters at c
    dave enters at b
    erin enters at a
    erin: To:dave -> You are chatting with dave. ; dave < You are chatting with erin.
    nothing arrives
    dave: To:carol
    node b stops
        alice < The server is stopping. | (closed)
        dave < The server is stopping. | (closed)
    all arrives
        bob < alice tried to reach you.
        erin < Quit.
A node at which a call rings stops.
    alice's call rings at bob
    node a stops
        bob < The server is stopping. | (closed)
        alice < bob does not answer.
    all arrives
"""


@scenes(SCENES)
def test_what_comes_of_calls(scene: str) -> None:
    play_across(scene)


@pytest.mark.parametrize(
    "frame",
    [
        frames.Cancel(7, 7),
        frames.Answered(1, 7, messages.Paired("bob"), 1, parse("bob")),
        frames.Answered(1, 7, messages.Error("to", "ringing", ""), 1, parse("bob")),
        frames.Answered(1, 7, messages.Error("to", "unknown", "")),
        frames.Answered(1, 7, messages.Unanswered("bob")),
        frames.Told(1, 7, messages.Left("bob", "quit")),
        frames.Told(7, 1, messages.Left("bob", "quit")),
        frames.Told(1, 7, messages.Held("bob")),
        frames.Told(1, 7, messages.PeerTyping("bob")),
        frames.Flow(1, 7, True),
        frames.Lines(1, 7, 1.0, b"hi\n"),
        frames.Told(1, 7, messages.Message("bob", "hi", messages.Timestamp(1.0)), 1),
        frames.Settled(7, [1, 2], "confirmed"),
        frames.Answer(7, True),
        frames.Frame(),
    ],
)
def test_a_frame_out_of_place_changes_nothing(frame: frames.Frame, logged: list[str]) -> None:
    across = Across()
    alice, bob = across.pair()
    for inc in ("b.00000001", "x.00000001"):
        across.network.receive(inc, "a.00000001", frame)
    left = frames.Told(1, 1, messages.Left("bob", "quit"))  # as one of another node may say
    across.network.receive("c.00000001", "a.00000001", left)
    assert alice.heard() == []
    assert any("was wrong" in line for line in logged) == (type(frame) is frames.Frame)
    taken_back = frames.Cancel(1, 7) in across.network.link("a", "b").sent
    assert taken_back == (getattr(frame, "name", None) is not None)
    alice.says("hi")
    assert bob.heard() == [said(across, "hi")]


def test_what_comes_of_calls_and_texts_is_counted_where_the_caller_and_the_speaker_are() -> None:
    across = Across()
    alice, bob = across.enter_json("alice"), across.enter_json("bob")
    alice.does("to", name="bob")
    across.network.settle()
    alice.say(1, "hi")
    across.network.settle()
    bob.does("quit")
    across.network.settle()
    counted = [node.factory.activity.totals for node in across.network.nodes.values()]
    of_alice, *others = [
        {what: n for what, n in one.items() if what[0] in ("called", "failed")} for one in counted
    ]
    assert of_alice == {("called", "paired"): 1, ("failed", "quit"): 1}
    assert others == [{}, {}]
