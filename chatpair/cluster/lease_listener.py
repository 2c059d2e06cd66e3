"""What a lease tells the node."""

from typing import Protocol

from chatpair.cluster.engine import EngineRefuses
from chatpair.exchange.names import Name


class LeaseListener(Protocol):
    """Whom a Lease tells."""

    def ready_changed(self) -> None:
        """Take note that names can be claimed, or that they can't."""

    def members_changed(self, members: frozenset[str]) -> None:
        """Take the others that are alive; whoever is missing is dead."""

    def frozen(self) -> None:
        """End all users now."""

    def reborn(self) -> None:
        """Drop all stand-ins: this node has a new incarnation, and will claim its names again."""

    def joined(self) -> None:
        """Make the inbox: this node is a member now, or again in an engine that lost data."""

    def returned(self) -> None:
        """Send again what may be lost: the engine is there again, and this node still a member."""

    def names(self) -> list[Name]:
        """Return the names of the users here."""

    def expelled(self, name: Name) -> None:
        """End a user whose name is another's now."""

    def refused(self, why: EngineRefuses) -> None:
        """Stop: this node can't be a member."""
