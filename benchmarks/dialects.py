"""What the load says to a server, and what it must hear, in each protocol."""

from __future__ import annotations

import json
import re


class Fault(Exception):
    """A server did what it must not, so no figure of this run means anything."""


class Lines:
    """The protocol of chatpair."""

    newline = b"\n"
    ending = b")\r\n"
    """What follows a text that is delivered."""
    counts = False
    """Whether each text is said with its number, and what is told acknowledged."""

    def introduction(self, name: bytes) -> bytes:
        """Return what claims a name."""
        return name + b"\n"

    def is_welcome(self, answer: bytes) -> bool:
        """Tell whether the answer to a name is complete."""
        return _is(answer, b"OK\r\n")

    def call(self, name: bytes) -> bytes:
        """Return what pairs with somebody; nothing if there is no need."""
        return b"To:%b\n" % name

    def is_paired(self, answer: bytes, peer: bytes) -> bool:
        """Tell whether either's answer to a call is complete."""
        return _is(answer, b"You are chatting with %b.\r\n" % peer)

    def order(self, receiver: bytes) -> bytes:
        """Return what precedes a text that is sent."""
        return b""

    def say(self, number: int, text: bytes) -> bytes:
        """Return what says a text, the number of which counts from 1."""
        return text + self.newline

    def head(self, sender: bytes, receiver: bytes) -> re.Pattern[bytes]:
        """Return a pattern for what precedes a text that is delivered."""
        return re.compile(rb"\[\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\] %b: \(" % sender)

    def told(self, line: bytes) -> bytes:
        """Return what a line tells as plain text, or nothing if nobody has said it."""
        return line

    def acknowledge(self, data: bytes) -> bytes:
        """Return the acknowledgement of lines."""
        return b""

    def pongs(self, data: bytes) -> bytes:
        """Return the answers to what only asks whether the client is there."""
        return b""


class Mixed(Lines):
    """The same from a client that ends lines with CR LF, and gives a command now and then."""

    newline = b"\r\n"

    def say(self, number: int, text: bytes) -> bytes:
        return text + (b"\r\n" if number % 16 else b"\r\n/dnd off\r\n")

    def told(self, line: bytes) -> bytes:
        return b"" if line == b"You can be called again.\r\n" else line


class Json(Lines):
    """The protocol of chatpair for programs."""

    ending = b"\r\n"
    counts = True

    def introduction(self, name: bytes) -> bytes:
        return b'Mode:json\n{"do":"name","name":"%b"}\n' % name

    def is_welcome(self, answer: bytes) -> bool:
        return answer.endswith(b"\n") and b'"event":"named"' in answer

    def call(self, name: bytes) -> bytes:
        return b'{"do":"to","name":"%b"}\n' % name

    def is_paired(self, answer: bytes, peer: bytes) -> bool:
        return answer.endswith(b"\n") and b'"peer":"%b"' % peer in answer

    def say(self, number: int, text: bytes) -> bytes:
        return b'{"do":"say","id":%d,"text":"%b"}\n' % (number, text)

    def head(self, sender: bytes, receiver: bytes) -> re.Pattern[bytes]:
        return re.compile(rb"%b: " % sender)

    def told(self, line: bytes) -> bytes:
        event = json.loads(line)
        if event["event"] == "status" and event["status"] == "confirmed":
            return b""
        return f"{event.get('from')}: {event.get('text', event)}\r\n".encode()

    def acknowledge(self, data: bytes) -> bytes:
        return b'{"do":"ack","seq":%b}\n' % re.findall(rb'"seq":(\d+)', data)[-1]


class Irc(Lines):
    """IRC: a private message to a nick; there are no pairs."""

    newline = b"\r\n"
    ending = b"\r\n"

    def introduction(self, name: bytes) -> bytes:
        return b"NICK %b\r\nUSER %b 0 * :load\r\n" % (name, name)

    def is_welcome(self, answer: bytes) -> bool:
        if answer.startswith(b"ERROR ") or b"\nERROR " in answer:
            raise Fault(f"the server answered {answer!r} to a name")
        # The last of what IRC tells a newcomer: the end of the message of the day, or that
        # there is none.
        return answer.endswith(b"\n") and (b" 376 " in answer or b" 422 " in answer)

    def call(self, name: bytes) -> bytes:
        return b""

    def order(self, receiver: bytes) -> bytes:
        return b"PRIVMSG %b :" % receiver

    def head(self, sender: bytes, receiver: bytes) -> re.Pattern[bytes]:
        return re.compile(rb":%b!\S+ PRIVMSG %b :" % (sender, receiver))

    def pongs(self, data: bytes) -> bytes:
        if b"PING " not in data:
            return b""
        return b"".join(b"PONG %b\r\n" % ping for ping in re.findall(rb"(?m)^PING (.*)\r$", data))


DIALECTS = {"lines": Lines(), "mixed": Mixed(), "json": Json(), "irc": Irc()}


def _is(answer: bytes, expected: bytes) -> bool:
    """Tell whether an answer is complete that can be no other."""
    if not expected.startswith(answer):
        raise Fault(f"the server answered {answer!r} where {expected!r} was due")
    return answer == expected
