"""Talks with a server that speaks no JSON, where they differ from others, without sockets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from chatpair.client.errors import Ended, NotDelivered
from chatpair.client.plain_line import PlainLine
from chatpair.client.waiters import UNSETTLED_SAYS
from tests.support.played import Endpoint, outcome
from tests.support.talks import EITHER_KIND, PlainScene, Talk, play
from tests.support.transcript import scenes

# Falling back


@pytest.mark.parametrize("answer", ["OK", "Reuse", "[bad name]"])
def test_a_server_that_takes_the_mode_for_a_name_is_talked_with_plainly(answer: str) -> None:
    talk = Talk()
    for step in ("a new person", f"accepted, and told {answer}", "the connection is lost"):
        told = talk.does(step)
    assert told[1:] == ["(connects)"]
    talk.stage.remote = talk.stage.endpoint.accept()
    assert talk.stage.remote.lines() == [b"alice"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("The server is full.", "The server is full."),
        ("HTTP/1.1 400 Bad\x1b Request", "HTTP/1.1 400 Bad Request"),
        ("SSH-2.0-OpenSSH_10.0", "SSH-2.0-OpenSSH_10.0"),
        ("", "The server says nothing."),
    ],
)
@EITHER_KIND
def test_a_server_that_says_another_thing_is_a_problem(kind: str, answer: str, text: str) -> None:
    talk = Talk()
    for step in (f"a new {kind}", f"accepted, and told {answer}"):
        talk.does(step)
    assert talk.does("the connection is lost") == [f"(ends 2: {text})"]


@EITHER_KIND
def test_who_quits_meanwhile_does_not_fall_back(kind: str) -> None:
    scene = """
        a new one -> (connects)
        accepted, and told OK -> (hangs up)
        quits
        the connection is lost -> (ends 0)
    """
    play(scene, kind=kind)


@pytest.mark.parametrize("name", ["/help", "/foo", "/who", "To:bob"])
def test_a_name_that_the_server_takes_for_a_command_can_be_corrected(name: str) -> None:
    scene = f"""
        an unnamed person -> (asks for a name) | (reads)
        said {name} -> [bad name] | (asks for a name)
        said alice -> (waits) | (connects)
    """
    play(scene, PlainScene)


@scenes(
    """
    What a person types is said or done.
        a person with bob -> (reads)
        said /who |  grüß dich |  To:carol | To be\\nor not\\nTo:be | /bye -> who() | say(0,  grüß
            dich) | say(0,  To:carol) | say(0, To be) | say(0, or not) | say(0,  To:be) | bye()
        said To:carol -> to(carol) | (waits)
        printed You are chatting with carol. -> You are chatting with carol. | (reads)
        said /quit -> quit() | (waits)
        let go -> (ends 0)
    The peer's lines are shown apart from the server's.
        a person -> (reads)
        printed You are chatting with bob. | [Sun Nov 22 20:22:01 2026] bob: (hi) -> (rings) | You
            are chatting with bob. | bob: (hi)
        printed carol tried to reach you. | Here: alice, bob | [bob: (hi) | Bad name: x -> carol
            tried to reach you. | Here: alice, bob | [bob: (hi) | Bad name: x
        printed [nobody] | Quit. | You are free. -> [nobody] | bob has left. | You are free.
    A person learns what a lost connection has not taken.
        a person with bob -> (reads)
        said one -> say(0, one)
        the server takes no more
        said two -> say(0, two)
        the connection is lost -> Not delivered: two | (waits) | (ends 2: The connection to the
            server was lost.)
    Others' events and a refusal leave a person with whom they are.
        a person -> (reads)
        said hello? | To:bob -> say(0, hello?) | to(bob) | (waits)
        printed [nobody] | You are chatting with carol. | dave tried to reach you. -> [nobody] | You
            are chatting with carol. | dave tried to reach you.
        printed bob is talking with someone else. -> bob is talking with someone else. | (reads)
        said hello! -> say(0, hello!)
    Of many lines at once each is text.
        a pipe with bob -> (reads many)
        said many\\n/bye\\n -> say(0, many) | say(0,  /bye) | say(0, )
        the input ends -> quit() | (waits)
        let go -> (ends 0)
    A call without an answer is no problem for a person.
        a person for bob -> to(bob)
        just 10 seconds pass -> The server did not answer. | (reads)
    A call without an answer is a problem for a pipe.
        a pipe for bob -> to(bob)
        just 10 seconds pass -> quit()
        let go -> (ends 2: The server did not answer.)
    A server that closes without an answer is a problem.
        a person with bob -> (reads)
      * the connection is lost -> (waits) | (ends 2: The connection to the server was lost.)
      * quits -> quit() | (waits)
        the connection is lost -> (ends 2: The connection to the server was lost.)
    It is for a pipe as well.
        a pipe with bob -> (reads many)
      * the connection is lost -> (waits) | (ends 7: The connection was lost; not all may have
              arrived.)
      * the input ends -> quit() | (waits)
        the connection is lost -> (ends 7: The connection was lost; not all may have arrived.)
    Lines that a lost connection has not taken have not arrived.
        a pipe with bob -> (reads many)
        the server takes no more
        said one -> say(0, one)
        the connection is lost -> (waits) | (ends 7: The talk ended early: the connection was lost
            for too long, or the server was restarted.)
    What comes before the name is shown, and whoever leaves is named if that is known.
        a new person, connected -> name(alice)
        printed Welcome to chat.example.org. -> Welcome to chat.example.org.
        printed OK -> Welcome, alice. | (reads)
        printed Quit. | \\ex -> The other has left. | x
    What became of a text is known where nobody is, or who has left.
        a person with bob, watched -> (reads)
        said hi -> say(0, hi) | [waiting 1, last waiting] | [2 bytes] | [last sent] | [waiting 0]
        printed Quit. -> [peer None, last None] | bob has left.
        said hi -> say(0, hi) | [waiting 1, last waiting] | [2 bytes] | [last sent] | [waiting 0]
        printed [nobody] -> [last failed] | [nobody]
        printed You are chatting with bob. -> [peer bob, last None] | You are chatting with bob.
        said /bye -> bye()
        printed You are free. -> [peer None] | You are free.
    Nobody is told of typing, and who is there is not known.
        a person with bob -> (reads)
        a key is pressed
        asks who else is here -> others: []
    Its calls ring.
        a pipe for bob -> to(bob)
        told error(to, ringing, bob's line is ringing.) -> bob's line is ringing.
        told paired(bob) | message(bob, hi) -> You are chatting with bob. | bob: (hi) | (reads many)
    A server that lets one go unasked ends the talk.
        a person with bob -> (reads)
        printed Quit | [Sun Nov 22 20:22:01 2026] bob: (hi) -> (waits) | (hangs up) | (ends 0)
    Who quits before there is a connection gives it up.
        a new person -> (connects)
        quits -> (ends 0)
    A second connection that can't be made is a problem.
        a new pipe -> (connects)
        no connection -> (ends: ConnectError)
    A server that is full by then is one too.
        a new person, connected -> name(alice)
        printed The server is full. -> The server is full.
        the connection is lost -> (ends 2: The connection to the server was lost.)
    The server waits until the output takes more.
        a pipe with bob -> (reads many)
        the output is full
        printed [Sun Nov 22 20:22:01 2026] bob: (hi) | [Sun Nov 22 20:22:01 2026] bob: (ho) |
            Quit. -> bob: (hi)
        the output takes more -> quit() | bob: (ho) | (the peer is gone) | bob has left.
    """
)
def test_a_talk_is_plain(scene: str) -> None:
    play(scene, PlainScene)


def test_no_more_lines_are_read_than_the_server_takes() -> None:
    talk = Talk(PlainScene)
    for step in ("a pipe with bob, watched", "the server takes no more"):
        talk.does(step)
    lines = " | ".join(map(str, range(UNSETTLED_SAYS)))
    assert talk.does(f"said {lines}")[-1] == "(waits)"
    assert "quit()" not in talk.does("the input ends")
    sizes = [one for one in talk.does("the server takes all") if "bytes" in one]
    assert sizes == [f"[{len(str(number))} bytes]" for number in range(UNSETTLED_SAYS)]
    assert talk.does("let go") == ["[connected False, peer None]", "(ends 0)"]


def test_a_line_without_an_end_ends_the_talk() -> None:
    talk = Talk(PlainScene)
    talk.does("a person with bob")
    said = talk.stage.remote.protocol.dataReceived
    said(b"x" * (PlainLine.MAX_LENGTH - 1) + b"\r\n")
    assert len(talk.stage.screen.log) == 1
    said(b"x" * (PlainLine.MAX_LENGTH + 2))
    assert talk.does("quits")[-1] == "(ends 2: The connection to the server was lost.)"


def test_a_further_call_waits_for_no_answer_to_the_last_and_none_is_made_after_quit() -> None:
    endpoint = Endpoint()
    line = PlainLine(endpoint, "alice", lambda _: None, lambda _: None, clock=Clock())
    line.start()
    remote = endpoint.accept()
    remote.prints("OK")
    first, second = outcome(line.call("bob")), outcome(line.call("carol"))
    remote.prints("You are chatting with carol.")
    assert ([why.code for why in first], second) == (["try-later"], ["carol"])
    line.quit()
    late = [outcome(line.call("bob")), outcome(line.say("hi")), outcome(line.typing())]
    assert [type(one) for (one,) in late] == [Ended, NotDelivered, type(None)]


STATES = {
    "connected": ["a new person", "connected"],
    "named": ["a person"],
    "calling": ["a person for bob"],
    "quitting": ["a person with bob", "quits"],
}


@given(st.binary(max_size=60), st.sampled_from([*STATES]))
def test_no_bytes_of_a_server_raise_anything(data: bytes, state: str) -> None:
    talk = Talk(PlainScene)
    for step in STATES[state]:
        talk.does(step)
    talk.stage.remote.protocol.dataReceived(data + b"\r\n")
    talk.stage.remote.drops()
    assert len(talk.stage.results) == 1 or not talk.stage.remote.protocol.connected
