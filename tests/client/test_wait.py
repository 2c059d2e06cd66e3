"""How the client waits for the one to call, without sockets."""

from tests.support.talks import EITHER_KIND, PlainScene, play
from tests.support.transcript import scenes


@scenes(
    """
    Who is there and free is called at once.
        somebody for bob, waiting for them -> who()
        told who(alice, bob, 0) -> to(bob)
        told paired(bob) -> You are chatting with bob.
        said hi -> say(1, hi, bob)
        60 seconds pass -> ping()
    Who is not there or busy is looked for more and more seldom.
        somebody for Bob, waiting for them -> who()
        told who(alice, 0) -> Waiting for Bob ...
        just 1 seconds pass -> who()
        told who(alice, bob*, 0)
        just 2 seconds pass -> who()
        told who(0)
        just 4 seconds pass -> who()
        told who(bob*, 0)
        just 5 seconds pass -> who()
        told who(bobby, 0)
        just 5 seconds pass -> who()
        told who(BOB, 0) -> to(Bob)
        told paired(bob) -> You are chatting with bob.
    Who goes or is called by another meanwhile is waited for.
        somebody for bob, waiting for them -> who()
        told who(bob, 0) -> to(bob)
      * told error(to, unknown, No.) -> Waiting for bob ...
        just 1 seconds pass -> who()
        told who(bob, 0) -> to(bob)
        told paired(bob) -> You are chatting with bob.
      * told error(to, busy, No.) -> Waiting for bob ...
        just 1 seconds pass -> who()
        told who(bob, 0) -> to(bob)
        told paired(bob) -> You are chatting with bob.
      * told error(to, dnd, bob does not want to be disturbed.) -> Waiting for bob ...
        just 1 seconds pass -> who()
        told who(bob, 0) -> to(bob)
        told error(to, ringing, bob's line is ringing.) -> bob's line is ringing.
        15 seconds pass -> ping()
        told paired(bob) -> You are chatting with bob.
    Who is waited for may call.
        somebody for bob, waiting for them -> who()
      * told paired(bob) -> You are chatting with bob.
        told who(alice*, bob*, 0)
        said hi -> say(1, hi, bob)
        60 seconds pass -> ping()
      * told who(bob, 0) -> to(bob)
        told paired(bob) -> You are chatting with bob.
        told error(to, already, You are already chatting with bob.)
        said hi -> say(1, hi, bob)
        60 seconds pass -> ping()
      * told who(0) -> Waiting for bob ...
        told paired(bob) -> You are chatting with bob.
        said hi -> say(1, hi, bob)
        60 seconds pass -> ping()
    """
)
@EITHER_KIND
def test_either_kind_waits(kind: str, scene: str) -> None:
    play(scene, kind=kind)


@scenes(
    """
    Where not all are named whoever is waited for is called to find out.
        a pipe for bob, waiting for them -> who()
        told who(alice, 1) -> to(bob)
    Any other refusal ends the wait.
        a pipe for alice, waiting for them -> who()
        told who(alice, 0) -> to(alice)
        told error(to, self, Please don't try to talk with yourself.) -> quit()
        let go -> (ends 1: Please don't try to talk with yourself.)
    A pipe waits on whoever else calls.
        a pipe for bob, waiting for them -> who()
        told who(alice, 0) -> Waiting for bob ...
        told paired(carol) -> You are chatting with carol.
        just 1 seconds pass -> who()
        told who(alice*, carol*, bob, 0) -> to(bob)
        told paired(bob) -> You are chatting with bob. | (reads many)
        said hi -> say(1, hi, bob)
    The first line of a pipe may say whom to wait for.
        a pipe, waiting for them -> (reads)
        said To:bob -> who() | (waits)
        told who(0) -> Waiting for bob ...
        just 1 seconds pass -> who()
        told who(bob, 0) -> to(bob)
    An input that has ended waits as well.
        a pipe for bob, waiting for them -> who()
        the input ends
        told who(0) -> Waiting for bob ...
        just 1 seconds pass -> who()
        told who(bob, 0) -> to(bob)
        told paired(bob) -> quit() | You are chatting with bob.
        let go -> (ends 0)
    Who quits meanwhile asks no more.
        a pipe for bob, waiting for them -> who()
      * quits -> quit()
        let go -> (ends 0)
        60 seconds pass
      * told who(0) -> Waiting for bob ...
        quits -> quit()
        let go -> (ends 0)
        60 seconds pass
    A wait goes on over a lost connection.
        a pipe for bob, waiting for them -> who()
        the connection is lost, and tried again -> [link lost] | (connects)
        back, having seen 1 and said 0, with bob -> who() | [again]
        told who(bob, 0) -> to(bob)
        told paired(bob) -> You are chatting with bob. | (reads many)
        said hi -> say(1, hi, bob)
        the input ends
        told status(1, confirmed) -> quit() | (waits)
        let go -> (ends 0)
    A wait goes on at a server that stops and starts again.
        a pipe for bob, waiting for them -> who()
        the input ends
        told who(0) | error(-, try-later, The server is stopping.) -> Waiting for bob ... |
            The server is stopping.
        forgotten -> resume(key, 2) | name(alice) | [link lost]
        told named(alice, key) -> [again]
        1 seconds pass -> who()
        told who(bob, 0) -> to(bob)
    """
)
def test_a_pipe_waits(scene: str) -> None:
    play(scene)


@scenes(
    """
    Who talks with somebody else waits no more and hears no more of it.
        a person for bob, waiting for them -> who() | (reads)
      * told who(0) -> Waiting for bob ...
        told paired(carol) -> You are chatting with carol.
        60 seconds pass -> ping()
      * told paired(carol) | who(carol*, 1) -> You are chatting with carol.
        60 seconds pass -> ping()
      * told who(bob, 0) -> to(bob)
        told paired(carol) | error(to, busy, bob is talking with someone else.) -> You are chatting
            with carol.
        60 seconds pass -> ping()
    A person who calls somebody else waits no more.
        a person for bob, waiting for them -> who() | (reads)
        told who(0) -> Waiting for bob ...
        said To:carol -> to(carol) | (waits)
        told error(to, unknown, The user carol does not exist.) -> The user carol does not exist. |
            (reads)
        60 seconds pass -> ping()
    """
)
def test_a_person_waits(scene: str) -> None:
    play(scene)


@scenes(
    """
    A plain server is not asked who is there: to an old one that would be text, for nobody.
        somebody for bob, waiting for them -> to(bob)
        printed bob is talking with someone else. -> Waiting for bob ...
        just 1 seconds pass -> to(bob)
        printed The user bob does not exist.
        just 2 seconds pass -> to(bob)
        printed You are chatting with bob. -> You are chatting with bob.
        60 seconds pass
    """
)
@EITHER_KIND
def test_either_kind_waits_at_a_plain_server(kind: str, scene: str) -> None:
    play(scene, PlainScene, kind)
