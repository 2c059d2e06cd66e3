"""Hashes of passwords, each of which takes a while, are made in a thread, one after another."""

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")


class HashingThread:
    """A thread, from its first task until the reactor stops.

    What waits is not in the thread's own queue: so it can be cancelled, and nothing but the task
    that runs keeps the process from ending.
    """

    def __init__(self, name: str) -> None:
        """Take what the thread is called."""
        self._pool = ThreadPool(minthreads=0, maxthreads=1, name=name)
        self._lock = DeferredLock()

    def run(self, task: Callable[[], T]) -> Deferred[T]:
        """Do a task when those before it are done; who cancels it later only stops waiting."""
        return self._lock.acquire().addCallback(self._begin, task)

    def _begin(self, lock: DeferredLock, task: Callable[[], T]) -> Deferred[T]:
        # Not before: twistd goes to the background by a fork, which leaves threads behind.
        from twisted.internet import reactor

        any_reactor: Any = reactor
        if not self._pool.started:
            self._pool.start()
            any_reactor.addSystemEventTrigger("during", "shutdown", self._pool.stop)
        done: Deferred[T] = Deferred()
        result = deferToThreadPool(any_reactor, self._pool, task)
        result.addBoth(self._release).chainDeferred(done)
        return done

    def _release(self, result: Any) -> Any:
        self._lock.release()
        return result
