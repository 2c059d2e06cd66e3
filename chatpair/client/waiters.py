"""Those who wait for the same thing: until it has happened, or until there is room for more."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

T = TypeVar("T")

UNSETTLED_SAYS, UNSETTLED_BYTES = 256, 65_536
"""Says, or bytes of their texts, that may be on their way at once; one always may."""


class Waiters(Generic[T]):
    """Deferreds that fire together."""

    def __init__(self, cancelled: Callable[[], object] = lambda: None) -> None:
        """Take whom to tell that somebody waits no more."""
        self._waiting: list[Deferred[T]] = []
        self._cancelled = cancelled

    def wait(self) -> Deferred[T]:
        """Return another one."""
        waiting: Deferred[T] = Deferred(self._cancel)
        self._waiting.append(waiting)
        return waiting

    def _cancel(self, waiting: Deferred[T]) -> None:
        with suppress(ValueError):  # it is one of those that are fired at this moment
            self._waiting.remove(waiting)
        self._cancelled()

    def fire(self, result: T) -> None:
        """Let nobody wait any more."""
        for waiting in self._take():
            waiting.callback(result)

    def fail(self, why: BaseException) -> None:
        """Tell all that it won't happen."""
        for waiting in self._take():
            waiting.errback(why)

    def _take(self) -> Iterator[Deferred[T]]:
        taken, self._waiting = self._waiting, []
        for waiting in taken:
            if not waiting.called:  # else one before has cancelled it
                yield waiting


@implementer(IPushProducer)
class Room:
    """Whether a consumer takes more, and who waits until it does; registered as its producer."""

    def __init__(self) -> None:
        self.is_full = False
        self._waiting: Waiters[None] = Waiters()

    def wait(self) -> Deferred[None]:
        """Return what fires as soon as there is room."""
        return self._waiting.wait() if self.is_full else succeed(None)

    def pauseProducing(self) -> None:
        """Let everybody wait."""
        self.is_full = True

    def resumeProducing(self) -> None:
        """Let nobody wait any more."""
        self.is_full = False
        self._waiting.fire(None)

    def stopProducing(self) -> None:
        """Do nothing: the end is told otherwise."""

    def close(self, why: BaseException) -> None:
        """Fail those who wait."""
        self._waiting.fail(why)


class Load:
    """How much there is of what others have yet to deal with, or this program."""

    def __init__(self, most: int = UNSETTLED_SAYS, most_bytes: int = UNSETTLED_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._count = self._bytes = 0
        self.is_full = False
        """Whether to take no more; once it is so, until half of it is gone."""

    def add(self, size: int) -> None:
        """Count another one, of so many bytes."""
        self._change(1, size)

    def remove(self, size: int) -> None:
        """Count one no more."""
        self._change(-1, -size)

    def _change(self, count: int, size: int) -> None:
        self._count += count
        self._bytes += size
        share = max(self._count / self._most, self._bytes / self._most_bytes)
        self.is_full = share >= 1 or (self.is_full and share > 0.5)
