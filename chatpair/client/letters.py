"""Letters in the line editor as people see them: each may be many characters, and of any width."""

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import FilterOrBool
from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_to_text
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.layout.screen import Char
from prompt_toolkit.layout.utils import explode_text_fragments
from prompt_toolkit.utils import get_cwidth
from wcwidth import grapheme_boundary_before, iter_graphemes

from chatpair.client.fold import columns_of


def letter_before(buffer: Buffer) -> int:
    """Return how many characters the letter before the cursor has."""
    return buffer.cursor_position - grapheme_boundary_before(buffer.text, buffer.cursor_position)


def letter_after(buffer: Buffer) -> int:
    """Return how many characters the letter after the cursor has."""
    return len(next(iter_graphemes(buffer.text[buffer.cursor_position :]), ""))


def add_keys(keys: KeyBindings, typing: FilterOrBool) -> None:
    """Let keys move by letters, and delete whole ones."""

    @keys.add("left", filter=typing)
    @keys.add("c-b", filter=typing)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.cursor_left(letter_before(event.current_buffer))

    @keys.add("right", filter=typing)
    @keys.add("c-f", filter=typing)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.cursor_right(letter_after(event.current_buffer))

    @keys.add("backspace", filter=typing)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.delete_before_cursor(letter_before(event.current_buffer))

    @keys.add("delete", filter=typing)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.delete(letter_after(event.current_buffer))


class WholeLetters(Processor):
    """Keeps the letters of a long line whole where its rows end.

    The library adds up the widths of characters. So it would begin a row within a letter, draw
    past the margin where a terminal finds a letter wider, and count too few rows for letters that
    do not fit into the rest of one.
    """

    def __init__(self, lead: Callable[[], str]) -> None:
        """Take what is asked for the text in front of the first row."""
        self._lead = lead

    def apply_transformation(self, given: TransformationInput) -> Transformation:
        """Fill up with spaces the rows into which the next letter does not fit."""
        source = explode_text_fragments(given.fragments)
        text = fragment_list_to_text(source)
        if text.isascii() and "\t" not in text:
            return Transformation(given.fragments)
        shown: StyleAndTextTuples = []
        places: list[int] = []  # of the characters of the source in what is shown
        width = given.width
        # What is left of a row, as terminals may have it, and by the library's count.
        room = free = width - (0 if given.lineno else get_cwidth(self._lead()))

        def make_room(size: int) -> None:
            nonlocal room, free
            if room < size and room < width:
                shown.extend([("", " ")] * free)
                room = free = width

        for letter in iter_graphemes(text):
            drawn = [Char(char).char for char in letter]  # two letters for a tab
            size = columns_of("".join(drawn))
            make_room(size)
            room, free = max(0, room - size), max(0, free - sum(map(get_cwidth, drawn)))
            for char in drawn:
                style = source[len(places)][0]
                places.append(len(shown))
                shown.extend((style, part) for part in char)
        make_room(1)  # for the cursor
        places.append(len(shown))
        return Transformation(
            shown,
            lambda at: places[min(at, len(places) - 1)],
            lambda at: bisect_right(places, at) - 1,
        )


class Redrawing:
    """Draws anew what may be wide: how wide a letter is, a terminal alone knows."""

    def __init__(self, app: Application[Any]) -> None:
        """Take the application that draws from its first line on."""
        self._app = app
        self._is_wide = False  # what is drawn
        app.before_render += self._before
        app.after_render += self._after

    def erase(self) -> None:
        """Take away what is drawn, wherever the cursor is in its row."""
        self._app.output.write_raw("\r")
        self._app.renderer.erase()

    def _before(self, _: object) -> None:
        if self._is_wide:
            self.erase()

    def _after(self, _: object) -> None:
        """Go where the terminal itself gets with what is before the cursor."""
        drawn, output = self._app.renderer.last_rendered_screen, self._app.output
        if drawn is None:
            return
        cells = (cell for row in drawn.data_buffer.values() for cell in row.values())
        self._is_wide = not all(cell.char.isascii() for cell in cells)
        if self._is_wide:
            cursor = drawn.get_cursor_position(self._app.layout.current_window)
            row = drawn.data_buffer[cursor.y]
            before = "".join(row[x].char for x in range(cursor.x))
            output.disable_autowrap()
            output.write_raw(f"\r{before}")
            output.enable_autowrap()
            output.flush()
