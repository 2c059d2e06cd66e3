"""What the load says to a server, and what it must hear, in each protocol."""

from __future__ import annotations

import re


class Fault(Exception):
    """A server did what it must not, so no figure of this run means anything."""


class Lines:
    """The protocol of chatpair."""

    newline = b"\n"
    ending = b")\r\n"
    """What follows a text that is delivered."""

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

    def head(self, sender: bytes, receiver: bytes) -> re.Pattern[bytes]:
        """Return a pattern for what precedes a text that is delivered."""
        return re.compile(rb"\[\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\] %b: \(" % sender)

    def pongs(self, data: bytes) -> bytes:
        """Return the answers to what only asks whether the client is there."""
        return b""


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


DIALECTS = {"lines": Lines(), "irc": Irc()}


def _is(answer: bytes, expected: bytes) -> bool:
    """Tell whether an answer is complete that can be no other."""
    if not expected.startswith(answer):
        raise Fault(f"the server answered {answer!r} where {expected!r} was due")
    return answer == expected
