"""What the line editor shows above and below: entries of a talk, and how things stand."""

import time
from typing import NamedTuple

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.styles import Style
from wcwidth import width

from chatpair.client.fold import fold
from chatpair.client.screen import Standing

STYLE = Style.from_dict(
    {
        "time": "ansibrightblack",
        "me": "bold ansigreen",
        "peer": "bold ansicyan",
        "notice": "ansiyellow",
        "error": "ansired",
        "command": "ansibrightblack",
        "standing": "reverse",
    }
)


def _clock(seconds: float) -> str:
    """Return a time of the day in the user's own zone, with the date unless that is today's."""
    then = time.localtime(seconds)
    is_today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M", then)


class Entry(NamedTuple):
    """A clean text after when and by whom it was said."""

    seconds: float
    lead: tuple[str, str]
    """The style and the text of what comes before it."""
    text: str
    style: str = ""

    def rows(self, columns: int) -> list[StyleAndTextTuples]:
        """Return it in rows of fewer than so many columns, each with its newline.

        All but the first are indented: none can pass for another entry, or the program's own.
        """
        columns -= 1  # to spare, as terminals differ on widths, and on the end of a row
        clock = f"{_clock(self.seconds)} "
        indent = " " * min(len(clock), columns // 4)
        room = columns - len(indent)
        lead, text = self.lead, self.text
        if width(clock + lead[1]) > columns:  # it must be folded as well
            lead, text = ("", ""), lead[1] + text
        first, *others = text.split("\n")
        texts = fold(first, room, max(0, columns - width(clock + lead[1])))
        for line in others:
            texts += fold(line, room, room)
        rows: list[StyleAndTextTuples] = [
            [("", indent), (self.style, f"{text}\n")] for text in texts
        ]
        rows[0][0] = ("class:time", clock)
        rows[0].insert(1, lead)
        return rows


def standing_line(standing: Standing, kept: int, asks_name: bool, columns: int) -> str:
    """Return how things stand, and how many lines wait to be sent or for an answer.

    What is known longest goes first, where there are too few columns for all.
    """
    if not standing.name:
        return "no name yet" if asks_name else "connecting"
    parts = [standing.name]
    if standing.peer is None:
        parts.append("with nobody")
    elif standing.peer_is_away:
        parts.append(f"with {standing.peer}, who is away")
    else:
        parts.append(f"with {standing.peer}")
    if standing.leaving:
        parts.append("leaving")
    else:
        parts.append("connected" if standing.connected else "not connected")
    waiting = standing.waiting + standing.kept + kept
    if waiting:
        parts.append(f"{waiting} waiting")
    elif standing.last == "failed":
        parts.append("not delivered")
    elif standing.last is not None:
        parts.append(standing.last)
    if standing.peer_is_typing:
        parts.append(f"{standing.peer} is typing")
    while len(parts) > 1 and width(" | ".join(parts)) > columns:
        del parts[0]
    return " | ".join(parts)
