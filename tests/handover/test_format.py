"""What a server of another version has written is read, or it is told that it can't be.

When VERSION goes up, python -m tests.handover.test_format writes the file of the new one.
"""

from pathlib import Path

import pytest
from msgspec.msgpack import encode as encode_any

from chatpair.handover.exchange import restore_exchange
from chatpair.handover.others import Others
from chatpair.handover.snapshot import READ, VERSION, CantRead, decode, encode
from tests.support.exchange import Exchange
from tests.support.handed_over import taken_from

FOLDER = Path(__file__).parent


def everything() -> Exchange:
    """Return an exchange in which there is some of all that a snapshot may have."""
    exchange = Exchange(rate=10)
    alice, _ = exchange.pair()
    alice.says("/block mallory", "/ring")
    alice.sends(b"\xff\xfd\x06half a line")
    carol = exchange.enter_json("carol")
    dave = exchange.enter_json("dave")
    carol.does("to", name="dave")
    carol.say(1, "hello")
    carol.does("say", id=3, text="three")
    dave.fills()
    dave.does("who")
    erin, frank = exchange.pair("erin", "frank")
    erin.says("/key")
    frank.ends_input()
    erin.says("to who only listens")
    frank.says("lost")
    erin.drops()
    exchange.enter("grace").says("/ring")
    exchange.enter("heidi").says("To:grace")
    exchange.connect().sends(b"iv")
    exchange.enter("judy").says("Quit")
    return exchange


@pytest.mark.parametrize("version", READ)
def test_what_such_a_server_has_written(version: int) -> None:
    data = (FOLDER / f"snapshot-{version}.msgpack").read_bytes()
    exchange = Exchange()
    taken = decode(data)
    assert version != VERSION or encode(taken) == data  # nothing in it is left out
    restore_exchange(exchange.factory, taken, Others())
    assert {"alice", "bob", "carol", "dave", "erin", "grace"} <= exchange.factory.users.keys()
    assert len(exchange.factory.pairs) == 6
    assert len(taken.connections) > 8


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (encode_any({"version": 99}), "its snapshot has version 99, and this server reads"),
        (encode_any({"version": 1, "now": "late"}), "its snapshot is none: Expected `float`"),
        (encode_any([1]), "its snapshot is none"),
        (b"", "its snapshot is none"),
    ],
)
def test_what_can_not_be_read(data: bytes, why: str) -> None:
    with pytest.raises(CantRead, match=why):
        decode(data)


if __name__ == "__main__":
    (FOLDER / f"snapshot-{VERSION}.msgpack").write_bytes(taken_from(everything()))
