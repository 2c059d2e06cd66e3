"""Scenes without sockets, written as a transcript: who does what, and all that anybody is told.

A scene begins with its title, at the left. Below it stand its steps, each with what it answers
and, after a semicolon or on lines of their own, what others are told because of it. Whoever is
not mentioned is told nothing.

    Two talk.
        alice: To:bob -> You are chatting with bob. ; bob < You are chatting with alice.
        alice: hello | Quit -> Quit | (closed)
            bob < [now] alice: (hello) | Quit.

A step that begins with a star is one of several that may follow the steps above them: each of
them is a scene of its own. Whoever is not said to come in is there from the beginning.

Who speaks JSON sends commands and is told events: {"do":"to","name":"bob"} is to(name=bob), and
numbers of events are checked but left out. [now] is the time, [nobody] what is answered to one
who talks with nobody, [first call] the same before any call, [frozen] what a node tells that was,
[long] longer than a line may be, and "bob's key" the key of bob. A line that is too long goes on
in the next, further to the right.
"""

import json
import re
from ast import literal_eval
from collections import defaultdict
from collections.abc import Callable
from textwrap import dedent
from typing import Any

import pytest

from tests.support.exchange import FIRST_CALL, NOBODY, Exchange, JsonParty, Party, said

Told = dict[str, list[str]]
BETWEEN = " | "
LONG = "x" * 65_537
SHORT = {
    NOBODY: "[nobody]",
    FIRST_CALL: "[first call]",
    "The server was cut off from the others for too long. Please come back.": "[frozen]",
}
UNCOUNTED = ("mode", "resumed", "pong", "who", "typing")  # they are not told again
COMING = re.compile(
    r"^([\w, ]+?) (?:enters?|connects?)\b|^(\w+)(?:, in JSON,)? talks with (\w+)"
    r"|^(\w+)'s call rings at (\w+)"
    r"|comes back as (\w+)",
    re.MULTILINE,
)
DOING = re.compile(r"^ *(\w+)(?:: | (?:takes|sends|ends|hangs|is|waits|comes|<) )", re.MULTILINE)


