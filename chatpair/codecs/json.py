"""The JSON codec: one object a line, both ways, as the types of messages.py say."""

from datetime import UTC, datetime
from json import JSONDecoder
from typing import Any, get_args

from msgspec import ValidationError
from msgspec.json import Decoder, Encoder
from msgspec.structs import replace

from chatpair.codecs.cleaning import clean_line, clean_text
from chatpair.exchange.messages import (
    AnyCommand,
    Block,
    Call,
    Claim,
    Error,
    Invalid,
    JsonCommand,
    JsonEvent,
    Say,
    Timestamp,
    Unblock,
)

MAX_LENGTH = 2**20
"""Bytes that a line of a server's may have: a text of 64 KiB, all of it escaped, and the rest."""


SHOWN = 100
"""Characters that are shown of what is no command."""


class _NotUnique(ValueError):
    """An object has a key twice, and so readers of JSON differ on what it says."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _NotUnique("A key is there twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# The standard library's own tells whether keys are unique; its integers may not be too long.
_PAIRS = JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=len, parse_float=len
)

_WORDS: dict[type, str] = {kind: kind.__struct_config__.tag for kind in get_args(JsonCommand)}
COMMAND_WORDS = frozenset(_WORDS.values())


def _as_rfc3339(value: Any) -> str:
    if not isinstance(value, Timestamp):
        raise NotImplementedError(f"JSON has nothing for {value!r}")
    when = datetime.fromtimestamp(value, UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _from_rfc3339(kind: type, value: Any) -> Timestamp:
    if kind is not Timestamp or not isinstance(value, str):
        raise NotImplementedError(f"{kind} is not in JSON")
    return Timestamp(datetime.fromisoformat(value).timestamp())


_commands: Decoder[JsonCommand] = Decoder(JsonCommand)
_events: Decoder[JsonEvent] = Decoder(JsonEvent, dec_hook=_from_rfc3339)
_encoder = Encoder(enc_hook=_as_rfc3339)


def parse(line: bytes) -> JsonCommand | Invalid:
    """Return what a line of a client's means; never raises."""
    try:
        command = _commands.decode(line)
        _PAIRS.decode(line.decode())
    except (ValueError, RecursionError) as why:
        return _explain(line, why)
    match command:
        case Say(text=text):
            return replace(command, text=clean_text(text))
        case Claim(name) | Call(name) | Block(name) | Unblock(name):
            return replace(command, name=clean_line(name))
        case _:
            return command


def _explain(line: bytes, why: Exception) -> Invalid:
    """Return what to answer to a line that means nothing, and whether it is an object at all."""
    problem = str(why)
    try:
        found = _PAIRS.decode(line.decode())
        if not isinstance(why, ValidationError):
            problem = "A string has half of a surrogate pair"
    except RecursionError:
        found, problem = {}, "This is nested too deeply"
    except _NotUnique:
        found = {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return Invalid(Error(None, "bad-line", f"This is no JSON object: {problem}"), False)
    of = found.get("do")
    of = of.encode(errors="replace").decode() if isinstance(of, str) else None
    if of is not None and of not in COMMAND_WORDS:
        return Invalid(Error(of[:SHOWN], "no-such", f"No such command: {of[:SHOWN]}"))
    return Invalid(Error(of, "bad-line", problem))


def word(command: AnyCommand) -> str | None:
    """Return what a command is called, if it has a word in JSON."""
    return _WORDS.get(type(command))


def render(event: JsonEvent) -> bytes:
    """Return the line that tells a user of an event, with its CR LF."""
    return _encoder.encode(event) + b"\r\n"


def render_any(command: AnyCommand) -> bytes:
    """Return a line that means what a command does, or what is as wrong with it."""
    if isinstance(command, JsonCommand):
        return render_command(command)
    return b"[]\r\n" if isinstance(command, Invalid) and not command.is_object else b"{}\r\n"


# The client's side


def parse_event(line: bytes) -> JsonEvent:
    """Return what a line of a server's tells; raises ValueError if it is none."""
    return _events.decode(line)


def render_command(command: JsonCommand) -> bytes:
    """Return the line that tells a server a command."""
    return _encoder.encode(command) + b"\r\n"
