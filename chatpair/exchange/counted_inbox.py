"""The inbox of a user whose client speaks JSON: it counts, acknowledges, and may resume."""

from collections.abc import Iterable, Sequence
from typing import get_args

from msgspec import UNSET
from msgspec.structs import replace

from chatpair.exchange import messages
from chatpair.exchange.kept_events import KEPT_BYTES, Kept, text_bytes
from chatpair.exchange.messages import AnyEvent, Failing, Outcome
from chatpair.exchange.says import MOST_BYTES, Says
from chatpair.exchange.user import Connection, Inbox, Listener, Receipt, User

KEPT_STATUSES = 100
"""Statuses that a client has not acknowledged, after which they are put together before more
are told: else a client that says much would have to stop and acknowledge what it has not read.
"""

_COUNTED = frozenset(
    kind for kind in get_args(messages.JsonEvent) if issubclass(kind, messages.CountedEvent)
)


class CountedInbox(Inbox):
    """Numbers what its user is told, and keeps it until the client has acknowledged it."""

    __slots__ = ("_kept", "_says", "_statuses", "pair", "seq")

    takes_chunks = False  # each line is an event

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.pair = 0
        self.seq = 0
        """The number of the last event."""
        self._says = Says()
        self._statuses = 0  # of what was not acknowledged
        # The last events, which were not acknowledged, and who is to know when they are.
        self._kept: Kept[tuple[AnyEvent, Receipt | None]] = Kept()

    @property
    def full(self) -> bool:
        kept = self._kept
        if kept.bytes < KEPT_BYTES - MOST_BYTES:  # as nearly always: the rest need not be counted
            return self.connection.full
        return kept.full or kept.bytes + self._says.cost >= KEPT_BYTES or self.connection.full

    @property
    def kept_bytes(self) -> int:
        return self._kept.bytes

    def tell(self, event: AnyEvent, receipt: Receipt | None = None) -> None:
        kind = type(event)  # isinstance takes several times as long, for a Struct
        if kind in _COUNTED:
            self.seq += 1
            if kind is messages.Paired:
                self.pair += 1
                event = replace(event, pair=self.pair)
            event = replace(event, seq=self.seq)
            self._kept.append((event, receipt), text_bytes(event))
            self._statuses += kind is messages.Status
        self.connection.tell(event)

    @property
    def listener(self) -> Listener:
        return self

    def tell_lines(self, sender: str, lines: bytes, seconds: float) -> int:
        texts = lines[:-1].decode().split("\n")
        for text in texts:
            self.tell(messages.Message(sender, text, messages.Timestamp(seconds)))
        return self.counted(len(texts))

    def peer_types(self, peer: str) -> None:
        if not self.full:
            self.tell(messages.PeerTyping(peer))

    def is_told(self, seq: int) -> bool:
        return seq <= self.seq

    def acknowledged(self, seq: int) -> list[Receipt]:
        receipts = []
        for _ in range(seq - self.seq + len(self._kept)):
            event, receipt = self._kept.popleft()
            self._statuses -= type(event) is messages.Status
            if receipt is not None:
                receipts.append(receipt)
        return receipts

    @property
    def owes_receipts(self) -> bool:
        return any(receipt is not None for _, receipt in self._kept)

    def unsettled(self, sender: User) -> Iterable[Receipt]:
        receipts = [receipt for _, receipt in self._kept if receipt is not None]
        return [receipt for receipt in receipts if receipt.sender is sender]

    def gone(self) -> list[Receipt]:
        return self.acknowledged(self.seq)

    @property
    def says_too_much(self) -> bool:
        return self._says.full

    def takes(self, say: int) -> bool:
        return self._says.take(say)

    def tell_status_of(self, say: int) -> None:
        status = self._says.status_of(say)
        if status is not None:
            self.tell(status)

    def settle(self, says: Sequence[int], outcome: Outcome, why: Failing | None) -> None:
        self._says.settle(says, outcome, why)

    def tell_statuses(self, *, at_last: bool = False) -> None:
        if self._says.due and (at_last or self._statuses < KEPT_STATUSES):
            for status in self._says.to_tell():
                self.tell(status)

    def replay(self, user: User, peer: User | None, now: float) -> None:
        name, pair = (peer.name.text, self.pair) if peer is not None else (None, UNSET)
        resumed = messages.Resumed(user.name.text, name, self._says.got, pair)
        self.connection.tell_for_receipt(resumed, *(event for event, _ in self._kept))
