"""Bytes to lines: whatever ends a line, whatever telnet mixes in, and never too much of it."""

import sys
from typing import Any

from twisted.protocols.basic import LineReceiver

from chatpair.telnet import IAC, INTERRUPT, TelnetFilter

LINES_A_TURN = 100
"""Lines that are handled before others have their turn, unless one costs more than its share."""

TELNET_COMMANDS_A_TURN = 200
"""Telnet commands that a client may send at once; who sends more is no telnet."""

TELNET_BYTES_A_TURN = 1_024
"""Bytes that are read at once from a client that has sent telnet commands."""

# RFC 8446, section 5.1: the first bytes of a handshake record.
_TLS_HANDSHAKE = b"\x16\x03"


class TextLineReceiver(LineReceiver):
    """Receives lines that end in LF, CR LF or CR NUL, from telnet or anything else.

    LineReceiver's own way copies the rest of its buffer for each line, which a chunk of short
    ones turns into quadratic time, and has one delimiter.
    """

    transport: Any
    delimiter = b"\n"

    closing = False
    """Whether what still comes is of no interest."""

    turn = 0
    """Lines that may still be handled in this turn; a handler may end it by setting it to 0."""

    _fresh = True  # it may still turn out to be TLS
    _telnet: TelnetFilter | None = None
    _skipping = False  # the rest of a line that was too long

    def dataReceived(self, data: bytes) -> None:
        """Take what has come, and handle its lines unless this is paused."""
        if self.closing:
            return
        if self._fresh:
            data = self.clearLineBuffer() + data
            if data.startswith(_TLS_HANDSHAKE):
                self.handshakeReceived()
                return
            if _TLS_HANDSHAKE.startswith(data):
                self._buffer = data
                return
            self._fresh = False
        if data.count(IAC) > TELNET_COMMANDS_A_TURN:
            data = data.replace(bytes([IAC]), b"")
        if self._telnet is None and IAC in data:
            self._telnet = TelnetFilter(self.transport.write, self._buffer)
            # Its commands cost far more than text: others have their turns more often.
            self.transport.bufferSize = TELNET_BYTES_A_TURN
        if self._telnet is not None:
            data = self._telnet.feed(data)
        if data.startswith(b"\0") and self._buffer.endswith(b"\r"):
            self._buffer = self._buffer[:-1]
            data = b"\n" + data[1:]
        self._buffer += data.replace(b"\r\0", b"\n")
        self.handle_buffer()

    def end_of_input(self) -> None:
        """Handle an unfinished line: nothing more will come."""
        if self._buffer and not self._buffer.endswith(b"\n"):
            self._buffer += b"\n"
        self.handle_buffer(sys.maxsize)

    def handle_buffer(self, lines: int = LINES_A_TURN) -> None:
        """Handle the lines that are whole, until this is paused, closing, or has had its turn."""
        if self._busyReceiving:
            return
        self._busyReceiving = True
        self.turn = lines
        start = 0
        try:
            while not self.paused and not self.closing:
                end = self._buffer.find(b"\n", start)
                if end < 0:
                    break
                if self.turn <= 0:
                    self.turnEnded()
                    break
                self.turn -= 1
                line = self._buffer[start:end]
                start = end + 1
                if self._handle(line.removesuffix(b"\r")):
                    start -= len(line) + 1
        finally:
            self._buffer = self._buffer[start:]
            self._busyReceiving = False
        if not self.paused:
            self._limit_buffer()

    def _handle(self, line: bytes) -> bool:
        """Hand on a line; return whether it must wait, because this was paused before it."""
        skipped, self._skipping = self._skipping, False
        interrupted = line.endswith(INTERRUPT)
        if not skipped and len(line) - interrupted > self.MAX_LENGTH:
            self.lineLengthExceeded(line)
        elif not (skipped or interrupted):
            return bool(self.lineReceived(line))
        if interrupted:
            self.interruptReceived()
        return False

    def _limit_buffer(self) -> None:
        """Keep nothing of a line that is too long but its end, which what comes may complete."""
        too_long = len(self._buffer.removesuffix(b"\r")) > self.MAX_LENGTH
        if too_long and not self._skipping:
            self._skipping = True
            self.lineLengthExceeded(self._buffer)
        if self._skipping:
            self._buffer = self._buffer[-3:]

    def turnEnded(self) -> None:
        """Override this to pause, and to go on when others have had their turns."""
        raise NotImplementedError

    def handshakeReceived(self) -> None:
        """Override this for when the first bytes are TLS."""
        raise NotImplementedError

    def interruptReceived(self) -> None:
        """Override this for when telnet's user has pressed Ctrl-C."""
        raise NotImplementedError
