"""Nodes that tell each other numbers through links and a fake engine."""

from typing import Any

import msgspec
from twisted.internet.task import Clock

from chatpair.cluster.links import Links
from chatpair.handover import snapshot
from chatpair.handover.cluster import restore_links, take_links
from tests.support.fake_engine import Data, FakeEngine

LEASE = 10.0


class Node:
    """One node, and what it got from which."""

    def __init__(self, clock: Clock, data: Data, inc: str) -> None:
        self.inc = inc
        self.got: list[tuple[str, Any]] = []
        self.room: list[tuple[str, bool]] = []  # who has room, or is slow or no more, and which
        self.unknown: list[str] = []
        self._clock, self._data = clock, data
        self._begin()
        self.links.opened(inc)

    def _begin(self) -> None:
        self.engine = FakeEngine(self._data)
        self.links = Links(
            self._clock,
            self.engine,
            LEASE,
            self.received,
            self.room_changed,
            self.unknown.append,
            msgspec.msgpack.encode,
            msgspec.msgpack.Decoder(list[Any]).decode,
        )

    def hand_over(self) -> None:
        """Go on as another process, which knows only what a snapshot has.

        What was sent before is done in its time, and nobody hears of it.
        """
        taken = msgspec.msgpack.encode(take_links(self.links))
        for wire in (self.engine.commands, self.engine.reads):
            wire.is_up = False
        self.links.stop()
        self._begin()
        restore_links(self.links, msgspec.msgpack.decode(taken, type=snapshot.Links))
        self.links.opened(self.inc)

    def sends(self, inc: str, *frames: Any) -> None:
        """Send frames to another node."""
        for frame in frames:
            self.links.send(inc, frame)

    def received(self, inc: str, frame: Any) -> None:
        """Take a frame."""
        self.got.append((inc, frame))

    def room_changed(self, inc: str) -> None:
        """Note what is said of another node."""
        self.room.append((inc, self.links.is_full(inc) or self.links.is_slow(inc)))

    def from_(self, inc: str) -> list[Any]:
        """Return what came from one node."""
        return [frame for source, frame in self.got if source == inc]

    def reconnects(self) -> None:
        """Be connected to the engine again, and a member as before."""
        self.engine.mend()
        self.links.opened(self.links.me)


class Net:
    """Some nodes that know of each other."""

    def __init__(self, *incs: str) -> None:
        self.clock = Clock()
        self.data = Data(self.clock)
        self.nodes = {inc: Node(self.clock, self.data, inc) for inc in incs}
        self.knows()
        self.runs()

    def knows(self) -> None:
        """Tell all nodes who the members are."""
        for node in self.nodes.values():
            node.links.members_changed(frozenset(self.nodes) - {node.inc})

    def runs(self, seconds: float = 0.1) -> None:
        """Let time pass, and all happen at its time."""
        end = self.clock.seconds() + seconds
        while due := [call.getTime() for call in self.clock.getDelayedCalls()]:
            if min(due) > end:
                break
            self.clock.advance(max(0.0, min(due) - self.clock.seconds()))
        self.clock.advance(end - self.clock.seconds())

    def inbox(self, inc: str) -> list[Any]:
        """Return the entries in a node's inbox."""
        return self.data.streams.get(b"chatpair:inbox:{%b}" % inc.encode(), [])
