"""A file that may be changed while the server runs."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from twisted.logger import Logger

T = TypeVar("T")

SETTLED_SECONDS = 1.0
"""How old a change must be until one can be sure that no other shares its time."""


class WatchedFile(Generic[T]):
    """What a file says, read again at the next use when it has changed.

    When it can't be read, is gone, or is just being written, what it said before holds.
    """

    _log = Logger()

    def __init__(self, path: Path, parse: Callable[[bytes], T]) -> None:
        """Read it; raises OSError if that fails."""
        self._path = path
        self._parse = parse
        self._failing = False
        self._look, self._data = _read(path)
        self._said = parse(self._data)

    def read(self) -> T:
        """Return what it says."""
        try:
            if self._failing or not self._look or _look(self._path.stat()) != self._look:
                self._take(*_read(self._path))
                self._failing = False
        except OSError as why:
            if not self._failing:
                self._failing = True
                self._log.error(
                    "Can't read {path}: {why}. What it said before holds.",
                    path=self._path,
                    why=why.strerror,
                )
        return self._said

    def _take(self, look: tuple[int, ...], data: bytes) -> None:
        if not (look or data.endswith(b"\n")):
            return  # some write it in place, htpasswd among them
        self._look = look
        if data != self._data:
            self._data = data
            self._said = self._parse(data)


def _read(path: Path) -> tuple[tuple[int, ...], bytes]:
    with path.open("rb") as file:
        return _look(os.fstat(file.fileno())), file.read()


def _look(status: os.stat_result) -> tuple[int, ...]:
    """Return what changes with the file, or nothing if that can't be sure yet."""
    if 0 <= time.time() - status.st_mtime < SETTLED_SECONDS:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino
