"""What puts engine, lease, names and links together, with an engine that is never there."""

from typing import Any
from unittest.mock import Mock

import pytest
from twisted.internet.task import Clock

from chatpair.cluster.address import EngineAddress
from chatpair.cluster.engine_mesh import EngineMesh
from chatpair.cluster.frames import Cancel, Frame

OTHER = "b.00000001"
FRAME = Cancel(1, 1)


@pytest.fixture
def mesh() -> Any:
    """One that has joined, and notes what others tell."""
    made = EngineMesh(Clock(), EngineAddress.parse("redis://127.0.0.1:1"), "a", 10.0)
    made.listener = made.lease.exchange = Mock()
    made.opened(anew=True)
    return made


def told(mesh: EngineMesh) -> list[tuple[str, Frame]]:
    """Return what others have told."""
    assert isinstance(mesh.listener, Mock)
    return [call.args for call in mesh.listener.received.call_args_list]


def test_what_a_former_incarnation_was_told_is_not_taken(mesh: Any) -> None:
    mesh._received(OTHER, FRAME)
    assert told(mesh) == [(OTHER, FRAME)]
    mesh.lease._be_reborn()
    mesh._received(OTHER, FRAME)
    assert told(mesh) == [(OTHER, FRAME)]
    mesh.opened(anew=True)
    mesh._received(OTHER, FRAME)
    assert told(mesh) == [(OTHER, FRAME)] * 2
