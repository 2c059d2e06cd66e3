"""Whatever bytes come, however cut: nothing raises, and no other pair notices."""

from hypothesis import given
from hypothesis import strategies as st

from chatpair.codecs import json
from tests.support import any_events
from tests.support.exchange import Exchange, Party, said

STATES = ["unnamed", "idle", "paired", "unnamed json", "idle json", "paired json"]

hostile = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [b"\n", b"\r\n", b"\r\0", b"\xff\xfd\x06", b"\xff\xf4", b"\xff\xfa", b"\xff\xf0"]
        ),
        st.sampled_from(
            [b"To:", b"alice", b"carol", b"/to ", b"/who", b"/bye", b"/end", b"Quit", b"/help"]
        ),
        st.sampled_from([b"\x16\x03", b"GET / HTTP/1.1", b"\x1b[2J", b"x" * 300, b"\xc2", b"\x9d"]),
        st.text(max_size=5).map(str.encode),
        st.sampled_from(
            [b"Mode:json\n", b'{"do":"', b'"}\n', b'{"do":"say","id":1,"text":"\xff\\n']
        ),
        any_events.COMMANDS.map(json.render_command),
    ),
    max_size=30,
)


def still_talks(exchange: Exchange, one: Party, other: Party, name: str) -> None:
    one.heard()
    other.heard()
    one.says("hello")
    assert other.heard() == [said(exchange, "hello", name)]
    assert one.heard() == []
    assert not one.closed
    assert not other.closed


@given(hostile, st.sampled_from(STATES), st.booleans(), st.booleans())
def test_any_bytes_in_any_state(
    chunks: list[bytes], state: str, joined: bool, half_closes: bool
) -> None:
    exchange = Exchange(max_line=200)
    alice, bob = exchange.pair()
    carol, dave = exchange.pair("carol", "dave")
    stranger: Party
    if state.endswith("json"):
        stranger = exchange.enter_json("mallory") if state[0] != "u" else exchange.connect_json()
    else:
        stranger = exchange.enter("mallory") if state != "unnamed" else exchange.connect()
    victim = exchange.enter("victim")
    if state.startswith("paired"):
        stranger.says('{"do":"to","name":"victim"}' if state.endswith("json") else "To:victim")
    victim.heard()
    for chunk in [b"".join(chunks)] if joined else chunks:
        stranger.sends(chunk)
    if half_closes:
        stranger.ends_input()
    still_talks(exchange, alice, bob, "alice")
    still_talks(exchange, dave, carol, "dave")
    for line in victim.heard():
        assert not {"\x1b", "\0", "\r", "\n", "\x9d", "\u202e"} & set(line)
    if state.startswith("paired"):
        assert not victim.closed
    stranger.drops()
    exchange.clock.advance(60)
    still_talks(exchange, bob, alice, "bob")
    assert len(exchange.factory.users) == 5
