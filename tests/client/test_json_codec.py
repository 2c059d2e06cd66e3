"""The client's half of the JSON codec: what it reads of a server's lines."""

import pytest
from hypothesis import given

from chatpair.client import json_codec
from chatpair.codecs import json
from chatpair.exchange import messages
from tests.support import any_events

TIMES = ("5", "null", "{}", '"z"', '"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59-01:00"')


@given(any_events.EVENTS)
def test_a_client_reads_what_a_server_tells(event: messages.JsonEvent) -> None:
    assert json_codec.parse_event(json.render(event)) == event


@pytest.mark.parametrize(
    "line",
    [
        *(b"OK", b"{}", b"null", b'{"event":1}', b"[" * 100_000 + b"]" * 100_000),
        b'{"event":"paired","peer":"\\u001b"}',
    ],
)
def test_a_client_refuses_what_is_no_event(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(?!.*\$)"):
        json_codec.parse_event(line)


@pytest.mark.parametrize(
    "more",
    [
        *('"foo"', '"error","of":"to","code":"new","text":"x"', '"paired","peer":null', '"paired"'),
        *(f'"message","from":"x","text":"y","time":{time}' for time in TIMES),
    ],
)
def test_a_client_may_not_understand_an_event(more: str) -> None:
    with pytest.raises(json_codec.NotUnderstood):
        json_codec.parse_event(f'{{"event":{more}}}'.encode())


def test_what_a_server_says_is_cleaned() -> None:
    line = json.render(messages.Error("to", "busy", "a\x1b[2J\nb\u202e"))
    assert json_codec.parse_event(line) == messages.Error("to", "busy", "a[2J\nb")
    line = json.render(messages.Here([messages.Present("a\x9b\nb", paired=True)], 0))
    assert json_codec.parse_event(line) == messages.Here([messages.Present("ab", True)], 0)
