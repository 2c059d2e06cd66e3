"""The inbox of a plain user with a key, who may come back after a drop with `Back:`."""

from collections.abc import Sequence
from typing import NamedTuple

from twisted.internet.interfaces import IReactorTime

from chatpair.exchange.kept_events import Kept, text_bytes
from chatpair.exchange.messages import AnyEvent, Free, Message, Named, Paired, Repeated, Timestamp
from chatpair.exchange.user import Inbox, Listener, Receipt, User

LATELY_SECONDS = 30.0
"""For how long a line may be on its way to a connection that is dead."""

ARRIVAL_SECONDS = 1.0
"""How long after a line was told again it is looked whether it has arrived."""


class _Told(NamedTuple):
    """A line that a dead connection may have swallowed."""

    at: float
    """When it was told first, in seconds, as if the connection had never been lost."""
    message: Message
    again: bool


def _lines(event: AnyEvent) -> int:
    """Return how many lines a plain user is told of an event."""
    return event.text.count("\n") + 1 if isinstance(event, Message) else 1


class RecalledInbox(Inbox):
    """Keeps what a dead connection may have swallowed, and what comes while there is none."""

    __slots__ = ("_clock", "_lately", "_lost_at", "_peer", "_pending", "_waiting")

    def __init__(self, before: Inbox, clock: IReactorTime) -> None:
        """Take the place of the inbox that a user had before the key."""
        super().__init__(before.connection)
        self._receipts = tuple(before.handed())
        self._clock = clock
        self._lost_at = 0.0
        self._forget_all()

    def _forget_all(self) -> None:
        self._lately: Kept[_Told] = Kept()
        self._waiting: Kept[AnyEvent] = Kept()  # since the connection was lost
        self._pending = False  # the kernel has not taken all of it
        self._peer = ""  # when the connection was lost

    @property
    def full(self) -> bool:
        if not self.away:
            return self.connection.full
        # What the kernel has not taken counts too: else it would grow with each drop.
        return self._waiting.full or (self._pending and self._lately.full)

    @property
    def kept_bytes(self) -> int:
        return self._lately.bytes + self._waiting.bytes

    def tell(self, event: AnyEvent, receipt: Receipt | None = None) -> None:
        if receipt is not None:
            self._receipts += (receipt,)
        if self.away:
            self._waiting.append(event, text_bytes(event), _lines(event))
            return
        if isinstance(event, Message):
            now = self._clock.seconds()
            self._forget(now)
            self._keep(_Told(now, event, again=False))
        self._pending = True
        self.connection.tell_for_receipt(event)

    @property
    def listener(self) -> Listener:
        return self

    def tell_lines(self, sender: str, lines: bytes, seconds: float) -> int:
        self.tell(Message(sender, lines[:-1].decode(), Timestamp(seconds)))
        return self.counted(lines.count(b"\n"))

    def handed(self) -> Sequence[Receipt]:
        self._pending = False
        return super().handed()

    def _keep(self, told: _Told) -> None:
        self._lately.append(told, text_bytes(told.message), _lines(told.message))

    def _forget(self, now: float) -> None:
        """Keep of what was told only what a dead connection may have swallowed."""
        while self._lately and not self._pending:
            told = self._lately.oldest()
            if told.at >= now - LATELY_SECONDS and not self._lately.full:
                break
            self._lately.popleft()

    def _look_what_arrived(self) -> None:
        """Forget what was told again if the other end has it.

        Of what was told once that is never sure: a proxy may have taken it, long before the loss
        was noticed. But who comes back is there at that moment.
        """
        if not self._pending and self.connection.is_all_delivered():
            while self._lately and self._lately.oldest().again:
                self._lately.popleft()

    def lose(self, peer: User | None, now: float) -> None:
        self._look_what_arrived()
        super().lose(peer, now)
        self._lost_at = now
        self._peer = peer.name.text if peer is not None else ""
        self._forget(now)

    def replay(self, user: User, peer: User | None, now: float) -> None:
        away = now - self._lost_at
        again = [_Told(told.at + away, told.message, again=True) for told in self._lately]
        waiting = list(self._waiting)
        paired_with = self._peer
        self._forget_all()
        self._pending = True
        since = [_Told(now, one, again=False) for one in waiting if isinstance(one, Message)]
        for told in (*again, *since):
            self._keep(told)
        self.connection.tell_for_receipt(
            Named(user.name.text, user.key),
            *(Repeated(told.message) for told in again),
            Paired(paired_with) if paired_with else Free(),
            *waiting,
        )
        if again:
            self._clock.callLater(ARRIVAL_SECONDS, self._look_what_arrived)
