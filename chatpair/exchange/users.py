"""Who is here: how a name is claimed, and found."""

from bisect import bisect_left, insort
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from math import inf, nextafter
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatpair.exchange.activity_log import ActivityLog
from chatpair.exchange.directory import Claimed, Directory
from chatpair.exchange.limits import HostLimit, is_stranger
from chatpair.exchange.messages import Error
from chatpair.exchange.names import BadName, Name, NameIndex, fold, mixes_scripts, parse
from chatpair.exchange.settings import Settings
from chatpair.exchange.user import Inbox, User

MAX_LISTED = 200
"""Names that the answer to "who" holds at most."""

HOST_SECONDS = 600.0
"""For how long who comes from where somebody blocked was is taken for the same one."""

MIXED = "it mixes letters of several scripts"
ONLY_REGISTERED = "only registered names are here"
WRONG_PASSWORD = Error("name", "password", "Wrong password.")
_TOO_MANY_NAMES = "You are taking names too often; try again in a minute."

_log = Logger()


class Accounts(Protocol):
    """Who has a name of their own."""

    def has(self, name: Name) -> bool: ...
    def check(self, name: Name, password: bytes, host: str | None) -> Deferred[str | Error]: ...


@dataclass(eq=False, repr=False)
class Users(dict[str, User]):
    """The users of this server, by the keys of their names."""

    _clock: IReactorTime
    _settings: Settings
    _directory: Directory
    _activity: ActivityLog
    _accounts: Accounts | None  # None where all names are anybody's

    def __post_init__(self) -> None:
        self.held_of_host: Counter[str] = Counter()
        """How many lines of each host are held."""
        self._names = NameIndex()  # with those that are being claimed
        self._keys: list[str] = []  # of the same, in their order
        self._new_names = HostLimit(self._clock, self._settings.max_names_per_minute)
        self._lost_keys = HostLimit(self._clock, self._settings.max_names_per_minute)
        self._last = 0.0

    def find(self, text: str) -> User | None:
        """Return whoever has a name, however it is written."""
        try:
            return self.get(fold(text))
        except BadName:
            return None

    def first(self, count: int) -> list[User]:
        """Return so many at most, those first whose names come first."""
        return [self[key] for key in islice(filter(self.__contains__, self._keys), count)]

    @property
    def full(self) -> bool:
        """Whether there are as many as may be, with those whose claims are under way."""
        return len(self._keys) >= self._settings.max_users

    def now(self) -> float:
        """Return the clock's seconds: each time later ones."""
        now = self._clock.seconds()
        self._last = now if now > self._last else nextafter(self._last, inf)
        return self._last

    def is_blocked(self, caller: User, callee: User) -> bool:
        """Tell whether a callee has blocked a caller, by name or as one who is back under another.

        Who has an account is known by name alone. Others may share the host, so that it counts
        for HOST_SECONDS only.
        """
        if callee.settings.block_of(caller.name) is not None:
            return True
        host, since = caller.came_from, caller.since
        lately = self._clock.seconds() - HOST_SECONDS
        return not self.has_account(caller.name) and any(
            block.host is not None and block.host == host and lately < block.since < since
            for block in callee.settings.blocks
        )

    # Claiming a name

    @property
    def any_accounts(self) -> bool:
        """Whether any name may be somebody's own."""
        return self._accounts is not None

    def has_account(self, name: Name) -> bool:
        """Tell whether a name is somebody's own, who proves it with a password."""
        return self._accounts is not None and self._accounts.has(name)

    def check_password(self, text: str, password: bytes, host: str | None) -> Deferred[str | Error]:
        """Fire with the name to claim if the password of a name is right, or with why not.

        The name must be one that claim refuses for its password.
        """
        assert self._accounts is not None
        return self._accounts.check(parse(text), password, host)

    def key_refused(self, why: Error, host: str | None) -> None:
        """Let a host that has shown a key of a line that is gone take one name more: an old one.

        All come back at once after a restart. As nobody can tell if it was a key, there is a limit.
        """
        if why.code != "bad-key":
            return
        self._activity.refused("wrong key")
        if is_stranger(host) and not self._lost_keys.is_spent(host):
            self._lost_keys.spend(host)
            self._new_names.spend(host, -1)

    def claim(self, text: str, inbox: Inbox, *, proven: bool = False) -> Deferred[User | Error]:
        """Fire with a new user, whose inbox it is, or with why there is none.

        Cancel it if the connection is gone before, and then there is no user. A name that has a
        password must be proven to be the claimer's.
        """
        name = self._may_claim(text, inbox.host, proven=proven)
        if isinstance(name, Error):
            return succeed(name)
        self._names.add(name)
        insort(self._keys, name.key)
        host = inbox.host
        if is_stranger(host):
            self._new_names.spend(host)  # at once: others may be under way

        asked = self._directory.claim(name)
        if asked is None:
            return succeed(self._claimed("yours", name, inbox, proven=proven))
        return asked.addCallbacks(
            self._claimed,
            self._failed,
            callbackArgs=(name, inbox),
            callbackKeywords={"proven": proven},
            errbackArgs=(name, inbox),
        )

    def _claimed(self, outcome: Claimed, name: Name, inbox: Inbox, *, proven: bool) -> User | Error:
        is_mixed = not proven and mixes_scripts(name.text)
        if outcome == "yours" and not is_mixed:
            return self._enter(name, inbox)
        if is_stranger(inbox.host):
            self._new_names.spend(inbox.host, -1)
        self._free(name)
        if outcome == "yours":  # who looks like somebody at another node is told that before
            self._directory.release(name)
            return Error("name", "bad-name", MIXED)
        return _taken(name) if outcome == "taken" else not_ready("name")

    def _failed(self, why: Failure, name: Name, inbox: Inbox) -> Failure | User | Error:
        if why.check(CancelledError):
            self._free(name)
            return why
        _log.failure("A name can't be claimed", failure=why)
        return self._claimed("later", name, inbox, proven=False)

    def _may_claim(self, text: str, host: str | None, *, proven: bool) -> Name | Error:
        """Return the name of a text, if somebody at a host may have it, or say why not."""
        if host is not None and self.held_of_host.get(host, 0) >= self._settings.max_per_host:
            self._activity.refused("too many from one host")
            return Error("name", "try-later", "There are too many users from your address.")
        if is_stranger(host) and self._new_names.is_spent(host):
            self._activity.refused("names too often")
            return Error("name", "try-later", _TOO_MANY_NAMES)
        try:
            name = parse(text)
        except BadName as why:
            return Error("name", "bad-name", str(why))
        if self._names.has(name):
            return _taken(name)
        if not proven and self.has_account(name):
            return Error("name", "password", f"{name} needs its password.")
        if not proven and self._settings.registered_only:
            return Error("name", "bad-name", ONLY_REGISTERED)
        return name

    def _enter(self, name: Name, inbox: Inbox) -> User:
        user = self[name.key] = User(name, inbox, self.now())
        self._activity.came(name.text)
        return user

    # The end

    def remove(self, user: User) -> None:
        """Let the name of a user be free again, at this node."""
        del self[user.name.key]
        self._free(user.name)

    def _free(self, name: Name) -> None:
        del self._keys[bisect_left(self._keys, name.key)]
        self._names.remove(name)


def _taken(name: Name) -> Error:
    return Error("name", "reuse", f"The name {name} is taken.")


def not_ready(of: str) -> Error:
    """Return the answer to what can't be done without the other nodes now."""
    return Error(of, "try-later", "The switchboard is not ready.")
