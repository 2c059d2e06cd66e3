"""The receipts that a snapshot has, as numbers where they belong."""

from collections.abc import Callable, Iterable

from chatpair.exchange import user
from chatpair.handover import snapshot


class Receipts:
    """The receipts of a snapshot, each of which may be in several places."""

    def __init__(self, key_of: Callable[[user.User], str]) -> None:
        self._key_of = key_of
        self._numbers: dict[user.Receipt, int] = {}

    def numbers_of(self, receipts: Iterable[user.Receipt]) -> list[int]:
        """Return where receipts are in the list."""
        return [self._numbers.setdefault(one, len(self._numbers)) for one in receipts]

    def parts(self) -> list[snapshot.Receipt]:
        """Return all that have a number."""
        return [
            snapshot.Receipt(self._key_of(one.sender), one.say, one.settled)
            for one in self._numbers
        ]
