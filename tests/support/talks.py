"""Talks of the client without sockets, written as transcripts: see tests.support.steps.

* a person: has a name; a new one claims it once connected, and an unnamed one has none to claim;
* said: what is typed, as lines that are wanted;
* refused and asked: what a server answers to the claim of a name, and to its end if in vain;
* (reads), (reads many), (waits): whether lines are wanted now, and many at once;
* [waiting 1, last handed]: how things stand from now on, if that is watched.
"""

import re
from collections.abc import Callable, Iterator
from signal import SIGINT
from typing import Any, ClassVar

import pytest

from chatpair.client.ending import interrupted
from chatpair.client.person import PersonTalk
from chatpair.client.pipe import PipeTalk
from chatpair.client.screen import NO_JSON
from chatpair.codecs import plain
from chatpair.exchange.messages import AnyCommand, Error, JsonEvent, Named, Paired, Say, Status
from tests.support.played import Shown, Stage, outcome
from tests.support.steps import BETWEEN, Script, play_with, shortened, text

OPTIONS: dict[str, dict[str, bool]] = {
    "waiting for them": {"wait": True},
    "lingering": {"linger": True},
    "with a keyboard": {"has_end": False},
    "reading late": {"reads_early": False},
}


class Scene(Stage):
    """A talk, the screen it uses, and the server that the test plays."""

    needed = "alice needs its password."  # is what the server says when that is so

    def __init__(self, kind: Callable[..., Any], host: str, **options: Any) -> None:
        """Start a talk."""
        super().__init__()
        self.screen = Shown()
        self.endpoint.host = host
        self.talk = kind(self.screen, self.endpoint, clock=self.clock, **options)
        self.results = outcome(self.talk.finished)
        self.talk.start()

    def types(self, *lines: str) -> None:
        """Type lines, which the talk must want."""
        for line in lines:
            assert self.screen.wanted
            self.talk.typed(line)


class PlainScene(Scene):
    """A talk that has found a server that speaks no JSON, and connects anew if it has a name."""

    needed = "Password:"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        remote = self.endpoint.accept()
        assert remote.lines() == [b"Mode:json"]
        remote.prints("OK")
        remote.drops()
        assert self.screen.log.pop(0) == NO_JSON

    def accepts(self) -> None:
        """Let the line connect, on a connection of its own."""
        self.remote = self.endpoint.accept()
        self.remote.render = _rendered
        self._is_named = False

    def said(self) -> list[AnyCommand]:
        """Return what was sent since the last time, as the server understands it."""
        commands: list[AnyCommand] = []
        for line in self.remote.lines():
            parse = plain.parse if self._is_named else plain.parse_unnamed
            commands.append(parse(line.decode()))
            self._is_named = True
        return commands


def _rendered(event: JsonEvent) -> bytes:
    """Return how a plain server tells an event; it knows nothing of what has arrived."""
    return b"" if isinstance(event, Status) else plain.render(event)


EITHER_SERVER = pytest.mark.parametrize("server", [Scene, PlainScene], ids=["JSON", "plain"])
EITHER_KIND = pytest.mark.parametrize("kind", ["person", "pipe"])


