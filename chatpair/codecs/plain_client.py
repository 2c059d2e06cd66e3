"""The plain codec, as a client has it: what a server's lines tell, and what to say to it."""

import re
import time
from contextlib import suppress

from chatpair.codecs.plain import parse
from chatpair.exchange.messages import (
    AnyEvent,
    Block,
    Call,
    Claim,
    Error,
    ErrorCode,
    Free,
    Goodbye,
    Left,
    Message,
    Named,
    Notice,
    Paired,
    Quit,
    Ringing,
    Say,
    SetDnd,
    SetRing,
    Setting,
    Timestamp,
    Unanswered,
    Unblock,
)

_PEER_LINE = re.compile(r"\[(\w{3} \w{3} [ \d]\d [\d:]{8} \d+)\] (\S+): \((.*)\)")
_EXACTLY: dict[str, AnyEvent] = {
    "OK": Named("", ""),
    "Quit.": Left("", "quit"),
    "Quit": Goodbye(),
    "You are free.": Free(),
    "Reuse": Error("name", "reuse", "Reuse"),
    "Password:": Error("name", "password", "Password:"),
    "Wrong password.": Error("name", "password", "Wrong password."),
    "This needs TLS.": Error("name", "password", "This needs TLS."),
}
_OF_ONE: dict[type[Paired | Ringing | Unanswered], str] = {
    Paired: r"You are chatting with (\S+)\.",
    Ringing: r"(\S+) is calling\. To:\1 to answer\.",
    Unanswered: r"(\S+) does not answer\.",
}
_REFUSALS: dict[ErrorCode, str] = {
    "unknown": r"The user .* does not exist\.|Say who: .*",
    "busy": r"\S+ is (talking with someone else|not reading at the moment)\.",
    "dnd": r"\S+ does not want to be disturbed\.",
    "ringing": r"\S+'s line is ringing\.",
    "self": r"Please don't try to talk with yourself\.",
    "nobody": r"Nobody is chatting with you\..*",
    "too-long": r"That line was not sent: .*",
    "try-later": r"The switchboard is not ready\.|The last call is still on its way\.",
}


def parse_event(line: str) -> AnyEvent:
    """Return what a line of a server's tells that a client acts upon, or else a Notice of it."""
    if line in _EXACTLY:
        return _EXACTLY[line]
    if line.startswith("Bad name: "):
        return Error("name", "bad-name", line.removeprefix("Bad name: "))
    if match := _PEER_LINE.fullmatch(line):
        when, sender, text = match.groups()
        with suppress(ValueError, OverflowError):
            return Message(sender, text, Timestamp(time.mktime(time.strptime(when))))
    for kind, pattern in _OF_ONE.items():
        if match := re.fullmatch(pattern, line):
            return kind(match[1])
    for code, pattern in _REFUSALS.items():
        if re.fullmatch(pattern, line):
            return Error(None, code, line)
    return Notice(line)


def render_command(command: Claim | Call | Say | Setting | Quit) -> bytes:
    """Return the line that tells a server a command.

    Text that would be taken for a command gets a space in front.
    """
    match command:
        case Claim(name):
            line = name
        case Call(name):
            line = f"To:{name}"
        case Say(text=text):
            line = text if isinstance(parse(text), Say) else f" {text}"
        case SetDnd(on):
            line = "/dnd on" if on else "/dnd off"
        case SetRing(on):
            line = "/ring on" if on else "/ring off"
        case Block(name):
            line = f"/block {name}"
        case Unblock(name):
            line = f"/unblock {name}"
        case Quit():
            line = "Quit"
    return line.encode() + b"\r\n"
