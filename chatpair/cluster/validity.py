"""For how long a node may count on the names of its users."""

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall, IReactorTime

VALID = 0.7
"""How much of a lease a node counts on its names after it sent a heartbeat."""

SILENCE = 0.8
"""How much of a lease others wait for a heartbeat."""

_NEVER = float("inf")


@dataclass(eq=False, repr=False)
class Validity:
    """Lasts for VALID of a lease after the last heartbeat that was answered was sent."""

    _clock: IReactorTime
    _lease: float  # in seconds
    _ended: Callable[[], object]  # is called when it ends
    round_trip: float = 0.0
    """Seconds from the last heartbeat that was answered to the answer."""
    is_cut_off: bool = False
    """Whether it ended, and that was noticed in time."""
    _until: float = _NEVER  # if there is nothing to lose
    _timer: IDelayedCall | None = None

    @property
    def left(self) -> float:
        """For how many seconds it lasts if nothing more is heard; 0 if it has not begun."""
        return 0.0 if self._until == _NEVER else self._until - self._clock.seconds()

    def has_ended(self) -> bool:
        """Tell whether it has ended and that was not noticed yet."""
        return self._clock.seconds() >= self._until

    def ended_in_others_eyes(self) -> bool:
        """Tell whether it ended so long ago that others may have the names."""
        return self._clock.seconds() >= self._until + (SILENCE - VALID) * self._lease

    def extend(self, sent: float) -> None:
        """Count from when a heartbeat was sent that is answered now."""
        self.stop()
        self.round_trip = self._clock.seconds() - sent
        self._until = sent + VALID * self._lease
        if self.has_ended():
            self.cut_off()  # too old an answer: the next one tells
        else:
            self._wait()

    def _wait(self) -> None:
        left = self._until - self._clock.seconds()
        if left > 0:
            self._timer = self._clock.callLater(left, self._wait)
        else:
            self._ended()

    def cut_off(self) -> None:
        """Note that it has ended."""
        self.stop()
        self.is_cut_off = True

    def stop(self) -> None:
        """Lose all that could be counted on, or begin anew."""
        self._until = _NEVER
        self.is_cut_off = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
