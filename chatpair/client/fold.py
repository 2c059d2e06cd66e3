"""Text as rows of a terminal: what the terminal folds itself begins at its margin, like a line.

So a peer could make the rest of a long line look like a line of the program's own.
"""

from collections.abc import Iterator
from itertools import groupby

from wcwidth import iter_graphemes, wcwidth, width

WORD = 20
"""Columns that a word may have to stay whole even where that is more than half a row."""


def columns_of(letter: str) -> int:
    """Return how many columns a letter may have: the most that a terminal gives it."""
    # Terminals differ on whether what joins, as a skin tone does, has columns of its own.
    return max(width(letter), sum(map(wcwidth, letter)))


def _parts(text: str) -> Iterator[tuple[bool, list[tuple[str, int]]]]:
    """Yield words and the spaces between them as letters and their widths, and which they are."""
    letters = ((letter, columns_of(letter)) for letter in iter_graphemes(text.expandtabs()))
    for is_space, part in groupby(letters, lambda letter: letter[0] == " "):
        yield is_space, list(part)


def fold(text: str, columns: int, first: int) -> list[str]:
    """Return a clean line as rows of so many columns, the first of them of `first`; at least one.

    Words stay whole unless they are longer than WORD and half a row. Spaces at a row's end are
    dropped where they don't fit, and a letter that is wider than a row stands alone.
    """
    whole = min(columns, max(columns // 2, WORD))
    rows: list[str] = []
    row: list[str] = []
    room = first

    def begin() -> None:
        nonlocal row, room
        rows.append("".join(row))
        row, room = [], columns

    for is_space, part in _parts(text):
        if is_space:
            del part[room:]
        elif room < sum(size for _, size in part) <= whole:
            begin()
        for letter, size in part:
            if size > room < columns:
                begin()
            row.append(letter)
            room = max(0, room - size)
    begin()
    return rows
