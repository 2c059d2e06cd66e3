"""A connection to this node whose user is at another: its bytes go there, and come from there."""

from __future__ import annotations

from typing import NamedTuple

from chatpair.cluster import frames
from chatpair.cluster.frames import Frame
from chatpair.cluster.mesh import Mesh
from chatpair.exchange.messages import Ending, Error
from chatpair.protocol import ChatProtocol
from chatpair.wire.line_receiver import LINES_A_TURN
from chatpair.wire.privacy import is_private
from chatpair.wire.telnet import INTERRUPT

WINDOW = 65_536
"""Bytes that may be on their way to the other end of a tunnel before more must wait."""

PIECE = 32_768
"""Bytes that go in one frame at most."""

_GONE = Error(None, "try-later", "The server that held your line is gone.")
_INTERRUPT_PROCESS = b"\xff\xf4"  # what telnet says


class Way(NamedTuple):
    """What leads to the other end of a tunnel."""

    mesh: Mesh
    inc: str

    def send(self, frame: Frame) -> None:
        """Tell the other node something."""
        self.mesh.send(self.inc, frame)

    @property
    def full(self) -> bool:
        """Whether so much is on its way to that node that more should wait."""
        return self.mesh.is_full(self.inc)


def pieces(data: bytes) -> list[bytes]:
    """Return data in parts that may go in a frame each."""
    return [data[at : at + PIECE] for at in range(0, len(data), PIECE)]


class CarriedProtocol(ChatProtocol):
    """A connection that has found its user at another node: it is no more than a pipe.

    It was a ChatProtocol until then. Lines, words and timers are the other node's, and here are
    the socket, whether it is alive, and the limits of connections.
    """

    way: Way
    tunnel: int
    tunnels: dict[int, CarriedProtocol]
    _on_way = 0  # bytes that the other node has not read
    _part = b""  # of what is to be told, until the rest comes
    _untold = 0  # bytes that the kernel has not taken

    @staticmethod
    def carry(
        connection: ChatProtocol, tunnel: int, way: Way, tunnels: dict[int, CarriedProtocol]
    ) -> CarriedProtocol:
        """Make a connection one that is carried to another node, by a number of this node's."""
        connection.factory.unnamed.stop(connection)
        connection.factory.silent.stop(connection)
        connection.__class__ = CarriedProtocol
        assert isinstance(connection, CarriedProtocol)
        connection.tunnel, connection.way, connection.tunnels = tunnel, way, tunnels
        tunnels[tunnel] = connection
        private, speaks_json = is_private(connection.transport), connection._queue is not None
        way.send(frames.TunnelOpen(tunnel, connection.host, private, speaks_json))
        return connection

    # From the client

    def send(self, data: bytes) -> None:
        """Send the other node what the client has sent."""
        for piece in pieces(data):
            self.way.send(frames.TunnelSent(self.tunnel, piece))
        self._on_way += len(data)

    def handle_buffer(self, lines: int = LINES_A_TURN) -> None:
        """Send on what has come, lines or not, unless this is paused."""
        if self.paused or self.tunnel not in self.tunnels:
            return
        data, self._buffer = self._buffer, b""
        self.send(data.replace(INTERRUPT + b"\n", _INTERRUPT_PROCESS))
        if self.must_wait():
            self.flow_changed()

    def must_wait(self) -> bool:
        """Tell whether no more should be read."""
        return self._on_way >= WINDOW or self.way.full

    def read(self, count: int) -> None:
        """Note that the other node has read so many bytes more."""
        self._on_way -= count
        self.flow_changed()

    def end_of_input(self) -> None:
        """Send on what is left."""
        self.handle_buffer()

    def all_said(self) -> None:
        """Let the other node decide whether the client stays."""
        was_cut = getattr(self.transport, "input_was_cut", False)
        self.way.send(frames.TunnelEnd(self.tunnel, was_cut))
        self.watch.input_ended()

    def drain(self) -> None:
        """Send on what has come: there will be no later."""
        self.paused = False
        self.handle_buffer()

    # To the client

    def told(self, data: bytes, *, more: bool) -> None:
        """Tell the client whole lines, together with those that come next if there are more."""
        self._part += data
        if not more:
            data, self._part = self._part, b""
            self._untold += len(data)
            self.write_for_receipt(data)

    def handed(self) -> None:
        """Tell the other node that the kernel has all."""
        count, self._untold = self._untold, 0
        self.way.send(frames.TunnelHanded(self.tunnel, count))

    # The end

    def closed(self, *, at_once: bool) -> None:
        """Close, as the other node has closed its end."""
        self.tunnels.pop(self.tunnel, None)
        if at_once:
            self.abort()
        else:
            self.end("closed")

    def node_gone(self) -> None:
        """Say that the other node is no more, and close."""
        self.tunnels.pop(self.tunnel, None)
        self.tell(_GONE)
        self.end("node is gone")

    def _leave(self, why: Ending, reason: str) -> None:
        if self.tunnels.pop(self.tunnel, None) is not None:
            self.way.send(frames.TunnelLost(self.tunnel, reason == "closed"))
        super()._leave(why, reason)
