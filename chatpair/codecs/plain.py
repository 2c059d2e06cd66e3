"""The plain codec, as a server has it: what a person types, and the words that answer.

They are those of the original article's protocol.
"""

import re
import time
from collections.abc import Iterable, Iterator
from functools import lru_cache

from msgspec.structs import replace

from chatpair.exchange import messages

HELP = """\
To:bob or /to bob: talk with bob
/bye: stop talking, and stay
/who: who is here; * marks those who are talking
/dnd on or off: be called by nobody, or by everybody again
/ring on or off: let calls ring until you answer with To:
/block bob and /unblock bob: be busy whenever bob calls, or no more
/key: get a key; after a drop, say Back: and the key instead of a name
/end: say no more, and listen until the other leaves
/quit or Quit: leave
/help: these lines
Any other line is said to the one you talk with; one with a space first always is"""

LINES_A_PART = 50
"""Lines of a text that are rendered at once, when it may be that they are not all read."""

NO_PLAIN_TEXT = "This port talks TLS, not plain text."
"""What is said, without TLS, to who begins without TLS where it is due."""

FULL = "The server is full."
CROWDED = "There are too many connections from your address."
TOO_OFTEN = "You are connecting too often; try again in a minute."
"""What is said to who may come later, before it is known whether JSON is spoken."""

_WORDS: dict[str, messages.AnyCommand] = {
    "/bye": messages.HangUp(),
    "/who": messages.AskWho(),
    "/key": messages.AskKey(),
    "/help": messages.AskHelp(),
    "/end": messages.EndInput(),
    "/quit": messages.Quit(),
}
_SWITCH = {"": True, "on": True, "off": False}


def parse(text: str) -> messages.AnyCommand:
    """Return what a line means that a named user typed."""
    if text.startswith("/"):
        return _parse_slash(*text.split(None, 1))
    if text[:3].lower() == "to:":
        return messages.Call(text[3:].strip())
    if text == "Quit":
        return messages.Quit()
    return messages.Say(0, text)


def _parse_slash(word: str, rest: str = "") -> messages.AnyCommand:
    rest = rest.strip()
    match word.lower():
        case "/to":
            return messages.Call(rest)
        case "/block":
            return messages.Block(rest)
        case "/unblock":
            return messages.Unblock(rest)
        case "/dnd" | "/ring" as switch:
            on = _SWITCH.get(rest.lower())
            if on is None:
                text = f"Say {switch} on or {switch} off."
                return messages.Invalid(messages.Error(switch[1:], "bad-line", text))
            return messages.SetDnd(on) if switch == "/dnd" else messages.SetRing(on)
        case alone if alone in _WORDS:
            if not rest:
                return _WORDS[alone]
            text = f"Say {alone} alone, or put a space first to say it."
            return messages.Invalid(messages.Error(alone[1:], "bad-line", text))
    text = f"No such command: {word}. Type /help, or put a space first to say it."
    return messages.Invalid(messages.Error(None, "no-such", text))


def parse_unnamed(text: str) -> messages.AnyCommand:
    """Return what a line means that was typed where a name is due."""
    word = text.lower()
    if word == "mode:json":
        return messages.SpeakJson()
    if word.startswith("back:"):
        return messages.Resume(word[5:].strip())
    match command := parse(text):
        case messages.Say() if text:
            return messages.Claim(text)
        case messages.AskHelp() | messages.AskWho() | messages.EndInput() | messages.Quit():
            return command
        case messages.Invalid():
            return command
    return _NAME_FIRST


_NAME_FIRST = messages.Invalid(
    messages.Error("name", "bad-line", "Say your name first. /help tells the rest.")
)

# All that parse takes for a command; to begin with one certain byte makes a search fast.
_COMMAND = re.compile(rb"\n(?:/|[Tt][Oo]:|Quit\n)")
_BEGINNINGS = b"/TtQ"
_NEWLINE, _SLASH, _COLON, _Q = b"\n/:Q"  # to look for a byte costs next to nothing

LONGEST_COMMAND = 5
"""Bytes of a line that tell whether it is a command."""

LONG_LINE = 1_000
"""Bytes of a line from which on it is faster to look for its end than at each byte."""


