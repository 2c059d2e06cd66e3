"""Frames from node to node: each once, in order, over Streams of the engine.

Each node has a Stream, its inbox, which it makes and reads. An entry of it has one field. Its name
says from whom the entry is, its number, and the number of the last one that was taken from the
reader: b"INC NUMBER TAKEN". Its value is a msgpack array of frames. Number 0 has none; it only
acknowledges, or asks for all again that was not taken, or, from the node itself, makes the inbox.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatpair.cluster.engine import Engine, EngineAway
from chatpair.cluster.link import ACK_BYTES, ACK_ENTRIES, Link
from chatpair.cluster.node_inbox import NodeInbox, key_of
from chatpair.cluster.seldom import Seldom
from chatpair.exchange.delay import Delay

ACK_SECONDS = 1.0
"""How long an acknowledgement may wait for something else to be told to that node; with a lease of
less than 10 seconds, a tenth of it.
"""

SLOW_SECONDS = 3.0
"""After how long without one a node is slow."""

AGAIN = b"again"
"""The value of an entry that asks for all again."""

MAX_STRANGERS = 1_000
"""Unknown nodes that are kept in mind; there may be any number in what somebody else writes."""

_log = Logger()


@dataclass(eq=False, repr=False)
class Links:
    """Sends frames to other nodes, and takes theirs.

    What a node was sent arrives once and in order, however often the engine goes away, or the
    node is dead. Until the node acknowledges it it is kept here, so who sends must heed is_full.
    """

    _clock: IReactorTime
    _engine: Engine
    _lease: float  # in seconds
    _received: Callable[[str, Any], object]  # is called with each frame that comes
    _room_changed: Callable[[str], object]
    """Is called with a node that is full no more, or gets slow, or is so no more."""
    _unknown: Callable[[str], object]
    """Is called with one that something came from though it is not known to be a member."""
    _encode: Callable[[list[Any]], bytes]  # makes a msgpack array of frames
    _decode: Callable[[bytes], list[Any]]
    hello: Any = None
    """The frame that each other node is sent first, if there is one."""
    me: str = ""

    def __post_init__(self) -> None:
        clock = self._clock
        self._inbox = NodeInbox(clock, self._engine, self._lease, self._take, self._failed)
        self._links: dict[str, Link] = {}
        self._marked: dict[Link, None] = {}  # to be looked at when this turn of the reactor is over
        self._away = True  # until it is said that the engine is there
        self._strangers: set[str] = set()  # from whom something came that was dropped
        self._seldom = Seldom(clock, _log)
        self._tick_seconds = min(ACK_SECONDS, self._lease / 10)
        self._ticking = LoopingCall.withCount(lambda count: self._call(self._tick, count))
        self._ticking.clock = clock
        self._owing: Delay[Link] = Delay(clock, self._tick_seconds, self._acknowledge)

    def opened(self, me: str) -> None:
        """Be a node, as the engine says which is there again, anew if the name is new; send again
        what may be lost.
        """
        if me != self.me:
            self.me = me
            before, self._links = self._links, {inc: Link(inc) for inc in self._links}
            for link in before.values():
                if link.full:
                    self._call(self._room_changed, link.inc)
            for inc in self._links:
                self.greet(inc)
        self._away = False
        self._begin()

    def members_changed(self, members: frozenset[str]) -> None:
        """Take the other nodes that are alive; whoever is missing is dead, and its inbox goes."""
        for inc in self._links.keys() - members:
            del self._links[inc]
            # If that fails its time runs out.
            self._engine.command("UNLINK", key_of(self._engine, inc)).addErrback(self._failed)
        for inc in members - self._links.keys():
            link = self._links[inc] = Link(inc)
            self.greet(inc)
            if inc in self._strangers:  # else it sends again by itself, later
                self._add(link, 0, AGAIN)
        self._strangers -= members

    def greet(self, inc: str) -> None:
        """Send a node what it is to know of this one."""
        if self.hello is not None:
            self.send(inc, self.hello)

    def send(self, inc: str, frame: Any) -> None:
        """Send a frame to a node with all others of this turn; to a dead one nothing is sent."""
        link = self._links.get(inc)
        if link is not None:
            if not link.size:
                link.waits_since = self._clock.seconds()
            link.put(self._encode([frame])[1:])  # after what says that it is an array of one
            self._mark(link)

    def __iter__(self) -> Iterator[Link]:
        """Yield what there is between this node and each other that is alive."""
        return iter(self._links.values())

    def is_full(self, inc: str) -> bool:
        """Tell whether too much waits to be acknowledged by a node."""
        link = self._links.get(inc)
        return link is not None and link.full

    def is_slow(self, inc: str) -> bool:
        """Tell whether a node has acknowledged nothing for a while of what waits for that."""
        link = self._links.get(inc)
        return link is not None and link.slow

    def stop(self) -> None:
        """Send what was to be sent in this turn, and then nothing any more."""
        self._flush()
        if self._ticking.running:
            self._ticking.stop()
        for link in list(self._owing):
            self._owing.stop(link)
        self.me = ""
        self._inbox.stop()
        self._links.clear()

    # Every second

    def _tick(self, count: int) -> None:
        """Keep the inbox small and there, and send again what nobody acknowledges; take how many
        ticks ago the last one was.
        """
        now = self._clock.seconds()
        # Else this process stood still, and what it waits for may be there.
        in_time = (count - 1) * self._tick_seconds < 1
        for link in list(self._links.values()):
            if link.size and not link.slow and in_time and now - link.waits_since >= SLOW_SECONDS:
                link.slow = True
                self._call(self._room_changed, link.inc)
        if self._away:
            return
        self._inbox.trim()
        self._renew()
        for link in self._links.values():
            if link.refused or (link.waits and now - link.moved >= self._lease / 2):
                link.go_back(probe=True)
                self._mark(link)

    def _begin(self) -> None:
        """Read the inbox from its start, and send all again."""
        self._inbox.begin(self.me).addCallbacks(lambda _: self._renew(), self._failed)
        for link in self._links.values():
            link.go_back()
            if link.taken:
                self._owe(link, 0)  # what was said of it may be lost
            self._mark(link)
        if not self._ticking.running:
            self._ticking.start(self._tick_seconds, now=False)

    def _renew(self) -> None:
        self._inbox.renew().addCallbacks(self._renewed, self._failed)

    def _renewed(self, reply: object) -> None:
        if reply == 0 and self.me:  # gone, though the engine is there: it was frozen, or is full
            self._begin()

    # Sending

    def _mark(self, link: Link) -> None:
        if not self._marked:
            self._clock.callLater(0, self._flush)
        self._marked[link] = None

    def _flush(self) -> None:
        """Send what waits, at the end of a turn of the reactor."""
        marked, self._marked = self._marked, {}
        for link in marked:
            if self._is_open(link):
                self._send_entries(link)

    def _is_open(self, link: Link) -> bool:
        """Tell whether a node is alive, as far as is known, and this one is who it was to it."""
        return self._links.get(link.inc) is link

    def _send_entries(self, link: Link) -> None:
        waited = link.waits
        while not self._away and not link.refused and (entry := link.next()) is not None:
            self._add(link, *entry)
        if not waited:
            link.moved = self._clock.seconds()
        if link.owed >= ACK_ENTRIES or link.owed_bytes >= ACK_BYTES:
            self._acknowledge(link)

    def _acknowledge(self, link: Link) -> None:
        if link.owed and self._is_open(link) and not (self._away or link.refused):
            self._add(link, 0, b"")

    def _add(self, link: Link, number: int, frames: bytes) -> None:
        link.owed = link.owed_bytes = 0
        field = b"%b %d %d" % (self.me.encode(), number, link.taken)
        reply = self._engine.command(
            "XADD", key_of(self._engine, link.inc), "NOMKSTREAM", "*", field, frames
        )
        reply.addErrback(self._failed).addCallback(self._added, link)

    def _added(self, reply: object, link: Link) -> None:
        link.refused |= reply is None  # it failed, or there is no inbox, or not yet

    def _failed(self, why: Failure) -> None:
        if why.check(EngineAway):
            self._away = True

    # Reading

    def _take(self, fields: list[bytes]) -> None:
        """Take an entry, which anybody may have written."""
        try:
            field, data = fields
            source, *numbers = field.split()
            inc: str = source.decode("ascii")
            number, taken = map(int, numbers)
        except ValueError:
            what = repr(fields[:1])[:200]  # no more: it may be talk
            text = "Something in the inbox that no node wrote is skipped: {what}"
            self._seldom.warn(text, event="stranger_in_inbox", what=what)
            return
        link = self._links.get(inc)
        if link is not None:
            self._take_from(link, number, taken, data)
        elif number != 0 and inc not in self._strangers:
            if len(self._strangers) >= MAX_STRANGERS:
                self._strangers.clear()
            self._strangers.add(inc)
            self._call(self._unknown, inc)

    def _take_from(self, link: Link, number: int, taken: int, data: bytes) -> None:
        before = link.full, link.slow
        if link.acknowledge(taken):
            link.moved = link.waits_since = self._clock.seconds()
            if link.has_more:
                self._mark(link)
            if before != (link.full, link.slow):
                self._call(self._room_changed, link.inc)
        if data == AGAIN:
            link.go_back()
            self._mark(link)
        if number == 0:
            return
        # One that comes again asks what was taken.
        self._owe(link, len(data), 1 if number > link.taken else ACK_ENTRIES)
        if number != link.taken + 1:
            return
        link.taken = number
        try:
            frames = self._decode(data)
        except Exception as why:
            text = "What {inc} tells is not understood, and skipped: {what}"
            self._seldom.warn(text, event="bad_entry", what=repr(why), inc=link.inc)
            return
        link.frames_taken += len(frames)
        for frame in frames:
            if self._is_open(link):
                self._call(self._received, link.inc, frame)

    def _owe(self, link: Link, size: int, entries: int = 1) -> None:
        """Note that another node is to be told how far its entries were taken."""
        if not link.owed:
            self._owing.start(link)
        link.owed += entries
        link.owed_bytes += size
        if link.owed >= ACK_ENTRIES or link.owed_bytes >= ACK_BYTES:
            self._mark(link)

    # What must not go wrong

    def _call(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            function(*arguments)
        except Exception:
            _log.failure("What another node tells failed here")
