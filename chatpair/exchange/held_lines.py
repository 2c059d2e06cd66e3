"""Lines that outlive connections: keys, holding and resuming, and what became of what is said."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from chatpair.exchange import keys
from chatpair.exchange.delay import Delay
from chatpair.exchange.messages import Back, Ending, Error, Failing, Held, Key, Notice, Outcome
from chatpair.exchange.user import Connection, CountingUser, Recall, Receipt, User

LATE_SECONDS = 60.0
"""How long what was said in a pair that has ended may still be confirmed."""

Carry: TypeAlias = Callable[[bytes], object]
"""Has a connection carried to the node that has its user, given what it has said so far."""

_KEY_IS_SPOILT = Notice(
    "Others have tried to guess your key. It opens nothing now: ask for a new one."
)


class HeldLines:
    """The part of the exchange that knows who is away, and what is on its way.

    The users and the pairs are the factory's.
    """

    users: dict[str, User]
    pairs: dict[User, User]

    def __init__(self, clock: IReactorTime, hold: int) -> None:
        """Hold lines for so many seconds."""
        self.clock = clock
        self.hold = hold
        self.held: Delay[User] = Delay(clock, hold, self._hold_ended)
        self.held_of_host: Counter[str] = Counter()
        self.late: Delay[tuple[Receipt, ...]] = Delay(
            clock, LATE_SECONDS, lambda receipts: self.settle(receipts, "failed", "lost")
        )
        self._tokens: keys.Keyring[User] = keys.Keyring(clock)
        self._words: keys.Keyring[User] = keys.Keyring(clock, self._key_is_spoilt)

    def leave(self, user: User, why: Ending, reason: str) -> None:
        """Override this: end a user, who did not come back."""
        raise NotImplementedError

    # Being away and back

    def new_token(self) -> str:
        """Return a key that no user has."""
        return keys.token()

    def give_token(self, user: User) -> None:
        """Give a user's client a key, and hold the line when the connection is lost."""
        user.key = self.new_token()
        self._tokens.add(user.key, user)

    def give_key(self, user: User) -> None:
        """Give a user a key to keep in mind, if there is none yet, and tell it."""
        if not user.key:
            user.key = keys.words()
            user.recall = user.recall or Recall()
            self._words.add(user.key, user)
        user.tell(Key(user.key))

    def _key_is_spoilt(self, user: User) -> None:
        user.key = ""
        user.tell(_KEY_IS_SPOILT)

    def may_come_back(self) -> bool:
        """Tell whether a connection may be that of somebody who has a key."""
        return bool(self._tokens or self._words)

    def lose(self, user: User, host: str | None, reason: str) -> None:
        """Hold the line of a user whose connection is lost, or else end the user."""
        if not (user.key and self.hold):
            self.leave(user, "lost", reason)
            return
        peer = self.pairs.get(user)
        user.disconnected(peer, self.clock.seconds())
        self._hold(user, host)
        if peer is not None:
            self.tell_whether_away(peer)
            peer.flow_changed()

    def _hold(self, user: User, host: str | None) -> None:
        self.held.start(user)
        user.host = host
        if host is not None:
            self.held_of_host[host] += 1

    def let_go(self, user: User) -> None:
        """Hold the line of a user no more, and never again."""
        if user.key:
            keyring = self._tokens if isinstance(user, CountingUser) else self._words
            keyring.remove(user.key, user)
        self._unhold(user)

    def _unhold(self, user: User) -> None:
        self.held.stop(user)
        host, user.host = user.host, None
        if host is not None:
            self.held_of_host[host] -= 1
            if not self.held_of_host[host]:
                del self.held_of_host[host]

    def _hold_ended(self, user: User) -> None:
        self.leave(user, "lost", "did not come back")

    def resume(
        self, key: str, seen: int, connection: Connection, host: str | None, *, counting: bool
    ) -> User | Error | Deferred[Error | Carry]:
        """Give whoever has a user's key the user's line, or say why not.

        A connection that the user is on already is closed. Call welcome next. If others are to
        be asked, return what fires with why not or with what takes the connection to the user.
        """
        keyring = self._tokens if counting else self._words
        try:
            user = keyring.owner_of(key, host)
        except keys.TooManyTries:
            return Error("resume", "try-later", "There were too many wrong keys. Try later.")
        if user is not None and not user.is_told(seen):
            return Error("resume", "bad-line", f"You can't have seen {seen} events.")
        if user is not None and user.connection is not None:
            user.connection.taken_over()  # whose last line may have been Quit
            user.disconnected(self.pairs.get(user), self.clock.seconds())
        if user is None or self.users.get(user.name.key) is not user:
            return Error("resume", "bad-key", "No line is held for that key.")
        self._unhold(user)
        self.acknowledge(user, seen)
        user.connection = connection
        return user

    def welcome(self, user: User) -> None:
        """Tell a user who is back all that was missed, and the peer that it is."""
        peer = self.pairs.get(user)
        if peer is not None:
            self.tell_whether_away(peer)
        user.replay(peer, self.clock.seconds())
        self.has_room(user)

    def tell_whether_away(self, user: User) -> None:
        """Tell a user if the peer's connection has gone or come back; a slow one, later."""
        peer = self.pairs.get(user)
        if peer is None or user.full:
            return
        away = peer.connection is None
        if away != user.away_told:
            user.away_told = away
            user.tell(Held(peer.name.text) if away else Back(peer.name.text))

    # Receipts

    def is_here(self, sender: User) -> bool:
        """Tell whether somebody who said something is still to be told what became of it."""
        return self.users.get(sender.name.key) is sender

    def acknowledge(self, user: User, seq: int) -> bool:
        """Note that a user is done with all events up to one; return whether there is that one."""
        if not user.is_told(seq):
            return False
        self.settle(user.acknowledged(seq), "confirmed")
        if isinstance(user, CountingUser):
            user.tell_statuses()
        self.has_room(user)
        return True

    def handed(self, user: User) -> None:
        """Note that the kernel has all that a user was told."""
        self.settle(user.handed(), "handed")

    def has_room(self, user: User) -> None:
        """Let a user, and whoever speaks to it, go on if that is possible."""
        user.flow_changed()
        peer = self.pairs.get(user)
        if peer is not None:
            self.tell_whether_away(user)
            peer.flow_changed()

    def settle(
        self, receipts: Iterable[Receipt], outcome: Outcome, why: Failing | None = None
    ) -> None:
        """Tell the senders what became of what they said."""
        senders: dict[CountingUser, None] = {}
        for receipt in receipts:
            if not receipt.settled:
                receipt.settled = True
                receipt.sender.says.settle(receipt.say, outcome, why)
                senders[receipt.sender] = None
        for sender in senders:
            if self.is_here(sender):
                sender.tell_statuses()
                sender.flow_changed()
