"""What the client makes of what a person types and of what the server tells, without sockets."""

from chatpair.codecs import plain
from tests.support.talks import Talk, play
from tests.support.transcript import scenes


@scenes(
    """
    What is typed is said or done.
        a person with bob -> (reads)
        said grüß dich |  To:carol |  | /who -> say(1, grüß dich, bob) | say(2,  To:carol, bob) |
            who() | (waits)
        told status(2, confirmed) | who(alice*, bob*, 1) -> Here: alice*, bob*, and 1 more | (reads)
        said /bye -> bye() | (waits)
        told free() -> You are free. | (reads)
        said /to carol -> to(carol) | (waits)
        told error(to, unknown, The user carol does not exist.) -> The user carol does not exist. |
            (reads)
        said /Quit -> quit() | (waits)
        let go -> (ends 0)
    A line after a call waits for its answer.
        a person for bob -> to(bob)
        told paired(bob) -> You are chatting with bob. | (reads)
        said hi | To:carol -> say(1, hi, bob) | to(carol) | (waits)
        told paired(carol) -> You are chatting with carol. | (reads)
        said hello -> say(2, hello, carol)
    Whoever is called again is already there.
        a person with bob -> (reads)
        said To:Bob -> to(Bob) | (waits)
        told error(to, already, You are already chatting with bob.) -> You are already chatting with
            bob. | (reads)
    A line that is too long is not said.
        a person with bob -> (reads)
        said x*65536 | To:x*65536 -> [too long] | [too long]
    The peer's lines are shown apart from the rest.
        a person with bob -> (reads)
        told message(bob, hi\\nOK\\e[2J) | typing(bob) | held(bob) -> bob: (hi\\nOK[2J) | bob has
            lost the connection. What you say is kept for a while.
        told back(bob) | tried(carol) | error(-, try-later, The server is stopping.) -> bob is back.
            | carol tried to reach you. | The server is stopping.
        told error(-, bad-line, This is no JSON object.) | left(bob, switched) -> bob has left.
    What is not delivered is shown.
        a person with bob -> (reads)
        said one | two -> say(1, one, bob) | say(2, two, bob)
        told status(2, failed, lost) | left(bob, lost) -> Not delivered: one | Not delivered: two |
            bob has left.
        said three -> say(3, three)
        told error(say, nobody, [nobody]) | status(3, failed, nobody) -> [nobody]
    What was meant for another is not delivered.
        a person with bob -> (reads)
        said for bob -> say(1, for bob, bob)
        told left(bob, bye) | paired(carol) -> bob has left. | You are chatting with carol.
        told error(say, nobody, You talk with carol.) | status(1, failed, nobody) -> You talk with
            carol. | Not delivered: for bob
    An event is not done with before the output takes it.
        a person with bob -> (reads)
        the output is full
        told message(bob, hi) | message(bob, hi) -> (acknowledged up to 2) | bob: (hi)
        the output takes more -> bob: (hi)
    A lost connection is told and what is typed meanwhile is said later.
        a person with bob -> (reads)
        said one -> say(1, one, bob)
        the connection is lost, and tried again -> [link lost] | (connects)
        said two
        back, having seen 2 and said 1, with bob, told status(1, confirmed) -> say(2, two, bob) |
            [again]
        told status(2, confirmed)
    Whoever leaves without a connection waits for no answer.
        a person with bob -> (reads)
        said one | /who -> say(1, one, bob) | who() | (waits)
        the connection is lost -> [link lost] | (reads)
        said two | /who | /quit -> Not delivered: two | Not delivered: /who |
            Not delivered, as far as is known: one | (waits) | (ends 0)
    Who was held no longer learns what is lost.
        a person with bob -> (reads)
        said one -> say(1, one, bob)
        forgotten -> resume(key, 2) | name(alice) | [link lost] | [all over] | Not delivered: one
        told named(alice, key) -> [again]
        said To:bob -> to(bob) | (waits)
        told paired(bob) -> You are chatting with bob. | (reads)
    Who lost the name meanwhile is asked for another.
        a person with bob -> (reads)
        forgotten, and the name is taken -> resume(key, 2) | name(alice) | [link lost] | [all over]
            | (hangs up)
        the connection is lost -> No. | (asks for a name)
        said alice2 -> (waits) | (connects)
        connected -> name(alice2)
        told named(alice2, key) -> Welcome, alice2. | (reads)
    A line that another has taken over is a problem.
        a person with bob -> (reads)
        said one -> say(1, one, bob)
        taken over -> Not delivered, as far as is known: one | (hangs up)
        the connection is lost -> (waits) | (ends 2: No.)
    Who has quit has no problem any more.
        a person with bob -> (reads)
        quits -> quit() | (waits)
        taken over -> (hangs up)
        the connection is lost -> (ends 0)
    Who quits without a connection is gone at once.
        a person with bob -> (reads)
        the connection is lost, and tried again -> [link lost] | (connects)
      * said /quit -> (waits) | (ends 0)
        no connection
      * said said meanwhile | /quit -> Not delivered, as far as is known: said meanwhile | (waits) |
              (ends 0)
        no connection
    """
)
def test_a_person_talks(scene: str) -> None:
    play(scene)


def test_help_tells_of_nothing_that_a_client_does_by_itself() -> None:
    talk = Talk()
    talk.does("a person with bob")
    without = [line for line in plain.HELP.split("\n") if line[:4] not in ("/key", "/end")]
    assert talk.does("said /help") == without
    assert len(without) == 9
    assert talk.does("said /key | /end | /foo") == [
        "You need no key: this client comes back by itself.",
        "You need no /end: this client says when it leaves.",
        "No such command: /foo. Type /help, or put a space first to say it.",
    ]
