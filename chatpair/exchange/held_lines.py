"""Lines that outlive connections: who is away is held, and comes back with a key."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from chatpair.exchange import keys
from chatpair.exchange.delay import Delay
from chatpair.exchange.directory import Directory
from chatpair.exchange.messages import Error, Key, Notice
from chatpair.exchange.pairs import Pairs
from chatpair.exchange.recalled_inbox import RecalledInbox
from chatpair.exchange.receipts import Receipts
from chatpair.exchange.settings import Settings
from chatpair.exchange.user import Connection, User

_SPOILT = "spoilt"
_KEY_IS_SPOILT = Notice(
    "Others have tried to guess your key. It opens nothing now: ask for a new one."
)
TOO_MANY_TRIES = Error("resume", "try-later", "There were too many wrong keys. Try later.")
_UNKNOWN = Error("resume", "bad-key", "No line is held for that key.")


@dataclass(eq=False, repr=False)
class HeldLines:
    """Knows who has a key, and who is away."""

    _clock: IReactorTime
    _settings: Settings
    _pairs: Pairs
    _receipts: Receipts
    _directory: Directory
    _of_host: Counter[str]
    _leave: Callable[[User, str], object]  # who did not come back in time, and a reason

    def __post_init__(self) -> None:
        self._waiting: Delay[User] = Delay(self._clock, self._settings.hold, self._give_up)
        self._tokens: keys.Keyring[User] = keys.Keyring(self._clock)
        self._words: keys.Keyring[User] = keys.Keyring(self._clock, self._key_is_spoilt)

    # Keys

    def give_token(self, user: User) -> None:
        """Give a user's client a key, and hold the line when the connection is lost."""
        user.key = keys.token() + self._directory.token_suffix()
        self._tokens.add(user.key, user)

    def give_words(self, user: User) -> None:
        """Give a user a key to keep in mind, if there is none yet, and tell it."""
        if not user.key:
            user.inbox = RecalledInbox(user.inbox, self._clock)
            peer = self._pairs.peer_of(user)
            if peer is not None:
                peer.inbox.connection.bind()
        if user.key in ("", _SPOILT):
            user.key = keys.words()
            self._words.add(user.key, user)
        user.tell(Key(user.key))

    def _key_is_spoilt(self, user: User) -> None:
        user.key = _SPOILT
        user.tell(_KEY_IS_SPOILT)

    def may_come_back(self) -> bool:
        """Tell whether a connection may be that of somebody who has a key."""
        return bool(self._tokens or self._words) or self._directory.may_resume()

    def owner_of(self, key: str, host: str | None, *, counting: bool) -> User | None:
        """Return whose key it is; raises TooManyTries to a host that has guessed too often."""
        return self._keyring(counting).owner_of(key, host)

    def key_was_wrong(self, host: str | None, *, counting: bool) -> None:
        """Count a key that is nobody's at any node against the host that has shown it."""
        self._keyring(counting).was_wrong(host)

    def _keyring(self, counting: bool) -> keys.Keyring[User]:
        return self._tokens if counting else self._words

    # Away and back

    def lose(self, user: User, reason: str) -> None:
        """Hold the line of a user whose connection is lost, or else end the user."""
        if not self._settings.hold or user.key in ("", _SPOILT):
            self._leave(user, reason)
            return
        peer = self._pairs.peer_of(user)
        user.inbox.lose(peer, self._clock.seconds())
        self._waiting.start(user)
        self.count(user)
        if peer is not None:
            self._pairs.tell_whether_away(peer)
            peer.inbox.flow_changed()

    def count(self, user: User, lines: int = 1) -> None:
        """Count a line that is held, or is no more, for the host that its user was at."""
        host = user.inbox.host
        if host is not None:
            self._of_host[host] += lines
            if not self._of_host[host]:
                del self._of_host[host]

    def _unhold(self, user: User) -> None:
        if user in self._waiting:
            self._waiting.stop(user)
            self.count(user, -1)

    def _give_up(self, user: User) -> None:
        self.count(user, -1)
        self._leave(user, "did not come back")

    def forget(self, user: User) -> None:
        """Hold the line of a user no more, and never again."""
        if user.key:
            for keyring in (self._tokens, self._words):
                keyring.remove(user.key, user)
            user.key = ""
        self._unhold(user)

    def resume(
        self, key: str, seen: int, connection: Connection, *, counting: bool
    ) -> Deferred[User | str | Error]:
        """Give whoever has a user's key the user's line.

        Fires with the user, welcome is next; or with the node that has it; or with why not. A
        connection that the user is on already is closed.
        """
        host = connection.host

        def found(where: str | Error | None) -> str | Error:
            if where is None:
                self.key_was_wrong(host, counting=counting)
            return _UNKNOWN if where is None else where

        try:
            user = self.owner_of(key, host, counting=counting)
        except keys.TooManyTries:
            return succeed(TOO_MANY_TRIES)
        if user is None:
            asked = self._directory.find_key(key, connection, counting=counting)
            return asked.addCallback(found)
        if not user.inbox.is_told(seen):
            return succeed(Error("resume", "bad-line", f"You can't have seen {seen} events."))
        if not user.inbox.away:
            user.inbox.connection.taken_over()  # whose last line may have been Quit
            if not user.key:
                return succeed(_UNKNOWN)
            user.inbox.lose(self._pairs.peer_of(user), self._clock.seconds())
        self._unhold(user)
        self._receipts.acknowledge(user, seen)
        self._pairs.has_room(user)
        user.inbox.connect(connection)
        return succeed(user)

    def welcome(self, user: User) -> None:
        """Tell a user who is back all that was missed, and the peer that it is."""
        peer = self._pairs.peer_of(user)
        if peer is not None:
            self._pairs.tell_whether_away(peer)
        user.inbox.replay(user, peer, self._clock.seconds())
        self._pairs.has_room(user)
