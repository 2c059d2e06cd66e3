"""Talks of the client without sockets, written as transcripts: see tests.support.steps.

* said: what is typed, as lines that are wanted;
* (reads), (reads many), (waits): whether lines are wanted now, and many at once.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from signal import SIGINT
from typing import Any, ClassVar

from chatpair.codecs import plain
from chatpair.exchange.messages import Say
from tests.support.scene import PlainScene, Scene, chatting, person, piped, piped_to_bob
from tests.support.steps import BETWEEN, Script, play_with, shortened, text

OPTIONS: dict[str, dict[str, bool]] = {
    "waiting for them": {"wait": True},
    "lingering": {"linger": True},
    "with a keyboard": {"has_end": False},
    "reading late": {"reads_early": False},
}


class Talk(Script):
    """A talk that a transcript tells of."""

    stage: Scene

    def __init__(self, server: type[Scene], tells_of_reading: bool = True) -> None:
        super().__init__()
        self.server = server
        self.acknowledges = server is Scene
        self._tells_of_reading = tells_of_reading
        self._reads = "(waits)"
        self._is_over = False

    def commands(self) -> Iterable[Any]:
        """Return what was sent since the last time, in whatever way the server understands."""
        return self.stage.commands()

    def shown(self) -> Iterator[str]:
        """Yield what was shown, and whether lines are wanted if that has changed."""
        screen = self.stage.screen
        shown, screen.log = screen.log, []
        screen.notices.clear()
        yield from map(shortened, shown)
        reads = "(waits)" if not screen.wanted else f"(reads{' many' * screen.many})"
        if self._tells_of_reading and reads != self._reads:
            self._reads = reads
            yield reads

    def ends(self) -> Iterator[str]:
        """Yield how the talk has ended, if it has."""
        if self.stage.results:
            assert not self.stage.screen.wanted
            self._is_over = True
            [(status, why)] = self.stage.results
            self.stage.results.clear()
            yield f"(ends {status}{why and ': '}{why})"

    def stays_over(self) -> None:
        """See that nothing follows by itself any more, if the talk is over."""
        if self._is_over:
            if self._is_up:
                self.stage.remote.drops()
            self.stage.clock.advance(60)
            assert self.stage.endpoint.attempts == self._attempts
            assert self.stage.results == []

    # What may happen

    def _begins(self, who: str, how: str, name: str, options: str) -> None:
        chosen: dict[str, bool] = {}
        for option in filter(None, options.split(", ")):
            chosen |= OPTIONS[option]
        start: Any = piped if who == "pipe" else person
        if how == " with":
            start = piped_to_bob if who == "pipe" else chatting
            scene = start(self.server, **chosen)
        else:
            scene = start(name, self.server, **chosen)
        self.begins_with(scene, scene.seq if how == " with" else 0)
        scene.screen.log.clear()

    def _said_lines(self, lines: str) -> None:
        self.stage.types(*map(text, lines.split(BETWEEN)))

    def _let_go(self) -> None:
        self._told("quit()")
        self._lost()

    def _forgotten(self, new_name: str | None = None) -> None:
        self._lost("again")
        self._connected()
        self._told("error(resume, bad-key, No.)")
        if new_name:
            self._told("error(name, reuse, No.)")

    steps: ClassVar[dict[str, Callable[..., None]]] = {
        r"a (pipe|person)( for| with)? ?(\w*),? ?(.*)": _begins,
        r"said (.*)": _said_lines,
        r"the input ends": lambda talk: talk.stage.talk.input_ended(),
        r"quits": lambda talk: talk.stage.talk.quit(),
        r"is interrupted": lambda talk: talk.stage.talk.interrupt(SIGINT),
        r"the output is full": lambda talk: talk.stage.talk.pauseProducing(),
        r"the output takes more": lambda talk: talk.stage.talk.resumeProducing(),
        r"a key is pressed": lambda talk: talk.stage.talk.is_typing(),
        r"let go": _let_go,
        r"taken over": lambda talk: talk._told("error(-, bad-key, No.)"),
        r"forgotten(, and the name is taken)?": _forgotten,
    }


def _plainly(said: re.Match[str]) -> str:
    """Return what a plain server is sent, so that it takes a command for text as well."""
    is_text = isinstance(plain.parse(said[1]), Say)
    return f"say(0, {'' if is_text else ' '}{said[1]})"


def play(scene: str, server: type[Scene] = Scene, kind: str = "") -> None:
    """Play a scene with a server; to a plain one a text has neither number nor addressee.

    If somebody is told of, that is a person or a pipe, of whose reading nothing is told.
    """
    talk = Talk(server, not kind)
    if server is PlainScene:
        scene = re.sub(r"say\([1-9]\d*, ([^|\n]*?), \w+\)", _plainly, scene)
    play_with(talk, scene.replace("somebody", f"a {kind}", 1))
    talk.stays_over()
