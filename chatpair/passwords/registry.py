"""What knows which names have a password."""

from zope.interface import Interface

from chatpair.exchange.names import Name


class INameRegistry(Interface):
    """A checker of passwords that can tell which names it has one for."""

    def written(name: Name) -> str | None:
        """Return how the checker writes a name, or the one that it counts as; None without any."""
