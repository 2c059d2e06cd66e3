"""Which other nodes are alive, as far as this one has heard."""

import re
from collections import deque
from collections.abc import Mapping

from chatpair.cluster.mesh import node_of

_INC = re.compile(r"[\w-]+\.\w+", re.ASCII)

MAX_GONE = 1_000
"""Dead members that are kept in mind."""


class Members:
    """The others, and for how long each has been silent."""

    def __init__(self, silence: float, gap: float) -> None:
        """Take the seconds after which a silent member is dead, and those without an answer of
        the engine's after which all others get their time anew: they may have had none either.
        """
        self._silence = silence
        self._gap = gap
        self._seen: dict[str, tuple[str, float]] = {}  # its value, since when it is that
        self._last = 0.0
        self._gone: deque[str] = deque(maxlen=MAX_GONE)
        self.alive: frozenset[str] = frozenset()
        self.risen: frozenset[str] = frozenset()
        """Who is in the engine's data though it has died here: those data were lost for a while.

        It will have to come back as another, as nodes like this have ended what they had with it.
        """

    def watch_anew(self) -> None:
        """Give everybody the whole time from the next answer on."""
        self._seen.clear()

    def silent(self, now: float) -> list[tuple[str, str]]:
        """Return who is dead unless its value has changed meanwhile, and that value."""
        return [
            (inc, value)
            for inc, (value, since) in self._seen.items()
            if now - since >= self._silence
        ]

    @property
    def next_silence(self) -> float:
        """When the next one will have been silent for too long."""
        return self._silence + min((since for _, since in self._seen.values()), default=1e300)

    def meet(self, inc: str) -> bool:
        """Take a member that the engine names before `heard` does; tell whether `alive` changed."""
        if inc in self.alive or inc in self._gone or not _INC.fullmatch(inc):
            return False
        self.alive |= {inc}
        return True

    def heard(
        self, values: Mapping[str, str], me: str, sent: float, now: float, settling: bool
    ) -> bool:
        """Take an answer, and when it was asked for and came; tell whether `alive` changed.

        While the engine settles after it lost data, whoever is missing may still come back.
        """
        if now - self._last > self._gap or now - sent > self._gap:
            self.watch_anew()
        self._last = now
        others = {inc: value for inc, value in values.items() if inc != me}
        self._seen = {
            inc: seen if (seen := self._seen.get(inc)) and seen[0] == value else (value, now)
            for inc, value in others.items()
        }
        self.risen = frozenset(others.keys() & self._gone)
        # What is no inc at all is never alive, and dead like any other after its time.
        alive = {inc for inc in others if _INC.fullmatch(inc)} - self.risen
        if settling:
            ids = {node_of(inc) for inc in values}
            alive |= {inc for inc in self.alive if node_of(inc) not in ids}
        self._gone.extend(self.alive - alive)
        changed = alive != self.alive
        self.alive = frozenset(alive)
        return changed
