"""The JSON codec: what is a command, what is refused and why, and what an event looks like."""

import json as stdlib
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatpair.codecs import json
from chatpair.exchange import messages
from tests.support import any_events

# The scenes of tests/sessions have each command, and each event.
COMMANDS = [
    (b'{"do":"name","name":"a","password":" \\u202e\\u0000"}', messages.Claim("a", " \u202e\0")),
    (b'{"do":"resume","key":"K"}', messages.Resume("K", 0)),
    (b'{"do":"block","name":"bob\\u001b"}', messages.Block("bob")),
    (b'{"do":"unblock","name":"b\\nob"}', messages.Unblock("bob")),
    (b' { "what" : [1, {"x": null}], "do" : "ping" } \r', messages.Ping()),
    (b'{"do":"say","id":9007199254740991,"text":""}', messages.Say(2**53 - 1, "")),
    # What could steer a terminal is taken out, but for the lines of a text.
    (
        b'{"do":"say","id":1,"text":"a\\u001b[2Jb\\r\\nc\\u2028\\td"}',
        messages.Say(1, "a[2Jb\nc\td"),
    ),
    (b'{"do":"name","name":"al\\nice\\u202e"}', messages.Claim("alice")),
    (b'{"do":"ping","long":' + b"9" * 10_000 + b"}", messages.Ping()),
]


@pytest.mark.parametrize(("line", "command"), COMMANDS)
def test_a_command(line: bytes, command: messages.JsonCommand) -> None:
    assert json.parse(line) == command


DEEP = b'{"do":"bye","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
# A line, the command that it tells, the code, and whether it is an object; the cases of
# chatpair.conformance have others.
REFUSED = [
    (b"", None, "bad-line", False),
    (b"5", None, "bad-line", False),
    (b'{"do":"bye"', None, "bad-line", False),
    (b'{"do":"bye"} x', None, "bad-line", False),
    (b'{"do":"say","id":NaN,"text":"x"}', None, "bad-line", False),
    (b'{"do":"bye","x":-Infinity}', None, "bad-line", False),
    (b'{"do":"bye","x":"\xff"}', None, "bad-line", False),
    (b'{"do":"say","id":1,"text":"\xed\xa0\x80"}', None, "bad-line", False),
    (b'{"do":"say","id":1,"text":"a\tb"}', None, "bad-line", False),
    (b'{"do":"say","id":1,"text":"\\ud800"}', "say", "bad-line", True),
    (b"{}", None, "bad-line", True),
    (b'{"do":5}', None, "bad-line", True),
    (b'{"do":"\\udcff"}', "?", "no-such", True),
    (b'{"do":"name"}', "name", "bad-line", True),
    (b'{"do":"name","name":null}', "name", "bad-line", True),
    (b'{"do":"say","text":"hi"}', "say", "bad-line", True),
    (b'{"do":"say","id":true,"text":"hi"}', "say", "bad-line", True),
    (b'{"do":"say","id":9007199254740992,"text":"hi"}', "say", "bad-line", True),
    (b'{"do":"ack","seq":1e400}', "ack", "bad-line", True),
    (b'{"do":"dnd"}', "dnd", "bad-line", True),
    (b'{"do":"dnd","on":"on"}', "dnd", "bad-line", True),
    (b'{"do":"ring","on":1}', "ring", "bad-line", True),
    (b'{"do":"resume","key":"K","seen":-1}', "resume", "bad-line", True),
    (b'{"do":"say","id":1,"text":"hi","\\u0069d":2}', None, "bad-line", True),
    (b'{"do":"ack","seq":1,"x":[{"y":1,"y":2}]}', None, "bad-line", True),
    (b'{"do":"bye","x":{"y":1,"\\u0079":2}}', None, "bad-line", True),
    (DEEP, None, "bad-line", True),
]


@pytest.mark.parametrize(("line", "of", "code", "is_object"), REFUSED)
def test_no_command(line: bytes, of: str | None, code: messages.ErrorCode, is_object: bool) -> None:
    answer = json.parse(line)
    assert isinstance(answer, messages.Invalid)
    assert (answer.error.of, answer.error.code) == (of, code)
    assert answer.is_object == is_object
    assert answer.error.text
    assert stdlib.loads(json.render(answer.error))["of"] == of


@given(
    st.lists(
        st.sampled_from(
            ['"id":1', '"text":"a"', '"pair":2', '"to":"b"', '"x":"y"', '"seq":3', '"i\\u0064":4']
        ),
        max_size=6,
    ),
    st.sampled_from(["say", "ack"]),
)
def test_no_key_may_be_there_twice(pairs: list[str], word: str) -> None:
    line = "{" + ",".join([f'"do":"{word}"', *pairs]) + "}"
    keys = [key for key, _ in stdlib.loads(line, object_pairs_hook=list)]
    if len(set(keys)) < len(keys):
        assert isinstance(json.parse(line.encode()), messages.Invalid)


KEYS = st.sampled_from(["do", "id", "text", "name", "key", "seen", "seq", "x"])
WORDS = st.sampled_from(sorted(json.COMMAND_WORDS)) | st.text(max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
SOMETHING_LIKE = st.dictionaries(KEYS, VALUES, max_size=5).map(
    lambda found: stdlib.dumps(found).encode()
)
CUT = st.tuples(SOMETHING_LIKE, st.integers(0, 50)).map(lambda pair: pair[0][: pair[1]])


@given(st.binary() | SOMETHING_LIKE | CUT)
@example(b'{"do":"say","id":1,"text":"\\udc00\\ud800"}')
def test_anything_is_a_command_or_refused(line: bytes) -> None:
    command = json.parse(line)
    if isinstance(command, messages.Invalid):
        assert json.render(command.error).endswith(b"}\r\n")
    else:
        assert type(command) in get_args(messages.JsonCommand)
        assert stdlib.loads(line)["do"] == json.word(command)


@pytest.mark.parametrize(("part", "shown"), [(0.1239, "123"), (0, "000")])
def test_a_time(part: float, shown: str) -> None:
    message = messages.Message("bob", "hi", messages.Timestamp(1_795_378_921 + part))
    told = {
        "event": "message",
        "from": "bob",
        "text": "hi",
        "time": f"2026-11-22T20:22:01.{shown}Z",
    }
    assert stdlib.loads(json.render(message)) == told


@given(any_events.COMMANDS)
def test_a_server_reads_what_a_client_says(command: messages.JsonCommand) -> None:
    answer = json.parse(json.render_command(command))
    assert type(answer) is type(command)
    if answer != command:  # it was cleaned
        assert json.parse(json.render_command(answer)) == answer
