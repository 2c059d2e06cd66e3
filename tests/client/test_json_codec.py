"""The client's half of the JSON codec: what it reads of a server's lines."""

import pytest
from hypothesis import given

from chatpair.client import json_codec
from chatpair.codecs import json
from chatpair.exchange import messages
from tests.support import any_events


@given(any_events.EVENTS)
def test_a_client_reads_what_a_server_tells(event: messages.JsonEvent) -> None:
    assert json_codec.parse_event(json.render(event)) == event


@pytest.mark.parametrize(
    "line",
    [b"OK", b"{}", b'{"event":"foo"}', b'{"event":"message","from":"x","text":"y","time":"z"}'],
)
def test_a_client_refuses_what_is_no_event(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_codec.parse_event(line)
