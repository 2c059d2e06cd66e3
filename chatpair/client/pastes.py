"""Pastes of a terminal that tell where they begin and end, and may be torn before that."""

from asyncio import TimerHandle, get_running_loop
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.input.vt100 import Vt100Input

IDLE_SECONDS = 1.0
"""How long nothing may come of a paste until it counts as ended."""

_BEGIN, _END = "\x1b[200~", "\x1b[201~"
_KEYS = ("\x03", "\x04", "\x1a", "\r")
"""What ends a paste if it comes alone: Ctrl-C, Ctrl-D, Ctrl-Z and Enter."""


class Pastes:
    """Reads keys in the place of an input's own reader, and ends a paste that was torn.

    Else all that is typed after it would be a part of the paste, for ever.
    """

    def __init__(self, input_: Vt100Input, app: Application[Any]) -> None:
        self._input = input_
        self._app = app
        self._reader = input_.stdin_reader
        input_.stdin_reader = self  # type: ignore[assignment]
        self._last = ""  # of what was read, shorter than a mark
        self._is_open = False
        self._idle: TimerHandle | None = None

    @property
    def closed(self) -> bool:
        """Whether there will be no more keys."""
        return self._reader.closed

    def read(self, count: int = 1024) -> str:
        """Return the keys that were pressed."""
        data = self._reader.read(count)
        if self._is_open and data in _KEYS:
            data = _END + data
        seen = self._last + data
        begin, end = seen.rfind(_BEGIN), seen.rfind(_END)
        if begin != end:
            self._is_open = begin > end
        self._last = seen[1 - len(_END) :]
        if self._idle is not None:
            self._idle.cancel()
        if self._is_open:
            self._idle = get_running_loop().call_later(IDLE_SECONDS, self._give_up)
        return data

    def _give_up(self) -> None:
        self._is_open = False
        self._last = ""
        self._input.vt100_parser.feed(_END)
        self._app.key_processor.feed_multiple(self._input.flush_keys())
        self._app.key_processor.process_keys()
