"""Those who wait for the same thing: until it has happened, or until there is room for more."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

T = TypeVar("T")


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
