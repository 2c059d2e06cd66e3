"""What the exchange is told of the other nodes, and of the names of its users."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from chatpair.cluster.frames import Frame
from chatpair.exchange.names import Name
from chatpair.exchange.user import User


def node_of(inc: str) -> str:
    """Return the id of the node that an inc is of."""
    return inc.rpartition(".")[0]


class Stay(NamedTuple):
    """As what a node is a member: all scripts check it first."""

    inc: str
    join: int
    """How often the node had asked to join."""
    epoch: bytes


class NotReady(Exception):
    """Nobody can tell now where a user is."""


class MeshListener(Protocol):
    """What the exchange is told, of the names of its users by the lease."""

    here: Mapping[str, User]
    """The users here, by the keys of their names."""

    def expelled(self, name: Name) -> None:
        """End the user of a name that another node has taken."""

    def frozen(self) -> None:
        """End all users: others may have their names."""

    def reborn(self) -> None:
        """Forget all that is shared with other nodes: they have taken this one for dead."""

    def received(self, inc: str, frame: Frame) -> None:
        """Take what another node has told."""

    def room_changed(self, inc: str) -> None:
        """Note that a node is full no more, or has become slow, or is so no more."""

    def members_changed(self, members: frozenset[str]) -> None:
        """Take the incs of the others; whoever is missing is dead."""
