"""The exchange: who is here, who talks with whom, and the rules of both."""

import sys
from bisect import bisect_left, insort
from collections import defaultdict

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory

from chatpair.activity import ActivityLog
from chatpair.delay import Delay
from chatpair.liveness import DELIVERY_CHECK, Watch
from chatpair.messages import Ending, Error, Free, Here, Left, Message, Paired, Tried
from chatpair.names import BadName, Name, fold, parse
from chatpair.user import Connection, User

UNNAMED_SECONDS = 30.0
"""How long a connection may go without a name."""

MAX_LISTED = 200
"""Names that the answer to "who" holds at most."""

MAX_TRIED = 5
"""Calls in a second that somebody who is talking is told of."""

STOPPING_SECONDS = 4.0
"""How long users have to read their last lines when the server stops."""

NOBODY = Error(
    "nobody",
    "Nobody is chatting with you. Maybe the one you talked with is talking with someone else.",
)


class ChatFactory(Factory):
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
        max_users: int = 10_000,
        max_per_host: int = 100,
        motd: str = "",
    ) -> None:
        """Start with nobody here.

        max_line is in bytes; linger is for how many seconds a user stays who has half-closed
        the connection and is told nothing; max_per_host counts connections.
        """
        self.clock = clock
        self.max_line = max_line
        self.linger = linger
        self.max_users = max_users
        self.max_per_host = max_per_host
        self.motd = motd
        self.max_connections = sys.maxsize  # until somebody knows how many files may be open
        self.users: dict[str, User] = {}
        self.pairs: dict[User, User] = {}
        self.connections: set[Connection] = set()
        self.activity = ActivityLog(clock, self._summary)
        self.unnamed: Delay[Connection] = Delay(
            clock, UNNAMED_SECONDS, lambda connection: connection.no_name_came()
        )
        self.delivery_checks: Delay[Watch] = Delay(clock, DELIVERY_CHECK, Watch.look)
        self._when_all_closed: Deferred[None] | None = None
        self._sorted_keys: list[str] = []
        self._connections_of_host: defaultdict[str, int] = defaultdict(int)
        # Two ASCII names may share a skeleton (bam, barn); with any other name none may.
        self._ascii_skeletons: defaultdict[str, int] = defaultdict(int)
        self._other_skeletons: set[str] = set()

    def _summary(self) -> str:
        return f"{len(self.users)} here, {len(self.pairs) // 2} pairs"

    # Coming and going

    def is_full(self) -> bool:
        """Tell whether there are as many users or connections as may be."""
        return len(self.users) >= self.max_users or self.is_crowded()

    def is_crowded(self) -> bool:
        """Tell whether there are more connections than may be, so that some must close at once."""
        return len(self.connections) > self.max_connections

    def connected(self, connection: Connection, host: str | None) -> bool:
        """Count a connection; return whether its host, if it has one, may have one more."""
        self.connections.add(connection)
        if host is None:
            return True
        self._connections_of_host[host] += 1
        return self._connections_of_host[host] <= self.max_per_host

    def disconnected(self, connection: Connection, host: str | None) -> None:
        """Forget a connection that was counted."""
        self.connections.discard(connection)
        if self._when_all_closed is not None and not self.connections:
            all_closed, self._when_all_closed = self._when_all_closed, None
            all_closed.callback(None)
        if host is not None:
            self._connections_of_host[host] -= 1
            if not self._connections_of_host[host]:
                del self._connections_of_host[host]

    def claim(self, text: str, connection: Connection) -> User | Error:
        """Make a user of whoever is on the connection, or say why not."""
        try:
            name = parse(text)
        except BadName as why:
            return Error("bad-name", str(why))
        if self._is_taken(name):
            return Error("reuse", f"The name {name} is taken.")
        user = self.users[name.key] = User(name, connection)
        insort(self._sorted_keys, name.key)
        if name.text.isascii():
            for look in name.skeletons:
                self._ascii_skeletons[look] += 1
        else:
            self._other_skeletons.update(name.skeletons)
        self.activity.came(name.text)
        return user

    def _is_taken(self, name: Name) -> bool:
        if name.key in self.users or not self._other_skeletons.isdisjoint(name.skeletons):
            return True
        if name.text.isascii():
            return False
        return any(look in self._ascii_skeletons for look in name.skeletons)

    def leave(self, user: User, why: Ending, reason: str) -> None:
        """End a user; the peer is told why, and the log the reason."""
        name = user.name
        del self.users[name.key]
        del self._sorted_keys[bisect_left(self._sorted_keys, name.key)]
        if name.text.isascii():
            for look in name.skeletons:
                self._ascii_skeletons[look] -= 1
                if not self._ascii_skeletons[look]:
                    del self._ascii_skeletons[look]
        else:
            self._other_skeletons.difference_update(name.skeletons)
        self.activity.went(name.text, reason)
        self._end_pair(user, why)

    # Talking

    def peer_of(self, user: User) -> User | None:
        """Return whom a user talks with."""
        return self.pairs.get(user)

    def call(self, caller: User, text: str) -> None:
        """Pair a user with the one of a name, who must be free."""
        callee = self._find(text)
        tell = caller.connection.tell
        if not text:
            tell(Error("unknown", "Say who: To:bob"))
        elif callee is caller:
            tell(Error("self", "Please don't try to talk with yourself."))
        elif callee is None:
            tell(Error("unknown", f"The user {text} does not exist."))
        elif self.pairs.get(caller) is callee:
            tell(Error("already", f"You are already chatting with {callee}."))
        elif callee in self.pairs:
            tell(Error("busy", f"{callee} is talking with someone else."))
            self._announce(caller, callee)
        elif callee.connection.full:
            tell(Error("busy", f"{callee} is not reading at the moment."))
        else:
            self._end_pair(caller, "switched")
            self._start_pair(caller, callee)

    def _announce(self, caller: User, callee: User) -> None:
        """Tell somebody who is talking who called, unless that is more than a person reads."""
        second = int(self.clock.seconds())
        if callee.tried_second != second:
            callee.tried_second, callee.tries = second, 0
        callee.tries += 1
        if callee.tries <= MAX_TRIED and not callee.connection.full:
            callee.connection.tell(Tried(caller.name.text))

    def _find(self, text: str) -> User | None:
        try:
            return self.users.get(fold(text))
        except BadName:
            return None

    def _start_pair(self, caller: User, callee: User) -> None:
        self.pairs[caller] = callee
        self.pairs[callee] = caller
        for user, peer in ((caller, callee), (callee, caller)):
            user.connection.pair_changed()
            user.connection.tell(Paired(peer.name.text))

    def _end_pair(self, user: User, why: Ending) -> None:
        """Free the peer of a user, who is told by whoever called this what comes next."""
        peer = self.pairs.pop(user, None)
        if peer is not None:
            del self.pairs[peer]
            peer.connection.tell(Left(user.name.text, why))
            peer.connection.pair_changed()

    def hang_up(self, user: User) -> None:
        """End a user's pair; both stay."""
        if user in self.pairs:
            self._end_pair(user, "bye")
            user.connection.tell(Free())
            user.connection.pair_changed()
        else:
            user.connection.tell(NOBODY)

    def say(self, user: User, text: str) -> None:
        """Pass a line on to the peer of a user who has one."""
        message = Message(user.name.text, text, self.clock.seconds())
        self.pairs[user].connection.tell(message)

    def who(self) -> Here:
        """List who is here, by name."""
        listed = [self.users[key] for key in self._sorted_keys[:MAX_LISTED]]
        return Here(
            [(user.name.text, user in self.pairs) for user in listed],
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
        for user in self.users.values():
            self.activity.went(user.name.text, "stopped")
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
