"""An engine without sockets: Streams, and connections that are cut when a test says so."""

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from chatpair.cluster.address import EngineAddress
from chatpair.cluster.engine import Engine, EngineAway

DELAY = 0.001
"""Seconds from a node to the engine, and back."""


class Refused(Exception):
    """An error that the engine answers."""


class Data:
    """What the engine keeps: Streams, whose entries have ids of its own clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.set_back = 0.0  # seconds that its clock is behind
        self.refuses = False
        self.streams: dict[bytes, list[tuple[int, list[bytes]]]] = {}
        self.last: dict[bytes, int] = {}
        self.readers: list[Wire] = []

    def reset(self) -> None:
        """Lose everything, as in a restart of an engine that keeps nothing."""
        self.streams.clear()
        self.last.clear()

    def run(self, name: str, key: Any, *rest: Any) -> Any:
        """Do a command that ends at once."""
        key = key if isinstance(key, bytes) else key.encode()
        if self.refuses:
            raise Refused("OOM command not allowed")
        method = getattr(self, f"_{name.lower()}")
        return method(key, *rest)

    def _xadd(self, key: bytes, *rest: Any) -> bytes | None:
        if rest[0] == "NOMKSTREAM" and key not in self.streams:
            return None
        now = int((self.clock.seconds() - self.set_back + 1_000) * 1_000) << 20
        self.last[key] = new = max(now, self.last.get(key, 0) + 1)
        self.streams.setdefault(key, []).append((new, [*rest[-2:]]))
        for reader in self.readers:
            reader.look()
        return b"%d" % new

    def _pexpire(self, key: bytes, milliseconds: int) -> int:
        assert milliseconds > 0
        return int(key in self.streams)

    def _xtrim(self, key: bytes, how: str, about: str, first: bytes) -> int:
        assert (how, about) == ("MINID", "~")
        if key in self.streams:
            self.streams[key] = [entry for entry in self.streams[key] if entry[0] >= int(first)]
        return 0

    def _unlink(self, key: bytes) -> int:
        self.last.pop(key, None)
        return int(self.streams.pop(key, None) is not None)

    def after(self, key: bytes, cursor: bytes, count: int) -> Any:
        """Return what XREAD finds."""
        found = [entry for entry in self.streams.get(key, []) if entry[0] > int(cursor)][:count]
        if not found:
            return None
        return [[key, [[b"%d" % new, list(fields)] for new, fields in found]]]


class Wire:
    """One connection: commands go in order, and so do replies, one at a time."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.is_up = True
        self._sent: deque[tuple[Deferred[Any], tuple[Any, ...]]] = deque()
        self._replies: deque[tuple[Deferred[Any], Any]] = deque()
        self._until: float | None = None  # when a read that waits ends
        self.count = 0  # of entries that were sent
        data.readers.append(self)

    def send(self, *arguments: Any) -> "Deferred[Any]":
        """Send a command."""
        if not self.is_up:
            return fail(EngineAway())
        self.count += arguments[0] == "XADD"
        reply: Deferred[Any] = Deferred()
        self._sent.append((reply, arguments))
        self.data.clock.callLater(DELAY, self._run, reply)
        return reply

    def _run(self, reply: "Deferred[Any]") -> None:
        if not self._sent or self._sent[0][0] is not reply:
            return  # it was cut off, or done early
        arguments = self._sent[0][1]
        if arguments[0] == "XREAD":
            self._until = self.data.clock.seconds() + arguments[4] / 1_000
            self.data.clock.callLater(arguments[4] / 1_000, self.look)
            self.look()
            return
        self._sent.popleft()
        try:
            self._answer(reply, self.data.run(*arguments))
        except Refused as why:
            self._answer(reply, why)

    def look(self) -> None:
        """Answer the read that waits, if there is something or its time is up."""
        if self._until is None:
            return
        reply, (_, _, count, _, _, _, key, cursor) = self._sent[0]
        found = self.data.after(key, cursor, count)
        if found or self.data.clock.seconds() >= self._until:
            self._until = None
            self._sent.popleft()
            self._answer(reply, found)
            if self._sent:  # which has waited for that
                self.data.clock.callLater(DELAY, self._run, self._sent[0][0])

    def _answer(self, reply: "Deferred[Any]", result: Any) -> None:
        self._replies.append((reply, result))
        self.data.clock.callLater(DELAY, self._tell, reply)

    def _tell(self, reply: "Deferred[Any]") -> None:
        if self._replies and self._replies[0][0] is reply:
            result = self._replies.popleft()[1]
            if isinstance(result, Exception):
                reply.errback(result)
            else:
                reply.callback(result)

    def cut(self, done: int = 0) -> None:
        """End, when the engine has done some of the commands that were on their way."""
        self.is_up = False
        self._until = None
        lost = [reply for reply, _ in (*self._replies, *self._sent)]
        for _, arguments in list(self._sent)[:done]:
            if arguments[0] != "XREAD" and not self.data.refuses:
                self.data.run(*arguments)
        self._sent.clear()
        self._replies.clear()
        for reply in lost:
            reply.errback(EngineAway())


class FakeEngine(Engine):
    """A node's two connections."""

    def __init__(self, data: Data) -> None:
        self.address = EngineAddress()
        self.longest_block = 2_500
        self.commands, self.reads = Wire(data), Wire(data)

    @property
    def connected(self) -> bool:  # type: ignore[override]
        """Whether commands can be sent."""
        return self.commands.is_up

    def command(self, *arguments: Any) -> "Deferred[Any]":
        """Send a command."""
        return self.commands.send(*arguments)

    def read(self, *arguments: Any) -> "Deferred[Any]":
        """Send one on the connection for those that block."""
        return self.reads.send(*arguments)

    def cut(self, done: int = 0) -> None:
        """Cut both, when the engine has done some of the commands that were on their way."""
        self.commands.cut(done)
        self.reads.cut()

    def mend(self) -> None:
        """Be connected again."""
        self.commands.is_up = self.reads.is_up = True
