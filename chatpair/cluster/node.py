"""One node of a cluster: its exchange, and what connects it with the others."""

from typing import Any

from chatpair.cluster.address import EngineAddress
from chatpair.cluster.factory import ClusterFactory
from chatpair.cluster.mesh import EngineMesh
from chatpair.protocol import ChatProtocol


class NodeProtocol(ChatProtocol):
    """A connection to a node, which may have been frozen since the last line."""

    factory: ClusterFactory

    def dataReceived(self, data: bytes) -> None:
        """Take what has come, once it is certain that the users here are still what they were."""
        self.factory.mesh.check()
        super().dataReceived(data)


def make_node(
    clock: Any, address: EngineAddress, node_id: str, lease: float, **settings: Any
) -> tuple[ClusterFactory, EngineMesh]:
    """Return the exchange of a node, and what connects it once that is started."""
    mesh = EngineMesh(clock, address, node_id, lease)
    factory = ClusterFactory(clock, mesh, **settings)
    factory.protocol = NodeProtocol  # type: ignore[assignment]  # the stub wants less
    mesh.listener = factory
    return factory, mesh
