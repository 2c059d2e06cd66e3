"""Tunnels: a client that comes back at another node than its user's has its bytes carried there."""

from itertools import count
from typing import Any, TypeAlias

from chatpair.cluster import frames
from chatpair.cluster.carried_session import CarriedSession
from chatpair.cluster.engine_mesh import EngineMesh
from chatpair.cluster.far_transport import FarTransport
from chatpair.cluster.way import Way
from chatpair.exchange.exchange import Exchange
from chatpair.wire.privacy import is_private

TunnelEnd: TypeAlias = CarriedSession | FarTransport
"""That of a connection here whose user is elsewhere, or the other one."""


class Tunnels:
    """The ends of tunnels at this node."""

    def __init__(self, mesh: EngineMesh, exchange: Exchange) -> None:
        self._mesh = mesh
        self._exchange = exchange
        self._numbers = count(1)
        self._ends: dict[tuple[str, int], TunnelEnd] = {}

    def way(self, inc: str, number: int, on_way: int = 0) -> Way:
        """Return the way to the other end of a tunnel, on which so many bytes are."""
        return Way(self._mesh.send, self._mesh.is_full, inc, number, self._ends, on_way)

    def leads_to(self, connection: object) -> bool:
        """Tell whether the client of a connection is at another node."""
        return getattr(connection, "transport", None) in self._ends.values()

    def carry(self, connection: Any, inc: str, data: bytes) -> None:
        """Let a node go on with a connection, whose bytes these are that it is to have first."""
        number = next(self._numbers)
        private, is_json = is_private(connection.transport), connection.session.counting
        self._mesh.send(inc, frames.TunnelOpened(-number, connection.host, private, is_json))
        CarriedSession(connection, self.way(inc, number)).data_received(data)

    def opened(self, inc: str, frame: frames.TunnelOpened) -> None:
        """Make a connection of a client that is at another node."""
        connection = self._exchange.buildProtocol(None)
        way = self.way(inc, frame.tunnel)
        connection.makeConnection(FarTransport(self._exchange.clock, way, frame, connection))
        if frame.is_json:
            connection.speak_json(silently=True)

    def told(self, inc: str, frame: frames.Tunnel) -> None:
        """Take what the other end of a tunnel tells."""
        end = self._ends.get((inc, frame.tunnel))
        if end is not None:
            match frame:
                case frames.TunnelData(_, data, more):
                    end.came(data, more=more)
                case frames.TunnelTaken(_, count):
                    end.way.on_way -= count
                    end.room_changed()
                case frames.TunnelEnded(_, how):
                    end.ended(how)

    def _to(self, inc: str) -> list[TunnelEnd]:
        return [end for (node, _), end in self._ends.items() if node == inc]

    def room_changed(self, inc: str) -> None:
        """Let those go on who have waited for room on the way to a node."""
        for end in self._to(inc):
            end.room_changed()

    def forget_node(self, inc: str) -> None:
        """End all connections that users have through a node that is dead, and theirs here."""
        for end in self._to(inc):
            end.node_gone()
