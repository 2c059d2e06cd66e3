"""The JSON codec, as a client has it: what a server's lines tell."""

from datetime import UTC, datetime
from typing import Any

from msgspec import ValidationError
from msgspec.json import Decoder, decode, encode

from chatpair.codecs.cleaning import clean_line, clean_text
from chatpair.exchange.messages import JsonEvent, Timestamp

MAX_LENGTH = 2**20
"""Bytes that a line of a server's may have: a text of 64 KiB, all of it escaped, and the rest."""

_NAMES = ("name", "peer", "from")
_OF_LINES = ("text", "motd")


class NotUnderstood(ValueError):
    """It may be an event, but of another version than this one."""


def _from_rfc3339(kind: type, value: Any) -> Timestamp:
    if kind is not Timestamp or not isinstance(value, str):
        raise ValueError(f"{value!r} is no {kind}")
    try:
        when = datetime.fromisoformat(value).astimezone(UTC)
    except OverflowError as why:
        raise ValueError(str(why)) from None
    if not 1 < when.year < 9_999:  # else another zone has no word for it
        raise ValueError(f"{value} is no time of this world")
    return Timestamp(when.timestamp())


_events: Decoder[JsonEvent] = Decoder(JsonEvent, dec_hook=_from_rfc3339)


def _cleaned(value: Any, key: str = "") -> Any:
    """Return a value of JSON, the text in it clean."""
    match value:
        case str():
            text = clean_text(value) if key in _OF_LINES else clean_line(value)
            if not text and key in _NAMES:
                raise ValueError(f"The {key} is empty")
            return text
        case list():
            return [_cleaned(one) for one in value]
        case dict():
            return {key: _cleaned(one, key) for key, one in value.items()}
    return value


def parse_event(line: bytes) -> JsonEvent:
    """Return what a line of a server's tells, clean whatever it says.

    Raises NotUnderstood for what may be an event, and another ValueError for what is none.
    """
    try:
        found = _cleaned(decode(line))
    except RecursionError:
        raise ValueError("This is nested too deeply") from None
    if not isinstance(found, dict) or not isinstance(found.get("event"), str):
        raise ValueError("This is no object with an event")
    try:
        return _events.decode(encode(found))
    except ValidationError as why:
        raise NotUnderstood(str(why)) from None
