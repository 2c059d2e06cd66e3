"""The exchange: who is here, who talks with whom, and the rules of both."""

import sys
from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec import UNSET
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory

from chatpair.exchange.activity_log import ActivityLog
from chatpair.exchange.calls import Calls
from chatpair.exchange.delay import Delay
from chatpair.exchange.limits import HostLimit, is_stranger
from chatpair.exchange.messages import (
    Ending,
    Error,
    Failing,
    Here,
    Message,
    PeerTyping,
    Present,
    Say,
    Timestamp,
)
from chatpair.exchange.names import BadName, Name, NameTable, fold, parse
from chatpair.exchange.user import Connection, CountingUser, Receipt, User, Visitor
from chatpair.wire.liveness import DELIVERY_CHECK, Watch

if TYPE_CHECKING:
    from chatpair.passwords.accounts import Accounts

UNNAMED_SECONDS = 30.0
"""How long a connection may go without a name."""

SILENT_SECONDS = 90.0
"""How long a connection that speaks JSON may say nothing; clients ping every 30 seconds."""

MAX_LISTED = 200
"""Names that the answer to "who" holds at most."""

STOPPING_SECONDS = 4.0
"""How long users have to read their last lines when the server stops."""

ONLY_REGISTERED = "only registered names are here"

NOBODY = "Nobody is chatting with you. Maybe the one you talked with is talking with someone else."

_TOO_MANY_NAMES = "You are taking names too often; try again in a minute."


