"""Where a case is played: who is there, and what each step of its scene does.

A step is what a report shows of it: "bob> hello" is a line that bob says, and "bob< hello" the
one that he must be told next. "bob> hello -> OK" is both, and " | " stands between lines. An object
is an event, of which other keys may be there. "bob>> hello\\n" and "bob<< hello\\n" are bytes;
"wherever bob>> hello\\n is cut: ..." sends them in two parts, and each time plays what follows. Who
says something and is not there connects. alice, bob, carol and dave stand for names of which no
other case has any, and ALICE for one in capitals.

<any> is anything, <some> what is not empty, <no word> that without a word, <time> and <RFC 3339> a
time, <3 x> xxx, and <tab> and <space> what they say. Of any other such word it is noted what stands
there when it comes first: then it must be the same.
"""

import json
import re
import secrets
import time
from collections.abc import Callable, Sequence
from itertools import count, cycle
from textwrap import dedent

from chatpair.conformance.party import Broken, Party
from chatpair.conformance.place import Place

_NAMES = re.compile(r"\b(?:alice|bob|carol|dave|ALICE)\b")
_WORD = re.compile(r"<([^<>]+)>")
_MANY = re.compile(r"<(\d+) (.)>")
_BETWEEN = " | "

_ESCAPED = {rf"\x{byte:02x}".encode(): bytes((byte,)) for byte in range(256)}
_ESCAPED |= {rb"\r": b"\r", rb"\n": b"\n", rb"\t": b"\t"}
_ESCAPE = re.compile(rb"\\(?:x[\da-f]{2}|[rnt])")

CUT_SECONDS = 0.002
"""What the network is given to send what comes before a cut alone."""

_SHAPES = {
    "any": ".*",
    "some": ".+",
    "time": r"\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}",
    "RFC 3339": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)",
}

_SCENES = {
    r"(\w+) enters": r"""
        \1 connects
        \1> \1 -> OK""",
    r"(\w+) speaks JSON": r"""
        \1 connects
        \1> Mode:json -> {"event":"mode"}""",
    r"(\w+) enters in JSON": r"""
        \1 speaks JSON
        \1> {"do":"name","name":"\1"} -> {"event":"named","name":"\1","key":"<key_of_\1>"}""",
    r"(\w+) calls (\w+)": r"""
        \1> To:\2 -> You are chatting with \2.
        \2< You are chatting with \1.""",
    r"alice and bob talk": """
        alice enters
        bob enters
        alice calls bob""",
    r"alice and bob talk in JSON": """
        alice enters in JSON
        bob enters in JSON
        alice> {"do":"to","name":"bob"} -> {"event":"paired","peer":"bob"}
        bob< {"event":"paired","peer":"alice"}""",
    r"alice, in JSON, and bob talk": """
        alice enters in JSON
        bob enters
        bob> To:alice -> You are chatting with alice.
        alice< {"event":"paired","peer":"bob"}""",
    r"(\w+) is idle": r"""
        \1> {"do":"ping"} -> {"event":"pong"}""",
}
"""Steps that are several others."""


