"""One node of a cluster: its exchange, and what connects it with the others."""

from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from chatpair.cluster.address import EngineAddress
from chatpair.cluster.engine_mesh import EngineMesh
from chatpair.cluster.tunnel import TunnelFactory
from chatpair.exchange.messages import AnyCommand
from chatpair.protocol import ChatProtocol


class NodeProtocol(ChatProtocol):
    """A connection to a node, which may have been frozen since the last line.

    Before anything of it is handled it is made certain that the users here are what they were.
    """

    factory: TunnelFactory

    def dataReceived(self, data: bytes) -> None:
        """Take what has come."""
        self.factory.mesh.check()
        super().dataReceived(data)

    def read_on(self) -> None:
        """Handle what has come before."""
        self.factory.mesh.check()
        super().read_on()

    def readConnectionLost(self) -> None:
        """Handle the rest of it."""
        self.factory.mesh.check()
        super().readConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Handle what waited."""
        self.lost = True  # there is nobody to tell of an end
        self.factory.mesh.check()
        super().connectionLost(reason)

    def _obey(self, command: AnyCommand) -> None:
        self.factory.mesh.check()
        if not self.closing:
            super()._obey(command)


def make_node(
    clock: Any, address: EngineAddress, node_id: str, lease: float, **settings: Any
) -> tuple[TunnelFactory, EngineMesh]:
    """Return the exchange of a node, and what connects it once that is started."""
    mesh = EngineMesh(clock, address, node_id, lease)
    factory = TunnelFactory(clock, mesh, **settings)
    factory.protocol = NodeProtocol  # type: ignore[assignment]  # the stub wants less
    mesh.listener = factory
    return factory, mesh
