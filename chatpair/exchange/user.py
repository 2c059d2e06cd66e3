"""A user: a name and its conversation, which may outlive a connection."""

from collections import deque
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from msgspec.structs import replace

from chatpair.exchange.messages import (
    AnyEvent,
    CountedEvent,
    Error,
    Free,
    Message,
    Named,
    Paired,
    Repeated,
    Resumed,
    Status,
    Timestamp,
)
from chatpair.exchange.names import Name
from chatpair.exchange.receipts import Says

KEPT_EVENTS, KEPT_BYTES = 1_000, 2**20
"""Events, or bytes of them, that are kept for a user before whoever speaks to it must wait."""

KEPT_STATUSES = 100
"""Statuses that a client has not acknowledged, after which they are put together before more
are told: else a client that says much would have to stop and acknowledge what it has not read.
"""

EVENT_BYTES = 200
"""Bytes that an event is taken for, beside its text."""

LATELY_SECONDS = 30.0
"""For how long a line may be on its way to a connection that is dead."""


class Visitor(Protocol):
    """What the factory needs of a connection that may have no user yet."""

    def no_name_came(self) -> None:
        """Close, because a name is overdue."""

    def drain(self) -> None:
        """Handle what has come already, within bounds, though flow control said to wait."""

    def stop(self) -> None:
        """Say that the server is stopping, and close."""

    def abort(self) -> None:
        """Close at once."""


class Connection(Visitor, Protocol):
    """What a user needs of the connection that it is on."""

    full: bool
    """Whether what was told is still waiting to be taken, so that more should wait too."""

    @property
    def host(self) -> str | None:
        """The address of the other end, if it has one."""

    def tell(self, event: AnyEvent) -> None:
        """Pass an event on to whoever is at the other end."""

    def tell_for_receipt(self, event: AnyEvent) -> None:
        """Do the same, and tell the factory when the kernel has this and all before it."""

    def tell_lines(self, sender: str, lines: bytes, seconds: float) -> None:
        """Pass on many lines of the peer's, said at one time: clean UTF-8, each ends in LF."""

    def pair_changed(self) -> None:
        """Look up the user's pair again: it has begun or ended."""

    def flow_changed(self) -> None:
        """Ask again whether the peer can take more."""

    def no_line_came(self) -> None:
        """Close, because a client that should say something from time to time is silent."""

    def taken_over(self) -> None:
        """Close, because the user is on another connection now."""

    def dismissed(self, why: Error) -> None:
        """Say why the user is none any more, and close."""


class Receipt:
    """A say whose sender is to be told what became of it."""

    __slots__ = ("say", "sender", "settled")

    def __init__(self, sender: "CountingUser", say: int) -> None:
        self.sender = sender
        self.say = say
        self.settled = False


Entry = TypeVar("Entry")


class Kept(Generic[Entry]):
    """Events that are kept, the oldest first, and how much that is."""

    __slots__ = ("_entries", "bytes", "events")

    def __init__(self) -> None:
        self._entries: deque[tuple[Entry, int, int]] = deque()
        self.events = 0
        self.bytes = 0

    @property
    def full(self) -> bool:
        """Whether no more should be kept."""
        return self.events >= KEPT_EVENTS or self.bytes >= KEPT_BYTES

    def append(self, event: AnyEvent, entry: Entry, events: int = 1) -> None:
        """Keep what stands for an event, which counts as so many."""
        size = EVENT_BYTES * events + len(getattr(event, "text", "").encode())
        self._entries.append((entry, events, size))
        self.events += events
        self.bytes += size

    def popleft(self) -> Entry:
        """Return the oldest, and keep it no more."""
        entry, events, size = self._entries.popleft()
        self.events -= events
        self.bytes -= size
        return entry

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return (entry for entry, _, _ in self._entries)

    def oldest(self) -> Entry:
        """Return the oldest."""
        return self._entries[0][0]


def _lines(event: AnyEvent) -> int:
    """Return how many lines a plain user is told of an event."""
    return event.text.count("\n") + 1 if isinstance(event, Message) else 1


