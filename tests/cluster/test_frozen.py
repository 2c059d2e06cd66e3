"""A node that was frozen ends its users first, whatever of a connection it then turns to."""

from twisted.logger import capturedLogs

from tests.support.cluster_scenes import play_across
from tests.support.transcript import scenes

WHAT_WAITED_IS_NOT_SAID = r"""
Of who is here.
    alice, bob enter at a
    alice: To:bob -> You are chatting with bob. ; bob < You are chatting with alice.
    alice sends b"half a line"
    node a was frozen
  * alice ends the input -> [frozen] | (closed) ; bob < Quit. | [frozen] | (closed)
  * alice is lost ; bob < Quit. | [frozen] | (closed)
  * alice sends b"\n" -> [frozen] | (closed) ; bob < Quit. | [frozen] | (closed)
Of who has a peer who did not read.
    alice, bob enter at a
    alice: To:bob -> You are chatting with bob. ; bob < You are chatting with alice.
    bob takes no more
    alice: one | two
    node a was frozen
    bob takes all -> Quit. | [frozen] | (closed) ; alice < [frozen] | (closed)
Of a program that has a peer who did not read.
    bob enters at a
    carol enters in JSON at a
    carol: to(name=bob) -> paired(peer=bob) ; bob < You are chatting with carol.
    bob takes no more
    carol: say(id=1, text=hi)
    node a was frozen
    bob takes all -> [frozen] | (closed)
        carol < left(peer=bob, why=lost) | error(of=null, code=try-later, text=[frozen]) | (closed)
Of who is back elsewhere.
    bob enters at a
    alice enters at a and comes back at b
    alice: To:bob -> You are chatting with bob. ; bob < You are chatting with alice.
    alice sends b"half a line"
    node a was frozen
  * alice ends the input -> Quit. | [frozen] | (closed) ; bob < [frozen] | (closed)
  * alice is lost ; bob < [frozen] | (closed)
  * alice sends b"\n" -> Quit. | [frozen] | (closed) ; bob < [frozen] | (closed)
  * alice sends b" and more\nthan one\nline\n" -> Quit. | [frozen] | (closed)
        bob < [frozen] | (closed)
Of a program that is back elsewhere.
    bob enters at a
    carol enters in JSON at a and comes back at b
    node a was frozen
    carol: to(name=bob) -> error(of=null, code=try-later, text=[frozen]) | (closed)
        bob < [frozen] | (closed)
Of who has said all and waits for an answer.
    alice enters in JSON at a
    bob enters at b
    a can not tell b
    alice: to(name=bob)
    alice ends the input
    node a notices that it was frozen
        alice < error(of=null, code=try-later, text=[frozen]) | (closed)
    all arrives ; bob < You are chatting with alice. | Quit.
Of who is back elsewhere, and has said all while a call is under way.
    bob enters at b
    alice enters at a and comes back at b
    a can not tell b
    alice: To:bob
    alice sends b"half a line"
    alice ends the input
    node a was frozen
    5 seconds pass
    all arrives
        bob < You are chatting with alice. | Quit.
        alice < The last call is still on its way. | [frozen] | (closed)
"""


@scenes(WHAT_WAITED_IS_NOT_SAID)
def test_what_waited_is_not_said(scene: str) -> None:
    with capturedLogs() as events:
        play_across(scene)
    assert not [event for event in events if "log_failure" in event]
