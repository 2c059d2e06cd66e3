"""What users set for calls, and calls that ring, in the client: without sockets, and with."""

import pytest

from tests.support import lines
from tests.support.clients import Piped, at
from tests.support.emulator import Emulator
from tests.support.server import Server
from tests.support.talks import EITHER_SERVER, Scene, play
from tests.support.transcript import scenes

# What a program sets, how the server confirms it, what a person types for it, and what is shown.
SETTINGS = [
    ("dnd(True)", "dnd(on)", "/dnd", "Nobody can call you now."),
    ("dnd(False)", "dnd(off)", "/DND off", "You can be called again."),
    ("ring(True)", "ring(on)", "/ring on", "Your line rings when somebody calls."),
    ("ring(False)", "ring(off)", "/ring off", "Your line does not ring any more."),
    ("block(bob)", "blocked(bob)", "/block bob", "You have blocked bob."),
    ("unblock(bob)", "unblocked(bob)", "/unblock bob", "You have unblocked bob."),
]
TYPED = pytest.mark.parametrize(("setting", "event", "line", "shown"), SETTINGS)


@TYPED
def test_what_a_program_sets_is_answered(setting: str, event: str, line: str, shown: str) -> None:
    what = setting.partition("(")[0]
    heard = event.replace("on", "True").replace("off", "False")
    heard = event if "block" in event else heard
    scene = f"""
        a line
        set {setting} -> {setting}
        told {event} -> heard {heard} | set {setting} = None
        set {setting} -> {setting}
        told error({what}, unknown, No.) -> set {setting} refused: unknown
    """
    lines.play(scene)


@TYPED
@EITHER_SERVER
def test_what_a_person_sets_is_shown(
    server: type[Scene], setting: str, event: str, line: str, shown: str
) -> None:
    waits, reads = (" | (waits)", " | (reads)") if server is Scene else ("", "")
    scene = f"""
        a person -> (reads)
        said {line} -> {setting}{waits}
        told {event} -> {shown}{reads}
    """
    play(scene, server)


@scenes(
    """
    What a person can't set is shown.
        a person -> (reads)
        said /dnd maybe -> Say /dnd on or /dnd off.
        said /block alice -> block(alice) | (waits)
        told error(block, self, You can't block yourself.) -> You can't block yourself. | (reads)
    A person whose call rings may do something else meanwhile.
        a person for bob -> to(bob)
        told error(to, ringing, bob's line is ringing.) -> bob's line is ringing. | (reads)
        said /who -> who() | (waits)
        told who(alice, bob, 0) -> Here: alice, bob | (reads)
        told unanswered(bob) -> bob does not answer.
        said To:bob -> to(bob) | (waits)
        told error(to, ringing, bob's line is ringing.) -> bob's line is ringing. | (reads)
        told paired(bob) -> You are chatting with bob.
        said hi | /bye -> say(1, hi, bob) | bye() | (waits)
    A bell rings when a call does.
        a person -> (reads)
        a key is pressed
        30 seconds pass -> ping()
        told ringing(carol) -> (rings) | carol is calling. To:carol to answer.
    A pipe whose call rings waits for the answer.
        a pipe for bob -> to(bob)
        the input ends
        told error(to, ringing, bob's line is ringing.) -> bob's line is ringing.
        told paired(bob) -> quit() | You are chatting with bob.
        let go -> (ends 0)
    A pipe ends when nobody answers.
        a pipe for bob -> to(bob)
        told error(to, ringing, bob's line is ringing.) | unanswered(bob) -> quit() | bob's line is
            ringing.
        let go -> (ends 5: bob does not answer.)
    """
)
def test_a_talk_calls(scene: str) -> None:
    play(scene)


# A real server


def test_a_person_s_line_rings_and_a_pipe_is_answered(server: Server) -> None:
    carol = server.client("carol")
    with Emulator("--plain", *at(server), "--name", "alice") as alice:
        shown = ["Welcome, alice."]

        def shows(line: str, *answers: str) -> None:
            alice.types(f"{line}\r")
            shown.extend([line, *answers])
            alice.shows(*shown)

        alice.shows(*shown)
        shows("/ring on", "Your line rings when somebody calls.")
        with Piped(*at(server), "--name", "build", "--to", "alice") as build:
            build.close_input(b"Done.\n")
            shown.append("build is calling. To:build to answer.")
            alice.shows(*shown)
            shows("To:build", "You are chatting with build.", "build: (Done.)", "build has left.")
            build.ends(
                0, "Welcome, build.", "alice's line is ringing.", "You are chatting with alice."
            )
        carol.says("To:alice")
        assert carol.line() == "alice's line is ringing."
        shown.append("carol is calling. To:carol to answer.")
        alice.shows(*shown)
        shows("To:carol", "You are chatting with carol.")
        assert carol.line() == "You are chatting with alice."
        shows("/block carol", "You are free.", "You have blocked carol.")
        shows("/dnd", "Nobody can call you now.")
        assert carol.line() == "Quit."
        carol.says("To:alice")
        assert carol.line() == "alice is talking with someone else."
        shows("/unblock carol", "You have unblocked carol.")
        carol.says("To:alice")
        assert carol.line() == "alice does not want to be disturbed."
