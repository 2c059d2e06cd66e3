"""What is kept for a user, events and commands, and how much that is.

A user may cost a mebibyte in all: half for events that are kept, and half for what it has said that
waits (or, if it is plain, for what it was told that may be lost).
"""

from collections import deque
from collections.abc import Iterator
from sys import getsizeof
from typing import Generic, TypeVar

from msgspec.structs import astuple

from chatpair.exchange.messages import AnyCommand, AnyEvent

KEPT_EVENTS, KEPT_BYTES = 1_000, 2**19
"""Events, or bytes that they take, that are kept for a user before who speaks to it must wait."""

OBJECT_BYTES = 400
"""Bytes that an event or a command takes in memory at most, with what keeps it, but its texts."""

Entry = TypeVar("Entry")


def text_bytes(event: AnyEvent) -> int:
    """Return how many bytes the text of an event takes, if it has one: a letter may take four."""
    return getsizeof(getattr(event, "text", ""))


def all_bytes(command: AnyCommand) -> int:
    """Return how many bytes all that a command says takes."""
    return sum(map(getsizeof, astuple(command)))


class Kept(Generic[Entry]):
    """What is kept, the oldest first, and how much that is."""

    __slots__ = ("_events", "bytes", "entries")

    def __init__(self) -> None:
        self.entries: deque[tuple[Entry, int, int]] = deque()
        """Each with how many events it counts as, and its bytes."""
        self._events = 0
        self.bytes = 0
        """How many these take."""

    @property
    def full(self) -> bool:
        """Whether no more should be kept."""
        return self._events >= KEPT_EVENTS or self.bytes >= KEPT_BYTES

    def append(self, entry: Entry, text: int, events: int = 1) -> None:
        """Keep something whose texts take so many bytes, and which counts as so many events."""
        size = OBJECT_BYTES * events + text
        self.entries.append((entry, events, size))
        self._events += events
        self.bytes += size

    def popleft(self) -> Entry:
        """Return the oldest, and keep it no more."""
        entry, events, size = self.entries.popleft()
        self._events -= events
        self.bytes -= size
        return entry

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return (entry for entry, _, _ in self.entries)

    def oldest(self) -> Entry:
        """Return the oldest."""
        return self.entries[0][0]
