"""Warnings that may come without end: each is logged once a minute at most."""

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

SECONDS = 60.0
"""From one line to the next that says the same of something else."""


class Seldom:
    """Logs what others do wrong, as often as anybody reads it."""

    def __init__(self, clock: IReactorTime, log: Logger) -> None:
        self._clock = clock
        self._log = log
        self._last: dict[str, float] = {}  # when each text was logged, in the clock's seconds

    def warn(self, text: str, *, event: str, **values: object) -> None:
        """Log a text of the program's, unless it was logged less than a minute ago."""
        now = self._clock.seconds()
        if now - self._last.get(text, -SECONDS) >= SECONDS:
            self._last[text] = now
            self._log.warn(text, event=event, **values)
