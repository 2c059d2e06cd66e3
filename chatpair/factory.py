"""The exchange: who is here, who talks with whom, and the rules of both."""

import sys
from collections import defaultdict

from msgspec import UNSET
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory

from chatpair.activity import ActivityLog
from chatpair.delay import Delay
from chatpair.held import HeldLines
from chatpair.liveness import DELIVERY_CHECK, Watch
from chatpair.messages import (
    Ending,
    Error,
    Free,
    Here,
    Left,
    Message,
    Paired,
    PeerTyping,
    Present,
    Say,
    Timestamp,
    Tried,
)
from chatpair.names import BadName, NameTable, fold, parse
from chatpair.user import Connection, CountingUser, Receipt, User, Visitor

UNNAMED_SECONDS = 30.0
"""How long a connection may go without a name."""

SHOWN = 128
"""Characters that are shown of what somebody sent; no name is longer."""

SILENT_SECONDS = 90.0
"""How long a connection that speaks JSON may say nothing; clients ping every 30 seconds."""

MAX_LISTED = 200
"""Names that the answer to "who" holds at most."""

MAX_TRIED = 5
"""Calls in a second that somebody who is talking is told of."""

STOPPING_SECONDS = 4.0
"""How long users have to read their last lines when the server stops."""

NOBODY = "Nobody is chatting with you. Maybe the one you talked with is talking with someone else."


