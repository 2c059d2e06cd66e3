"""Letters in the line editor as people see them: each may be many characters, and of any width."""

from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import FilterOrBool
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from wcwidth import grapheme_boundary_before, iter_graphemes


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
