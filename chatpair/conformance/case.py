"""What a case is, and what it plays on."""

import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TypeVar

from chatpair.conformance.party import Broken, Party, Program
from chatpair.conformance.place import Kind, Place

AnyParty = TypeVar("AnyParty", bound=Party)


class Stage:
    """Lets parties come, under names that nobody else has, and go at the end."""

    def __init__(self, places: Sequence[Place], seconds: float) -> None:
        """Take where to connect to, in turn, and how long to wait for an answer."""
        self._places = cycle(places)
        self.journal: list[str] = []
        self._seconds = seconds
        self._mark = secrets.token_hex(4)
        self._parties: list[Party] = []

    def name(self, who: str) -> str:
        """Return a name that nobody has yet but who was given it before in this case."""
        return f"{who}{self._mark}"

    def _come(self, kind: type[AnyParty], who: str) -> AnyParty:
        try:
            party = kind(next(self._places).connect(self._seconds), who, self.journal)
        except OSError as why:
            raise Broken(f"{who} could not connect: {why}") from why
        self._parties.append(party)
        return party

    def comes(self, who: str) -> Party:
        """Connect."""
        return self._come(Party, who)

    def enters(self, who: str) -> Party:
        """Connect, and have a name."""
        party = self.comes(who)
        party.name = self.name(who)
        party.says(party.name)
        party.hears("OK")
        return party

    def takes_name(self, who: str) -> Party:
        """Connect, and have a name that was somebody's until a moment ago."""
        party = self.comes(who)
        party.name = self.name(who)
        for _ in range(100):
            party.says(party.name)
            answer = party.line()
            if answer != "Reuse":
                break
            time.sleep(0.05)  # servers of a cluster tell each other
        if answer != "OK":
            raise Broken(f"{who}: OK was due, and {answer!r} came")
        return party

    def pair(self) -> tuple[Party, Party]:
        """Let alice and bob talk, in plain."""
        alice, bob = self.enters("alice"), self.enters("bob")
        self.calls(alice, bob)
        return alice, bob

    def calls(self, caller: Party, callee: Party) -> None:
        """Pair two who are free, in plain."""
        caller.says(f"To:{callee.name}")
        caller.hears(f"You are chatting with {callee.name}.")
        callee.hears(f"You are chatting with {caller.name}.")

    def speaks(self, who: str) -> Program:
        """Connect, and speak JSON."""
        program = self._come(Program, who)
        program.says("Mode:json")
        program.told("mode")
        return program

    def program(self, who: str) -> Program:
        """Connect, speak JSON, and have a name."""
        program = self.speaks(who)
        program.name = self.name(who)
        program.does("name", name=program.name)
        program.key = program.told("named", name=program.name)["key"]
        return program

    def programs(self) -> tuple[Program, Program]:
        """Let alice and bob talk, in JSON."""
        alice, bob = self.program("alice"), self.program("bob")
        alice.does("to", name=bob.name)
        alice.told("paired", peer=bob.name)
        bob.told("paired", peer=alice.name)
        return alice, bob

    def mixed(self) -> tuple[Program, Party]:
        """Let alice, who speaks JSON, talk with bob, who does not."""
        alice, bob = self.program("alice"), self.enters("bob")
        bob.says(f"To:{alice.name}")
        bob.hears(f"You are chatting with {alice.name}.")
        alice.told("paired", peer=bob.name)
        return alice, bob

    def resumes(self, lost: Program, seen: int, **due: object) -> tuple[Program, int]:
        """Take a line over, having seen all up to a seq; return what goes on with it, and got."""
        again = self.speaks(f"{lost.who.removesuffix(', back')}, back")
        again.name, again.key, again.seen, again.known = lost.name, lost.key, seen, lost.known
        again.does("resume", key=lost.key, seen=seen)
        got = again.told("resumed", name=lost.name, **due)["got"]
        return again, got

    def clear(self) -> None:
        """Let all leave."""
        for party in self._parties:
            party.leaves()


Play = Callable[[Stage], None]


@dataclass(frozen=True)
class Case:
    """A rule of docs/protocol.rst, and what shows that a server keeps it."""

    name: str
    section: str
    """The heading on the page under which the rule stands."""
    rule: str
    """A sentence of the page, or a part of one."""
    play: Play
    """Raises Broken if it is not kept."""
    is_articles: bool
    not_through: tuple[Kind, ...]
    """Ways in where it can't be tried."""


CASES: list[Case] = []


def case(
    section: str, rule: str, *, articles: bool = False, not_through: tuple[Kind, ...] = ()
) -> Callable[[Play], Play]:
    """Make a case of a function."""

    def add(play: Play) -> Play:
        name = play.__name__.replace("_", " ").strip()
        shown = re.sub(r"\s+", " ", rule)
        CASES.append(Case(name, section, shown, play, articles, not_through))
        return play

    return add
