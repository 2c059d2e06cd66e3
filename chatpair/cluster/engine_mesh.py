"""The other nodes, as the exchange of one sees them: engine, lease, names and links together."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from chatpair.cluster import frames
from chatpair.cluster.address import EngineAddress
from chatpair.cluster.engine import Engine
from chatpair.cluster.engine_names import EngineNames
from chatpair.cluster.frames import Frame
from chatpair.cluster.lease import Lease
from chatpair.cluster.links import Links
from chatpair.cluster.mesh import MeshListener, NotReady


class EngineMesh:
    """The nodes that share an engine.

    A node is called by its inc, ID.XXXXXXXX: another one each time that it has begun anew.
    """

    listener: MeshListener
    """The exchange, which must be there before start."""

    def __init__(self, reactor: Any, address: EngineAddress, node_id: str, lease: float) -> None:
        """Take where the engine is, what this node is called, and the seconds of a lease."""
        self._engine = Engine(reactor, address, f"chatpair-{node_id}", patience=lease / 2)
        self._names = EngineNames(self._engine)
        self.links = Links(
            reactor,
            self._engine,
            lease,
            self._received,
            lambda inc: self.listener.room_changed(inc),
            lambda inc: self.lease.heartbeat_soon(),
            frames.encode,
            frames.decode,
            frames.Version(frames.VERSION),
        )
        told = self.links.opened, self.links.members_changed
        self.lease = Lease(reactor, self._engine, self._names, *told, node_id, lease)
        self.check = self.lease.check
        self.claim = self.lease.claim
        self.release = self._names.release
        self.send = self.links.send
        self.is_full = self.links.is_full
        self.is_slow = self.links.is_slow

    @property
    def me(self) -> str:
        return self.lease.me

    @property
    def ready(self) -> bool:
        return self.lease.ready

    @property
    def obstacle(self) -> str:
        """Why no name can be claimed, or nothing."""
        if self.ready:
            return ""
        if self.lease.validity.is_cut_off or not self._engine.connected:
            return "cut off from the engine"
        return "settling" if self.lease.settling else "joining the cluster"

    @property
    def holds_names(self) -> bool:
        return self.lease.holds_names

    @property
    def members(self) -> frozenset[str]:
        return self.lease.members.alive

    async def locate(self, key: str) -> str | None:
        """Return the inc of the node that has the name of a key; raises NotReady.

        If that node is so new that it was not one of the members, it is now.
        """
        if not self.ready:
            raise NotReady
        inc = await self._names.locate(key)
        return inc if inc is None or inc == self.me or self.lease.meet(inc) else None

    def start(self, refused: Callable[[str], object]) -> None:
        """Join, and stay; `refused` is called if that can never be."""
        self.lease.refused, self.lease.exchange = refused, self.listener
        self._engine.start(self.lease.connected, self.lease.lost, refused)

    def stop(self) -> "Deferred[None]":
        """Leave, once what was to be told to others in this turn is told."""
        self.links.stop()
        return self.lease.leave().addCallback(lambda _: self._engine.stop())

    def let_go(self) -> None:
        """Be no node any more, as another process is it; the engine is told nothing."""
        self._engine.abort()
        self.stop()

    def _received(self, inc: str, frame: Frame) -> None:
        # What was told to a former incarnation of this node nobody would hear the answer to.
        if self.lease.check() and self.links.me == self.lease.me:
            self.listener.received(inc, frame)
