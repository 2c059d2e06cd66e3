"""What puts engine, lease, names and links together, with an engine that is never there."""

from unittest.mock import Mock

from twisted.internet.task import Clock

from chatpair.cluster.address import EngineAddress
from chatpair.cluster.engine_mesh import EngineMesh
from chatpair.cluster.frames import Cancel


def test_what_a_former_incarnation_was_told_is_not_taken() -> None:
    mesh = EngineMesh(Clock(), EngineAddress.parse("redis://127.0.0.1:1"), "a", 10.0)
    listener = mesh.listener = mesh.lease.exchange = Mock()
    mesh.links.opened(mesh.me)
    for what_happens, told in (
        (lambda: None, 1),
        (mesh.lease._be_reborn, 1),
        (lambda: mesh.links.opened(mesh.me), 2),
        (lambda: vars(mesh.lease).update(check=lambda: False), 2),  # as if it had stood still
    ):
        what_happens()
        mesh._received("b.00000001", Cancel(1, 1))
        assert listener.received.call_count == told
    listener.received.assert_called_with("b.00000001", Cancel(1, 1))
