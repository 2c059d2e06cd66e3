"""A real reactor for tests, which runs while one of them waits."""

from collections.abc import Callable
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.selectreactor import SelectReactor
from twisted.python.failure import Failure

from tests.support.server import TIMEOUT

LOOK_SECONDS = 0.02
"""How often to look for what happens elsewhere."""


class Reactor:
    """A reactor of its own, beside the one that a process may run."""

    def __init__(self) -> None:
        self.reactor: Any = SelectReactor()
        self.reactor.startRunning(installSignalHandlers=False)

    def until(self, done: Callable[[], object]) -> None:
        """Run until something is so."""
        hangs = monotonic() + TIMEOUT
        while True:
            self.reactor.runUntilCurrent()
            if done():
                return
            assert monotonic() < hangs
            due = self.reactor.timeout()
            self.reactor.doIteration(LOOK_SECONDS if due is None else min(due, LOOK_SECONDS))

    def result(self, deferred: "Deferred[Any]") -> Any:
        """Run until a Deferred fires; return or raise what it fires with."""
        results: list[Any] = []
        deferred.addBoth(results.append)
        self.until(lambda: results)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]

    def close(self) -> None:
        """Stop, and end the threads that looked names up."""
        self.reactor.stop()
        self.until(lambda: not self.reactor._started)
