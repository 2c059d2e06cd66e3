"""Waiting for a moment, but not for ever."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Waiting:
    """Those who wait for the same."""

    def __init__(self, clock: IReactorTime, patience: float) -> None:
        """Take the seconds after which each has waited long enough."""
        self._clock = clock
        self._patience = patience
        self._late: dict[Deferred[None], IDelayedCall] = {}

    def wait(self) -> "Deferred[None]":
        """Return what fires at `end`, or in time; it may be cancelled."""
        waiting: Deferred[None] = Deferred()
        self._late[waiting] = self._clock.callLater(self._patience, waiting.callback, None)

        def ended(result: Any) -> Any:
            late = self._late.pop(waiting)
            if late.active():
                late.cancel()
            return result

        return waiting.addBoth(ended)

    def end(self) -> None:
        """Let all go on who wait at this moment."""
        for waiting in list(self._late):
            if waiting in self._late:  # and was not cancelled by one before it
                waiting.callback(None)
