"""Text as rows of a terminal: what the terminal folds itself begins at its margin, like a line.

So a peer could make the rest of a long line look like a line of the program's own.
"""

import re

from wcwidth import iter_graphemes, width

_PARTS = re.compile(" +|[^ ]+")


def fold(text: str, columns: int, first: int) -> list[str]:
    """Return a clean line as rows of so many columns, the first of them of `first`; at least one.

    Words stay whole unless they are longer than half a row. Spaces at a row's end are dropped
    where they don't fit, and a letter that is wider than a row stands alone.
    """
    rows: list[str] = []
    row: list[str] = []
    room = first

    def begin() -> None:
        nonlocal row, room
        rows.append("".join(row))
        row, room = [], columns

    for part in _PARTS.findall(text.expandtabs()):
        size = width(part)
        if part.startswith(" "):
            row.append(part[:room])
            room -= min(size, room)
            continue
        if room < size <= columns // 2:
            begin()
        for piece in (part,) if size <= room else iter_graphemes(part):
            size = width(piece)
            if size > room < columns:
                begin()
            row.append(piece)
            room = max(0, room - size)
    begin()
    return rows
