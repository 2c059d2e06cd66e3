"""What is on its way to one node, and how far what comes from it has been taken."""

import struct
from collections import deque

LIMIT_BYTES, LIMIT_ENTRIES = 1 << 20, 1_000
"""What may be on its way to a node and not acknowledged; more waits until it is."""

ENTRY_BYTES = 256 << 10
"""How large an entry may get, unless one frame alone is larger."""

ACK_ENTRIES, ACK_BYTES = LIMIT_ENTRIES // 4, LIMIT_BYTES // 4
"""What is acknowledged at once, even if nothing is told to the node that sent it."""


class Link:
    """What is on its way to one node, and how far what comes from it has been taken.

    Frames gather until they are sent as one entry. Entries are counted from 1, and kept until the
    other side acknowledges them, as some may have to be sent again.
    """

    def __init__(self, inc: str) -> None:
        self.inc = inc
        self.full = False
        """Whether no more should be sent."""
        self.refused = False
        """Whether the engine has not taken an entry; it is sent again at the next tick."""
        self.moved = 0.0
        """When something was acknowledged, or began to wait for that, in the clock's seconds."""
        self.waits_since = 0.0
        """The same, for what the engine has not taken either."""
        self.slow = False
        """Whether that is so long ago that its users seem to be away."""
        self.frames_put = self.frames_taken = 0
        """How many frames were to be sent, and how many have come, since this is who it is."""
        self.taken = 0
        """The number of the last entry that was taken from the other side."""
        self.owed = self.owed_bytes = 0
        """What has come since it was last told what was taken."""
        self._frames: list[bytes] = []  # that are in no entry yet
        self._frames_bytes = 0
        self._entries: deque[bytes] = deque()  # that are not acknowledged
        self._entries_bytes = 0
        self._acked = 0  # the number of the last entry before those
        self._sent = 0  # the number of the last one that was sent, this time
        self._probes = False  # whether one entry is sent to see whether there is any answer

    @property
    def size(self) -> int:
        """How many bytes of frames it keeps."""
        return self._frames_bytes + self._entries_bytes

    @property
    def waits(self) -> bool:
        """Whether something was sent and not acknowledged."""
        return self._sent > self._acked

    @property
    def has_more(self) -> bool:
        """Whether something has not been sent, be it that it can't be by now."""
        return bool(self._frames) or self._sent - self._acked < len(self._entries)

    def put(self, frame: bytes) -> None:
        """Take a frame, encoded by itself."""
        self._frames.append(frame)
        self.frames_put += 1
        self._frames_bytes += len(frame)
        if self.size >= LIMIT_BYTES:
            self.full = True

    def next(self) -> tuple[int, bytes] | None:
        """Return the number and the frames of an entry to be sent now, if there is one."""
        ahead = self._sent - self._acked
        if ahead >= (1 if self._probes else LIMIT_ENTRIES):
            return None
        if ahead == len(self._entries):
            if not self._frames or self._entries_bytes >= LIMIT_BYTES:
                return None
            self._gather()
        self._sent += 1
        return self._sent, self._entries[ahead]

    def _gather(self) -> None:
        """Make an entry of the frames that wait, or of the first of them if it gets too large."""
        number = size = 0
        for frame in self._frames:
            if number and size + len(frame) > ENTRY_BYTES:
                break
            number += 1
            size += len(frame)
        frames, self._frames = self._frames[:number], self._frames[number:]
        self._frames_bytes -= size
        entry = struct.pack(">BI", 0xDD, len(frames)) + b"".join(frames)  # an array of msgpack's
        self._entries.append(entry)
        self._entries_bytes += len(entry)

    def acknowledge(self, number: int) -> bool:
        """Forget the entries up to one that the other side has taken; tell whether any was new."""
        count = number - self._acked
        if not 0 < count <= len(self._entries):
            return False
        for _ in range(count):
            self._entries_bytes -= len(self._entries.popleft())
        self._acked = number
        self._sent = max(self._sent, number)
        self._probes = self.slow = False
        if self.size < LIMIT_BYTES // 2:
            self.full = False
        return True

    def go_back(self, *, probe: bool = False) -> None:
        """Send all again that was not acknowledged, or just the first of it until that is."""
        self._sent = self._acked
        self._probes = probe
        self.refused = False