class ChatFactory(HeldLines, Factory):
    """Owns the users and the pairs, and decides what a command does to them.

    It does no I/O: what it decides it tells the users, and they their connections.
    """

    noisy = False  # the service says where it listens

    def __init__(
        self,
        clock: IReactorTime,
        *,
        max_line: int = 65_536,
        linger: float = 60.0,
        hold: int = 60,
        max_users: int = 10_000,
        max_per_host: int = 100,
        motd: str = "",
    ) -> None:
        """Start with nobody here.

        max_line is in bytes; linger is for how many seconds a user stays who has half-closed
        the connection and is told nothing; hold for how many one with a key is kept whose
        connection is lost; max_per_host counts connections.
        """
        super().__init__(clock, hold)
        self.max_line = max_line
        self.linger = linger
        self.max_users = max_users
        self.max_per_host = max_per_host
        self.motd = motd
        self.max_connections = sys.maxsize  # until somebody knows how many files may be open
        self.users: dict[str, User] = {}
        self.pairs: dict[User, User] = {}
        self.connections: set[Visitor] = set()
        self.activity = ActivityLog(clock, self._summary)
        self.unnamed: Delay[Visitor] = Delay(
            clock, UNNAMED_SECONDS, lambda connection: connection.no_name_came()
        )
        self.silent: Delay[Connection] = Delay(
            clock, SILENT_SECONDS, lambda connection: connection.no_line_came()
        )
        self.delivery_checks: Delay[Watch] = Delay(clock, DELIVERY_CHECK, Watch.look)
        self._when_all_closed: Deferred[None] | None = None
        self._names = NameTable()
        self._connections_of_host: defaultdict[str, int] = defaultdict(int)

    def _summary(self) -> str:
        return f"{len(self.users)} here, {len(self.pairs) // 2} pairs"

    # Coming and going

    def is_full(self) -> bool:
        """Tell whether there are as many users or connections as may be."""
        return len(self.users) >= self.max_users or self.is_crowded()

    def is_crowded(self) -> bool:
        """Tell whether there are more connections than may be, so that some must close at once."""
        return len(self.connections) > self.max_connections

    def connected(self, connection: Visitor, host: str | None) -> bool:
        """Count a connection; return whether its host, if it has one, may have one more."""
        self.connections.add(connection)
        if host is None:
            return True
        self._connections_of_host[host] += 1
        return self._connections_of_host[host] <= self.max_per_host

    def disconnected(self, connection: Visitor, host: str | None) -> None:
        """Forget a connection that was counted."""
        self.connections.discard(connection)
        if self._when_all_closed is not None and not self.connections:
            all_closed, self._when_all_closed = self._when_all_closed, None
            all_closed.callback(None)
        if host is not None:
            self._connections_of_host[host] -= 1
            if not self._connections_of_host[host]:
                del self._connections_of_host[host]

    def claim(
        self, text: str, connection: Connection, host: str | None, *, counting: bool = False
    ) -> User | Error:
        """Make a user of whoever is on the connection, or say why not.

        A counting one acknowledges what it is told, and has a key at once.
        """
        if host is not None and self.held_of_host[host] >= self.max_per_host:
            return Error("name", "try-later", "There are too many users from your address.")
        try:
            name = parse(text)
        except BadName as why:
            return Error("name", "bad-name", str(why))
        if self._names.has(name):
            return Error("name", "reuse", f"The name {name} is taken.")
        user = CountingUser(name, connection) if counting else User(name, connection)
        self.users[name.key] = user
        if counting:
            self.give_token(user)
        self._names.add(name)
        self.activity.came(name.text)
        return user

    def leave(self, user: User, why: Ending, reason: str) -> None:
        """End a user; the peer is told why, and the log the reason."""
        name = user.name
        del self.users[name.key]
        self._names.remove(name)
        self.activity.went(name.text, reason)
        self.let_go(user)
        undelivered = user.gone()
        if undelivered:
            self.settle(undelivered, "failed", "quit" if why == "quit" else "lost")
        self._end_pair(user, why)

    # Talking

    def peer_of(self, user: User) -> User | None:
        """Return whom a user talks with."""
        return self.pairs.get(user)

    def call(self, caller: User, text: str) -> None:
        """Pair a user with the one of a name, who must be free."""
        callee = self._find(text)
        if callee is not None and self._is_callable(caller, callee):
            self._end_pair(caller, "switched")
            self._start_pair(caller, callee)
        elif not text:
            caller.tell(Error("to", "unknown", "Say who: To:bob"))
        elif callee is None:
            caller.tell(Error("to", "unknown", f"The user {text[:SHOWN]} does not exist."))
        elif callee is caller:
            caller.tell(Error("to", "self", "Please don't try to talk with yourself."))
        elif self.pairs.get(caller) is callee:
            caller.tell(Error("to", "already", f"You are already chatting with {callee}."))
        elif callee in self.pairs:
            caller.tell(Error("to", "busy", f"{callee} is talking with someone else."))
            self._announce(caller, callee)
        else:
            caller.tell(Error("to", "busy", f"{callee} is not reading at the moment."))

    def _is_callable(self, caller: User, callee: User) -> bool:
        return not (callee is caller or callee in self.pairs or callee.full)

    def _announce(self, caller: User, callee: User) -> None:
        """Tell somebody who is talking who called, unless that is more than a person reads."""
        second = int(self.clock.seconds())
        if callee.tries_at != second:
            callee.tries_at, callee.tries = second, 0
        callee.tries += 1
        if callee.tries <= MAX_TRIED and not callee.full:
            callee.tell(Tried(caller.name.text))

    def _find(self, text: str) -> User | None:
        try:
            return self.users.get(fold(text))
        except BadName:
            return None

    def _start_pair(self, caller: User, callee: User) -> None:
        self.pairs[caller] = callee
        self.pairs[callee] = caller
        for user, peer in ((caller, callee), (callee, caller)):
            user.away_told = False
            user.pair_changed()
            user.tell(Paired(peer.name.text))
        self.tell_whether_away(caller)

    def _end_pair(self, user: User, why: Ending) -> None:
        """Free the peer of a user, who is told by whoever called this what comes next."""
        peer = self.pairs.pop(user, None)
        if peer is not None:
            del self.pairs[peer]
            for listener, sender in ((peer, user), (user, peer)):
                unsettled = tuple(listener.unsettled(sender))
                if unsettled:
                    self.late.start(unsettled)
            peer.tell(Left(user.name.text, why))
            peer.pair_changed()

    def hang_up(self, user: User) -> None:
        """End a user's pair; both stay."""
        if user in self.pairs:
            self._end_pair(user, "bye")
            user.tell(Free())
            user.pair_changed()
        else:
            user.tell(Error("bye", "nobody", NOBODY))

    def say(self, user: User, say: Say) -> None:
        """Pass a text on to the peer; from a client that counts, once."""
        receipt = None
        if isinstance(user, CountingUser):
            if not user.says.take(say.id):
                status = user.says.status_of(say.id)
                if status is not None:
                    user.tell(status)
                return
            user.tell_statuses()
            receipt = Receipt(user, say.id)
        peer = self.pairs.get(user)
        if peer is not None and (say.to is UNSET or self._find(say.to) is peer):
            now = Timestamp(self.clock.seconds())
            peer.tell(Message(user.name.text, say.text, now), receipt)
            return
        user.tell(Error("say", "nobody", NOBODY if peer is None else f"You talk with {peer}."))
        if receipt is not None:
            self.settle([receipt], "failed", "nobody")

    def fail(self, user: CountingUser, say: Say) -> None:
        """Settle a text that nothing is done with because the server stops."""
        if user.says.take(say.id):
            self.settle([Receipt(user, say.id)], "failed", "stopped")

    def type(self, user: User) -> None:
        """Let the peer's client show that a user is typing, if it can."""
        peer = self.pairs.get(user)
        if isinstance(peer, CountingUser) and not peer.full:
            peer.tell(PeerTyping(user.name.text))

    def who(self) -> Here:
        """List who is here, by name."""
        listed = [self.users[key] for key in self._names.first(MAX_LISTED)]
        return Here(
            [Present(user.name.text, user in self.pairs) for user in listed],
            len(self.users) - len(listed),
        )

    # The end

    def stop(self) -> Deferred[None]:
        """Tell everybody that the server is stopping; fires when all connections are closed.

        What waits for a slow reader is handled first, as far as Connection.drain goes, and they
        have STOPPING_SECONDS to read what they are still to get.
        """
        for connection in list(self.connections):
            connection.drain()
        for receipts in list(self.late):
            self.late.stop(receipts)
            self.settle(receipts, "failed", "lost")
        for user in self.users.values():
            self.activity.went(user.name.text, "stopped")
            self.settle(user.gone(), "failed", "stopped")
            self.let_go(user)
        for user in self.users.values():
            if isinstance(user, CountingUser):
                user.tell_statuses(at_last=True)
        self.users.clear()
        self.pairs.clear()
        self.activity.close()
        for connection in list(self.connections):
            connection.stop()
        stopped: Deferred[None] = Deferred()
        if self.connections:
            self._when_all_closed = stopped
            deadline = self.clock.callLater(STOPPING_SECONDS, self._abort_all)
            stopped.addCallback(lambda _: deadline.cancel() if deadline.active() else None)
        else:
            stopped.callback(None)
        return stopped

    def _abort_all(self) -> None:
        for connection in list(self.connections):
            connection.abort()
