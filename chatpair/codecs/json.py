"""The JSON codec, as a server has it: one object a line, as the types of messages.py say."""

from datetime import UTC, datetime
from functools import lru_cache
from json import JSONDecoder
from typing import Any, get_args

from msgspec import UNSET, ValidationError
from msgspec.json import Decoder, Encoder
from msgspec.structs import replace

from chatpair.codecs.cleaning import BYTE_ORDER_MARK, clean_line, clean_text
from chatpair.exchange import messages


class _NotUnique(ValueError):
    """An object has a key twice, and so readers of JSON differ on what it says."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _NotUnique("A key is there twice")
    return found


# The standard library's own tells whether keys are unique. It may not read numbers: integers may
# not be too long for it, and NaN and Infinity, which int raises ValueError for, are not JSON.
_PAIRS = JSONDecoder(object_pairs_hook=_unique, parse_constant=int, parse_int=len, parse_float=len)

_WORDS: dict[type, str] = {
    kind: kind.__struct_config__.tag for kind in get_args(messages.JsonCommand)
}
COMMAND_WORDS = frozenset(_WORDS.values())


def _as_rfc3339(value: Any) -> str:
    if not isinstance(value, messages.Timestamp):
        raise NotImplementedError(f"JSON has nothing for {value!r}")
    return _millisecond(round(value * 1e6) // 1_000)


@lru_cache(maxsize=1_024)
def _millisecond(since_epoch: int) -> str:
    seconds, rest = divmod(since_epoch, 1_000)
    return f"{_second(seconds)}.{rest:03}Z"


@lru_cache(maxsize=1_024)
def _second(since_epoch: int) -> str:
    return datetime.fromtimestamp(since_epoch, UTC).isoformat().removesuffix("+00:00")


_commands: Decoder[messages.JsonCommand] = Decoder(messages.JsonCommand)
_encoder = Encoder(enc_hook=_as_rfc3339)


def parse(line: bytes) -> messages.JsonCommand | messages.Invalid:
    """Return what a line of a client's means; never raises."""
    line = line.removeprefix(BYTE_ORDER_MARK)  # RFC 8259, section 8.1
    try:
        command = _commands.decode(line)
        if b"\\" in line or line.count(b'"') != 2 * _strings(command):
            _PAIRS.decode(line.decode())
    except (ValueError, RecursionError) as why:
        return _explain(line, why)
    # isinstance takes several times as long as type, for a Struct.
    if type(command) is messages.Say:
        text = clean_text(command.text)
        return command if text is command.text else replace(command, text=text)
    if type(command) is messages.Acknowledge:
        return command
    if isinstance(command, messages.Claim | messages.Call | messages.Block | messages.Unblock):
        return replace(command, name=clean_line(command.name))
    return command


def _strings(command: messages.JsonCommand) -> int:
    """Return how many strings, with those that are keys, the most frequent commands have.

    Where there are no more than these no key is there twice.
    """
    if type(command) is messages.Say:
        return 5 + (command.pair is not UNSET) + 2 * (command.to is not UNSET)
    return 3 if type(command) is messages.Acknowledge else 0


def _explain(line: bytes, why: Exception) -> messages.Invalid:
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
        error = messages.Error(None, "bad-line", f"This is no JSON object: {problem}")
        return messages.Invalid(error, is_object=False)
    of = found.get("do")
    of = of.encode(errors="replace").decode() if isinstance(of, str) else None
    if of is not None and of not in COMMAND_WORDS:
        shown = of[:100]
        return messages.Invalid(messages.Error(shown, "no-such", f"No such command: {shown}"))
    return messages.Invalid(messages.Error(of, "bad-line", problem))


def word(command: messages.AnyCommand) -> str | None:
    """Return what a command is called, if it has a word in JSON."""
    return _WORDS.get(type(command))


def render(event: messages.JsonEvent) -> bytes:
    """Return the line that tells a user of an event, with its CR LF."""
    return _encoder.encode(event) + b"\r\n"


def render_any(command: messages.AnyCommand) -> bytes:
    """Return a line that means what a command does, or what is as wrong with it."""
    if isinstance(command, messages.JsonCommand):
        return render_command(command)
    is_object = not isinstance(command, messages.Invalid) or command.is_object
    return b"{}\r\n" if is_object else b"[]\r\n"


def render_command(command: messages.JsonCommand) -> bytes:
    """Return the line that tells a server a command."""
    return _encoder.encode(command) + b"\r\n"
