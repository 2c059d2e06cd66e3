"""What users set for calls, and calls that ring, in the client, without sockets."""

import pytest

from tests.support import lines
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
