"""What signals do to the server: SIGHUP has files read anew, and it ends but once."""

import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

AGAIN_SECONDS, TRIES = 5.0, 12
"""When a file that is wrong is looked at again, and how often: others of it may come later."""

_ENDS = (signal.SIGINT, signal.SIGTERM)

_log = Logger()


@dataclass(eq=False, repr=False)
class Signals:
    """Heeds the signals of a process, and reads files anew."""

    _reactor: Any
    _explain: Callable[[Exception], str]
    _log_file: Path | None
    _files: list[tuple[str, Callable[[], object]]] = field(default_factory=list)
    _retry: IDelayedCall | None = None
    restarts: Callable[[], object] | None = None
    """What SIGUSR2 does, if it is systemd's signal for a restart."""

    def reads(self, what: str, read: Callable[[], object]) -> None:
        """Have something read anew by a function, which raises what it likes."""
        self._files.append((what, read))

    def heed(self) -> None:
        """Heed them from now on; whoever ends the reactor installs handlers when it runs."""
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self.read_anew))
        signal.signal(signal.SIGUSR1, partial(self._rotate, signal.getsignal(signal.SIGUSR1)))
        if self.restarts is not None:
            restart = partial(self._reactor.callFromThread, self.restarts)
            signal.signal(signal.SIGUSR2, lambda *_: restart())
        self._reactor.callWhenRunning(self._heed_ends)

    def _rotate(self, rotate: Any, *arguments: Any) -> None:
        """Begin a new log file, if there is any: twistd does, but not if it has been moved away."""
        if self._log_file is not None:
            with suppress(OSError):
                self._log_file.touch()
        if callable(rotate):
            rotate(*arguments)

    def _heed_ends(self) -> None:
        for number in _ENDS:
            before = signal.getsignal(number)
            if callable(before):
                signal.signal(number, partial(self._end, before))

    def _end(self, end: Callable[[int, Any], object], number: int, frame: Any) -> None:
        """End, and heed no second signal: the reactor can't be stopped twice."""
        for each in _ENDS:
            signal.signal(each, lambda *_: None)  # Python complains of SIG_IGN if both have come
        end(number, frame)

    def read_anew(self) -> None:
        """Read all files anew."""
        self.stop()
        if not self._files:
            _log.info("There are no files to read anew", event="nothing_to_read")
        self._read(self._files, TRIES)

    def _read(self, files: list[tuple[str, Callable[[], object]]], tries: int) -> None:
        self._retry = None
        wrong = [(what, read) for what, read in files if not self._succeeds(what, read, tries)]
        if wrong and tries > 1:
            self._retry = self._reactor.callLater(AGAIN_SECONDS, self._read, wrong, tries - 1)

    def _succeeds(self, what: str, read: Callable[[], object], tries: int) -> bool:
        try:
            read()
        except Exception as error:  # OpenSSL and each kind of endpoint raise what they like
            if tries == TRIES:
                text = "Can't read {what} anew, and stays with what it said before: {why}"
                _log.error(text, event="read_failed", what=what, why=self._explain(error))
            return False
        _log.info("Read {what} anew", event="read", what=what)
        return True

    def stop(self) -> None:
        """Look at no file again."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
