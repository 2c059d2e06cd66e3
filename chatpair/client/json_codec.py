"""The JSON codec, as a client has it: what a server's lines tell."""

from datetime import datetime
from typing import Any

from msgspec.json import Decoder

from chatpair.exchange.messages import JsonEvent, Timestamp

MAX_LENGTH = 2**20
"""Bytes that a line of a server's may have: a text of 64 KiB, all of it escaped, and the rest."""


def _from_rfc3339(kind: type, value: Any) -> Timestamp:
    if kind is not Timestamp or not isinstance(value, str):
        raise NotImplementedError(f"{kind} is not in JSON")
    return Timestamp(datetime.fromisoformat(value).timestamp())


_events: Decoder[JsonEvent] = Decoder(JsonEvent, dec_hook=_from_rfc3339)


def parse_event(line: bytes) -> JsonEvent:
    """Return what a line of a server's tells; raises ValueError if it is none."""
    return _events.decode(line)
