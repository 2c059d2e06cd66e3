"""What nodes have said that are not known to be members, or not yet."""

from collections.abc import Set
from typing import NamedTuple

PARKED_BYTES, OVERHEAD = 1 << 20, 200
"""What is kept in all, each entry counted with some bytes more."""


class Entry(NamedTuple):
    """What one node has told another at once."""

    number: int
    taken: int
    frames: bytes


class Parked:
    """Entries of nodes that are not known, in order; past a bound no more are kept."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes that are kept."""
        self._entries: dict[str, list[Entry]] = {}
        self._since: dict[str, float] = {}

    def __contains__(self, inc: str) -> bool:
        return inc in self._entries

    def incs(self) -> Set[str]:
        """Return whose entries are kept."""
        return self._entries.keys()

    def put(self, inc: str, entry: Entry, now: float) -> bool:
        """Keep an entry, if there is room; tell whether it is the first one of a node."""
        size = len(entry.frames) + OVERHEAD
        if self.size + size > PARKED_BYTES:
            return False
        self.size += size
        is_first = inc not in self._entries
        if is_first:
            self._entries[inc] = []
            self._since[inc] = now
        self._entries[inc].append(entry)
        return is_first

    def pop(self, inc: str) -> list[Entry]:
        """Return what there is of a node, and keep it no more."""
        self._since.pop(inc, None)
        entries = self._entries.pop(inc, [])
        self.size -= sum(len(entry.frames) + OVERHEAD for entry in entries)
        return entries

    def forget(self, before: float) -> None:
        """Drop what began to be kept before some time."""
        for inc, since in list(self._since.items()):
            if since <= before:
                self.pop(inc)
