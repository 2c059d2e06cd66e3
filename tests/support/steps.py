"""What transcripts of a client have in common, be they of a talk or of a program's line.

A scene begins with its title, at the left. Below it stand its steps, each with all that follows
from it: what is said to the server, then what is shown or heard, then how things stand.

    A pipe ends when the one it calls is busy.
        a pipe for bob -> to(bob)
        told error(to, busy, bob is busy.) -> quit() | (waits)
        let go -> (ends 5: bob is busy.)

Commands and events are written by their words in JSON, and their fields in order, but for
numbers of events and times; "-" is none, and x*500 a text of so many x. What has been told is
acknowledged at once, unless (acknowledged up to 3) says how far that has come.

  * told: what the server tells, in its own way; printed: a line of a plain server, whatever it is;
  * just 2 seconds pass: and before that, nothing happens;
  * (connects), (hangs up), (ends ...): the connection and the line.

A step that begins with a star is one of several that may follow the steps above them.
"""

import re
from collections.abc import Callable, Iterator
from textwrap import dedent
from typing import Any, ClassVar, get_args

from msgspec import UNSET

from chatpair.client.screen import LINK_LOST, TOO_LONG
from chatpair.exchange.messages import (
    Acknowledge,
    Error,
    Here,
    JsonCommand,
    JsonEvent,
    Message,
    Named,
    Present,
    Quit,
    Resume,
    Timestamp,
)
from chatpair.exchange.pairs import NOBODY
from tests.support.played import Stage

BETWEEN = " | "
TALK_IS_OVER = (
    "The talk with bob is over: the connection was lost for too long, or the server was restarted."
)
AGAIN = "Connected again."
BAD_NAME = "Bad name: no space and none of : [ ] ( ) / * , in a name"
LONG = {
    "[too long]": TOO_LONG,
    "[nobody]": NOBODY,
    "[link lost]": LINK_LOST,
    "[again]": AGAIN,
    "[all over]": TALK_IS_OVER,
    "[bad name]": BAD_NAME,
}
SHORT = {text: short for short, text in LONG.items()}
VALUES = {"-": None, "on": True, "off": False, "True": True, "False": False}
KINDS: dict[str, Any] = {kind.__struct_config__.tag: kind for kind in get_args(JsonEvent)}
COMMANDS: dict[str, Any] = {kind.__struct_config__.tag: kind for kind in get_args(JsonCommand)}


def written(struct: Any) -> str:
    """Return a command or an event as a transcript has it."""
    word = struct.__struct_config__.tag or type(struct).__name__.lower()
    return f"{word}({', '.join(map(shortened, _values(struct)))})"


def _values(struct: Any) -> Iterator[object]:
    if isinstance(struct, Here):
        yield from (one.name + "*" * one.paired for one in struct.names)
        yield struct.more
        return
    for field in struct.__struct_fields__:
        value = getattr(struct, field)
        if field not in ("seq", "time") and value is not UNSET:
            yield "-" if value is None else value


def shortened(value: object) -> str:
    """Return a text as a transcript has it."""
    text = SHORT.get(str(value), str(value))
    if len(text) >= 100 and text == text[0] * len(text):
        return f"{text[0]}*{len(text)}"
    return text.replace("\n", "\\n").replace("\x1b", "\\e")


def text(short: str) -> str:
    """Return the text that a transcript has in a short way."""
    if found := re.fullmatch(r"(.*?)(.)\*(\d{3,})", short):
        return found[1] + found[2] * int(found[3])
    short = LONG.get(short, short)
    return short.replace("\\n", "\n").replace("\\e", "\x1b").replace("\\0", "\0")


def event(line: str, kinds: dict[str, Any] = KINDS) -> Any:
    """Return the event, or another kind of message, that a transcript tells."""
    found = re.fullmatch(r"(\w+)\((.*)\)", line)
    assert found is not None, line
    kind = kinds[found[1]]
    if kind is Here:
        *names, more = found[2].split(", ")
        return Here([Present(name.rstrip("*"), name.endswith("*")) for name in names], int(more))
    fields = [field for field in kind.__struct_fields__ if field not in ("seq", "time")]
    texts = found[2].split(", ", len(fields) - 1) if found[2] else []
    values = {field: _value(field, one) for field, one in zip(fields, texts, strict=False)}
    return kind(**values | ({"time": Timestamp(0.0)} if kind is Message else {}))


def _value(field: str, short: str) -> object:
    is_number = field in ("id", "pair", "got", "version", "hold")
    return int(short) if is_number else VALUES.get(short, text(short))