class Recall:
    """What a user with a key is told again, and told at last, when it is back."""

    __slots__ = ("lately", "peer", "pending", "waiting")

    def __init__(self) -> None:
        self.lately: Kept[tuple[float, Message]] = Kept()  # and when it was told
        self.waiting: Kept[AnyEvent] = Kept()  # since the connection was lost
        self.pending = False  # the kernel has not taken all of it
        self.peer = ""  # when the connection was lost

    @property
    def full(self) -> bool:
        """Whether no more should be kept for a user who is away.

        What the kernel has not taken counts too: else it would grow with each drop.
        """
        return self.waiting.full or (self.pending and self.lately.full)

    def forget(self, now: float) -> None:
        """Keep of what was told only what a dead connection may have swallowed."""
        while self.lately and not self.pending:
            told_at, _ = self.lately.oldest()
            if told_at >= now - LATELY_SECONDS and not self.lately.full:
                break
            self.lately.popleft()


class User:
    """Somebody with a name, whose client acknowledges nothing: a person with nc or telnet."""

    __slots__ = (
        "_receipts",
        "away_told",
        "connection",
        "host",
        "key",
        "name",
        "recall",
        "tries",
        "tries_at",
    )

    says: Says | None = None
    """What became of what was said, if the client counts that."""

    def __init__(self, name: Name, connection: Connection) -> None:
        self.name = name
        self.connection: Connection | None = connection
        self.host: str | None = None  # of the connection that was lost
        self.key = ""
        self.recall: Recall | None = None
        self._receipts: list[Receipt] = []  # of what the kernel has not taken
        self.away_told = False  # that the peer is away
        # How many calls were tried in which second, while this user was talking.
        self.tries_at = self.tries = 0

    def __str__(self) -> str:
        return self.name.text

    @property
    def full(self) -> bool:
        """Whether whoever speaks to this user must wait."""
        if self.connection is not None:
            return self.connection.full
        return self.recall is not None and self.recall.full

    def host_now(self) -> str | None:
        """Return the address that the user is at, or was at last, if it is known."""
        return self.connection.host if self.connection is not None else self.host

    def tell(self, event: AnyEvent, receipt: Receipt | None = None) -> None:
        """Pass an event on, or keep it until the user is back."""
        if receipt is not None:
            self._receipts.append(receipt)
        if self.connection is None:
            assert self.recall is not None
            self.recall.waiting.append(event, event, _lines(event))
        elif self.recall is not None:
            if isinstance(event, Message):
                self.recall.forget(event.time)
                self.recall.lately.append(event, (event.time, event), _lines(event))
            self.recall.pending = True
            self.connection.tell_for_receipt(event)
        elif receipt is not None:
            self.connection.tell_for_receipt(event)
        else:
            self.connection.tell(event)

    def tell_lines(self, sender: str, lines: bytes, seconds: float) -> bool:
        """Pass on many lines of the peer's at once: clean UTF-8, each ends in LF.

        Return whether there is room for no more, of which a connection tells by itself.
        """
        if self.recall is None:
            assert self.connection is not None
            self.connection.tell_lines(sender, lines, seconds)
            return False
        self.tell(Message(sender, lines[:-1].decode(), Timestamp(seconds)))
        return self.full

    def pair_changed(self) -> None:
        """Let the connection, if there is one, look up the user's pair again."""
        if self.connection is not None:
            self.connection.pair_changed()

    def flow_changed(self) -> None:
        """Let the connection, if there is one, ask again whether the peer can take more."""
        if self.connection is not None:
            self.connection.flow_changed()

    def is_told(self, seq: int) -> bool:
        """Tell whether there is an event of that number; 0 is before all."""
        return seq == 0

    @property
    def owes_receipts(self) -> bool:
        """Whether somebody waits for this client to acknowledge what they said."""
        return False

    def acknowledged(self, seq: int) -> list[Receipt]:
        """Forget all events up to one; return whose senders are to know that it arrived."""
        return []

    def handed(self) -> list[Receipt]:
        """Note that the kernel has all that was told; return whose senders wait for that."""
        if self.recall is not None:
            self.recall.pending = False
        receipts, self._receipts = self._receipts, []
        return receipts

    def unsettled(self, sender: "User") -> Iterator[Receipt]:
        """Yield the receipts of what somebody said and the kernel has not taken."""
        return (receipt for receipt in self._receipts if receipt.sender is sender)

    def gone(self) -> list[Receipt]:
        """Return the receipts of what will not arrive."""
        return self.handed()

    def disconnected(self, peer: "User | None", now: float) -> None:
        """Keep what is told from now on."""
        assert self.recall is not None
        self.connection = None
        self.recall.peer = peer.name.text if peer is not None else ""
        self.recall.forget(now)

    def replay(self, peer: "User | None", now: float) -> None:
        """Tell what was told shortly before the connection was lost, and what was kept since."""
        recall, connection = self.recall, self.connection
        assert recall is not None
        assert connection is not None
        again = [message for _, message in recall.lately]
        waiting = list(recall.waiting)
        self.recall = Recall()
        self.recall.pending = True
        for event in (*again, *waiting):
            if isinstance(event, Message):
                self.recall.lately.append(event, (now, event), _lines(event))
        events: list[AnyEvent] = [
            Named(self.name.text, self.key),
            *(Repeated(message) for message in again),
            Paired(recall.peer) if recall.peer else Free(),
            *waiting,
        ]
        for event in events[:-1]:
            connection.tell(event)
        connection.tell_for_receipt(events[-1])


