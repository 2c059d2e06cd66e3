"""What has happened, counted; and the log of it: one line a minute, however busy strangers are."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

INTERVAL = 60.0
"""Seconds between two lines at least."""

NAMES = 20
"""Names that one line shows at most."""

_ORDER = ("came", "went", "refused", "left without a name", "slowed")


@dataclass
class _Tally:
    """How many did something, the first of them by name, and why they did."""

    count: int = 0
    names: list[tuple[str, str]] = field(default_factory=list)
    """Some of them, and why they did."""
    reasons: Counter[str] = field(default_factory=Counter)

    def describe(self, what: str) -> str:
        """Say what they did."""
        # A log may take nothing but ASCII, and would lose the whole line.
        told = [f"{name} ({why})" if why else name for name, why in self.names]
        names = ", ".join(told).encode("ascii", "backslashreplace").decode()
        if self.count == len(self.names):
            return f"{what}: {names}"
        line = f"{what}: {self.count}"
        if self.reasons:
            reasons = (f"{reason} {count}" for reason, count in sorted(self.reasons.items()))
            line += f" ({', '.join(reasons)})"
        return f"{line}, first {names}" if names else line

    @property
    def fields(self) -> dict[str, object]:
        """What they did, for machines."""
        names = [name for name, _ in self.names]
        return {"count": self.count, "names": names, "reasons": self.reasons}


class ActivityLog:
    """Collects what users do and writes it down: at once if the last line is a minute old."""

    _log = Logger()

    def __init__(self, clock: IReactorTime, here: Callable[[], tuple[int, int]]) -> None:
        """Take the clock, and what tells how many users and pairs are here."""
        self._clock = clock
        self._here = here
        self._rest: IDelayedCall | None = None
        self._tallies: defaultdict[str, _Tally] = defaultdict(_Tally)
        self.totals: Counter[tuple[str, str]] = Counter()
        """How often each thing has happened since the start, and for what reason."""
        self.lines = self.line_bytes = 0
        """What users here have said to those they talk with, and how much that was."""

    def came(self, name: str) -> None:
        """Note that a user has come."""
        self._note("came", name)

    def went(self, name: str, reason: str) -> None:
        """Note that a user has gone, and why."""
        self._note("went", name, reason)

    def refused(self, reason: str) -> None:
        """Note that a connection was not let in, and why."""
        self._note("refused", reason=reason)

    def slowed(self, name: str) -> None:
        """Note that a user speaks faster than may be, and is made to wait from now on."""
        self._note("slowed", name)

    def left_unnamed(self, reason: str = "closed") -> None:
        """Note that a connection ended before a name came, if it was not refused: a check."""
        if reason in ("closed", "reset", "quit"):
            self._note("left without a name")

    def count(self, what: str, reason: str) -> None:
        """Count what is too frequent for the log."""
        self.totals[what, reason] += 1

    def _note(self, what: str, name: str = "", reason: str = "") -> None:
        self.count(what, reason)
        tally = self._tallies[what]
        tally.count += 1
        if name and len(tally.names) < NAMES:
            tally.names.append((name, reason))
        if reason:
            tally.reasons[reason] += 1
        if self._rest is None:
            self._write()

    def _write(self) -> None:
        self._rest = None
        if self._tallies:
            order = [what for what in _ORDER if what in self._tallies]
            users, pairs = self._here()
            self._log.info(
                "{activity}; {users} here, {pairs} pairs",
                event="activity",
                activity="; ".join(self._tallies[what].describe(what) for what in order),
                users=users,
                pairs=pairs,
                **{what.replace(" ", "_"): self._tallies[what].fields for what in order},
            )
            self._tallies.clear()
            self._rest = self._clock.callLater(INTERVAL, self._write)

    def close(self) -> None:
        """Write what is collected and stop."""
        if self._rest is not None:
            self._rest.cancel()
        self._write()
        if self._rest is not None:
            self._rest.cancel()
