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
        self._look: tuple[int, ...] = ()
        self._failing = False
        status, self._data = _read(path)
        self._said = parse(self._data)
        self._note(status)

    def read(self) -> T:
        """Return what it says."""
        try:
            status = self._path.stat()
            if self._failing or _look(status) != self._look:
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

    def _take(self, status: os.stat_result, data: bytes) -> None:
        if not (_is_settled(status) or data.endswith(b"\n")):
            return  # some write it in place, htpasswd among them
        self._note(status)
        if data != self._data:
            self._data = data
            self._said = self._parse(data)

    def _note(self, status: os.stat_result) -> None:
        self._look = _look(status) if _is_settled(status) else ()


def _read(path: Path) -> tuple[os.stat_result, bytes]:
    with path.open("rb") as file:
        return os.fstat(file.fileno()), file.read()


def _look(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _is_settled(status: os.stat_result) -> bool:
    return not 0 <= time.time() - status.st_mtime < SETTLED_SECONDS