class Scene:
    """The people of a scene, and what they are told."""

    def __init__(self, exchange: Exchange, events: dict[str, Callable[[], object]]) -> None:
        self.exchange = exchange
        self._events = events
        self.people: dict[str, Party] = {}
        self._open: set[str] = set()
        self._keys: dict[str, str] = {}
        self._seen: dict[str, int] = {}
        self._pairs: defaultdict[str, set[int]] = defaultdict(set)  # by key: the seqs of paired
        self._resumes_after: dict[str, int] = {}

    def does(self, step: str) -> Told:
        """Do what a step says; return what each is told then."""
        if step in self._events:
            self._events[step]()
            return self._told()
        act, found = next(
            (act, found) for pattern, act in STEPS.items() if (found := re.fullmatch(pattern, step))
        )
        act(self, *found.groups())
        return self._told()

    def _told(self) -> Told:
        told: defaultdict[str, list[str]] = defaultdict(list)
        while news := {name: lines for name in self.people if (lines := self._heard(name))}:
            for name, lines in news.items():
                told[name] += lines
        for name in sorted(self._open):
            if self.people[name].closed:
                self._open.remove(name)
                told[name].append("(closed)")
                assert name in self._keys or name not in self.exchange.factory.users
        return dict(told)

    def _heard(self, name: str) -> list[str]:
        party = self.people[name]
        lines = party.heard()
        if isinstance(party, JsonParty):
            events = [json.loads(line) for line in lines]
            self._count(name, events)
            return [written(event) for event in events]
        if lines and (found := re.match(r"Your key is (\S+)\. After", lines[-1])):
            self._keys[name] = found[1]
        for sender, key in self._keys.items():
            lines = [line.replace(key, f"{sender}'s key") for line in lines]
        now = said(self.exchange, "").partition("]")[0] + "]"
        return [_short(line.replace(now, "[now]")) for line in lines]

    def _count(self, name: str, events: list[dict[str, Any]]) -> None:
        """Check that what is numbered has the number after the last one, and pairs have theirs."""
        for event in events:
            if event["event"] == "named" and name not in self._seen:
                self._seen[name] = 0
                self._keys[name] = event["key"]
            if event["event"] == "resumed":
                self._seen[name] = self._resumes_after[name]
                assert ("pair" in event) == (event["peer"] is not None), event
            if event["event"] == "paired":
                pairs = self._pairs[self._keys[name]]
                pairs.add(event["seq"])
                assert event["pair"] == sum(seq <= event["seq"] for seq in pairs), event
            # The line is another's, or nobody's any more.
            is_last = (
                self.people[name].closed and event.get("of", "") is None and "seq" not in event
            )
            if name in self._seen and event["event"] not in UNCOUNTED and not is_last:
                self._seen[name] += 1
                assert event["seq"] == self._seen[name], event
            else:
                assert "seq" not in event, event

    def enters_before(self, scene: str) -> None:
        """Let those enter of whom the scene does not say how they come in."""
        come = {name for found in COMING.findall(scene) for name in ", ".join(found).split(", ")}
        there = [name for name in DOING.findall(scene) if name not in come]
        if there:
            self.enters(", ".join(dict.fromkeys(there)), "", "")

    def ends(self) -> None:
        """Let all go: once no line is held any more, nothing is left of anybody."""
        for party in self.people.values():
            party.drops()
        self.exchange.clock.advance(self.exchange.factory.settings.hold)
        assert not self.exchange.factory.users
        assert not self.exchange.factory.pairs

    # What may happen

    def connects(self, names: str, speaks: str | bool, host: str) -> None:
        for name in names.split(", "):
            connect = self.exchange.connect_json if speaks else self.exchange.connect
            self.people[name] = connect(host or "")
            self._open.add(name)

    def enters(self, names: str, speaks: str, host: str, key: str = "") -> None:
        enter = self.exchange.enter_json if speaks else self.exchange.enter
        for name in names.split(", "):
            self.people[name] = party = enter(name, host or "")
            self._open.add(name)
            if isinstance(party, JsonParty):
                self._keys[name] = party.key
                self._seen[name] = 1
            elif key:
                party.says("/key")
                assert self._heard(name)

    def enters_and_comes_back(self, name: str, speaks: str, host: str, other: str) -> None:
        self.enters(name, speaks, host, key="" if speaks else "asks for a key")
        self.people[name].drops()
        self.comes_back(name, name, other, "1" if speaks else "")
        assert self._heard(name)

    def talk(self, caller: str, alone: str, callee: str, both: str) -> None:
        for name, speaks in ((caller, alone or both), (callee, both)):
            if name not in self.people:
                self.enters(name, speaks, "")
        one = self.people[caller]
        self.says(caller, f"to(name={callee})" if isinstance(one, JsonParty) else f"To:{callee}")
        told = self._told()
        assert told.keys() == {caller, callee}

    def rings(self, caller: str, callee: str) -> None:
        self.enters(f"{callee}, {caller}", "", "")
        self.people[callee].says("/ring on")
        self.people[caller].says(f"To:{callee}")
        for name in (caller, callee):
            assert self.people[name].heard()

    def comes_back(self, name: str, other: str, host: str, seen: str) -> None:
        key, counts = self._keys[name], isinstance(self.people[name], JsonParty)
        self.connects(other, counts, host)
        self._keys[other] = key
        self.says(other, f"resume(key={key}, seen={seen or 0})" if counts else f"Back:{key}")

    def says(self, name: str, lines: str) -> None:
        for owner, key in self._keys.items():
            lines = lines.replace(f"{owner}'s key", key)
        if found := re.fullmatch(r"resume\(key=.*, seen=(\d+)\)", lines):
            self._resumes_after[name] = int(found[1])
        party = self.people[name]
        for line in lines.replace("[long]", LONG).split(BETWEEN):
            party.says(_command(line) if isinstance(party, JsonParty) else line)

    def has(self, option: str, value: str) -> None:
        self.exchange.has(option, literal_eval(value))

    def passes(self, seconds: str) -> None:
        self.exchange.clock.advance(float(seconds))

    def sends(self, name: str, data: str) -> None:
        self.people[name].sends(literal_eval(data))

    def fills_soon(self, name: str) -> None:
        self.people[name].transport.full = True

    def waits(self, name: str, not_read: str) -> None:
        assert self.people[name].paused == (not_read == "waits")


def _simply(method: str) -> Callable[..., None]:
    return lambda scene, name: getattr(scene.people[name], method)()


STEPS: dict[str, Callable[..., None]] = {
    r"([\w, ]+?) enters?( in JSON)?(?: (?:from|at) ([\w.]+))?( and has a key)?": Scene.enters,
    r"(\w+) enters( in JSON)? at (\w) and comes back at ([\w.]+)": Scene.enters_and_comes_back,
    r"([\w, ]+?) connects?( in JSON)?(?: (?:from|at) ([\w.]+))?": Scene.connects,
    r"(\w+)(, in JSON,)? talks with (\w+)( in JSON)?": Scene.talk,
    r"(\w+)'s call rings at (\w+)": Scene.rings,
    r"(\w+) comes back as (\w+)(?: at ([\w.]+))?(?:, having seen (\d+))?": Scene.comes_back,
    r"(\w+): (.*)": Scene.says,
    r"(\w+) sends (b[\"'].*)": Scene.sends,
    r"(\w+) (waits|is read)": Scene.waits,
    r"(\w+) takes no more": _simply("fills"),
    r"(\w+) takes one more": Scene.fills_soon,
    r"(\w+) takes all": _simply("drains"),
    r"(\w+) is lost": _simply("drops"),
    r"(\w+) ends the input": _simply("ends_input"),
    r"([\d.]+) seconds? pass(?:es)?": Scene.passes,
    r"the server has (\w+)=(.*)": Scene.has,
    r"the server stops": lambda scene: scene.exchange.factory.stop(),
}


def written(event: dict[str, Any]) -> str:
    """Return an event as a transcript has it: without what differs from time to time."""
    fields = [
        f"{word}=[{word}]" if word in ("time", "key") else f"{word}={_bare(what)}"
        for word, what in event.items()
        if word not in ("event", "seq", "pair")
    ]
    return _short(f"{event['event']}({', '.join(fields)})")


def _short(line: str) -> str:
    for whole, short in SHORT.items():
        line = line.replace(whole, short)
    return line


def _bare(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text[1:-1] if isinstance(value, str) else text


def _command(line: str) -> str:
    found = re.fullmatch(r"(\w+)\((.*)\)", line)
    if found is None:
        return line
    fields = [field.partition("=") for field in re.split(r", (?=\w+=)", found[2]) if field]
    values = [
        f'"{word}":' + (value if word in ("id", "seq", "on", "seen", "pair") else f'"{value}"')
        for word, _, value in fields
    ]
    return "{" + ",".join([f'"do":"{found[1]}"', *values]) + "}"


def scenes(transcript: str) -> pytest.MarkDecorator:
    """Hand a test one scene of a transcript after another, by their titles."""
    parameters = []
    for part in re.split(r"^(?=\S)", dedent(transcript), flags=re.MULTILINE)[1:]:
        title, _, steps = part.partition("\n")
        beginning, *ends = re.split(r"^  \* ", steps, flags=re.MULTILINE)
        for end in ends or [""]:
            name = f"{title.rstrip('.')} {end.partition(chr(10))[0].partition(' -> ')[0]}".strip()
            scene = beginning + ("    " + end if ends else "")
            parameters.append(pytest.param(scene, id=name.encode("unicode_escape").decode()[:90]))
    return pytest.mark.parametrize("scene", parameters)


def play(
    exchange: Exchange,
    scene: str,
    after: Callable[[Exchange], object] = lambda _: None,
    **events: Callable[[], object],
) -> None:
    """Play a scene, in which all are told just what it says.

    A test may add events to happen, and what happens after each step.
    """
    people = Scene(exchange, {name.replace("_", " "): act for name, act in events.items()})
    text = re.sub(r"\n {8,}(?=\S)", " ", dedent(scene))
    people.enters_before(text)
    for part in re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]:
        first, *others = re.split(r"\n| ; ", part)
        step, _, answer = first.partition(" -> ")
        expected: defaultdict[str, list[str]] = defaultdict(list)
        if answer:
            expected[re.split(r"\W", step)[0]] += answer.split(BETWEEN)
        for line in filter(None, others):
            name, _, words = line.strip().partition(" < ")
            expected[name] += words.split(BETWEEN)
        assert people.does(step) == expected, f"after: {step}"
        after(exchange)
    people.ends()
