"""The keys that give users their lines back, and what it takes to guess one."""

import hmac
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Generic, TypeVar

from mnemonic import Mnemonic
from twisted.internet.interfaces import IReactorTime

from chatpair.exchange.limits import HostLimit

WRONG_KEYS, WRONG_KEYS_SECONDS = 10, 60.0
"""Wrong keys that are looked at from one host in so many seconds."""

NEAR_MISSES = 20
"""Wrong keys that begin as a certain one does, after which that one opens nothing any more.

With words it bounds what all hosts together can guess: 20 of the 2048 * 2048 that may follow.
"""

Owner = TypeVar("Owner", bound=Hashable)


class TooManyTries(Exception):
    """A host has guessed too often, and is to try later."""


@lru_cache(maxsize=1)
def _words() -> list[str]:
    return Mnemonic("english").wordlist


def words() -> str:
    """Return a key that a person can keep in mind: three of 2048 words, 33 bits."""
    return "-".join(secrets.choice(_words()) for _ in range(3))


def token() -> str:
    """Return a key that nobody can guess: 128 bits after those that tell it from others."""
    return f"{secrets.token_hex(4)}-{secrets.token_hex(16)}"


class Keyring(Generic[Owner]):
    """Whose key is which.

    A key is found by what comes before its first hyphen, and compared in constant time.
    """

    def __init__(
        self, clock: IReactorTime, spoilt: Callable[[Owner], object] | None = None
    ) -> None:
        """Take the clock that forgives wrong keys, if these can be guessed, and whom to tell of
        an owner whose key was nearly guessed so often that it opens nothing any more.
        """
        self._spoilt = spoilt
        self._keys: defaultdict[str, dict[Owner, bytes]] = defaultdict(dict)
        self._near_misses: Counter[Owner] = Counter()
        self._wrong = HostLimit(clock, WRONG_KEYS, WRONG_KEYS_SECONDS)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def add(self, key: str, owner: Owner) -> None:
        """Let a key be somebody's."""
        self._keys[_handle(key)][owner] = key.encode()

    def remove(self, key: str, owner: Owner) -> None:
        """Let a key be nobody's; it may be so already."""
        owners = self._keys.get(_handle(key), {})
        owners.pop(owner, None)
        if not owners:
            self._keys.pop(_handle(key), None)
        del self._near_misses[owner]

    def owner_of(self, key: str, host: str | None) -> Owner | None:
        """Return whose key it is; raises TooManyTries to a host that has guessed too often.

        There is no host where there is only this machine.
        """
        if host is not None and self._wrong.is_spent(host):
            raise TooManyTries
        alike = list(self._keys.get(_handle(key), {}).items())
        for owner, right in alike:
            if hmac.compare_digest(key.encode(), right):
                return owner
        for owner, right in alike:
            self._near_misses[owner] += 1
            if self._near_misses[owner] >= NEAR_MISSES and self._spoilt is not None:
                self.remove(right.decode(), owner)
                self._spoilt(owner)
        return None

    def was_wrong(self, host: str | None) -> None:
        """Count a key that is nobody's, here or elsewhere, against the host that has shown it."""
        if self._spoilt is not None and host is not None:
            self._wrong.spend(host)


def _handle(key: str) -> str:
    return key.partition("-")[0]
