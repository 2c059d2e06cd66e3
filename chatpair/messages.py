"""What a user can ask for, and what a user can be told, however a codec writes it.

All text in them is clean. Times are seconds since the epoch.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

# Commands


@dataclass(frozen=True, slots=True)
class Claim:
    """Be known by a name."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """Talk with the user of a name; an empty one says nobody."""

    name: str


@dataclass(frozen=True, slots=True)
class Say:
    """Say a line to the peer."""

    text: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """Stop talking with the peer, and stay."""


@dataclass(frozen=True, slots=True)
class AskWho:
    """Ask who is here."""


@dataclass(frozen=True, slots=True)
class AskHelp:
    """Ask for the commands."""


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave."""


@dataclass(frozen=True, slots=True)
class NoSuchCommand:
    """What was meant for a command and is none."""

    word: str


Command: TypeAlias = Claim | Call | Say | HangUp | AskWho | AskHelp | Quit | NoSuchCommand

# Events

Ending = Literal["quit", "bye", "lost", "switched"]
"""Why a pair ended, as the one who stays is told."""

ErrorCode = Literal["reuse", "bad-name", "unknown", "busy", "self", "already", "nobody", "too-long"]
"""Why a command was refused."""


@dataclass(frozen=True, slots=True)
class Named:
    """The name is yours; with what the operator says to newcomers, or nothing."""

    motd: str


@dataclass(frozen=True, slots=True)
class Paired:
    """You talk with this peer from now on."""

    peer: str


@dataclass(frozen=True, slots=True)
class Message:
    """The peer says this."""

    sender: str
    text: str
    time: float


@dataclass(frozen=True, slots=True)
class Left:
    """The peer is gone, and you are free."""

    peer: str
    why: Ending


@dataclass(frozen=True, slots=True)
class Free:
    """You asked to stop talking with the peer, and are free."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Somebody called while you were talking."""

    name: str


@dataclass(frozen=True, slots=True)
class Here:
    """Who is here: names and whether each is in a pair, sorted, and how many more there are."""

    names: list[tuple[str, bool]]
    more: int


@dataclass(frozen=True, slots=True)
class Help:
    """The commands."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The answer to Quit; nothing follows."""


@dataclass(frozen=True, slots=True)
class Notice:
    """The server says this."""

    text: str


@dataclass(frozen=True, slots=True)
class Error:
    """A command was refused: a code for programs, a text for people."""

    code: ErrorCode
    text: str


Event: TypeAlias = (
    Named | Paired | Message | Left | Free | Tried | Here | Help | Goodbye | Notice | Error
)
