"""The Stream of the engine that a node reads, and in which the others write for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatpair.cluster.engine import Engine

READ_ENTRIES = 50
"""How many entries are read at a time; they are handled in one turn of the reactor."""

TRIM_ENTRIES = 200
"""After how many entries those that were read are removed, unless a tick comes first."""

RETRY_SECONDS = 0.25
"""How long to wait before a read that failed is tried again."""

_log = Logger()


def key_of(engine: Engine, inc: str) -> bytes:
    """Return the key of a node's inbox; those of different nodes may be in different slots."""
    return engine.key(f"chatpair:inbox:{{{inc}}}").encode()


@dataclass(eq=False, repr=False)
class NodeInbox:
    """Reads entries in order."""

    _clock: IReactorTime
    _engine: Engine
    _lease: float  # in seconds
    _take: Callable[[Any], object]  # is called with the fields of each entry
    _failed: Callable[[Failure], object]  # is called with what the engine refuses
    _me: str = ""
    _cursor: bytes = b"0"  # the id of the last entry that was read
    _jumps: int = 0  # how often the cursor was set to something else
    _untrimmed: int = 0

    def begin(self, me: str) -> "Deferred[bytes]":
        """Make a node's inbox if it is not there, and read it from its start.

        If the engine was restarted the ids in it may be any.
        """
        if self._me not in ("", me):
            self._wake().addErrback(self._failed)
            self._do("UNLINK").addErrback(self._failed)
        self._me = me
        made = self._wake()
        self._cursor = b"0"
        self._jumps += 1
        reading = Deferred.fromCoroutine(self._read_on(self._jumps))
        reading.addErrback(lambda why: _log.failure("Reading failed", why))
        return made

    def stop(self) -> None:
        """Read no more."""
        self._me = ""
        self._jumps += 1

    def renew(self) -> "Deferred[int]":
        """Let it be there for ten leases more; fires with 0 if it is gone."""
        return self._do("PEXPIRE", int(self._lease * 10_000))

    def trim(self) -> None:
        """Remove what was read."""
        if self._untrimmed:
            self._untrimmed = 0
            self._do("XTRIM", "MINID", "~", self._cursor).addErrback(self._failed)

    def _wake(self) -> "Deferred[bytes]":
        """Write something to it, which makes it; what waits for entries at the engine ends."""
        field = f"{self._me} 0 0"
        return self._do("XADD", "*", field.encode(), b"")

    def _do(self, command: str, *arguments: bytes | str | int) -> "Deferred[Any]":
        return self._engine.command(command, key_of(self._engine, self._me), *arguments)

    def _read(self) -> "Deferred[Any]":
        return self._engine.read(
            *("XREAD", "COUNT", READ_ENTRIES, "BLOCK", self._engine.longest_block),
            *("STREAMS", key_of(self._engine, self._me), self._cursor),
        )

    async def _read_on(self, jumps: int) -> None:
        """Take what comes, until the cursor jumps."""
        reading = self._read()
        while True:
            try:
                reply = await reading
            except Exception:
                reply = None
                await deferLater(self._clock, RETRY_SECONDS)
            if jumps != self._jumps:
                return
            entries = reply[0][1] if reply else []
            if entries:
                if self._untrimmed >= TRIM_ENTRIES:
                    self.trim()
                self._cursor = entries[-1][0]
                self._untrimmed += len(entries)
            reading = self._read()  # the engine looks for more meanwhile
            for _, fields in entries:
                if jumps == self._jumps:  # else they are read again
                    self._take(fields)