class Talk(Script):
    """A talk that a transcript tells of."""

    stage: Scene

    def __init__(self, server: type[Scene] = Scene, tells_of_reading: bool = True) -> None:
        super().__init__()
        self.server = server
        self.acknowledges = server is Scene
        self._tells_of_reading = tells_of_reading
        self._reads = "(waits)"

    def shown(self) -> Iterator[str]:
        """Yield what was shown, and whether lines are wanted if that has changed."""
        screen = self.stage.screen
        shown, screen.log = screen.log, []
        yield from map(shortened, shown)
        reads = "(waits)" if not screen.wanted else f"(reads{' many' * screen.many})"
        if self._tells_of_reading and reads != self._reads:
            self._reads = reads
            yield reads

    def ends(self) -> Iterator[str]:
        """Yield how the talk has ended, if it has."""
        if self.stage.results:
            [how] = self.stage.results
            self.stage.results.clear()
            self.is_over = True
            if isinstance(how, Exception):
                yield f"(ends: {type(how).__name__})"
                return
            assert not self.stage.screen.wanted
            status, why = how
            yield f"(ends {status}{why and ': '}{shortened(why)})"

    # What may happen

    def _begins(self, how: str, who: str, way: str, whom: str, options: str | None) -> None:
        chosen: dict[str, Any] = {"name": "alice", "to": "", "wait": False, "host": "127.0.0.1"}
        for option in (options or "").split(", "):
            word, _, value = option.rpartition(" ")
            if word in ("at", "with the password"):
                chosen[{"at": "host"}.get(word, "password")] = value
            chosen |= OPTIONS.get(option, {})
        if way == "named" or how == "an unnamed":
            chosen["name"] = whom if way == "named" else ""
        if way == "for" or (way == "with" and who == "pipe"):
            chosen["to"] = whom
        stage = self.server(PersonTalk if who == "person" else PipeTalk, **chosen)
        self.begins_with(stage, 0)
        if "connected" in (options or "").split(", "):
            self._connected()
        if how == "an unnamed" and stage.endpoint.attempts:
            self._claims("")
            self._refused("bad-name")
        elif how == "a":
            self._claims("alice")
            stage.tells(Named("alice", "key"))
            stage.clock.advance(0)
            assert stage.screen.log == ["Welcome, alice."]
            stage.screen.log.clear()
            if way == "with":
                stage.tells(Paired(whom))
                list(self._said())
                assert f"You are chatting with {whom}." in stage.screen.log
                stage.screen.log.clear()
        stage.screen.is_watched = "watched" in (options or "")

    def _claims(self, name: str) -> None:
        self._connected()
        assert [*self._said()] == [f"name({name})"]

    def _refused(self, code: Any, text: str | None = None) -> None:
        self.stage.remote.says(Error("name", code, text or "No."))
        assert self.stage.remote.transport.disconnecting
        self._lost()

    def _asked(self, in_vain: str | None, words: str | None) -> None:
        if in_vain:
            self._refused("password", words or self.stage.needed)
        else:
            self.stage.remote.says(Error("name", "password", self.stage.needed))

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
        r"(a|an unnamed|a new) (pipe|person)(?: (for|with|named) ([^,]+))?(?:, (.*))?": _begins,
        r"refused ([\w-]+)(?:: (.*))?": _refused,
        r"asked( in vain)?(?:: (.*))?": _asked,
        r"said (.*)": _said_lines,
        r"typed in vain": lambda talk: talk.stage.talk.typed("too late"),
        r"Enter": lambda talk: talk.stage.types(""),
        r"the input ends": lambda talk: talk.stage.talk.input_ended(),
        r"quits": lambda talk: talk.stage.talk.quit(),
        r"is interrupted": lambda talk: talk.stage.talk.interrupt(SIGINT),
        r"gets signal (\d+)": lambda talk, number: talk.stage.talk.fail(interrupted(int(number))),
        r"the output is full": lambda talk: talk.stage.talk.pauseProducing(),
        r"the output takes more": lambda talk: talk.stage.talk.resumeProducing(),
        r"the output is closed": lambda talk: talk.stage.talk.stopProducing(),
        r"a key is pressed": lambda talk: talk.stage.talk.is_typing(),
        r"asks who else is here": lambda talk: talk.stage.talk.others().addCallback(
            lambda names: talk.stage.screen.notice(f"others: {names}")
        ),
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
        scene = re.sub(r"name\(\w+, (\w+)\)", r"say(0, \1)", scene)
    if kind:
        scene = scene.replace("somebody", f"a {kind}", 1).replace("a new one", f"a new {kind}")
    play_with(talk, scene)
