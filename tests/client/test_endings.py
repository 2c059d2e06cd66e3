"""The exit status of the client, and what it says last, without sockets."""

from signal import SIGHUP, SIGPIPE, SIGTERM

import pytest

from tests.support.talks import EITHER_SERVER, PlainScene, Scene, play
from tests.support.transcript import scenes

NOT_READY = "The switchboard is not ready."
REFUSALS = [
    ("unknown", "The user bob does not exist.", 4),
    ("unknown", "Say who: To:bob", 4),
    ("busy", "bob is talking with someone else.", 5),
    ("busy", "bob is not reading at the moment.", 5),
    ("dnd", "bob does not want to be disturbed.", 5),
    ("self", "Please don't try to talk with yourself.", 1),
    ("nobody", "[nobody]", 6),
    ("too-long", "That line was not sent: it has over 65536 bytes.", 7),
    ("try-later", NOT_READY, 2),
]


@pytest.mark.parametrize(
    ("refusal", "ending"),
    [
        ("reuse: The name alice is taken.", "3: The name alice is taken."),
        ("bad-name: not here", "3: Bad name: not here"),
        (f"try-later: {NOT_READY}", f"2: {NOT_READY}"),
    ],
)
@EITHER_SERVER
def test_a_pipe_ends_when_its_name_is_refused(
    server: type[Scene], refusal: str, ending: str
) -> None:
    begins = "a new pipe -> (connects)\nconnected -> name(alice)"
    play(f"{begins}\nrefused {refusal} -> (ends {ending})", server)


@pytest.mark.parametrize(
    ("server", "code", "text", "number"),
    [
        *((server, *refusal) for server in (Scene, PlainScene) for refusal in REFUSALS),
        (Scene, "no-such", "There is no such command.", 2),
    ],
)
def test_a_pipe_ends_when_its_call_is_refused_and_the_first_refusal_counts(
    server: type[Scene], code: str, text: str, number: int
) -> None:
    scene = f"""
        a pipe for bob -> to(bob)
        told error(to, {code}, {text}) | error(-, unknown, The user carol does not exist.) -> quit()
        let go -> (ends {number}: {text})
    """
    play(scene, server)


@pytest.mark.parametrize(
    ("server", "code", "text", "number"),
    [
        *((PlainScene, *refusal) for refusal in REFUSALS if refusal[0] != "try-later"),
        (Scene, "nobody", "[nobody]", 6),
        (Scene, "too-long", "It has over 40 bytes.", 7),
    ],
)
def test_a_pipe_ends_when_the_server_takes_no_more(
    server: type[Scene], code: str, text: str, number: int
) -> None:
    scene = f"""
        a pipe with bob -> (reads many)
        said one -> say(1, one, bob)
        told error(-, {code}, {text}) -> quit() | (waits)
        let go -> (ends {number}: {text})
    """
    play(scene, server)


@pytest.mark.parametrize(("code", "text", "number"), REFUSALS)
@EITHER_SERVER
def test_a_person_goes_on_after_a_refusal(
    server: type[Scene], code: str, text: str, number: int
) -> None:
    is_answer = server is Scene or code != "nobody"  # which is the answer to a text
    scene = f"""
        a person for bob -> to(bob)
        told error(to, {code}, {text}) -> {text}{" | (reads)" * is_answer}
        quits -> quit(){" | (waits)" * is_answer}
        let go -> (ends 0)
    """
    play(scene, server)


# Leaving

SIGNALS = [
    (f"gets signal {SIGTERM:d}", "143: Terminated."),
    (f"gets signal {SIGHUP:d}", "129: Terminated."),
    (f"gets signal {SIGPIPE:d}", "141: The output was closed."),
    ("the output is closed", "141: The output was closed."),
]


@pytest.mark.parametrize(
    ("who", "leaves", "ending"),
    [
        *(("person", how, "0") for how in ("quits", "the input ends", "is interrupted")),
        ("pipe", "is interrupted", "130: Interrupted."),
        *((who, *signal) for who in ("person", "pipe") for signal in SIGNALS),
    ],
)
@EITHER_SERVER
def test_who_leaves_waits_for_the_answer(
    server: type[Scene], who: str, leaves: str, ending: str
) -> None:
    scene = f"""
        a {who} with bob -> (reads{" many" * (who == "pipe")})
        said last -> say(1, last, bob)
        {leaves} -> quit() | (waits)
        typed in vain
        told status(1, confirmed)
        let go -> (ends {ending})
    """
    play(scene, server)


@scenes(
    """
    A second interrupt does not wait for the answer.
        a person with bob -> (reads)
        is interrupted -> quit() | (waits)
        is interrupted -> (ends 130: The server did not answer.)
        is interrupted
        the connection is lost
    Nor does that of a pipe.
        a pipe with bob -> (reads many)
        is interrupted -> quit() | (waits)
        is interrupted -> (ends 130: Interrupted.)
        is interrupted
        the connection is lost
    """
)
@EITHER_SERVER
def test_who_insists_does_not_wait(server: type[Scene], scene: str) -> None:
    play(scene, server)


@scenes(
    """
    A second interrupt tells what may not have arrived.
        a person with bob -> (reads)
        said one | two | three -> say(1, one, bob) | say(2, two, bob) | say(3, three, bob)
        told status(1, confirmed)
        is interrupted -> quit() | (waits)
        is interrupted -> (ends 130: The server did not answer. What is not known to have arrived:
            2.)
    An interrupt of who quits already does not wait for the answer.
        a pipe with bob -> (reads many)
        the input ends -> quit() | (waits)
        is interrupted -> (ends 130: The server did not answer.)
    A pipe whose line another has taken over has no connection.
        a pipe with bob -> (reads many)
        taken over -> (hangs up)
        the connection is lost -> (waits) | (ends 2: No.)
    A refusal has no controls of the server's.
        a pipe for carol -> to(carol)
        told error(to, unknown, The user carol\\e does not exist.) -> quit()
        let go -> (ends 4: The user carol does not exist.)
    """
)
def test_a_talk_ends(scene: str) -> None:
    play(scene)
