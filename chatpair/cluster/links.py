"""Frames from node to node: each once, in order, over Streams of the engine.

Each node has a Stream, its inbox, which it makes and reads. An entry of it has one field. Its name
says from whom the entry is, its number, and the number of the last one that was taken from the
reader: b"INC NUMBER TAKEN". Its value is a msgpack array of frames. Number 0 has none; it only
acknowledges, or, from the node itself, makes the inbox.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatpair.cluster.engine import Engine, EngineAway
from chatpair.cluster.link import ACK_BYTES, ACK_ENTRIES, Link, inbox
from chatpair.cluster.parked import Entry, Parked

ACK_SECONDS = 0.1
"""How long an acknowledgement may wait for something else to be told to that node."""

READ_ENTRIES = 50
"""How many entries are read at a time; they are handled in one turn of the reactor."""

TRIM_ENTRIES = 200
"""After how many entries those that were read are removed, unless a tick comes first."""

RETRY_SECONDS = 0.25
"""How long to wait before what the engine would not do is tried again."""

_log = Logger()


class Links:
    """Sends frames to other nodes, and takes theirs.

    What a node was sent arrives once and in order, however often the engine goes away, or the
    node is dead. Until the node acknowledges it it is kept here, so who sends must heed is_full.
    """

    def __init__(
        self,
        clock: IReactorTime,
        engine: Engine,
        received: Callable[[str, Any], object],
        room_changed: Callable[[str], object],
        *,
        lease: float,
        encode: Callable[[list[Any]], bytes],
        decode: Callable[[bytes], list[Any]],
        unknown: Callable[[str], object],
    ) -> None:
        """Take what to call with each frame that comes; with a node that got full, or has room
        again; with one that something came from though it is not known to be a member; the
        lease in seconds; and what makes msgpack arrays of frames, and frames of them.
        """
        self._clock = clock
        self._engine = engine
        self._received = received
        self._room_changed = room_changed
        self._lease = lease
        self._encode = encode
        self._decode = decode
        self._unknown = unknown
        self.me = ""
        self._inbox = b""
        self._links: dict[str, Link] = {}
        self._marked: list[Link] = []  # to be looked at when this turn of the reactor is over
        self._parked = Parked()
        self._away = True  # until it is said that the engine is there
        self._cursor = b"0"  # the id of the last entry that was read
        self._opening = 0  # how often reading began at the start of the inbox
        self._reading = False
        self._untrimmed = 0
        self._told: set[str] = set()  # what was logged since the engine is there
        self._timers: dict[Callable[[], None], IDelayedCall] = {}

    def opened(self, me: str) -> "Deferred[None]":
        """Be a node, anew if the name is new; fires when the inbox is there, or the engine away."""
        if me != self.me:
            if self.me:
                self._write_to_myself()  # so that what reads the old inbox goes on to the new one
                self._forget(self._inbox)
            self.me = me
            self._inbox = inbox(me).encode()
            self._parked = Parked()
            before, self._links = self._links, {inc: Link(inc) for inc in self._links if inc != me}
            for link in before.values():
                link.is_open = False
                if link.told_full:
                    self._call(self._room_changed, link.inc)
        self._told.clear()
        self._away = False
        return self._begin()

    def reconnected(self) -> None:
        """Send again what may be lost, as the engine is there again and this node a member."""
        if self.me:
            self._told.clear()
            self._away = False
            self._begin()

    def members_changed(self, members: frozenset[str]) -> None:
        """Take the other nodes that are alive; whoever is missing is dead, and its inbox goes."""
        for inc in self._links.keys() - members:
            link = self._links.pop(inc)
            link.is_open = False
            self._forget(link.inbox)
        for inc in members - self._links.keys() - {self.me}:
            self._links[inc] = Link(inc)
        if self._parked.size:
            self._after(0, self._unpark)

    def send(self, inc: str, frame: Any) -> None:
        """Send a frame to a node with all others of this turn; to a dead one nothing is sent."""
        link = self._links.get(inc)
        if link is not None:
            link.put(self._encode([frame])[1:])  # after what says that it is an array of one
            if not link.marked:
                self._mark(link)

    def is_full(self, inc: str) -> bool:
        """Tell whether too much waits to be acknowledged by a node."""
        link = self._links.get(inc)
        return link is not None and link.full

    def stop(self) -> None:
        """Send what was to be sent in this turn, and then nothing any more."""
        self._flush()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self.me = ""
        self._opening += 1
        self._links.clear()

    # Timers

    def _after(self, seconds: float, function: Callable[[], None]) -> None:
        """Call a function after some seconds, unless it is going to be called anyhow."""
        if function not in self._timers:
            self._timers[function] = self._clock.callLater(seconds, self._run, function)

    def _run(self, function: Callable[[], None]) -> None:
        del self._timers[function]
        function()

    def _tick(self) -> None:
        """Keep the inbox small and there, and send again what nobody acknowledges."""
        self._after(min(1.0, self._lease / 10), self._tick)
        now = self._clock.seconds()
        self._parked.forget(now - self._lease)
        if self._away:
            return
        self._trim()
        self._renew()
        for link in self._links.values():
            if link.waits and now - link.moved >= self._lease / 2:
                link.go_back(probe=True)
                self._mark(link)

    # The own inbox

    def _begin(self) -> "Deferred[None]":
        """Make the inbox if it is not there, read it from its start, and send all again.

        If the engine was restarted the ids in it may be any; what was taken before is known by
        its number.
        """
        self._opening += 1
        self._cursor = b"0"
        made = self._write_to_myself()
        made.addCallback(lambda done: self._renew() if done else None)
        self._read()
        for link in self._links.values():
            link.go_back()
            if link.taken:
                self._owe(link, 0)  # what was said of it may be lost
            self._mark(link)
        self._after(min(1.0, self._lease / 10), self._tick)
        return made

    def _write_to_myself(self) -> "Deferred[Any]":
        field = b"%b 0 0" % self.me.encode()
        reply: Deferred[Any] = self._engine.command("XADD", self._inbox, "*", field, b"")
        return reply.addErrback(self._failed)

    def _renew(self) -> None:
        reply = self._engine.command("PEXPIRE", self._inbox, int(self._lease * 10_000))
        reply.addCallbacks(self._renewed, self._failed)

    def _renewed(self, reply: object) -> None:
        if reply == 0 and self.me:  # gone, though the engine is there: it was frozen, or is full
            self._begin()

    def _trim(self) -> None:
        if self._untrimmed:
            self._untrimmed = 0
            reply = self._engine.command("XTRIM", self._inbox, "MINID", "~", self._cursor)
            reply.addErrback(self._failed)

    def _forget(self, key: bytes) -> None:
        """Remove an inbox that nobody reads any more; if that fails its time runs out."""
        if not self._away:
            self._engine.command("UNLINK", key).addErrback(self._failed)

    # Sending

    def _mark(self, link: Link) -> None:
        if not link.marked:
            link.marked = True
            self._marked.append(link)
            self._after(0, self._flush)

    def _flush(self) -> None:
        """Send what waits, at the end of a turn of the reactor."""
        marked, self._marked = self._marked, []
        for link in marked:
            link.marked = False
            if link.is_open:
                self._send_entries(link)
                if link.full != link.told_full:
                    link.told_full = link.full
                    self._call(self._room_changed, link.inc)

    def _send_entries(self, link: Link) -> None:
        waited = link.waits
        while not self._away and not link.refused and (entry := link.next()) is not None:
            self._add(link, *entry)
        if not waited:
            link.moved = self._clock.seconds()
        if link.owed >= ACK_ENTRIES or link.owed_bytes >= ACK_BYTES:
            self._acknowledge(link)

    def _acknowledge(self, link: Link) -> None:
        if not self._away and not link.refused:
            self._add(link, 0, b"")

    def _acknowledge_all(self) -> None:
        for link in self._links.values():
            if link.owed:
                self._acknowledge(link)

    def _add(self, link: Link, number: int, frames: bytes) -> None:
        link.owed = link.owed_bytes = 0
        field = b"%b %d %d" % (self.me.encode(), number, link.taken)
        reply = self._engine.command("XADD", link.inbox, "NOMKSTREAM", "*", field, frames)
        reply.addCallbacks(self._added, self._not_added, (link,), errbackArgs=(link,))

    def _added(self, reply: object, link: Link) -> None:
        if reply is None:  # there is no inbox, or not yet
            self._refuse(link)

    def _not_added(self, why: Failure, link: Link) -> None:
        self._failed(why)
        self._refuse(link)

    def _refuse(self, link: Link) -> None:
        link.refused = True
        if self.me:
            self._after(RETRY_SECONDS, self._try_again)

    def _try_again(self) -> None:
        for link in self._links.values():
            if link.refused:
                link.go_back(probe=True)
                self._mark(link)

    def _failed(self, why: Failure) -> None:
        if why.check(EngineAway):
            self._away = True
        else:
            self._refused(why)

    # Reading

    def _read(self) -> None:
        if not self.me or self._reading:
            return
        self._reading = True
        reply = self._engine.read(
            *("XREAD", "COUNT", READ_ENTRIES, "BLOCK", self._engine.longest_block),
            *("STREAMS", self._inbox, self._cursor),
        )
        reply.addCallbacks(self._got, self._not_read, (self._opening,))
        reply.addErrback(lambda why: _log.failure("Reading failed", why))

    def _not_read(self, why: Failure) -> None:
        self._reading = False
        if not why.check(EngineAway):
            self._refused(why)
        if self.me:
            self._after(RETRY_SECONDS, self._read)

    def _got(self, reply: Any, opening: int) -> None:
        self._reading = False
        if not reply or opening != self._opening:
            self._read()
            return
        if self._untrimmed >= TRIM_ENTRIES:
            self._trim()
        entries = reply[0][1]
        self._cursor = entries[-1][0]
        self._untrimmed += len(entries)
        self._read()  # the engine looks for more meanwhile
        for _, fields in entries:
            if opening != self._opening:
                return  # they are read again
            self._take(fields)

    def _take(self, fields: Any) -> None:
        """Take an entry, which anybody may have written."""
        try:
            field, frames = fields
            source, *numbers = field.split()
            inc = source.decode("ascii")
            number, taken = map(int, numbers)
        except (AttributeError, TypeError, ValueError):
            what = fields[:1] if isinstance(fields, list) else fields  # no more: it may be talk
            self._warn("Something in the inbox that no node wrote is skipped: {what}", what)
            return
        link = self._links.get(inc)
        if link is None or inc in self._parked:
            self._park(inc, Entry(number, taken, frames))
        else:
            self._take_from(link, number, taken, frames)

    def _take_from(self, link: Link, number: int, taken: int, data: bytes) -> None:
        if link.acknowledge(taken):
            link.moved = self._clock.seconds()
            if link.has_more or link.told_full:
                self._mark(link)
        if number == 0:
            return
        self._owe(link, len(data))
        if number != link.taken + 1:
            return
        link.taken = number
        try:
            frames = self._decode(data)
        except Exception as why:
            self._warn("What {inc} tells is not understood, and skipped: {what}", why, link.inc)
            return
        for frame in frames:
            if not link.is_open:
                return
            self._call(self._received, link.inc, frame)

    def _owe(self, link: Link, size: int) -> None:
        """Note that another node is to be told how far its entries were taken."""
        link.owed += 1
        link.owed_bytes += size
        if link.owed >= ACK_ENTRIES or link.owed_bytes >= ACK_BYTES:
            self._mark(link)
        self._after(ACK_SECONDS, self._acknowledge_all)

    # Nodes that are not known to be members, or not yet

    def _park(self, inc: str, entry: Entry) -> None:
        if inc == self.me or entry.number == 0:
            return
        if self._parked.put(inc, entry, self._clock.seconds()):
            self._call(self._unknown, inc)

    def _unpark(self) -> None:
        for inc in self._parked.incs() & self._links.keys():
            link = self._links.get(inc)
            for entry in self._parked.pop(inc):
                if link is not None and link.is_open:
                    self._take_from(link, *entry)

    # What must not go wrong

    def _call(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            function(*arguments)
        except Exception:
            _log.failure("What another node tells failed here")

    def _refused(self, why: Failure) -> None:
        text, _, _ = why.getErrorMessage().partition(", with args")  # which may be talk
        self._warn("The engine refuses: {what}", text)

    def _warn(self, text: str, what: object, inc: str = "") -> None:
        """Log something once, until the engine is there anew."""
        if text not in self._told:
            self._told.add(text)
            _log.warn(text, what=repr(what)[:200], inc=inc)