class CountingUser(User):
    """Somebody whose client counts what it says and acknowledges what it is told."""

    __slots__ = ("_kept", "_seq", "_statuses", "says")

    def __init__(self, name: Name, connection: Connection) -> None:
        super().__init__(name, connection)
        self.says: Says = Says()
        self._seq = 0
        self._statuses = 0  # of what was not acknowledged
        # What was not acknowledged: its number, and who is to know when it is.
        self._kept: Kept[tuple[int, AnyEvent, Receipt | None]] = Kept()

    @property
    def full(self) -> bool:
        """Whether whoever speaks to this user must wait."""
        return self._kept.full or (self.connection is not None and self.connection.full)

    def tell(self, event: AnyEvent, receipt: Receipt | None = None) -> None:
        """Number an event, keep it until it is acknowledged, and pass it on if that is possible."""
        if isinstance(event, CountedEvent):
            self._seq += 1
            event = replace(event, seq=self._seq)
            self._kept.append(event, (self._seq, event, receipt))
            self._statuses += isinstance(event, Status)
        if self.connection is not None:
            self.connection.tell(event)

    def tell_lines(self, sender: str, lines: bytes, seconds: float) -> bool:
        """Pass on many lines of the peer's at once; return whether there is room for no more."""
        for line in lines[:-1].decode().split("\n"):
            self.tell(Message(sender, line, Timestamp(seconds)))
        return self.full

    def is_told(self, seq: int) -> bool:
        """Tell whether there is an event of that number; 0 is before all."""
        return seq <= self._seq

    def acknowledged(self, seq: int) -> list[Receipt]:
        """Forget all events up to one; return whose senders are to know that it arrived."""
        receipts = []
        while self._kept and self._kept.oldest()[0] <= seq:
            _, event, receipt = self._kept.popleft()
            self._statuses -= isinstance(event, Status)
            if receipt is not None:
                receipts.append(receipt)
        return receipts

    @property
    def owes_receipts(self) -> bool:
        """Whether somebody waits for this client to acknowledge what they said."""
        return any(receipt is not None for _, _, receipt in self._kept)

    def tell_statuses(self, *, at_last: bool = False) -> None:
        """Tell what is known of what was said, unless that may wait: many are unacknowledged."""
        if at_last or self._statuses < KEPT_STATUSES:
            for status in self.says.to_tell():
                self.tell(status)

    def unsettled(self, sender: User) -> Iterator[Receipt]:
        """Yield the receipts of what somebody said and was not acknowledged."""
        for _, _, receipt in self._kept:
            if receipt is not None and receipt.sender is sender:
                yield receipt

    def gone(self) -> list[Receipt]:
        """Return the receipts of what was not acknowledged."""
        return self.acknowledged(self._seq)

    def disconnected(self, peer: User | None, now: float) -> None:
        """Keep what is told from now on."""
        self.connection = None

    def replay(self, peer: User | None, now: float) -> None:
        """Tell all that was not acknowledged."""
        assert self.connection is not None
        name = peer.name.text if peer is not None else None
        self.connection.tell(Resumed(self.name.text, name, self.says.got))
        for _, event, _ in self._kept:
            self.connection.tell(event)
