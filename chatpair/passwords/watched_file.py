"""A file that may be changed while the server runs."""

import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Generic, TypeVar

from twisted.logger import Logger

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """What a file says, read again at the next use when it has changed.

    When it can't be read, is gone, or is just being written, what it said before holds.
    """

    _log = Logger()

    def __init__(self, path: Path, parse: Callable[[bytes], T]) -> None:
        """Read it; raises OSError if that fails."""
        self.path = path = path.absolute()  # --rundir comes later
        self._parse = lru_cache(maxsize=1)(parse)  # which may log what is wrong: once
        self._failing = False
        self._look, data = _read(path)
        self._said = self._parse(data)

    def read_anew(self) -> None:
        """Read it again; raises OSError if that fails."""
        look, data = _read(self.path)
        self._failing = False
        if look or data.endswith(b"\n"):  # some write it in place, htpasswd among them
            self._look, self._said = look, self._parse(data)

    def read(self) -> T:
        """Return what it says."""
        try:
            if self._failing or not self._look or _look(self.path.stat()) != self._look:
                self.read_anew()
        except OSError as why:
            if not self._failing:
                self._failing = True
                text = "Can't read {path}: {why}. What it said before holds."
                self._log.error(text, event="file_unreadable", path=self.path, why=why.strerror)
        return self._said


def _read(path: Path) -> tuple[tuple[int, ...], bytes]:
    with path.open("rb") as file:
        return _look(os.fstat(file.fileno())), file.read()


def _look(status: os.stat_result) -> tuple[int, ...]:
    """Return what changes with the file, or nothing if that can't be sure yet."""
    if 0 <= time.time() - status.st_mtime < 1.0:
        return ()  # another change may have the same time
    return status.st_mtime_ns, status.st_size, status.st_ino
