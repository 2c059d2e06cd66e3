"""Text as rows of a terminal."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import fragment_list_to_text
from prompt_toolkit.layout.controls import BufferControl
from prompt_toolkit.layout.processors import TransformationInput
from prompt_toolkit.utils import get_cwidth
from wcwidth import iter_graphemes, width

from chatpair.client.fold import fold
from chatpair.client.letters import WholeLetters

LETTERS = [" ", "a", "é", "日", "\U0001f600", "\u0301", "\u200d", "\ufe0f", "\u200b", "-", "\t"]
TEXTS = st.text(st.sampled_from(LETTERS), max_size=80)


def columns_of(row: str) -> int:
    """Return how many columns a row takes: no letter changes the width of the next."""
    return sum(map(width, iter_graphemes(row)))


@pytest.mark.parametrize(
    ("text", "first", "rows"),
    [
        ("", 10, [""]),
        ("two words more", 10, ["two words ", "more"]),
        ("this, one goes on", 7, ["this, ", "one goes ", "on"]),
        ("a-word-that-is-longer", 4, ["a-wo", "rd-that-is", "-longer"]),
        ("so   many     spaces", 10, ["so   many ", "spaces"]),
        ("日本語日本語", 5, ["日本", "語日本語"]),
        ("one", 0, ["", "one"]),
    ],
)
def test_words_go_to_the_next_row(text: str, first: int, rows: list[str]) -> None:
    assert fold(text, 10, first) == rows


@given(TEXTS, st.integers(1, 30), st.integers(0, 30))
@example("日", 2, 1)
@example("a\u200d \u200d日", 1, 1)
def test_no_row_is_too_wide_and_nothing_but_spaces_is_dropped(
    text: str, columns: int, first: int
) -> None:
    first = min(first, columns)
    rows = fold(text, columns, first)
    if columns == 1:  # where a wider letter stands alone
        assert all(columns_of(row.rstrip(" ")) <= 2 for row in rows)
    else:
        assert columns_of(rows[0]) <= first
        assert all(columns_of(row) <= columns for row in rows)
    assert "".join(rows).replace(" ", "") == text.replace(" ", "").replace("\t", "")


@given(TEXTS, st.integers(6, 30), st.integers(0, 1))
def test_no_row_of_the_editor_ends_within_a_letter(text: str, columns: int, lineno: int) -> None:
    document = Document(text)
    control = BufferControl(Buffer(document=document))
    line = TransformationInput(control, document, lineno, int, [("", text)], columns, 1)
    found = WholeLetters(lambda: "> ").apply_transformation(line)
    shown = fragment_list_to_text(found.fragments)
    places = [found.source_to_display(at) for at in range(len(text) + 1)]
    assert [found.display_to_source(place) for place in places] == list(range(len(text) + 1))
    lead = 0 if lineno else 2
    sizes = {0: lead}  # of the rows, as wide as a terminal may draw them
    end = 0
    for letter in iter_graphemes(text):
        start, end = end, end + len(letter)
        drawn = letter.replace("\t", "^I")
        assert shown[places[start] :].startswith(drawn)
        column = lead + get_cwidth(shown[: places[start]])  # as the library counts
        row = column // columns
        assert (column + max(1, get_cwidth(drawn)) - 1) // columns == row
        sizes[row] = sizes.get(row, 0) + width(drawn)
    assert max(sizes.values()) <= columns
