"""What became of each thing that a client who counts has said."""

from bisect import bisect_left
from collections.abc import Iterable

from msgspec import UNSET, Struct

from chatpair.exchange.messages import Failing, Outcome, Status

RUNS = 1_000
"""Runs of equal outcomes that are remembered, for a client that says an id again."""

OPEN = 1_000
"""Says that may wait for their status before no more are taken."""

SAY_BYTES = 160
"""Bytes that what is known of a say, or of a run of them, takes in memory."""

MOST_BYTES = SAY_BYTES * (2 * OPEN + RUNS)
"""Bytes that all that is known of a client's says may take."""


class Says(Struct, rename=lambda name: name.removeprefix("_")):
    """A client's says, by the ids that it counts them with.

    A status speaks for every id up to its own that had none. So it may be told only once all of
    those are settled, and one is enough for many that are settled alike. All of it goes along, as
    it is, when another process takes over.
    """

    got: int = 0
    """The last id that the server has."""
    _told: int = 0  # the last id that a status was told of
    _forgotten: int = 0  # the last one whose status is not remembered
    _open: list[int] = []  # those that are not settled, or not all before them
    _settled: dict[int, Status] = {}  # what became of some of them
    due: list[Status] = []
    """The statuses that are to be told."""
    _runs: list[Status] = []  # what was told

    @property
    def full(self) -> bool:
        """Whether no more should be taken until some are settled, and their statuses told."""
        return len(self._open) >= OPEN or len(self.due) >= OPEN

    @property
    def cost(self) -> int:
        """The bytes that all this takes."""
        return SAY_BYTES * (len(self._open) + len(self.due) + len(self._runs))

    def take(self, say: int) -> bool:
        """Note that the server has a say; return whether it is new.

        Those that were skipped have failed: the line that one was on may have been too long.
        """
        if say <= self.got:
            return False
        if say > self.got + 1:
            self._open.append(say - 1)
            self.settle([say - 1], "failed", "missing")
        self.got = say
        self._open.append(say)
        return True

    def settle(self, says: Iterable[int], outcome: Outcome, why: Failing | None = None) -> None:
        """Note what became of some that are open; as nearly always, of the first of those."""
        told = UNSET if why is None else why
        last = 0
        for say in says:
            if self._open and self._open[0] == say:
                last = self._open.pop(0)
            else:
                self._settled[say] = Status(say, outcome, told)
        if last:
            _extend(self.due, Status(last, outcome, told))
        while self._open and self._open[0] in self._settled:
            _extend(self.due, self._settled.pop(self._open.pop(0)))

    def to_tell(self) -> list[Status]:
        """Return the statuses that are due, and take them for told."""
        due, self.due = self.due, []
        for status in due:
            _extend(self._runs, status)
            self._told = status.id
        while len(self._runs) > RUNS:
            self._forgotten = self._runs.pop(0).id
        return due

    def status_of(self, say: int) -> Status | None:
        """Return what was told of a say, or nothing if it is open yet or long forgotten."""
        if not self._forgotten < say <= self._told:
            return None
        run = self._runs[bisect_left(self._runs, say, key=lambda run: run.id)]
        return Status(say, run.status, run.why)


def _extend(runs: list[Status], status: Status) -> None:
    """Append a status, in the place of the last one if that says the same of an earlier id."""
    if runs and runs[-1].status == status.status and runs[-1].why == status.why:
        runs[-1] = status
    else:
        runs.append(status)
