"""A user: a name, what it has set for calls, and an inbox for what it is told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from chatpair.exchange.limits import Pace
from chatpair.exchange.messages import AnyEvent, Error, Failing, Outcome, Ringing, Tried
from chatpair.exchange.names import Name

MAX_TRIED = 5
"""Calls in a second that somebody who does not take them is told of."""


class Block(NamedTuple):
    """Somebody whom a user never hears of."""

    name: Name
    host: str | None
    """From where nobody who came later is heard of either, if it is known."""
    since: float
    """When that began, in seconds; it compares with when users came."""


class CallSettings(NamedTuple):
    """What a user has set for calls to it."""

    dnd: bool = False
    """Whether nobody can call."""
    rings: bool = False
    """Whether calls ring until they are answered."""
    blocks: tuple[Block, ...] = ()

    def block_of(self, name: Name) -> Block | None:
        """Return what blocks whoever has a name, if anything does."""
        return next((block for block in self.blocks if block.name.is_same(name)), None)

    def without(self, block: Block) -> "CallSettings":
        """Return the same, without a block."""
        return self._replace(blocks=tuple(one for one in self.blocks if one is not block))


class Listener(Protocol):
    """What a user is told many lines through."""

    def tell_lines(self, sender: str, lines: bytes, seconds: float) -> int:
        """Tell what a peer of a name said at one time: clean UTF-8, each line ends in LF.

        Return how many lines they are, or minus that if there is room for no more and
        `Pairs.has_room` will not tell.
        """


class Connection(Protocol):
    """What an inbox needs of the connection that its user is on: a ChatProtocol has it.

    `tell_for_receipt` says so to `Receipts.handed` when the kernel has these and all before;
    `is_all_delivered` tells whether the kernel knows that the other end has them too.
    """

    @property
    def full(self) -> bool: ...
    @property
    def host(self) -> str | None: ...
    def tell(self, event: AnyEvent) -> None: ...
    def tell_for_receipt(self, *events: AnyEvent) -> None: ...
    def is_all_delivered(self) -> bool: ...
    def tell_lines(self, sender: str, lines: bytes, seconds: float) -> int: ...
    def pair_changed(self) -> None: ...
    def bind(self) -> None: ...

    def flow_changed(self) -> None: ...
    def taken_over(self) -> None: ...
    def dismissed(self, why: Error) -> None: ...


class _Lost:
    """Stands where a connection was that is lost: nobody hears what it is told."""

    full = False
    host = None

    @staticmethod  # so that each who has it has the same
    def _ignore(*_: object) -> Any:
        return False

    tell = tell_for_receipt = tell_lines = is_all_delivered = _ignore
    pair_changed = bind = flow_changed = taken_over = dismissed = _ignore


LOST = _Lost()


@dataclass(slots=True, eq=False, repr=False)
class Receipt:
    """A text whose sender is to be told what became of it."""

    sender: "User"
    say: int
    """The sender's own number of it."""
    settled: bool = False


