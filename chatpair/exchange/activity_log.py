"""The log of who came and went: one line a minute, however busy strangers make it."""

from collections import Counter
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

INTERVAL = 60.0
"""Seconds between two lines at least."""

NAMES = 20
"""Names that one line shows at most."""


class ActivityLog:
    """Collects what users do and writes it down: at once if the last line is a minute old."""

    _log = Logger()

    def __init__(self, clock: IReactorTime, summary: Callable[[], str]) -> None:
        """Take the clock, and what tells how many are here."""
        self._clock = clock
        self._summary = summary
        self._rest: IDelayedCall | None = None
        self._forget()

    def _forget(self) -> None:
        self._came: list[str] = []
        self._went: list[str] = []
        self._arrivals = 0
        self._departures: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()
        self._slowed: list[str] = []
        self._slow = 0

    def came(self, name: str) -> None:
        """Note that a user has come."""
        self._arrivals += 1
        if len(self._came) < NAMES:
            self._came.append(_readable(name))
        self._due()

    def went(self, name: str, reason: str) -> None:
        """Note that a user has gone, and why."""
        self._departures[reason] += 1
        if len(self._went) < NAMES:
            self._went.append(f"{_readable(name)} ({reason})")
        self._due()

    def refused(self, reason: str) -> None:
        """Note that a connection was not let in, and why."""
        self._refusals[reason] += 1
        self._due()

    def slowed(self, name: str) -> None:
        """Note that a user speaks faster than may be, and is made to wait from now on."""
        self._slow += 1
        if len(self._slowed) < NAMES:
            self._slowed.append(_readable(name))
        self._due()

    def _due(self) -> None:
        if self._rest is None:
            self._write()

    def _write(self) -> None:
        self._rest = None
        parts = [
            _list("came", self._arrivals, self._came),
            _list("went", self._departures.total(), self._went, _counts(self._departures)),
            _list("refused", self._refusals.total(), [], _counts(self._refusals)),
            _list("slowed", self._slow, self._slowed),
        ]
        parts = [part for part in parts if part]
        if parts:
            self._log.info("{activity}; {here}", activity="; ".join(parts), here=self._summary())
            self._forget()
            self._rest = self._clock.callLater(INTERVAL, self._write)

    def close(self) -> None:
        """Write what is collected and stop."""
        if self._rest is not None:
            self._rest.cancel()
        self._write()
        if self._rest is not None:
            self._rest.cancel()


def _readable(name: str) -> str:
    """Escape a name for a log that may take nothing but ASCII, and would lose the whole line."""
    return name.encode("ascii", "backslashreplace").decode()


def _counts(reasons: Counter[str]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))


def _list(what: str, count: int, names: list[str], counts: str = "") -> str:
    """Say how many did something, and the first of them by name."""
    if not count:
        return ""
    if count == len(names):
        return f"{what}: {', '.join(names)}"
    line = f"{what}: {count}"
    if counts:
        line += f" ({counts})"
    if names:
        line += f", first {', '.join(names)}"
    return line
