"""A server of another version: python -m tests.support.other_version older|newer, as twistd."""

import sys
from functools import reduce
from operator import or_
from typing import Any, get_args

import msgspec
from twisted.scripts.twistd import run

from chatpair.cluster import frames
from chatpair.cluster.links import Links

greet, encode = Links.greet, frames.encode


class News(frames.Frame, frozen=True, tag=99):
    """What only the newer one knows."""

    number: int


def be_older() -> None:
    """Know nothing of versions, as the first one."""
    kinds = [kind for kind in get_args(frames._AnyFrame) if kind is not frames.Version]
    known: Any = reduce(or_, kinds)
    frames._frame = msgspec.msgpack.Decoder(known, dec_hook=lambda kind, value: kind(value))
    Links.greet = lambda self, inc: None  # type: ignore[method-assign]


def be_newer() -> None:
    """Tell something quite new first, and have one more field in all that is told."""

    def encode_more(told: list[frames.Frame]) -> bytes:
        return msgspec.msgpack.encode(
            [[*written, "new"] for written in msgspec.msgpack.decode(encode(told))]
        )

    def greet_more(links: Links, inc: str) -> None:
        greet(links, inc)
        links.send(inc, News(1))

    frames.VERSION += 1
    changed: Any = frames, Links
    changed[0].encode, changed[1].greet = encode_more, greet_more


if __name__ == "__main__":
    {"older": be_older, "newer": be_newer}[sys.argv.pop(1)]()
    run()