class Script:
    """What a transcript tells of, and the server that it plays."""

    steps: ClassVar[dict[str, Callable[..., None]]] = {}
    acknowledges = True
    is_over = False
    stage: Any  # a Stage, once the scene has begun
    shown: Callable[[], Iterator[str]]
    """Yields what was shown or heard, and what else there is to tell."""
    ends: Callable[[], Iterator[str]]
    """Yields how all has ended, if it has."""

    def __init__(self) -> None:
        self._acknowledged = 0
        self._is_up = self._has_quit = False
        self._attempts: list[object] = []

    def does(self, step: str) -> list[str]:
        """Do what a step says; return all that follows from it."""
        for pattern, act in (STEPS | self.steps).items():
            if found := re.fullmatch(pattern, step, re.DOTALL):
                act(self, *found.groups())
                return list(self.follows())
        raise AssertionError(f"What is this? {step}")

    def follows(self) -> Iterator[str]:
        """Yield what has followed since the last time."""
        yield from self._said()
        yield from self.shown()
        if self._is_up and self.stage.remote.transport.disconnecting:
            self._is_up = False
            yield "(hangs up)"
        if self.stage.endpoint.attempts != self._attempts:
            self._attempts = list(self.stage.endpoint.attempts)
            if self._attempts:
                yield "(connects)"
        yield from self.ends()

    def _said(self) -> Iterator[str]:
        self.stage.clock.advance(0)
        for command in self.stage.said() if hasattr(self.stage, "remote") else ():
            if isinstance(command, Acknowledge):
                assert self._acknowledged < command.seq <= self.stage.seq
                self._acknowledged = command.seq
                continue
            if isinstance(command, Resume):
                self._acknowledged = command.seen
            self._has_quit = isinstance(command, Quit)
            yield written(command)
        acknowledges = self.acknowledges and self._is_up and not self._has_quit
        if acknowledges and self._acknowledged < self.stage.seq:
            yield f"(acknowledged up to {self._acknowledged})"

    def begins_with(self, stage: Stage, acknowledged: int) -> None:
        """Begin with a stage where so much is acknowledged already."""
        self.stage = stage
        self._is_up = hasattr(stage, "remote") and not stage.remote.transport.disconnecting
        self._acknowledged = acknowledged

    def _told(self, events: str) -> None:
        told = [event(one) for one in events.split(BETWEEN)]
        if isinstance(told[0], Named):
            self.stage.seq = self._acknowledged = 0
        self.stage.remote.says(
            *(self.stage.counted(one) if self._counts(one) else one for one in told)
        )

    def _counts(self, told: object) -> bool:
        """Tell whether a server counts an event: the first is that of the name."""
        if isinstance(told, Error) and (told.of in ("name", "resume") or told.code == "bad-key"):
            return False
        return self.stage.seq > 0 or isinstance(told, Named)

    def _connected(self) -> None:
        self.stage.accepts()
        self._is_up = True

    def _accepted(self, answer: str | None) -> None:
        self.stage.remote = self.stage.endpoint.accept()
        self._is_up = True
        assert self.stage.remote.lines() == [b"Mode:json"]
        if answer is not None:
            self.stage.remote.prints(text(answer))

    def _lost(self, again: str | None = None) -> None:
        self._is_up = False
        self.stage.remote.drops()
        if again:
            self.stage.clock.advance(0.25)

    def _back(self, seen: str, got: str, peer: str, again: str | None, missed: str | None) -> None:
        if again:
            self.stage.seq = int(seen)
        told = [self.stage.counted(event(one)) for one in (missed or "").split(BETWEEN) if one]
        self._is_up = True
        self._acknowledged = int(seen)
        at = None if peer == "nobody" else peer
        for command in self.stage.resumes(int(seen), int(got), *told, peer=at):
            assert isinstance(command, Acknowledge)
            assert self._acknowledged < command.seq
            self._acknowledged = command.seq

    def _passes(self, just: str | None, seconds: str) -> None:
        if just:
            self.stage.clock.pump([0.25] * int(4 * float(seconds) - 1))
            assert list(self.follows()) == []
        self.stage.clock.advance(0.25 if just else float(seconds))


STEPS: dict[str, Callable[..., None]] = {
    r"told (.*)": Script._told,
    r"printed (.*)": lambda script, lines: script.stage.remote.prints(
        *map(text, lines.split(BETWEEN))
    ),
    r"connected": Script._connected,
    r"accepted(?:, and told (.*))?": Script._accepted,
    r"no connection": lambda script: script.stage.endpoint.refuse(),
    r"the connection is lost(, and tried again)?": Script._lost,
    r"back, having seen (\d+) and said (\d+), with (\w+)(?:, told (again )?(.*))?": Script._back,
    r"the server takes no more": lambda script: script.stage.remote.takes_more(False),
    r"the server takes all": lambda script: script.stage.remote.takes_more(True),
    r"(just )?([\d.]+) seconds? pass(?:es)?": Script._passes,
}


def play_with(script: Script, scene: str) -> None:
    """Play a scene, of which all must follow that it says, and nothing else once all is over."""
    for line in re.sub(r"\n +(?=\S)", " ", dedent(scene).strip()).split("\n"):
        step, _, answer = line.partition(" -> ")
        follows = script.does(step)
        assert follows == list(filter(None, answer.split(BETWEEN))), f"{step} -> {follows}"
    if script.is_over:
        if was_up := script._is_up:
            script.stage.remote.drops()
        script.stage.clock.advance(60)
        again = ("(connects", "(ends") if was_up else ""
        assert not [one for one in script.follows() if one.startswith(again)]
