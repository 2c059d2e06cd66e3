"""The Stream of the engine that a node reads, and in which the others write for it."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatpair.cluster.engine import Engine, EngineAway

READ_ENTRIES = 50
"""How many entries are read at a time; they are handled in one turn of the reactor."""

TRIM_ENTRIES = 200
"""After how many entries those that were read are removed, unless a tick comes first."""

LEFT_BYTES, OVERHEAD = 4 << 20, 1_000
"""What is left at most, with all that was read behind it, each entry counted with some bytes more.

To read it all again takes a moment, and everybody's entries wait for that.
"""

RETRY_SECONDS = 0.25
"""How long to wait before what the engine would not do is tried again."""

_log = Logger()


def key_of(engine: Engine, inc: str) -> bytes:
    """Return the key of a node's inbox; those of different nodes may be in different slots."""
    return engine.key(f"chatpair:inbox:{{{inc}}}").encode()


class NodeInbox:
    """Reads entries in order.

    One of a node that is not known is left in the Stream, and all is read again from it on once
    the node is; what had been taken is told by its number. It is given up after a lease, or when
    too much was read behind it: if it is from a node, that will send it again.
    """

    def __init__(
        self,
        clock: IReactorTime,
        engine: Engine,
        lease: float,
        take: Callable[[Any], str | None],
        failed: Callable[[Failure], object],
    ) -> None:
        """Take the lease in seconds, and what to call with the fields of each entry, and with what
        the engine refuses. The former returns the inc of the node if that is not known.
        """
        self.strangers: set[str] = set()
        """The nodes of which something is left."""
        self._me = ""
        self._clock = clock
        self._engine = engine
        self._lease = lease
        self._take = take
        self._failed = failed
        self._cursor = b"0"  # the id of the last entry that was read
        self._jumps = 0  # how often the cursor was set to something else
        self._reading = False
        self._retry: IDelayedCall | None = None
        self._untrimmed = 0
        self._left_cursor = b""  # what the cursor was before the read with the first that is left
        self._left_bytes = 0  # of that one, and of all that came after it
        self._left_since = 0.0

    def begin(self, me: str) -> "Deferred[bytes]":
        """Make a node's inbox if it is not there, and read it from its start.

        If the engine was restarted the ids in it may be any.
        """
        if self._me not in ("", me):
            self._wake().addErrback(self._failed)
            self._do("UNLINK").addErrback(self._failed)
        self._me = me
        made = self._wake()
        self._read_after(b"0")
        return made

    def stop(self) -> None:
        """Read no more."""
        self._me = ""
        self._jumps += 1
        if self._retry is not None and self._retry.active():
            self._retry.cancel()

    def renew(self) -> "Deferred[int]":
        """Let it be there for ten leases more; fires with 0 if it is gone."""
        return self._do("PEXPIRE", int(self._lease * 10_000))

    def trim(self) -> None:
        """Remove what was read and is not left."""
        if self.strangers and self._clock.seconds() - self._left_since >= self._lease:
            self.strangers.clear()
        if self._untrimmed:
            if not self.strangers:
                self._untrimmed = 0
            first = self._left_cursor if self.strangers else self._cursor
            reply = self._do("XTRIM", "MINID", "~", first)
            reply.addErrback(self._failed)

    def read_again(self) -> None:
        """Read from the first entry on that was left: its node may be known now."""
        self._wake().addErrback(self._failed)
        self._read_after(self._left_cursor)

    def _wake(self) -> "Deferred[bytes]":
        """Write something to it, which makes it; what waits for entries at the engine ends."""
        field = f"{self._me} 0 0"
        return self._do("XADD", "*", field.encode(), b"")

    def _do(self, command: str, *arguments: bytes | str | int) -> "Deferred[Any]":
        return self._engine.command(command, key_of(self._engine, self._me), *arguments)

    def _read_after(self, cursor: bytes) -> None:
        self.strangers.clear()
        self._cursor = cursor
        self._jumps += 1
        self._read()

    def _read(self) -> None:
        if not self._me or self._reading:
            return
        self._reading = True
        reply = self._engine.read(
            *("XREAD", "COUNT", READ_ENTRIES, "BLOCK", self._engine.longest_block),
            *("STREAMS", key_of(self._engine, self._me), self._cursor),
        )
        reply.addCallbacks(self._got, self._not_read, (self._jumps,))
        reply.addErrback(lambda why: _log.failure("Reading failed", why))

    def _not_read(self, why: Failure) -> None:
        self._reading = False
        if not why.check(EngineAway):
            self._failed(why)
        if self._me and not (self._retry is not None and self._retry.active()):
            self._retry = self._clock.callLater(RETRY_SECONDS, self._read)

    def _got(self, reply: Any, jumps: int) -> None:
        self._reading = False
        if not reply or jumps != self._jumps:
            self._read()
            return
        if self._untrimmed >= TRIM_ENTRIES:
            self.trim()
        entries = reply[0][1]
        before, self._cursor = self._cursor, entries[-1][0]
        self._untrimmed += len(entries)
        self._read()  # the engine looks for more meanwhile
        for _, fields in entries:
            if jumps != self._jumps:
                return  # they are read again
            stranger = self._take(fields)
            if stranger or self.strangers:
                self._leave(stranger, before, sum(map(len, fields or ())) + OVERHEAD)

    def _leave(self, stranger: str | None, before: bytes, size: int) -> None:
        """Count an entry that is left, or read behind one that is."""
        if not self.strangers:
            self._left_cursor, self._left_bytes = before, 0
            self._left_since = self._clock.seconds()
        if stranger:
            self.strangers.add(stranger)
        self._left_bytes += size
        if self._left_bytes > LEFT_BYTES:
            self.strangers.clear()
