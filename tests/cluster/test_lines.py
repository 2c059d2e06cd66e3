"""What is said between nodes: receipts, flow, and who is away."""

from chatpair.cluster import frames
from tests.support.cluster_scenes import Across, play_across
from tests.support.exchange import said
from tests.support.transcript import scenes

SCENES = """
What was said in a pair that has ended may be confirmed late.
    alice talks with bob in JSON
    alice: say(id=1, text=one) ; bob < message(from=alice, text=one, time=[time])
    alice: bye() -> free() ; bob < left(peer=alice, why=bye)
  * bob: ack(seq=3) ; alice < status(id=1, status=confirmed)
  * 60 seconds pass ; alice < status(id=1, status=failed, why=lost)
What reaches nobody has failed.
    alice talks with bob in JSON
    nothing arrives
    alice: say(id=1, text=one)
    bob: quit() -> quit() | (closed)
    all arrives
        alice < left(peer=bob, why=quit) | status(id=1, status=failed, why=nobody)
The node of the peer ends.
    alice talks with bob in JSON
    alice: say(id=1, text=one) ; bob < message(from=alice, text=one, time=[time])
  * node b dies ; alice < status(id=1, status=failed, why=lost) | left(peer=bob, why=lost)
  * node b stops
        alice < status(id=1, status=failed, why=stopped) | left(peer=bob, why=stopped)
        bob < left(peer=alice, why=stopped) |
            error(of=null, code=try-later, text=The server is stopping.) | (closed)
A speaker waits while the way is full.
    alice talks with bob
    a can tell b four things
    alice: 1 | 2 | 3 | 4 | 5
    alice waits
    bob: still reads ; alice < [now] bob: (still reads)
    a tells b all
        bob < [now] alice: (1) | [now] alice: (2) | [now] alice: (3) | [now] alice: (4) |
            [now] alice: (5)
    alice is read
Who is full when a pair begins is known.
    alice, bob enter
    b can not tell a
    alice: To:bob ; bob < You are chatting with alice.
    alice takes no more
    b tells a all ; alice < You are chatting with bob.
    bob waits
    alice takes all
One who is away when the answer comes is said to be.
    alice, bob enter in JSON
    b can not tell a
    alice: to(name=bob) ; bob < paired(peer=alice)
    alice is lost
    all arrives ; bob < held(peer=alice)
    alice comes back as again at a, having seen 1
        bob < back(peer=alice)
        again < resumed(name=alice, peer=bob, got=0) | paired(peer=bob)
Who is away and at a slow node is back when both are over.
    alice talks with bob in JSON
    for a node b is slow ; alice < held(peer=bob)
    bob is lost
    for a node b is slow
    for a node b is slow no more
    bob comes back as ben at b, having seen 2
        alice < back(peer=bob)
        ben < resumed(name=bob, peer=alice, got=0)
    for a node b is slow no more
    for a node b is slow ; alice < held(peer=bob)
    for a node b is slow no more ; alice < back(peer=bob)
"""


@scenes(SCENES)
def test_what_becomes_of_lines(scene: str) -> None:
    play_across(scene)


def test_a_chunk_is_one_frame_and_one_write() -> None:
    across = Across()
    alice, bob = across.pair()
    texts = [str(number) for number in range(1_000)]
    alice.sends("".join(f"{text}\n" for text in texts).encode())
    assert bob.heard() == [said(across, text) for text in texts]
    assert isinstance(across.network.link("a", "b").sent[-1], frames.Lines)
    assert len(across.network.link("a", "b").sent) == 2  # the other is the call
