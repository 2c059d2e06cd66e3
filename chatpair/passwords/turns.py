"""What takes a while is done in turn: the checks for a host, and hashes in a thread."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.defer import Deferred, DeferredLock

T = TypeVar("T")


def in_turn(lock: DeferredLock, task: Callable[[], Awaitable[T]]) -> Deferred[T]:
    """Do a task when those before it are done; who cancels it later only stops waiting.

    What waits for a thread is not in the threads' own queue: so it can be cancelled, and nothing
    but the task that runs keeps the process from ending.
    """

    async def run() -> T:
        try:
            return await task()
        finally:
            lock.release()

    def begin(_: DeferredLock) -> Deferred[T]:
        done: Deferred[T] = Deferred()
        Deferred.fromCoroutine(run()).chainDeferred(done)
        return done

    return lock.acquire().addCallback(begin)