class Inbox:
    """Takes what a user is told to the connection, and keeps none of it: for nc or telnet.

    A user has another one whose client counts or who has a key, and who is at another node.
    """

    __slots__ = ("_receipts", "connection", "host")

    is_here = True
    """Whether the user is at this node, so that what it does counts here."""
    pair = 0
    """How many pairs the user has been in, if the client is told."""
    takes_chunks = True
    """Whether to be told many lines as one costs little more than one of them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.host = connection.host
        """The address that the user is at, or was at last, if it is known."""
        self._receipts: tuple[Receipt, ...] = ()  # of what the kernel has not taken

    # What the user is told

    @property
    def full(self) -> bool:
        """Whether whoever speaks to this user must wait."""
        return self.connection.full

    def tell(self, event: AnyEvent, receipt: Receipt | None = None) -> None:
        """Pass an event on, or keep it until the user is back."""
        if receipt is None:
            self.connection.tell(event)
        else:
            self._receipts += (receipt,)
            self.connection.tell_for_receipt(event)

    @property
    def listener(self) -> Listener:
        """What takes many lines of the peer's, until the inbox or the pair is another."""
        return self.connection

    def peer_types(self, peer: str) -> None:
        """Show that the peer is typing, if the client can."""

    @property
    def kept_bytes(self) -> int:
        """How much of what the user was told is kept."""
        return 0

    def counted(self, lines: int) -> int:
        """Return what tell_lines does, where nobody else tells that this is full."""
        return -lines if self.full else lines

    # What became of what it was told

    @property
    def owes_receipts(self) -> bool:
        """Whether somebody waits for this user's client to acknowledge what they said."""
        return False

    def handed(self) -> Sequence[Receipt]:
        """Note that the kernel has all that was told; return the receipts that waited for that."""
        receipts, self._receipts = self._receipts, ()
        return receipts

    def is_told(self, seq: int) -> bool:
        """Tell whether there is an event of that number; 0 is before all."""
        return seq == 0

    def acknowledged(self, seq: int) -> Sequence[Receipt]:
        """Forget all events up to one; return the receipts of those that have arrived."""
        return ()

    def unsettled(self, sender: "User") -> Iterable[Receipt]:
        """Return the receipts of what somebody said and of which it is not known yet."""
        return [receipt for receipt in self._receipts if receipt.sender is sender]

    def gone(self) -> Sequence[Receipt]:
        """Return the receipts of what will not arrive."""
        return self.handed()

    # What became of what it said

    @property
    def says_too_much(self) -> bool:
        """Whether no more of what this user says should be taken until some is settled."""
        return False

    def takes(self, say: int) -> bool:
        """Note that the server has a text that the client counts so; return whether it is new."""
        return True

    def tell_status_of(self, say: int) -> None:
        """Tell again what became of a text, if it is known."""

    def settle(self, says: Sequence[int], outcome: Outcome, why: Failing | None) -> None:
        """Note what became of texts that the user said."""

    def tell_statuses(self, *, at_last: bool = False) -> None:
        """Tell what is known of what was said; at last, though it be much."""

    # Its connection

    @property
    def away(self) -> bool:
        """Whether the connection is lost, and what is told is kept."""
        return self.connection is LOST

    def pair_changed(self) -> None:
        """Let the connection look up the user's peer again."""
        self.connection.pair_changed()

    def flow_changed(self) -> None:
        """Let the connection ask again whether the peer can take more."""
        self.connection.flow_changed()

    def lose(self, peer: "User | None", now: float) -> None:
        """Have no connection any more."""
        self.connection = LOST

    def connect(self, connection: Connection) -> None:
        """Have another connection: replay is next."""
        self.connection = connection
        self.host = connection.host

    def replay(self, user: "User", peer: "User | None", now: float) -> None:
        """Tell a user who is back what was missed."""


@dataclass(slots=True, weakref_slot=True, eq=False, repr=False)
class User:
    """Somebody with a name, and its conversation, which may outlive a connection."""

    name: Name
    inbox: Inbox
    since: float
    """When the user came, in seconds of this node's clock."""
    came_from: str | None = field(init=False)
    settings: CallSettings = CallSettings()  # noqa: RUF009
    key: str = ""
    """What gives the user the line back, once there is a key."""
    pace: Pace | None = None
    """How fast the user may speak, if there is a limit; over all its connections."""
    can_call: bool = False
    """Whether the user knows how to: it has talked, or was told, since it last hung up."""
    away_told: bool = False
    """Whether the user was told that the peer is away."""
    _calls_told: tuple[int, int] = 0, 0  # the second, and of how many it was told in it

    def __post_init__(self) -> None:
        self.came_from = self.inbox.host

    def __str__(self) -> str:
        return self.name.text

    @property
    def full(self) -> bool:
        """Whether whoever speaks to this user must wait."""
        return self.inbox.full

    def tell(self, event: AnyEvent, receipt: Receipt | None = None) -> None:
        """Let the user know of an event, now or when it is back."""
        self.inbox.tell(event, receipt)

    def announce(self, event: Tried | Ringing, now: float) -> bool:
        """Tell of somebody's call, unless that is more than a person reads; return whether."""
        second, told = self._calls_told
        told = told + 1 if second == int(now) else 1
        self._calls_told = int(now), told
        if told > MAX_TRIED or self.full:
            return False
        self.tell(event)
        return True
