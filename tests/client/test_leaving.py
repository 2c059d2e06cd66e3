"""What a pipe does when its peer leaves, and when its input ends, without sockets."""

from tests.support.talks import EITHER_SERVER, Scene, play
from tests.support.transcript import scenes


@scenes(
    """
    Nobody can call a pipe whose peer has left; lines that still come are the problem.
        a pipe with bob -> (reads many)
        said one -> say(1, one, bob)
        told status(1, confirmed) | left(bob, quit) -> quit() | (the peer is gone) | bob has left.
      * said two -> (waits)
        let go -> (ends 6: bob left before all was said.)
      * the input ends -> (waits)
        let go -> (ends 0)
      * let go
        said two -> (waits) | (ends 6: bob left before all was said.)
      * let go
        the input ends -> (waits) | (ends 0)
    Lines meant for one who left are not said to the next who calls.
        a pipe with bob -> (reads many)
        told left(bob, quit) -> quit() | (the peer is gone) | bob has left.
      * told paired(carol) -> You are chatting with carol.
        said two -> (waits)
        let go -> (ends 6: bob left before all was said.)
      * told paired(bob) -> You are chatting with bob.
        said two -> (waits)
        let go -> (ends 6: bob left before all was said.)
    """
)
@EITHER_SERVER
def test_a_peer_leaves_a_pipe_at_either_server(server: type[Scene], scene: str) -> None:
    play(scene, server)


@scenes(
    """
    Lines that come when the server has forgotten the line are the problem.
        a pipe with bob -> (reads many)
        forgotten -> resume(key, 2) | quit() | name(alice) | [link lost] | (the peer is gone) | [all
            over] | (hangs up)
        the connection is lost
        said one -> (waits) | (ends 7: The talk ended early: the connection was lost for too long,
            or the server was restarted.)
    Who lingers may have missed something when the server has forgotten the line.
        a pipe with bob, lingering -> (reads many)
        the input ends
        forgotten -> resume(key, 2) | quit() | name(alice) | [link lost] | (the peer is gone) | [all
            over] | (waits) | (hangs up)
        the connection is lost -> (ends 7: The talk ended early: the connection was lost for too
            long, or the server was restarted.)
    What is on its way to a peer that leaves is waited for.
        a pipe with bob -> (reads many)
        said one -> say(1, one, bob)
        told left(bob, quit) -> (the peer is gone) | bob has left.
        told status(1, failed, quit) -> quit() | (waits)
        let go -> (ends 6: bob left before all was said.)
    A server that stops with lines still to come is the problem.
        a pipe with bob -> (reads many)
        said one -> say(1, one, bob)
        told status(1, confirmed) | left(bob, stopped) -> quit() | (the peer is gone) | The talk
            with bob is over: a server is stopping.
      * said two -> (waits)
        let go -> (ends 7: The server stopped before all was said.)
      * the connection is lost
        said two -> (waits) | (ends 7: The server stopped before all was said.)
      * the connection is lost
        the input ends -> (waits) | (ends 0)
    Nor when the output is too full to tell that one left.
        a pipe with bob -> (reads many)
        the output is full
        told message(bob, hi) | left(bob, quit) | paired(carol) -> (acknowledged up to 2) | bob:
            (hi)
        said one -> quit() | (waits)
        let go -> (ends 6: bob left before all was said.)
    A peer's last words are shown before the end.
        a pipe with bob, with a keyboard -> (reads many)
        the output is full
        told message(bob, hi) | message(bob, bye) | left(bob, quit) -> (acknowledged up to 2) | bob:
            (hi)
        the output takes more -> quit() | bob: (bye) | (the peer is gone) | bob has left. | (waits)
        let go -> (ends 0)
    Who lingers listens on when all is said.
        a pipe with bob, lingering -> (reads many)
        said one -> say(1, one, bob)
        the input ends
        told status(1, confirmed) | message(bob, hi) -> bob: (hi)
        told left(bob, lost) -> quit() | (the peer is gone) | bob has left. | (waits)
        let go -> (ends 0)
    Who lingers without a peer waits for a first caller.
        a pipe, lingering -> (reads)
        the input ends
        told paired(bob) | message(bob, hi) -> You are chatting with bob. | bob: (hi) | (reads many)
        told left(bob, quit) -> quit() | (the peer is gone) | bob has left. | (waits)
        let go -> (ends 0)
    A line that does not arrive is a problem for who lingers too.
        a pipe with bob, lingering -> (reads many)
        said one -> say(1, one, bob)
        the input ends
        told left(bob, quit) | status(1, failed, quit) -> quit() | (the peer is gone) | bob has
            left. | (waits)
        let go -> (ends 7: bob left before all had arrived.)
    An input that is not read early waits for the pair.
        a pipe, reading late
        told paired(bob) -> You are chatting with bob. | (reads many)
        said To:carol -> say(1, To:carol, bob)
    An empty input for somebody waits for the answer to the call.
        a pipe for bob -> to(bob)
        the input ends
        told paired(bob) -> quit() | You are chatting with bob.
        let go -> (ends 0)
    An empty input quits.
        a pipe -> (reads)
        the input ends -> quit() | (waits)
        let go -> (ends 0)
    An input that ends early waits for the pair.
        a pipe -> (reads)
        said hi -> (waits)
        the input ends
        told paired(bob) -> say(1, hi, bob) | You are chatting with bob. | (reads many)
        told status(1, confirmed) -> quit() | (waits)
        let go -> (ends 0)
    The end of the input waits until all has arrived.
        a pipe with bob -> (reads many)
        said one | two -> say(1, one, bob) | say(2, two, bob)
        the input ends
        told status(1, handed)
        the connection is lost, and tried again -> [link lost] | (connects)
        back, having seen 3 and said 2, with bob -> [again]
        told status(2, confirmed) -> quit() | (waits)
        let go -> (ends 0)
    The end waits until the output has taken what the peer said.
        a pipe with bob -> (reads many)
        the output is full
        told message(bob, hi) | message(bob, bye) -> (acknowledged up to 2) | bob: (hi)
        the input ends -> (acknowledged up to 2)
        the output takes more -> quit() | bob: (bye) | (waits)
        let go -> (ends 0)
    A line that does not arrive is a problem.
        a pipe with bob -> (reads many)
        said one -> say(1, one, bob)
      * told status(1, failed, lost) -> quit() | (waits)
        let go -> (ends 6: bob left before all was said.)
      * told error(say, nobody, [nobody]) | status(1, failed, nobody) -> quit() | (waits)
        let go -> (ends 6: bob left before all was said.)
      * told status(1, failed, stopped) -> quit() | (waits)
        let go -> (ends 7: The server stopped before all was said.)
    A server that stops is none, as it may be back.
        a pipe -> (reads)
        told error(-, try-later, The server is stopping.) -> The server is stopping.
        the connection is lost, and tried again -> [link lost] | (connects)
    """
)
def test_a_pipe_ends(scene: str) -> None:
    play(scene)
