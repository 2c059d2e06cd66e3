"""What the exchange sees of the other nodes, and what they see of it."""

from typing import Literal, Protocol

from twisted.internet.defer import Deferred

from chatpair.cluster.frames import Frame
from chatpair.exchange.names import Name


def node_of(inc: str) -> str:
    """Return the id of the node that an inc is of."""
    return inc.rpartition(".")[0]


class NotReady(Exception):
    """Nobody can tell now where a user is."""


class Mesh(Protocol):
    """The other nodes.

    A node is called by its inc, ID.XXXXXXXX: another one each time that it has begun anew.
    """

    @property
    def me(self) -> str:
        """The inc of this node."""

    @property
    def ready(self) -> bool:
        """Whether names can be claimed, and calls made to others."""

    @property
    def holds_names(self) -> bool:
        """Whether no other node can have the names of the users here."""

    @property
    def members(self) -> frozenset[str]:
        """The incs of the others."""

    def claim(self, name: Name) -> Deferred[Literal["yours", "taken", "later"]]:
        """Take a name for this node.

        Who cancels that has not got it, and may claim it again at once.
        """

    def release(self, name: Name) -> None:
        """Let a name be free again, if it is this node's."""

    def locate(self, key: str) -> Deferred[str | None]:
        """Fire with the inc of the node that has the name of a key; fails with NotReady."""

    def send(self, inc: str, frame: Frame) -> None:
        """Tell a node something: once, and after all that it was told before."""

    def is_full(self, inc: str) -> bool:
        """Tell whether so much is on its way to a node that whoever speaks must wait."""

    def is_slow(self, inc: str) -> bool:
        """Tell whether a node takes nothing of what is on its way: its users seem to be away."""

    def check(self) -> bool:
        """Tell whether this node still is what it was; else its users have been ended."""


class NamesListener(Protocol):
    """What becomes of the names of the users here: the lease tells the exchange."""

    def names(self) -> list[Name]:
        """Return the names of the users here."""

    def expelled(self, name: Name) -> None:
        """End the user of a name that another node has taken."""

    def frozen(self) -> None:
        """End all users: others may have their names."""

    def reborn(self) -> None:
        """Forget all that is shared with other nodes: they have taken this one for dead."""


class MeshListener(NamesListener, Protocol):
    """What the exchange is told."""

    def received(self, inc: str, frame: Frame) -> None:
        """Take what another node has told."""

    def room_changed(self, inc: str) -> None:
        """Note that a node is full no more, or has become slow, or is so no more."""

    def members_changed(self, members: frozenset[str]) -> None:
        """Take the incs of the others; whoever is missing is dead."""
