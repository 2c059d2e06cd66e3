"""The way to the other end of a tunnel, as both ends have one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chatpair.cluster import frames

WINDOW = 65_536
"""Bytes that may be on their way to the other end of a tunnel before more must wait."""

PIECE = 32_768
"""Bytes that go in one frame at most."""


@dataclass(slots=True, eq=False, repr=False)
class Way:
    """Leads to a node, whose number of the tunnel is the negative of the one here."""

    send: Callable[[str, frames.Tunnel], object]
    is_full: Callable[[str], bool]
    inc: str
    number: int
    ends: dict[tuple[str, int], Any]
    """All ends here of tunnels, by node and number."""
    on_way: int = 0
    """Bytes that the other end has not read, or the kernel there not taken."""

    def carry(self, data: bytes, *, whole: bool) -> None:
        """Send bytes, which are to be told together if they are whole lines."""
        self.on_way += len(data)
        for at in range(0, len(data), PIECE):
            more = whole and at + PIECE < len(data)
            frame = frames.TunnelData(-self.number, data[at : at + PIECE], more)
            self.send(self.inc, frame)

    def take(self, count: int) -> None:
        """Tell that so many bytes more are read, or in the hands of the kernel."""
        self.send(self.inc, frames.TunnelTaken(-self.number, count))

    def end(self, how: frames.End) -> None:
        """Tell how this end has ended."""
        self.send(self.inc, frames.TunnelEnded(-self.number, how))

    def forget(self) -> bool:
        """Let nothing come to this end any more; return whether anything did."""
        return self.ends.pop((self.inc, self.number), None) is not None

    @property
    def full(self) -> bool:
        """Whether so much is on its way to the node that more should wait."""
        return self.is_full(self.inc)