class Stage:
    """Plays scenes, and lets all who came go at the end."""

    def __init__(self, places: Sequence[Place], seconds: float) -> None:
        """Take where to connect to, in turn, and how long to wait for an answer."""
        self._places = cycle(places)
        self.journal: list[str] = []
        self._seconds = seconds
        self._mark = secrets.token_hex(4)
        self.parties: dict[str, Party] = {}
        self._came: list[Party] = []
        self.noted = {"tab": "\t", "space": " "}
        """What stands for some words."""

    def plays(self, scene: str) -> None:
        """Do all steps of a scene; raises Broken at the first that does not go as it says.

        What is further to the right goes on with the line above.
        """
        for step in re.sub(r"\n +", " ", dedent(scene).strip("\n")).split("\n"):
            for pattern, steps in _SCENES.items():
                if match := re.fullmatch(pattern, step):
                    self.plays(match.expand(steps))
                    break
            else:
                acts = ((act, re.fullmatch(pattern, step)) for pattern, act in _STEPS.items())
                act, match = next((act, match) for act, match in acts if match)
                act(self, *match.groups())

    def name(self, who: str) -> str:
        """Return the name that somebody has in this case."""
        name = f"{who}{self._mark}"
        return name.upper() if who.isupper() else name

    def comes(self, who: str) -> Party:
        """Connect, perhaps once more."""
        try:
            party = Party(next(self._places).connect(self._seconds), who, self.journal)
        except OSError as why:
            raise Broken(f"{who} could not connect: {why}") from why
        self._came.append(party)
        self.parties[who] = party
        return party

    def _filled(self, text: str) -> str:
        text = _MANY.sub(lambda match: int(match[1]) * match[2], text)
        text = _WORD.sub(lambda match: self.noted.get(match[1], match[0]), text)
        return _NAMES.sub(lambda match: self.name(match[0]), text)

    def says(self, who: str, lines: str, answers: str | None = None) -> None:
        """Let somebody say lines of text, and see that these answers come next."""
        said = (f"{self._filled(line)}\r\n" for line in lines.split(_BETWEEN))
        self.sends(who, "".join(said).encode())
        if answers is not None:
            self.hears(who, answers)

    def sends(self, who: str, data: bytes) -> None:
        """Let somebody send bytes."""
        (self.parties.get(who) or self.comes(who)).sends(data)

    def _bytes(self, text: str) -> bytes:
        return _ESCAPE.sub(lambda one: _ESCAPED[one[0]], self._filled(text).encode())

    def _sends(self, who: str, data: str) -> None:
        self.sends(who, self._bytes(data))

    def _is_cut(self, who: str, data: str, answer: str) -> None:
        """Let somebody send bytes again and again, each time cut one byte later; <n> counts that.

        Each time an answer comes.
        """
        for cut in count(1):
            self.noted["n"] = str(cut)
            whole = self._bytes(data)
            if cut == len(whole):
                break
            self.sends(who, whole[:cut])
            time.sleep(CUT_SECONDS)
            self.sends(who, whole[cut:])
            self.plays(answer)

    def _receives(self, who: str, data: str) -> None:
        due = self._bytes(data)
        came = self.parties[who].takes(len(due))
        if came != due:
            raise Broken(f"{who}: {due!r} was due, and {came!r} came")

    def hears(self, who: str, lines: str) -> None:
        """See that these lines come next."""
        for due in map(self._filled, lines.split(_BETWEEN)):
            came: object
            if due.startswith("{"):
                came = event = self.parties[who].event()
                wanted = json.loads(due)
                fits = event and all(self._fits(of, event.get(key)) for key, of in wanted.items())
            else:
                came = self.parties[who].line()
                fits = self._fits(due, came)
            if not fits:
                shown = repr(came) if came is not None else "the end"
                raise Broken(f"{who}: {due[:400]!r} was due, and {shown[:400]} came")

    def _fits(self, due: object, came: object) -> bool:
        if came is None or not isinstance(due, str) or not _WORD.search(due):
            return due == came
        pattern = ""
        for at, part in enumerate(_WORD.split(due)):
            if at % 2 == 0:
                pattern += re.escape(part)
            elif part.startswith("no "):
                pattern += f"(?!.*{re.escape(part[3:])}).+"
            else:
                again = rf"(?P={part})" if f"<{part}>" in pattern else rf"(?P<{part}>\S+)"
                pattern += _SHAPES.get(part, again)
        match = re.fullmatch(pattern, str(came), re.DOTALL)
        if match:
            self.noted |= match.groupdict()
        return match is not None

    def _learns(self, who: str, status: str, last: str, why: str | None) -> None:
        """See what became of each say up to an id, of which nothing was told before."""
        for say, *came in self.parties[who].statuses(int(last)):
            if came != [status, why]:
                raise Broken(f"{who}: {say} was to be {status}, {why}, and is {came}")

    def _comes_back(self, who: str, seen: str | None, answer: str) -> None:
        lost = self.parties[who]
        self.plays(f"{who} speaks JSON")
        again = self.parties[who]
        again.seen, again.known = int(seen) if seen is not None else lost.seen, lost.known
        resume = f'{{"do":"resume","key":"<key_of_{who}>","seen":{again.seen}}}'
        self.says(who, resume, answer)

    def _takes_name(self, who: str, of: str) -> None:
        """Let somebody have a name that was another's until a moment ago."""
        for _ in range(100):
            self.says(who, of)
            answer = self.parties[who].line()
            if answer != "Reuse":
                break
            time.sleep(0.05)  # servers of a cluster tell each other
        if answer != "OK":
            raise Broken(f"{who}: OK was due, and {answer!r} came")

    def clear(self) -> None:
        """Let all leave."""
        for party in self._came:
            party.leaves()


def _simply(act: Callable[[Party], object]) -> Callable[[Stage, str], object]:
    return lambda stage, who: act(stage.parties[who])


_STEPS: dict[str, Callable[..., object]] = {
    r"wherever (\w+)>> (.*) is cut: (.*)": Stage._is_cut,
    r"(\w+)>> (.*)": Stage._sends,
    r"(\w+)<< (.*)": Stage._receives,
    r"(\w+)> ?(.*?)(?: -> (.*))?": Stage.says,
    r"(\w+)< (.*)": Stage.hears,
    r"(\w+) connects": Stage.comes,
    r"(\w+) learns: (\w+) up to (\d+)(?:, (\w+))?": Stage._learns,
    r"(\w+) comes back(?:, having seen (\d+),)? -> (.*)": Stage._comes_back,
    r"(\w+) takes the name of (\w+)": Stage._takes_name,
    r"(\w+) acknowledges": _simply(Party.acknowledges),
    r"(\w+) half-closes": _simply(Party.half_closes),
    r"(\w+) closes": _simply(Party.closes),
    r"(\w+) resets": _simply(Party.resets),
    r"(\w+) is closed": _simply(Party.is_closed),
}
