"""The plain codec, as a client has it: what a server's lines tell, and what to say to it.

What a new pattern takes for a word of the server's, chatpair.codecs.plain must know as one too.
"""

import re
import time
from contextlib import suppress
from typing import TypeAlias

from chatpair.codecs.plain import parse
from chatpair.exchange import messages

PlainCommand: TypeAlias = (
    messages.Claim | messages.Call | messages.Say | messages.Setting | messages.Quit
)
"""What a client can say to a server that speaks no JSON."""

_PEER_LINE = re.compile(r"\[(\w{3} \w{3} [ \d]\d [\d:]{8} \d+)\] (\S+): \((.*)\)")
_EXACTLY: dict[str, messages.AnyEvent] = {
    "OK": messages.Named("", ""),
    "Quit.": messages.Left("", "quit"),
    "Quit": messages.Goodbye(),
    "You are free.": messages.Free(),
    "Reuse": messages.Error("name", "reuse", "Reuse"),
    "Password:": messages.Error("name", "password", "Password:"),
    "Wrong password.": messages.Error("name", "password", "Wrong password."),
    "This needs TLS.": messages.Error("name", "password", "This needs TLS."),
}
_OF_ONE: dict[type[messages.Paired | messages.Ringing | messages.Unanswered], str] = {
    messages.Paired: r"You are chatting with (\S+)\.",
    messages.Ringing: r"(\S+) is calling\. To:\1 to answer\.",
    messages.Unanswered: r"(\S+) does not answer\.",
}
_REFUSALS: dict[messages.ErrorCode, str] = {
    "unknown": r"The user .* does not exist\.|Say who: .*",
    "busy": r"\S+ is (talking with someone else|not reading at the moment)\.",
    "dnd": r"\S+ does not want to be disturbed\.",
    "ringing": r"\S+'s line is ringing\.",
    "self": r"Please don't try to talk with yourself\.",
    "nobody": r"Nobody is chatting with you\..*",
    "too-long": r"That line was not sent: .*",
    "try-later": r"The switchboard is not ready\.|The last call is still on its way\.",
}


def parse_event(line: str) -> messages.AnyEvent:
    """Return what a line of a server's tells that a client acts upon, or else a Notice of it."""
    if line in _EXACTLY:
        return _EXACTLY[line]
    if line.startswith("Bad name: "):
        return messages.Error("name", "bad-name", line.removeprefix("Bad name: "))
    if match := _PEER_LINE.fullmatch(line):
        when, sender, text = match.groups()
        with suppress(ValueError, OverflowError):
            seconds = time.mktime(time.strptime(when))
            return messages.Message(sender, text, messages.Timestamp(seconds))
    for kind, pattern in _OF_ONE.items():
        if match := re.fullmatch(pattern, line):
            return kind(match[1])
    for code, pattern in _REFUSALS.items():
        if re.fullmatch(pattern, line):
            return messages.Error(None, code, line)
    return messages.Notice(line)


def render_command(command: PlainCommand) -> bytes:
    """Return the line that tells a server a command.

    Text that would be taken for a command gets a space in front.
    """
    match command:
        case messages.Claim(name):
            line = name
        case messages.Call(name):
            line = f"To:{name}"
        case messages.Say(text=text):
            line = text if isinstance(parse(text), messages.Say) else f" {text}"
        case messages.SetDnd(on):
            line = "/dnd on" if on else "/dnd off"
        case messages.SetRing(on):
            line = "/ring on" if on else "/ring off"
        case messages.Block(name):
            line = f"/block {name}"
        case messages.Unblock(name):
            line = f"/unblock {name}"
        case messages.Quit():
            line = "Quit"
    return line.encode() + b"\r\n"