def only_says(lines: bytes) -> bool:
    """Tell whether none of many clean lines, each of which ends in LF, is a command."""
    end, last = lines.find(b"\n"), len(lines) - 1
    if not (_SLASH in lines or _COLON in lines):  # of which each has one, but for Quit
        if end == last or _Q not in lines:
            return lines != b"Quit\n"
        if end < LONG_LINE <= last:
            return not (lines.startswith(b"Quit\n") or b"\nQuit\n" in lines)
    if end < LONG_LINE:  # and most likely the others are no longer
        return _COMMAND.search(b"\n" + lines) is None
    if _COMMAND.match(b"\n" + lines[:LONGEST_COMMAND]):
        return False
    for _ in range(len(lines) // LONG_LINE):  # as many as there are, if all are long
        if end == last:
            return True
        if lines[end + 1] in _BEGINNINGS and _COMMAND.match(lines, end):
            return False
        end = lines.find(b"\n", end + 1)
    return _COMMAND.search(lines, end) is None


def count_lines(lines: bytes) -> int:
    """Return how many LFs there are.

    bytes.count takes many times as long where they are rare, and replace where they are not.
    """
    few = len(lines) // 256
    count = len(lines) - len(lines.replace(b"\n", b"", few))
    return count if count < few else lines.count(b"\n")


@lru_cache(maxsize=4_096)
def _before_text(sender: str, second: int) -> bytes:
    return f"[{time.ctime(second)}] {sender}: (".encode()


_WORDS_FOR: dict[type[messages.AnyEvent], str] = {
    messages.Paired: "You are chatting with {0.peer}.",
    messages.Left: "Quit.",
    messages.Held: "{0.peer} has lost the connection. What you say is kept for a while.",
    messages.Back: "{0.peer} is back.",
    messages.Free: "You are free.",
    messages.Tried: "{0.name} tried to reach you.",
    messages.Ringing: "{0.name} is calling. To:{0.name} to answer.",
    messages.Unanswered: "{0.name} does not answer.",
    messages.Blocked: "You have blocked {0.name}.",
    messages.Unblocked: "You have unblocked {0.name}.",
    messages.Key: "Your key is {0.key}. After a drop, say Back:{0.key} instead of a name.",
    messages.Listening: "Listening.",
    messages.AskPassword: "Password:",
    messages.Help: HELP,
    messages.Goodbye: "Quit",
    messages.Error: "{0.text}",
    messages.Notice: "{0.text}",
}


# What a client takes for more than a notice (client/plain_codec.py), or looks like a peer's line.
_OWN_WORDS = re.compile(
    r"\[.*|OK|Quit\.?|Reuse|Bad name: .*|Password:|Wrong password\.|This needs TLS\."
    r"|You are free\.|You are chatting with \S+\.|(\S+) is calling\. To:\1 to answer\."
    r"|The user .* does not exist\.|Say who: .*|Please don't try to talk with yourself\."
    r"|\S+ (is (talking with someone else|not reading at the moment)|does not answer)\."
    r"|\S+( does not want to be disturbed|'s line is ringing)\.|Nobody is chatting with you\..*"
    r"|That line was not sent: .*|The (switchboard is not ready|last call is still on its way)\."
)


def quote(line: str) -> str:
    """Return a line of the operator's such that no client takes it for the server's or a peer's."""
    return f" {line}" if _OWN_WORDS.fullmatch(line) else line


def _lines(event: messages.AnyEvent) -> str:
    match event:
        case messages.Message(sender, text, seconds):
            before = _before_text(sender, int(seconds)).decode()
            return before + text.replace("\n", f")\n{before}") + ")"
        case messages.Repeated(message):
            return _lines(replace(message, sender=f"{message.sender} (again)"))
        case messages.Named(motd=motd):
            return f"OK\n{motd}" if motd else "OK"
        case messages.Error(code="reuse"):
            return "Reuse"
        case messages.Error(code="bad-name", text=text):
            return f"Bad name: {text}"
        case messages.DndSet(on):
            return "Nobody can call you now." if on else "You can be called again."
        case messages.RingSet(on):
            return f"Your line {'rings when somebody calls' if on else 'does not ring any more'}."
        case messages.Here(names, more):
            shown = [f"{one.name}*" if one.paired else one.name for one in names]
            return "Here: " + ", ".join([*shown, f"and {more} more"] if more else shown)
        case _:
            return _WORDS_FOR[type(event)].format(event)


def render(event: messages.AnyEvent) -> bytes:
    """Return the lines that tell a user of an event, each with its CR LF."""
    return _lines(event).replace("\n", "\r\n").encode() + b"\r\n"


def render_parts(events: Iterable[messages.AnyEvent]) -> Iterator[bytes]:
    """Yield what tells of several events, little by little: a short text may have many lines."""
    for event in events:
        match event:
            case messages.Message(text=text):
                for part in _parts(text):
                    yield render(replace(event, text=part))
            case messages.Repeated(message):
                for part in _parts(message.text):
                    yield render(messages.Repeated(replace(message, text=part)))
            case _:
                yield render(event)


def _parts(text: str) -> Iterator[str]:
    start = 0
    while True:
        end = start
        for _ in range(LINES_A_PART):
            end = text.find("\n", end) + 1
            if not end:
                yield text[start:]
                return
        yield text[start : end - 1]
        start = end


def render_messages(sender: str, lines: bytes, seconds: float) -> tuple[bytes, int]:
    """Return what render does for a Message of each of many clean lines, which end in LF.

    And how many they are, which is not to be counted: each has got longer by as much.
    """
    before, end = _before_text(sender, int(seconds)), b")\r\n"
    text = lines[:-1]
    if _NEWLINE not in text:
        return before + text + end, 1
    rendered = before + text.replace(b"\n", end + before) + end
    return rendered, (len(rendered) - len(lines)) // (len(before) + 2)
