"""A switchboard for text: two parties talk over a private line."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatpair.client.errors import Ended as Ended
    from chatpair.client.errors import LineError as LineError
    from chatpair.client.errors import NotDelivered as NotDelivered
    from chatpair.client.errors import NotJson as NotJson
    from chatpair.client.errors import Refused as Refused
    from chatpair.client.errors import TooLong as TooLong
    from chatpair.client.line import Line as Line

__version__ = "0.1.0"

# What programs import: the server, which they are not, needs nothing of it.
_MODULES = {"Line": "line"} | dict.fromkeys(
    ("Ended", "LineError", "NotDelivered", "NotJson", "Refused", "TooLong"), "errors"
)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.client.{_MODULES[name]}"), name)
