"""A client that comes back at another node than its user's: its bytes are carried there."""

from functools import partial
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from chatpair.cluster import frames
from chatpair.cluster.across import not_ready
from chatpair.cluster.carried import CarriedProtocol, Way
from chatpair.cluster.factory import ClusterFactory
from chatpair.cluster.far_end import FarProtocol, FarTransport
from chatpair.cluster.mesh import Mesh, NotReady
from chatpair.exchange.held_lines import Carry
from chatpair.exchange.messages import Error
from chatpair.exchange.user import Connection, User
from chatpair.protocol import ChatProtocol


class TunnelFactory(ClusterFactory):
    """The exchange of one node that gives users back their lines wherever they connect."""

    def __init__(self, clock: IReactorTime, mesh: Mesh, **options: Any) -> None:
        """Take what a ClusterFactory takes."""
        super().__init__(clock, mesh, **options)
        self._numbers = count(1)
        self._carried: dict[int, CarriedProtocol] = {}  # connections here
        self._far: dict[tuple[str, int], FarTransport] = {}  # connections elsewhere
        self.handlers |= {
            frames.TunnelOpen: self._opened,
            frames.TunnelSent: self._sent,
            frames.TunnelRead: self._read,
            frames.TunnelTold: self._told,
            frames.TunnelHanded: self._handed,
            frames.TunnelEnd: self._input_ends,
            frames.TunnelLost: self._lost,
            frames.TunnelClose: self._closed,
        }

    def may_come_back(self) -> bool:
        """Tell whether a connection may be that of somebody who has a key, of whatever node."""
        return bool(self.mesh.members) or super().may_come_back()

    def resume(
        self, key: str, seen: int, connection: Connection, host: str | None, *, counting: bool
    ) -> User | Error | Deferred[Error | Carry]:
        """Give back a line that is held here, or find the node that has it.

        Who comes through a tunnel is at the right node already.
        """
        answer = super().resume(key, seen, connection, host, counting=counting)
        if not isinstance(answer, Error) or answer.code != "bad-key":
            return answer
        if isinstance(connection, FarProtocol) or not isinstance(connection, ChatProtocol):
            return answer
        if not self.mesh.ready:
            return not_ready("resume")
        return self._ask_for(key, answer, connection, counting=counting)

    def _ask_for(
        self, key: str, unknown: Error, connection: ChatProtocol, *, counting: bool
    ) -> Deferred[Error | Carry]:
        found: Deferred[Error | Carry] = Deferred()

        def answered(inc: str | None) -> None:
            if inc is not None and inc in self.mesh.members:
                found.callback(partial(self._carry, inc, connection))
            else:
                found.callback(unknown)

        def silent(why: Failure) -> None:
            why.trap(NotReady)
            found.callback(not_ready("resume"))

        self.find_key(key, connection.host, counting=counting).addCallbacks(answered, silent)
        return found

    # Connections here

    def _carry(self, inc: str, connection: ChatProtocol, data: bytes) -> None:
        way = Way(self.mesh, inc)
        carried = CarriedProtocol.carry(connection, next(self._numbers), way, self._carried)
        carried.send(data)

    def _carried_to(self, inc: str, tunnel: int) -> CarriedProtocol | None:
        carried = self._carried.get(tunnel)
        return carried if carried is not None and carried.way.inc == inc else None

    def _read(self, inc: str, frame: frames.TunnelRead) -> None:
        if carried := self._carried_to(inc, frame.tunnel):
            carried.read(frame.count)

    def _told(self, inc: str, frame: frames.TunnelTold) -> None:
        if carried := self._carried_to(inc, frame.tunnel):
            carried.told(frame.data, more=frame.more)

    def _closed(self, inc: str, frame: frames.TunnelClose) -> None:
        if carried := self._carried_to(inc, frame.tunnel):
            carried.closed(at_once=frame.at_once)

    # Connections elsewhere

    def _opened(self, inc: str, frame: frames.TunnelOpen) -> None:
        ends = inc, frame.tunnel
        gone = partial(self._far.pop, ends)
        self._far[ends] = far = FarTransport(self.clock, Way(self.mesh, inc), frame, gone)
        far.protocol = protocol = FarProtocol()
        protocol.factory = self
        protocol.makeConnection(far)
        if frame.is_json:
            far.silent = True
            protocol.dataReceived(b"Mode:json\n")
            far.silent = False

    def _sent(self, inc: str, frame: frames.TunnelSent) -> None:
        if far := self._far.get((inc, frame.tunnel)):
            far.sent(frame.data)

    def _handed(self, inc: str, frame: frames.TunnelHanded) -> None:
        if far := self._far.get((inc, frame.tunnel)):
            far.handed(frame.count)

    def _input_ends(self, inc: str, frame: frames.TunnelEnd) -> None:
        if far := self._far.get((inc, frame.tunnel)):
            far.input_ends(was_cut=frame.was_cut)

    def _lost(self, inc: str, frame: frames.TunnelLost) -> None:
        if far := self._far.get((inc, frame.tunnel)):
            far.client_lost(was_closed=frame.was_closed)

    # What the mesh tells

    def room_changed(self, inc: str) -> None:
        """Let those go on who have waited for room on the way to a node, or wait."""
        super().room_changed(inc)
        for carried in [one for one in self._carried.values() if one.way.inc == inc]:
            carried.flow_changed()
        for far in [one for one in self._far.values() if one.inc == inc]:
            far.room_changed()

    def forget_node(self, inc: str) -> None:
        """End all connections that users have through a node that is dead, and theirs here."""
        super().forget_node(inc)
        for carried in [one for one in self._carried.values() if one.way.inc == inc]:
            carried.node_gone()
        for far in [one for one in self._far.values() if one.inc == inc]:
            far.client_lost(was_closed=False)

    def known_nodes(self) -> set[str]:
        """Return the incs of the nodes with which users here have something."""
        here = {carried.way.inc for carried in self._carried.values()}
        return super().known_nodes() | here | {inc for inc, _ in self._far}
