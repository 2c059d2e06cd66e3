"""Events that are kept for a user, and how much that is."""

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from chatpair.exchange.messages import AnyEvent

KEPT_EVENTS, KEPT_BYTES = 1_000, 2**20
"""Events, or bytes of them, that are kept for a user before whoever speaks to it must wait."""

EVENT_BYTES = 200
"""Bytes that an event is taken for, beside its text."""

Entry = TypeVar("Entry")


class KeptEvents(Generic[Entry]):
    """Events that are kept, the oldest first, and how much that is."""

    __slots__ = ("_bytes", "_entries", "_events")

    def __init__(self) -> None:
        self._entries: deque[tuple[Entry, int, int]] = deque()
        self._events = self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether no more should be kept."""
        return self._events >= KEPT_EVENTS or self._bytes >= KEPT_BYTES

    def append(self, event: AnyEvent, entry: Entry, events: int = 1) -> None:
        """Keep what stands for an event, which counts as so many."""
        size = EVENT_BYTES * events + len(getattr(event, "text", "").encode())
        self._entries.append((entry, events, size))
        self._events += events
        self._bytes += size

    def popleft(self) -> Entry:
        """Return the oldest, and keep it no more."""
        entry, events, size = self._entries.popleft()
        self._events -= events
        self._bytes -= size
        return entry

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return (entry for entry, _, _ in self._entries)

    def oldest(self) -> Entry:
        """Return the oldest."""
        return self._entries[0][0]
