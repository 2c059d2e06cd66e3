"""Lines of a program without sockets, written as transcripts: see tests.support.steps.

    A call may be refused, and the old pair stays.
        a line with bob
        call carol -> to(carol)
        told error(to, busy, No.) -> call carol refused: busy

What the program hears follows as it is told, then what comes of what it has asked for.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from msgspec import Struct
from twisted.internet.defer import Deferred

from chatpair.client.errors import NotDelivered, Refused
from chatpair.exchange.messages import Message
from tests.support.played import Play, Slow, named, paired, plain
from tests.support.steps import (
    BETWEEN,
    COMMANDS,
    Script,
    event,
    play_with,
    shortened,
    text,
    written,
)

ASKED: dict[str, Callable[[Any, str], Deferred[Any]]] = {
    "start": lambda line, _: line.start(),
    "start once": lambda line, _: line.start(patient=False),
    "say": lambda line, what: line.say(what),
    "call": lambda line, name: line.call(name),
    "who": lambda line, _: line.who(),
    "bye": lambda line, _: line.hang_up(),
    "set": lambda line, setting: line.apply(event(setting, COMMANDS)),
    "typing": lambda line, _: line.typing(),
    "settled": lambda line, _: line.settled(),
    "quit": lambda line, _: line.quit(),
}


STARTS: dict[str | None, Any] = {" with bob": paired, None: named, " without a name": Play}


class Program(Script):
    """A line that a transcript tells of, and its program."""

    stage: Play

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[str, Deferred[Any]] = {}
        self._came: list[str] = []
        self._links: list[bool] = []
        self._slow: Slow | None = None

    def shown(self) -> Iterator[str]:
        """Yield what the program has heard, what came of what it asked for, and the link."""
        heard = self.stage.heard()
        if self._slow is not None:
            heard, self._slow.heard = [plain(one) for one in self._slow.heard], []
        yield from (f"heard {written(one)}" for one in heard)
        yield from self._came
        self._came.clear()
        links = self.stage.links
        yield from ("(up)" if up else "(down)" for up in links[len(self._links) :])
        self._links = list(links)

    def ends(self) -> Iterator[str]:
        """Yield how the line has ended, if it has."""
        if self.stage.finished:
            [why] = self.stage.finished
            self.stage.finished.clear()
            self.is_over = True
            yield f"(ends: {_reason(why)})" if why else "(ends)"

    # What may happen

    def _begins(self, how: str | None, slow: str | None) -> None:
        if slow:
            self._slow = Slow(Message) if "messages" in slow else Slow()
        play = STARTS[how](on_event=self._slow)
        self.begins_with(play, 0 if slow == ", slow" else play.seq)
        self._links = list(play.links)
        if self._slow is not None:
            self._slow.heard.clear()

    def _asks(self, what: str, argument: str | None) -> None:
        names = (argument or "").split(BETWEEN)
        if found := re.fullmatch(r"(\d+) to (\d+)", names[0]):
            names = [str(number) for number in range(int(found[1]), int(found[2]) + 1)]
        for name in names:
            asked = ASKED[what](self.stage.line, text(name))
            self._awaits(f"{what} {name}".strip(), asked)

    def _awaits(self, what: str, asked: Deferred[Any]) -> None:
        self._asked[what] = asked
        asked.addCallbacks(
            lambda result: self._came.append(f"{what} = {_result(result)}"),
            lambda failure: self._came.append(f"{what} {_reason(failure.value)}"),
        )

    def _refused_too_late(self) -> None:
        self.stage.endpoint.refuse()
        self._asks("quit", "")

    def _is_done(self) -> None:
        assert self._slow is not None
        self._slow.waits.pop(0).callback(None)

    def _stands(self, standing: str) -> None:
        is_up = "connected" if self.stage.line.connected else "not connected"
        assert standing == f"{is_up}, with {self.stage.line.peer or 'nobody'}"

    steps: ClassVar[dict[str, Callable[..., None]]] = {
        r"a line( with bob| without a name)?(, slow| that is slow with messages)?": _begins,
        rf"({'|'.join(sorted(ASKED, reverse=True))})(?: (.*))?": _asks,
        r"cancel (.*)": lambda program, what: program._asked[what].cancel(),
        r"no connection, when it has just quit": _refused_too_late,
        r"the program is done": _is_done,
        r"it is (.*)": _stands,
    }


def _result(result: object) -> str:
    return written(result) if isinstance(result, Struct) else shortened(result)


def _reason(why: Exception) -> str:
    match why:
        case Refused(code=code):
            return f"refused: {code}"
        case NotDelivered(why=reason):
            return f"failed: {reason}"
    return type(why).__name__


def play(scene: str) -> None:
    """Play a scene of a line."""
    play_with(Program(), scene)
