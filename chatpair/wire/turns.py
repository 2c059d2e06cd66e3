"""What a connection may cost in a turn: then others have theirs.

Each of these takes about as long as the others do, half a millisecond. What costs more than plain
lines is read in smaller portions, whichever door it comes through: so a hundred who send the
costliest bytes there are hold up somebody else's line by no more than a hundred who talk.
"""

from typing import Any

from chatpair.wire.liveness import innermost

LINES_A_TURN = 25
"""Lines that are handled before others have their turn, unless one costs more than its share."""

TELNET_BYTES_A_TURN = 1_024
"""Bytes that are read at once from a client that has sent telnet commands."""

WEB_BYTES_A_TURN = 256
"""Bytes of HTTP or of a WebSocket's frames, which may have six each."""

TLS_BYTES_A_TURN = 2_048
"""Bytes of TLS records, which may have twenty each."""

PORTION = 16_384
"""Bytes that are made and written before others have their turns, unless one part is longer."""


def read_no_more_at_once(transport: Any, size: int) -> None:
    """Let a connection read so many bytes in a turn; it is full when as many wait to be written."""
    innermost(transport).bufferSize = size
