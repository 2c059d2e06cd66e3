"""The clock that timers run on: it goes on evenly, whatever the time of day is set to."""

import time
from functools import partial
from typing import Any

seconds = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
"""Returns the seconds since the machine was started, with those in which it slept."""


def drive(reactor: Any) -> None:
    """Let all timers of a reactor run on it, Twisted's own too; there must be none yet.

    Else they run on the time of day (Twisted's issue 2424), and all would wait an hour longer
    when that is set back by an hour.
    """
    reactor.seconds = seconds
