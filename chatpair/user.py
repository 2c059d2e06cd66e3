"""A user: a name and its conversation, which may outlive a connection."""

from typing import Protocol

from chatpair.messages import Event
from chatpair.names import Name


class Connection(Protocol):
    """What a user needs of the connection that it is on."""

    full: bool
    """Whether what was told is still waiting to be taken, so that more should wait too."""

    def tell(self, event: Event) -> None:
        """Pass an event on to whoever is at the other end."""

    def tell_lines(self, sender: str, lines: bytes) -> None:
        """Pass on many lines of the peer's at once: clean UTF-8, each ends in LF."""

    def pair_changed(self) -> None:
        """Look up the user's pair again: it has begun or ended."""

    def flow_changed(self) -> None:
        """Ask again whether the peer can take more."""

    def no_name_came(self) -> None:
        """Close, because a name is overdue."""

    def drain(self) -> None:
        """Handle what has come already, within bounds, though flow control said to wait."""

    def stop(self) -> None:
        """Say that the server is stopping, and close."""

    def abort(self) -> None:
        """Close at once."""


class User:
    """Somebody with a name, on a connection."""

    __slots__ = ("connection", "name", "tried_second", "tries")

    def __init__(self, name: Name, connection: Connection) -> None:
        self.name = name
        self.connection = connection
        # How many calls were tried in which second, while this user was talking.
        self.tried_second = 0
        self.tries = 0

    def __str__(self) -> str:
        return self.name.text
