"""What puts engine, lease, names and links together, with an engine that is never there."""

from typing import Any
from unittest.mock import AsyncMock, Mock, patch

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from chatpair.cluster.address import EngineAddress
from chatpair.cluster.engine_mesh import EngineMesh
from chatpair.cluster.frames import Cancel
from tests.support.played import outcome


def mesh_of_one() -> EngineMesh:
    mesh = EngineMesh(Clock(), EngineAddress.parse("redis://127.0.0.1:1"), "a", 10.0)
    mesh.listener = mesh.lease.exchange = Mock()
    mesh.links.opened(mesh.me)
    return mesh


def test_another_node_that_the_engine_names_is_a_member_from_then_on() -> None:
    mesh = mesh_of_one()
    mesh.lease.ready = True
    for named, members in ((mesh.me, set()), (None, set()), ("b.00000001", {"b.00000001"})):
        with patch.object(mesh._names, "locate", AsyncMock(return_value=named)):
            assert outcome(Deferred.fromCoroutine(mesh.locate("bob"))) == [named]
        assert mesh.members == members


def test_what_a_former_incarnation_was_told_is_not_taken() -> None:
    mesh = mesh_of_one()
    listener: Any = mesh.listener
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
