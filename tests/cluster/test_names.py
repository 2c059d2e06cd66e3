"""Names of several nodes: claimed of all, listed from all, and what ends a user."""

from chatpair.exchange.users import MAX_LISTED
from tests.support.cluster_scenes import Across, play_across
from tests.support.transcript import scenes

SCENES = """
One of two who claim a name at once has it.
    one, two connect at a
    three, four connect at b
    nothing arrives
    one: alice
    two: alice -> Reuse
    three: alice
    four: аlice -> Reuse
    all arrives
        one < OK
        three < Reuse
    one: Quit -> Quit | (closed)
    three: alice -> OK
A claim that was given up leaves the name free.
    one, two connect at a
    three connects at b
    nothing arrives
    one: alice
    one is lost
    two: alice
    all arrives ; two < OK
    nothing arrives
    three: bob
    three is lost
    all arrives
    bob enters at c
Claims under way count for how many users there may be.
    the server has max_users=2
    one, two, three connect at a
    nothing arrives
    one: alice
    two: bob
    three: carol -> The server is full. | (closed)
    all arrives
        one < OK
        two < OK
No name can be claimed while nothing is ready.
    one connects at a
    node a is cut off
    one: alice -> The switchboard is not ready.
    node a is back
    nothing arrives
    one: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx -> Bad name: 1 to 32 characters
    one: alice
    the engine fails ; one < The switchboard is not ready.
    all arrives
    one: alice -> OK
Who does not answer is not waited for long.
    alice, bob, carol enter
    dave enters at a
    b can not tell a
    alice: /who
    dave: /who
    2 seconds pass ; alice < Here: alice, carol, dave
    all arrives ; dave < Here: alice, bob, carol, dave
    1 second passes
The answer of a node that dies is not waited for.
    alice, bob, carol enter
    nothing arrives
    alice: /who
    node b dies
    node c dies ; alice < Here: alice
    1 second passes
    alice: /who -> Here: alice
The key of a program tells its node, and no other is asked.
    alice enters in JSON at b
    a can not tell c
    eve connects in JSON at a
    eve: resume(key=no-such-a) | resume(key=no-such-b) | resume(key=no-such-z) | resume(key=)
        eve < error(of=resume, code=bad-key, text=No line is held for that key.) |
            error(of=resume, code=bad-key, text=No line is held for that key.) |
            error(of=resume, code=bad-key, text=No line is held for that key.) |
            error(of=resume, code=bad-key, text=No line is held for that key.)
    alice comes back as again at a, having seen 1
        alice < error(of=null, code=bad-key, text=Another connection has taken this line over.) |
            (closed)
        again < resumed(name=alice, peer=null, got=0)
Where one who is blocked is is asked of its node.
    alice enters at a
    bob enters at b.home
    robert enters at c.home
    1 second passes
    alice: /block bob -> You have blocked bob.
    bob: Quit -> Quit | (closed)
    1 second passes
    robert: To:alice -> You are chatting with alice. ; alice < You are chatting with robert.
A user whose name was taken is told so.
    ann talks with bob in JSON
    node a has lost the name ann
        ann <
            error(of=null, code=reuse, text=The name ann was taken while this server was cut off.) |
            (closed)
        bob < left(peer=ann, why=lost)
    node b has lost the name ann
Who left and who has the name now are not mistaken for each other.
    alice talks with bob
    one connects at a
    nothing arrives
    bob: Quit -> Quit | (closed)
    the engine answers
    one: Bob
    the engine answers ; one < OK
    alice: To:bob -> You are already chatting with bob.
    all arrives ; alice < Quit.
    alice: To:bob -> You are chatting with Bob. ; one < You are chatting with alice.
"""


@scenes(SCENES)
def test_whose_a_name_is(scene: str) -> None:
    play_across(scene)


def test_a_list_is_bounded_and_says_how_many_more_there_are() -> None:
    across = Across()
    for number in range(MAX_LISTED):
        across.enter(f"b{number:03}")
    last = [across.enter(f"a{number}") for number in range(3)][-1]
    last.says("/who")
    [here] = last.heard()
    assert here.startswith("Here: a0, a1, a2, b000, ")
    assert here.endswith(f", b{MAX_LISTED - 4:03}, and 3 more")
