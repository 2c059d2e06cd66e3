"""One timer for many things that wait equally long, most of which are called off before."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

LATE_SECONDS, LATE_TURNS = 5.0, 100
"""How late it must be for the process to have stood still, and turns for what came meanwhile."""

Item = TypeVar("Item")

_log = Logger()


@dataclass(eq=False, repr=False)
class Delay(dict[Item, float]):
    """Calls a function with each item a fixed time after it was started; has until when each waits.

    To start and stop one costs far less than callLater and cancel, and each connection does it.
    Those due first come first.
    """

    _clock: IReactorTime
    _seconds: float
    _function: Callable[[Item], object]
    _timer: IDelayedCall | None = None

    def start(self, item: Item) -> None:
        """Let an item wait from now on."""
        due = self._clock.seconds() + self._seconds
        self.pop(item, None)
        self[item] = due
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._run)

    def stop(self, item: Item) -> None:
        """Let an item wait no more, if it does."""
        if self.pop(item, None) is not None and not self and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def restore(self, items: Iterable[tuple[Item, float]]) -> None:
        """Let items wait until some times, where none waits yet."""
        self.update(sorted(items, key=itemgetter(1)))
        if self:
            self._timer = self._clock.callLater(0, self._run)

    def _run(self, turns: int = LATE_TURNS) -> None:
        now = self._clock.seconds()
        if turns and now - next(iter(self.values())) > LATE_SECONDS:
            # What waits in the sockets is perhaps what is waited for, and was there in time.
            self._timer = self._clock.callLater(0, self._run, turns - 1)
            return
        due = []
        self._timer = None
        for item, when in self.items():
            if now < when:
                self._timer = self._clock.callLater(when - now, self._run)
                break
            due.append(item)
        for item in due:
            if item in self:  # else one before it has stopped it
                del self[item]
                try:
                    self._function(item)
                except Exception:
                    _log.failure("What {item} was waiting for failed", item=item)
