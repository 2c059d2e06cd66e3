"""What telnet mixes into the text, taken out of it (RFC 854)."""

import re
from collections.abc import Callable

IAC = 0xFF  # "interpret as command"; never occurs in UTF-8
_DONT, _DO, _WONT, _WILL = 0xFE, 0xFD, 0xFC, 0xFB
_SUBNEGOTIATION, _INTERRUPT_PROCESS, _SUBNEGOTIATION_END = 0xFA, 0xF4, 0xF0
_FIRST_COMMAND = 0xEC  # RFC 1184, section 2: EOF; RFC 854 itself begins at SE
_TIMING_MARK = 6  # RFC 860

# Debian's telnet takes a byte of a letter for a key if it is that key's but for the highest bit:
# Ctrl-C is 3, so 0x83 (in many letters of most scripts) comes as an interrupt. The others are its
# quit and suspend keys.
_BREAK, _SUSPEND = 0xF3, 0xED
_LETTER_BYTES = {_INTERRUPT_PROCESS: b"\x83", _BREAK: b"\x9c", _SUSPEND: b"\x9a"}
_UNFINISHED_LETTER = re.compile(
    rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z"
)

_REFUSAL = {_DO: _WONT, _WILL: _DONT}

INTERRUPT = bytes([IAC])
"""Ends the line that an interrupt cut short: text from the filter holds no such byte else."""


class TelnetFilter:
    """Takes telnet's commands out of a stream, wherever the network cuts it.

    No option is ever agreed to: each is refused once. Only the timing mark is refused every
    time, because telnet shows nothing between Ctrl-C and the answer.
    """

    def __init__(self, reply: Callable[[bytes], None], text: bytes = b"") -> None:
        """Take the function that sends an answer, and the text that came before."""
        self._reply = reply
        self._refused: set[tuple[int, int]] = set()
        self._verb = 0
        self._tail = text[-3:]
        self._step: Callable[[bytes, int], int] = self._text
        self._kept: list[bytes] = []
        self._replies: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        """Return the text in the data; an interrupt leaves INTERRUPT and a newline there."""
        position = 0
        while position < len(data):
            position = self._step(data, position)
        if self._replies:
            self._reply(b"".join(self._replies))
            self._replies.clear()
        text = b"".join(self._kept)
        self._kept.clear()
        self._tail = (self._tail + text)[-3:]
        return text

    # Each step handles the data at a position, says which step is next, and returns where.

    def _text(self, data: bytes, position: int) -> int:
        end = data.find(IAC, position)
        if end < 0:
            self._kept.append(data[position:])
            return len(data)
        self._kept.append(data[position:end])
        self._step = self._command
        return end + 1

    def _command(self, data: bytes, position: int) -> int:
        command = data[position]
        self._step = self._text
        if command == _SUBNEGOTIATION:
            self._step = self._subnegotiation
        elif command in (_DO, _DONT, _WILL, _WONT):
            self._verb = command
            self._step = self._option
        elif command in _LETTER_BYTES and self._in_letter():
            self._kept.append(_LETTER_BYTES[command])
        elif command == _INTERRUPT_PROCESS:
            self._kept.append(INTERRUPT + b"\n")
        elif command < _FIRST_COMMAND:
            return position  # no telnet's byte stood before: it was no UTF-8, and this is text
        return position + 1

    def _in_letter(self) -> bool:
        """Tell whether the text so far ends in the middle of a letter (RFC 3629)."""
        tail = self._tail + b"".join(self._kept[-3:])
        return _UNFINISHED_LETTER.search(tail[-3:]) is not None

    def _option(self, data: bytes, position: int) -> int:
        asked = (self._verb, data[position])
        self._step = self._text
        if asked[1] in b"\r\n":
            return position  # nobody has such an option any more, but a line ends here
        if self._verb in _REFUSAL and (asked not in self._refused or asked[1] == _TIMING_MARK):
            self._refused.add(asked)
            self._replies.append(bytes([IAC, _REFUSAL[self._verb], data[position]]))
        return position + 1

    def _subnegotiation(self, data: bytes, position: int) -> int:
        end = data.find(IAC, position)
        if end < 0:
            return len(data)
        self._step = self._subnegotiation_command
        return end + 1

    def _subnegotiation_command(self, data: bytes, position: int) -> int:
        ended = data[position] == _SUBNEGOTIATION_END
        self._step = self._text if ended else self._subnegotiation
        return position + 1
