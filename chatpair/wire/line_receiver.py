"""Bytes to lines: whatever ends a line, whatever telnet mixes in, and never too much of it."""

import sys
from typing import Any

from twisted.protocols.basic import LineReceiver

from chatpair.codecs.cleaning import BYTE_ORDER_MARK
from chatpair.codecs.plain import count_lines
from chatpair.wire.telnet import IAC, INTERRUPT, TelnetFilter
from chatpair.wire.turns import LINES_A_TURN, TELNET_BYTES_A_TURN, read_no_more_at_once

CHUNK = 65_536
"""Bytes of whole lines that are handled as one at most: some 0.1 ms, if all are text."""

LINES_IN_A_CHUNK = 256
"""Lines of like length that are handled as one at most, or as many as there are in SHORT_CHUNK."""

SHORT_CHUNK = 5_120
"""Bytes of whole lines that are handled as one, however many they are."""

LINES_FOR_ONE = 20
"""Lines of a chunk that take as long as one that is handled by itself."""

BYTES_FOR_ONE = 16_384
"""Bytes in which it takes as long to find that not all is text."""

TELNET_COMMANDS_A_TURN = 200
"""Telnet commands that a client may send at once; who sends more is no telnet."""

# RFC 8446, section 5.1: the first bytes of a handshake record.
_TLS_HANDSHAKE = b"\x16\x03"


