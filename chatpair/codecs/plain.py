"""The plain codec: what a person types, and the words of the original article's protocol."""

import time
from functools import lru_cache

from chatpair.messages import (
    AskHelp,
    AskWho,
    Call,
    Claim,
    Command,
    Error,
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
        word, _, rest = text.partition(" ")
        if word.lower() == "/to":
            return Call(rest.strip())
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


@lru_cache(maxsize=1)
def _ctime(second: int) -> str:
    return time.ctime(second)


def _lines(event: Event) -> str:
    match event:
        case Message(sender, text, seconds):
            return f"[{_ctime(int(seconds))}] {sender}: ({text})"
        case Error(code="reuse"):
            return "Reuse"
        case Error(code="bad-name", text=text):
            return f"Bad name: {text}"
        case Error(text=text) | Notice(text):
            return text
        case Named(motd):
            return f"OK\n{motd}" if motd else "OK"
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