class ChatFactory(Calls, Factory):
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
        connects_per_minute: int = 300,
        names_per_minute: int = 100,
        name_time: float = UNNAMED_SECONDS,
        rate: int = 0,
        motd: str = "",
        accounts: "Accounts | None" = None,
        registered_only: bool = False,
    ) -> None:
        """Start with nobody here.

        max_line is in bytes; linger is for how many seconds a user stays who has half-closed
        the connection and is told nothing; hold for how many one with a key is kept whose
        connection is lost; max_per_host counts connections at a time; connects_per_minute and
        names_per_minute are for each host but this one; name_time is in seconds; rate is the lines
        a second that a user may say, or 0 for as many as there are. With registered_only there are
        no names but those of accounts.
        """
        super().__init__(clock, hold)
        self.max_line = max_line
        self.linger = linger
        self.max_users = max_users
        self.max_per_host = max_per_host
        self.name_time = name_time
        self.rate = rate
        self.motd = motd
        self.accounts = accounts
        self.registered_only = registered_only
        self.max_connections = sys.maxsize  # until somebody knows how many files may be open
        self.users: dict[str, User] = {}
        self.pairs: dict[User, User] = {}
        self.connections: set[Visitor] = set()
        self.activity = ActivityLog(clock, self._summary)
        self.unnamed: Delay[Visitor] = Delay(
            clock, name_time, lambda connection: connection.no_name_came()
        )
        self.silent: Delay[Connection] = Delay(
            clock, SILENT_SECONDS, lambda connection: connection.no_line_came()
        )
        self.delivery_checks: Delay[Watch] = Delay(clock, DELIVERY_CHECK, Watch.look)
        self._when_all_closed: Deferred[None] | None = None
        self._names = NameTable()
        self._connections_of_host: defaultdict[str, int] = defaultdict(int)
        self._connects = HostLimit(clock, connects_per_minute)
        self._new_names = HostLimit(clock, names_per_minute)

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

    def connects_too_often(self, host: str | None) -> bool:
        """Tell whether a host has connected as often as it may in a minute; else count it."""
        if not is_stranger(host):
            return False
        if self._connects.is_spent(host):
            return True
        self._connects.spend(host)
        return False

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

    def has_account(self, name: Name) -> bool:
        """Tell whether a name is somebody's own, who proves it with a password."""
        return self.accounts is not None and self.accounts.has(name)

    def check_password(self, text: str, password: bytes, host: str | None) -> Deferred[str | Error]:
        """Fire with the name to claim if the password of a name is right, or with why not.

        The name must be one that claim refuses for its password.
        """
        assert self.accounts is not None
        return self.accounts.check(parse(text), password, host)

    def claim(
        self,
        text: str,
        connection: Connection,
        host: str | None,
        *,
        counting: bool = False,
        proven: bool = False,
    ) -> User | Error | Deferred[User | Error]:
        """Make a user of whoever is on the connection, or say why not.

        If that takes a while, return what fires with the answer; a connection that is gone before
        cancels that, and then there is no user.

        A counting one acknowledges what it is told, and has a key at once. A name that has a
        password must be proven to be the claimer's.
        """
        name = self.may_claim(text, host, proven=proven)
        if isinstance(name, Error):
            return name
        return self.enter(name, connection, host, counting=counting)

    def may_claim(self, text: str, host: str | None, *, proven: bool) -> Name | Error:
        """Return the name of a text, if somebody at a host may have it, or say why not."""
        if host is not None and self.held_of_host[host] >= self.max_per_host:
            self.activity.refused("too many from one host")
            return Error("name", "try-later", "There are too many users from your address.")
        if is_stranger(host) and self._new_names.is_spent(host):
            self.activity.refused("names too often")
            return Error("name", "try-later", _TOO_MANY_NAMES)
        try:
            name = parse(text)
        except BadName as why:
            return Error("name", "bad-name", str(why))
        if self._names.has(name):
            return taken(name)
        if not proven and self.has_account(name):
            return Error("name", "password", f"{name} needs its password.")
        if not proven and self.registered_only:
            return Error("name", "bad-name", ONLY_REGISTERED)
        return name

    def enter(
        self, name: Name, connection: Connection, host: str | None, *, counting: bool
    ) -> User:
        """Make a user of whoever is on a connection and may have a name."""
        user = CountingUser(name, connection) if counting else User(name, connection)
        self.users[name.key] = user
        if counting:
            self.give_token(user)
        self._names.add(name)
        if is_stranger(host):
            self._new_names.spend(host)
        self.came(user, host)
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
        self.went(user)
        self._end_pair(user, why)

    # Talking

    def peer_of(self, user: User) -> User | None:
        """Return whom a user talks with."""
        return self.pairs.get(user)

    def hang_up(self, user: User) -> None:
        """End a user's call and pair; both stay."""
        if self.take_back_call(user) or user in self.pairs:
            self.part(user)
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
        if peer is not None and (say.to is UNSET or _is_key_of(say.to, peer)):
            now = Timestamp(self.clock.seconds())
            peer.tell(Message(user.name.text, say.text, now), receipt)
            return
        user.tell(Error("say", "nobody", NOBODY if peer is None else f"You talk with {peer}."))
        if receipt is not None:
            self.settle([receipt], "failed", "nobody")

    def fail(self, user: CountingUser, say: Say, why: Failing) -> None:
        """Settle a text that nothing is done with."""
        if user.says.take(say.id):
            self.settle([Receipt(user, say.id)], "failed", why)

    def type(self, user: User) -> None:
        """Let the peer's client show that a user is typing, if it can."""
        peer = self.pairs.get(user)
        if isinstance(peer, CountingUser) and not peer.full:
            peer.tell(PeerTyping(user.name.text))

    def who(self) -> Here | Deferred[Here]:
        """List who is here, by name; if that takes a while, return what fires with the list."""
        return self.who_is_here()

    def who_is_here(self) -> Here:
        """List the users by name."""
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
        self.stop_calls()
        for user in self.users.values():
            self.activity.went(user.name.text, "stopped")
            self.settle(user.gone(), "failed", "stopped")
            self.let_go(user)
        for user in self.users.values():
            if isinstance(user, CountingUser):
                user.tell_statuses(at_last=True)
        self.forget_all()
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

    def forget_all(self) -> None:
        """Forget all users and pairs; connections tell of it themselves."""
        self.users.clear()
        self.pairs.clear()

    def _abort_all(self) -> None:
        for connection in list(self.connections):
            connection.abort()


def taken(name: Name) -> Error:
    """Return the answer to a claim of a name that somebody has."""
    return Error("name", "reuse", f"The name {name} is taken.")


def _is_key_of(text: str, user: User) -> bool:
    try:
        return fold(text) == user.name.key
    except BadName:
        return False
