"""The plain codec: what a person types, and the words of the original article's protocol."""

import re
import time
from contextlib import suppress
from functools import lru_cache

from chatpair.messages import (
    AskHelp,
    AskWho,
    Call,
    Claim,
    Command,
    Error,
    ErrorCode,
    Event,
    Free,
    Goodbye,
    HangUp,
    Help,
    Here,
    Left,
    Message,
    Named,
    NoSuchCommand,
    Notice,
    Paired,
    Quit,
    Say,
    Tried,
)

HELP = """\
To:bob or /to bob: talk with bob
/bye: stop talking, and stay
/who: who is here; * marks those who are talking
/quit or Quit: leave
/help: these lines
Any other line is said to the one you talk with; one with a space first always is"""

_WORDS: dict[str, Command] = {
    "/bye": HangUp(),
    "/who": AskWho(),
    "/help": AskHelp(),
    "/quit": Quit(),
}


def parse(text: str) -> Command:
    """Return what a line means that a named user typed."""
    if text.startswith("/"):
        word, *rest = text.split(None, 1)
        if word.lower() == "/to":
            return Call("".join(rest).strip())
        return _WORDS.get(word.lower(), NoSuchCommand(word))
    if text[:3].lower() == "to:":
        return Call(text[3:].strip())
    if text == "Quit":
        return Quit()
    return Say(text)


def parse_unnamed(text: str) -> Command:
    """Return what a line means that was typed where a name is due."""
    if text in ("", "Quit"):
        return Quit()
    if text.startswith("/"):
        command = parse(text)
        if isinstance(command, AskHelp | Quit | NoSuchCommand):
            return command
    return Claim(text)


# All that parse takes for a command; to begin with one certain byte makes a search fast.
_COMMAND = re.compile(rb"\n(?:/|[Tt][Oo]:|Quit\n)")


def only_says(lines: bytes) -> bool:
    """Tell whether none of many clean lines, each of which ends in LF, is a command."""
    return _COMMAND.search(b"\n" + lines) is None


@lru_cache(maxsize=1)
def _ctime(second: int) -> str:
    return time.ctime(second)


@lru_cache(maxsize=4_096)
def _before_text(sender: str, second: int) -> bytes:
    return f"[{_ctime(second)}] {sender}: (".encode()


def _lines(event: Event) -> str:
    match event:
        case Named(motd):
            return f"OK\n{motd}" if motd else "OK"
        case Message(sender, text, seconds):
            return f"{_before_text(sender, int(seconds)).decode()}{text})"
        case Error(code="reuse"):
            return "Reuse"
        case Error(code="bad-name", text=text):
            return f"Bad name: {text}"
        case Error(text=text) | Notice(text):
            return text
        case Paired(peer):
            return f"You are chatting with {peer}."
        case Left():
            return "Quit."
        case Free():
            return "You are free."
        case Tried(name):
            return f"{name} tried to reach you."
        case Here(names, more):
            shown = [f"{name}*" if paired else name for name, paired in names]
            return "Here: " + ", ".join([*shown, f"and {more} more"] if more else shown)
        case Help():
            return HELP
        case Goodbye():
            return "Quit"


def render(event: Event) -> bytes:
    """Return the lines that tell a user of an event, each with its CR LF."""
    return _lines(event).replace("\n", "\r\n").encode() + b"\r\n"


def render_messages(sender: str, lines: bytes, seconds: float) -> bytes:
    """Return what render does for a Message of each of many clean lines, which end in LF."""
    before = _before_text(sender, int(seconds))
    return before + lines[:-1].replace(b"\n", b")\r\n" + before) + b")\r\n"


# The client's side

_PEER_LINE = re.compile(r"\[(\w{3} \w{3} [ \d]\d [\d:]{8} \d+)\] (\S+): \((.*)\)")
_PAIRED = re.compile(r"You are chatting with (\S+)\.")
_REFUSED = re.compile(
    r"(?P<unknown>The user .* does not exist\.|Say who: .*)"
    r"|(?P<busy>\S+ is (talking with someone else|not reading at the moment)\.)"
    r"|(?P<self>Please don't try to talk with yourself\.)"
    r"|(?P<nobody>Nobody is chatting with you\..*)"
    r"|(?P<long>That line was not sent: .*)"
)
_CODES: dict[str, ErrorCode] = {
    "unknown": "unknown",
    "busy": "busy",
    "self": "self",
    "nobody": "nobody",
    "long": "too-long",
}


def parse_event(line: str) -> Event:
    """Return what a line of a server's tells that a client acts upon, or else a Notice of it."""
    if line == "OK":
        return Named("")
    if line == "Reuse":
        return Error("reuse", line)
    if line == "Quit.":
        return Left("", "quit")
    if line == "Quit":
        return Goodbye()
    if line.startswith("Bad name: "):
        return Error("bad-name", line.removeprefix("Bad name: "))
    if match := _PEER_LINE.fullmatch(line):
        when, sender, text = match.groups()
        with suppress(ValueError, OverflowError):
            return Message(sender, text, time.mktime(time.strptime(when)))
    if match := _PAIRED.fullmatch(line):
        return Paired(match[1])
    if match := _REFUSED.fullmatch(line):
        return Error(_CODES[str(match.lastgroup)], line)
    return Notice(line)


def render_command(command: Claim | Call | Say | Quit) -> bytes:
    """Return the line that tells a server a command.

    Text that would be taken for a command gets a space in front.
    """
    match command:
        case Claim(name):
            line = name
        case Call(name):
            line = f"To:{name}"
        case Say(text):
            line = text if isinstance(parse(text), Say) else f" {text}"
        case Quit():
            line = "Quit"
    return line.encode() + b"\r\n"
