"""Bytes to lines: whatever ends a line, whatever telnet mixes in, and never too much of it."""

from typing import Any

from twisted.protocols.basic import LineReceiver

from chatpair.telnet import IAC, INTERRUPT, TelnetFilter

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
        if self._telnet is None and IAC in data:
            self._telnet = TelnetFilter(self.transport.write)
        if self._telnet is not None:
            data = self._telnet.feed(data)
        if data.startswith(b"\0") and self._buffer.endswith(b"\r"):
            data = b"\n" + data[1:]
        self._buffer += data.replace(b"\r\0", b"\n")
        self.handle_buffer()

    def end_of_input(self) -> None:
        """Handle an unfinished line: nothing more will come."""
        if self._buffer:
            self._buffer += b"\n"
            self.handle_buffer()

    def handle_buffer(self) -> None:
        """Handle the lines that are whole, until this is paused or closing."""
        if self._busyReceiving:
            return
        self._busyReceiving = True
        start = 0
        try:
            while not self.paused and not self.closing:
                end = self._buffer.find(b"\n", start)
                if end < 0:
                    break
                line = self._buffer[start:end]
                start = end + 1
                self._handle(line.removesuffix(b"\r"))
        finally:
            self._buffer = self._buffer[start:]
            self._busyReceiving = False
        if not self.paused:
            self._limit_buffer()

    def _handle(self, line: bytes) -> None:
        skipped, self._skipping = self._skipping, False
        interrupted = line.endswith(INTERRUPT)
        if not skipped and len(line) - interrupted > self.MAX_LENGTH:
            self.lineLengthExceeded(line)
        elif not (skipped or interrupted):
            self.lineReceived(line)
        if interrupted:
            self.interruptReceived()

    def _limit_buffer(self) -> None:
        """Keep nothing of an unfinished line that is too long, but a CR that may end it."""
        too_long = len(self._buffer.removesuffix(b"\r")) > self.MAX_LENGTH
        if too_long and not self._skipping:
            self._skipping = True
            self.lineLengthExceeded(self._buffer)
        if self._skipping:
            self._buffer = b"\r" if self._buffer.endswith(b"\r") else b""

    def handshakeReceived(self) -> None:
        """Override this for when the first bytes are TLS."""
        raise NotImplementedError

    def interruptReceived(self) -> None:
        """Override this for when telnet's user has pressed Ctrl-C."""
        raise NotImplementedError
