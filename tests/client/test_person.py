"""What a person's screen is told beside lines: how things stand, and when to ring."""

from tests.support.talks import play
from tests.support.transcript import scenes


@scenes(
    """
    How things stand is shown from the name to the end.
        a person, watched -> (reads)
        told paired(bob) -> [peer bob] | (rings) | You are chatting with bob.
        told held(bob) -> [peer_is_away True] |
            bob has lost the connection. What you say is kept for a while.
        told back(bob) -> [peer_is_away False] | bob is back.
        the connection is lost, and tried again -> [connected False] | [link lost] | (connects)
        back, having seen 4 and said 0, with bob -> [connected True] | [again]
        told left(bob, quit) -> [peer None] | bob has left.
        quits -> quit() | [leaving True] | (waits)
        let go -> [connected False] | (ends 0)
    What became of the last text is shown.
        a person with bob, watched -> (reads)
        said one -> say(1, one, bob) | [waiting 1, last waiting]
        told status(1, handed) -> [3 bytes] | [last handed] | [waiting 0]
        said two | three -> say(2, two, bob) | say(3, three, bob) | [waiting 1, last waiting] |
            [waiting 2]
        told status(2, confirmed) -> [3 bytes] | [waiting 1]
        told status(3, confirmed) -> [5 bytes] | [last confirmed] | [waiting 0]
        said four -> say(4, four, bob) | [waiting 1, last waiting]
        told status(4, failed, quit) -> [last failed] | Not delivered: four | [waiting 0]
    What became of a text is shown while its peer is there.
        a person with bob, watched -> (reads)
        said one -> say(1, one, bob) | [waiting 1, last waiting]
      * told left(bob, lost) -> [peer None] | bob has left.
        told status(1, confirmed) -> [3 bytes] | [last confirmed] | [waiting 0]
      * told paired(carol) -> [peer carol] | You are chatting with carol.
        told status(1, confirmed) -> [3 bytes] | [last confirmed] | [waiting 0]
        told free() -> [peer None, last None] | You are free.
    A peer that is gone is neither away nor typing.
        a person with bob, watched -> (reads)
        told held(bob) | typing(bob) -> [peer_is_away True] |
            bob has lost the connection. What you say is kept for a while. | [peer_is_typing True]
      * told left(bob, lost) -> [peer None, peer_is_away False, peer_is_typing False] |
              bob has left.
      * told free() -> [peer None, peer_is_away False, peer_is_typing False] | You are free.
      * told paired(carol) -> [peer carol, peer_is_away False, peer_is_typing False] |
              You are chatting with carol.
    The peer's typing is shown for a while.
        a person with bob, watched -> (reads)
        told typing(bob) -> [peer_is_typing True]
        5.75 seconds pass
        told typing(bob)
        just 6 seconds pass -> [peer_is_typing False]
    The peer's typing ends with its connection.
        a person with bob, watched -> (reads)
        told typing(bob) -> [peer_is_typing True]
        told held(bob) -> [peer_is_away True, peer_is_typing False] |
            bob has lost the connection. What you say is kept for a while.
    The peer's typing ends with its message.
        a person with bob, watched -> (reads)
        told typing(bob) -> [peer_is_typing True]
        5 seconds pass
        told message(bob, hi) -> [peer_is_typing False] | bob: (hi)
        told typing(bob) -> [peer_is_typing True]
        5 seconds pass
        1 second passes -> [peer_is_typing False]
    """
)
def test_how_things_stand_is_shown(scene: str) -> None:
    play(scene)


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
    The others are known while there is a connection.
        a person with bob -> (reads)
        asks who else is here -> who()
        told who(alice*, bob*, 3) -> others: ['bob']
        the connection is lost -> [link lost]
        asks who else is here -> others: []
    The others are not known when the line ends meanwhile.
        a person with bob -> (reads)
        asks who else is here -> who()
        quits -> quit() | (waits)
        let go -> others: [] | (ends 0)
    """
)
def test_a_person_types_and_is_called(scene: str) -> None:
    play(scene)
