"""What becomes of what is said, and who is told of it."""

from collections.abc import Iterable

from twisted.internet.interfaces import IReactorTime

from chatpair.exchange.activity_log import ActivityLog
from chatpair.exchange.delay import Delay
from chatpair.exchange.messages import Failing, Outcome
from chatpair.exchange.user import Receipt, User

LATE_SECONDS = 60.0
"""How long what was said in a pair that has ended may still be confirmed."""


class Receipts:
    """Settles receipts, and lets their senders know."""

    def __init__(self, clock: IReactorTime, activity: ActivityLog) -> None:
        self._activity = activity
        self._late: Delay[tuple[Receipt, ...]] = Delay(
            clock, LATE_SECONDS, lambda receipts: self.settle(receipts, "failed", "lost")
        )

    def settle(
        self, receipts: Iterable[Receipt], outcome: Outcome, why: Failing | None = None
    ) -> None:
        """Tell the senders what became of what they said."""
        senders: dict[User, list[int]] = {}
        for receipt in receipts:
            if not receipt.settled:
                receipt.settled = True
                if why is not None and receipt.sender.inbox.is_here:
                    self._activity.count("failed", why)
                senders.setdefault(receipt.sender, []).append(receipt.say)
        for sender, says in senders.items():
            sender.inbox.settle(says, outcome, why)
        for sender in senders:
            sender.inbox.tell_statuses()
            sender.inbox.flow_changed()

    def acknowledge(self, user: User, seq: int) -> bool:
        """Note that a user is done with all events up to one; return whether there is that one."""
        if not user.inbox.is_told(seq):
            return False
        self.settle(user.inbox.acknowledged(seq), "confirmed")
        user.inbox.tell_statuses()
        return True

    def handed(self, user: User) -> None:
        """Note that the kernel has all that a user was told."""
        self.settle(user.inbox.handed(), "handed")

    def fail(self, user: User, say: int, why: Failing) -> None:
        """Settle a text, if it is new and its sender counts, that nothing is done with."""
        if say and user.inbox.takes(say):
            self.settle([Receipt(user, say)], "failed", why)

    def pair_ended(self, one: User, other: User) -> None:
        """Let what the two have said be confirmed for a while, and fail then."""
        for listener, sender in ((one, other), (other, one)):
            unsettled = tuple(listener.inbox.unsettled(sender))
            if unsettled:
                self._late.start(unsettled)

    def stop(self) -> None:
        """Wait for nothing any more."""
        for receipts in list(self._late):
            self._late.stop(receipts)
            self.settle(receipts, "failed", "lost")
