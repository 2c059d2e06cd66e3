"""Wrong passwords are counted, and make whoever said them wait for the next answer."""

from collections.abc import Hashable

from twisted.internet.interfaces import IReactorTime

from chatpair.exchange.delay import Delay

FORGIVING_SECONDS = 3_600.0
"""How long wrong passwords count after the last one."""

MAX_COUNTS = 10_000
"""Hosts and names that are counted at a time; past that the one last seen first is forgotten."""


class WrongPasswords:
    """How long to wait before a password is checked: 1, 2, 4 ... 60 seconds after a wrong one.

    A host waits with a name for which it has said wrong ones, and after 10 whatever the names with
    any. What one host does costs no other host any time. Those without a host wait with a name
    alone: they are many.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._counts: dict[Hashable, tuple[int, float]] = {}  # wrong ones, and until when to wait
        self._forget: Delay[Hashable] = Delay(clock, FORGIVING_SECONDS, self._counts.pop)

    def wait(self, name: str, host: str | None) -> float:
        """Return for how many seconds a host must wait with a name at this moment."""
        until = max(self._counts.get(key, (0, 0.0))[1] for key in ((name, host), (None, host)))
        return max(0.0, until - self._clock.seconds())

    def count(self, name: str, host: str | None) -> None:
        """Count one."""
        both = ((name, host), 0), ((None, host), 10)
        for key, free in both if host is not None else both[:1]:
            count = self._counts.get(key, (0, 0.0))[0] + 1
            wait = min(2.0 ** (min(count - free, 10) - 1), 60.0) if count > free else 0.0
            self._counts[key] = count, self._clock.seconds() + wait
            self._forget.start(key)
            if len(self._counts) > MAX_COUNTS:
                self._drop(next(iter(self._forget)))

    def forgive(self, name: str, host: str | None) -> None:
        """Forget those for a name; those for other names still count for the host."""
        self._drop((name, host))

    def _drop(self, key: Hashable) -> None:
        self._counts.pop(key, None)
        self._forget.stop(key)