class TextLineReceiver(LineReceiver):
    """Receives lines that end in LF, CR LF or CR NUL, from telnet or anything else.

    LineReceiver's own way copies the rest of its buffer for each line, which a chunk of short
    ones turns into quadratic time, and has one delimiter.
    """

    transport: Any
    delimiter = b"\n"

    deaf = False
    """Whether what still comes is of no interest."""

    _telnet: TelnetFilter | None = None  # once a telnet command has come

    def connectionMade(self) -> None:
        """Set at once what changes later.

        Objects whose attributes are set one by one, after others were made, share no table of their
        names (PEP 412), and take 600 bytes more.
        """
        self._buffer = b""
        self.paused = self._busyReceiving = False
        self.takes_chunks = False
        """Whether linesReceived may take what has come."""
        self.turn = 0
        """Lines that may still be handled in this turn; a handler may end it by setting it to 0."""
        self._fresh = True  # it may still turn out to be TLS
        self._skipping = False  # the rest of a line that was too long

    def dataReceived(self, data: bytes) -> None:
        """Take what has come, and handle its lines unless this is paused."""
        if (
            self.takes_chunks
            and self._telnet is None
            and not self._buffer
            and not self.paused
            and data[-1:] == b"\n"
            and (
                len(data) <= SHORT_CHUNK <= self.MAX_LENGTH
                or self._find_chunk(data, 0)[0] == len(data)
            )
            and self.linesReceived(data)
        ):
            return
        if self.deaf:
            return
        if self._fresh:
            data, self._buffer = self._buffer + data, b""
            if data.startswith((_TLS_HANDSHAKE, BYTE_ORDER_MARK)):
                if data.startswith(_TLS_HANDSHAKE):
                    self.handshakeReceived()
                    return
                data = data.removeprefix(BYTE_ORDER_MARK)
            elif _TLS_HANDSHAKE.startswith(data) or BYTE_ORDER_MARK.startswith(data):
                self._buffer = data
                return
            self._fresh = False
        if self._telnet is not None or IAC in data:
            data = self._without_telnet(data)
        if 0 in data:  # to look for a byte costs next to nothing
            if data.startswith(b"\0") and self._buffer.endswith(b"\r"):
                self._buffer = self._buffer[:-1]
                data = b"\n" + data[1:]
            data = data.replace(b"\r\0", b"\n")
        self._buffer += data
        self.handle_buffer()

    def _without_telnet(self, data: bytes) -> bytes:
        if data.count(IAC) > TELNET_COMMANDS_A_TURN:
            data = data.replace(bytes([IAC]), b"")
        if self._telnet is None:
            self._telnet = TelnetFilter(self.answerTelnet, self._buffer)
            # Its commands cost far more than text: others have their turns more often.
            read_no_more_at_once(self.transport, TELNET_BYTES_A_TURN)
        return self._telnet.feed(data)

    def end_of_input(self) -> None:
        """Handle an unfinished line: nothing more will come."""
        if self._buffer and not self._buffer.endswith(b"\n"):
            self._buffer += b"\n"
        self.handle_buffer(sys.maxsize)

    def handle_buffer(self, lines: int = LINES_A_TURN) -> None:
        """Handle the lines that are whole, until this is paused, deaf, or has had its turn."""
        if self._busyReceiving:
            return
        if not self.line_mode and not self.paused:
            data, self._buffer = self._buffer, b""
            self.rawDataReceived(data)
            return
        self._busyReceiving = True
        self.turn = lines
        start = refused = 0
        try:
            while not self.paused and not self.deaf:
                end = self._buffer.find(b"\n", start)
                if end < 0:
                    break
                if self.turn <= 0:
                    self.turnEnded()
                    break
                begin, start = start, end + 1
                if self.takes_chunks and begin >= refused and not self._skipping:
                    stop, count = self._find_chunk(self._buffer, begin)
                    if count and self.linesReceived(self._buffer[begin:stop]):
                        self.turn -= 1 + count // LINES_FOR_ONE
                        start = stop
                        continue
                    self.turn -= (stop - begin) // BYTES_FOR_ONE
                    refused = min(stop, begin + SHORT_CHUNK)
                self.turn -= 1
                self._handle(self._buffer[begin:end].removesuffix(b"\r"))
        finally:
            self._buffer = b"" if self.deaf else self._buffer[start:]
            self._busyReceiving = False
        if self._buffer and not self.paused:
            self._limit_buffer()

    def _find_chunk(self, data: bytes, start: int) -> tuple[int, int]:
        """Return where the lines end that begin at a position and may be handled as one.

        And how many they are: each line gets longer on its way, so many short ones count by their
        number. No line may be too long.
        """
        size = min(CHUNK, self.MAX_LENGTH + 1)
        end = data.rfind(b"\n", start, start + size) + 1
        lines = count_lines(data[start:end])
        if lines > LINES_IN_A_CHUNK and end - start > SHORT_CHUNK:
            size = max((end - start) * LINES_IN_A_CHUNK // lines, SHORT_CHUNK)
            end = data.rfind(b"\n", start, start + size) + 1
            lines = count_lines(data[start:end])
        return end, lines

    def _handle(self, line: bytes) -> None:
        """Hand on a line, if it is not too long."""
        skipped, self._skipping = self._skipping, False
        interrupted = line.endswith(INTERRUPT)
        if not skipped and len(line) - interrupted > self.MAX_LENGTH:
            self.lineLengthExceeded(line)
        elif not (skipped or interrupted):
            self.lineReceived(line)
        if interrupted:
            self.interruptReceived()

    def _limit_buffer(self) -> None:
        """Keep nothing of a line that is too long but its end, which what comes may complete."""
        too_long = len(self._buffer.removesuffix(b"\r")) > self.MAX_LENGTH
        if too_long and not self._skipping:
            self._skipping = True
            self.lineLengthExceeded(self._buffer)
        if self._skipping:
            self._buffer = self._buffer[-3:]

    def linesReceived(self, lines: bytes) -> bool:
        """Take many lines as one, each of which ends in LF or CR LF, and return that.

        Else each is handed on by itself, as it is if this is not overridden.
        """
        return False

    def turnEnded(self) -> None:
        """Override this to pause, and to go on when others have had their turns."""
        raise NotImplementedError

    def answerTelnet(self, data: bytes) -> None:
        """Write what telnet has asked for."""
        self.transport.write(data)

    def handshakeReceived(self) -> None:
        """Close, as the first bytes are TLS."""
        self.transport.loseConnection()

    def interruptReceived(self) -> None:
        """Close, as telnet's user has pressed Ctrl-C."""
        self.transport.loseConnection()
