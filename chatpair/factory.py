"""The exchange: it owns the users and the pairs, makes the connections, and stops."""

import time
from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory

from chatpair.exchange.activity_log import ActivityLog
from chatpair.exchange.calls import Calls
from chatpair.exchange.directory import Directory, OnlyNode
from chatpair.exchange.held_lines import HeldLines
from chatpair.exchange.messages import Ending, Here, Present
from chatpair.exchange.paces import Paces
from chatpair.exchange.pairs import Pairs
from chatpair.exchange.receipts import Receipts
from chatpair.exchange.ringing import RingingCalls
from chatpair.exchange.settings import Settings
from chatpair.exchange.user import User
from chatpair.exchange.users import MAX_LISTED, Accounts, Users
from chatpair.exchange.visitors import Visitors
from chatpair.protocol import ChatProtocol


class ChatFactory(Factory):
    """Owns the users and the pairs, and has what acts on them.

    What is decided is told to the users, whose inboxes know where they are.
    """

    protocol = ChatProtocol  # type: ignore[assignment]  # the stub wants less
    noisy = False  # the service says where it listens

    def __init__(
        self,
        clock: IReactorTime,
        settings: Settings | None = None,
        *,
        time_of_day: Callable[[], float] = time.time,
        accounts: Accounts | None = None,
        directory: Directory | None = None,
    ) -> None:
        """Start with nobody here, at the only node if there is no directory of others.

        Take the clock of all that waits, and what tells the seconds since the epoch for people.
        """
        self.clock = clock
        self.time_of_day = time_of_day
        self.settings = settings = settings or Settings()
        self.directory = directory = directory or OnlyNode()
        self.activity = ActivityLog(clock, self._here)
        self.users = users = Users(clock, settings, directory, self.activity, accounts)
        self.receipts = receipts = Receipts(clock, self.activity)
        self.pairs = pairs = Pairs(time_of_day, receipts, self.activity)
        self.ringing = RingingCalls(clock, users.is_blocked)
        self.calls = Calls(clock, users, pairs, self.ringing, directory, self.activity)
        self.held = HeldLines(
            clock, settings, pairs, receipts, directory, users.held_of_host, self._lost
        )
        self.paces = Paces(clock, settings, self.activity)
        self.visitors = Visitors(clock, settings)

    def _here(self) -> tuple[int, int]:
        return len(self.users), len(self.pairs) // 2

    def _lost(self, user: User, reason: str) -> None:
        self.leave(user, "lost", reason)

    @property
    def full(self) -> bool:
        """Whether there are as many users or connections as may be."""
        return self.users.full or self.visitors.crowded

    def who(self) -> Deferred[Here]:
        """Fire with who is here, by name."""
        return self.directory.who() or succeed(self.who_is_here())

    def who_is_here(self) -> Here:
        """List the users of this server by name."""
        listed = self.users.first(MAX_LISTED)
        names = [Present(user.name.text, user in self.pairs) for user in listed]
        return Here(names, len(self.users) - len(listed))

    def leave(self, user: User, why: Ending, reason: str) -> None:
        """End a user; the peer is told why, and the log the reason."""
        self.users.remove(user)
        user.inbox.lose(None, self.clock.seconds())  # nobody hears what it is told from now on
        self.activity.went(user.name.text, reason)
        self.held.forget(user)
        self.paces.stop(user)
        self.receipts.settle(user.inbox.gone(), "failed", "quit" if why == "quit" else "lost")
        self.calls.went(user)
        self.pairs.end(user, why)
        self.directory.release(user.name)

    def stop(self) -> Deferred[None]:
        """Tell everybody that the server is stopping; fires when all connections are closed.

        What waits for a slow reader is handled first, as far as Visitor.drain goes, and they have
        STOPPING_SECONDS to read what they are still to get.
        """
        for user in self.users.values():
            self.paces.stop(user)
            user.pace = None
        self.visitors.drain()
        self.receipts.stop()
        users = list(self.users.values())
        for user in users:
            self.activity.went(user.name.text, "stopped")
            self.receipts.settle(user.inbox.gone(), "failed", "stopped")
            self.held.forget(user)
        for user in users:
            user.inbox.tell_statuses(at_last=True)
        self.directory.stop()
        self.ringing.clear()
        self.users.clear()
        self.pairs.clear()
        self.activity.close()
        return self.visitors.stop()
