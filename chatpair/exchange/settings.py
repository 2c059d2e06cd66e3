"""What an operator has chosen for the exchange."""

import sys
from dataclasses import dataclass

from chatpair.exchange.limits import Network


@dataclass
class Settings:
    """The options of "twistd chatpair" that the exchange and its connections heed.

    Their names are those of the options, and so are their defaults and kinds of numbers.
    """

    max_line: int = 65_536
    """Bytes of a line."""
    linger: float = 60
    """Seconds that a user stays who has half-closed the connection and is told nothing."""
    hold: int = 60
    """Seconds for which a line with a key is held whose connection is lost."""
    max_users: int = 10_000
    max_per_host: int = 100
    """Connections of a host at a time, and held lines."""
    max_connects_per_minute: int = 300
    """Of each host but this one; 0 for any number."""
    max_names_per_minute: int = 100
    """Of each host but this one; 0 for any number."""
    name_time: float = 30
    """Seconds that a connection may go without a name."""
    rate: int = 0
    """Lines a second that a user may say, or 0 for as many as there are."""
    exempt: tuple[Network, ...] = ()
    """Networks whose addresses have no limits of their own."""
    motd: str = ""
    registered_only: bool = False
    """Whether there are no names but those that have a password."""
    max_connections: int = sys.maxsize
    """Until somebody knows how many files may be open."""
