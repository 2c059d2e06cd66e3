"""What nodes tell each other, and how it is written: msgspec's structs as MessagePack arrays.

A user of the node that is told is called "to", one of the node that tells "by"; both are numbers
that the user's own node gave. A call is known by a number that the caller's node gave. What a user
is to be told is an event of messages, as everywhere in the exchange.

The tags 3 to 9, 12, 14 to 19 and 30 to 37 were those of frames that are no more.

Nodes of two adjoining versions work together. An older one skips a new field at the end of a
frame, so it must not matter there, and a newer one takes its default for it. What must not be
skipped is a frame with a tag of its own: who does not know it says so (NotUnderstood), and who sent
it takes back what was begun with it. What is no more sent is still understood for one version. So
it is with what scripts.py keeps in the engine.
"""

from functools import reduce
from operator import or_
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from chatpair.exchange import messages
from chatpair.exchange.names import Name


class Frame(Struct, frozen=True, array_like=True, gc=False):
    """Something that a node tells another."""

    def __repr__(self) -> str:
        """Return what may be in a log: no key, and nothing that users say."""
        return f"{type(self).__name__}()"


# Calls


class Call(Frame, frozen=True, tag=1):
    """Somebody calls whoever has a name's key here."""

    by: int
    call: int
    name: Name
    host: str | None  # where the caller is, if that is known
    age: float  # for how many seconds the caller has been there
    callee: str


class Cancel(Frame, frozen=True, tag=2):
    """A call is taken back, or its caller knows nothing of it; a pair that it made ends."""

    by: int
    call: int


class Answered(Frame, frozen=True, tag=20):
    """What came of a call: a pair, or why there is none, or not yet; and who was called."""

    to: int
    call: int
    event: messages.Paired | messages.Error | messages.Unanswered
    by: int = 0
    name: Name | None = None
    host: str | None = None


# Pairs


class Told(Frame, frozen=True, tag=21):
    """The peer says something, or what it does is to be known."""

    to: int
    by: int
    event: messages.Message | messages.Left | messages.Held | messages.Back | messages.PeerTyping
    say: int = 0  # the peer's own number of a message, if the peer is to know what became of it


class Flow(Frame, frozen=True, tag=10):
    """The peer can take no more for now, or again."""

    to: int
    by: int
    full: bool


class Lines(Frame, frozen=True, tag=11):
    """The peer says many lines at once: clean UTF-8, each ends in LF."""

    to: int
    by: int
    seconds: float
    lines: bytes


class Settled(Frame, frozen=True, tag=13):
    """What became of some of the texts that somebody said to users here."""

    to: int
    says: list[int]
    outcome: messages.Outcome
    why: messages.Failing | None = None


# Questions, which have a number of the node that asks


class IsKey(Struct, frozen=True, array_like=True):
    """Whether a key is that of somebody there, says somebody at a host."""

    key: str
    host: str | None
    counting: bool


class List(Struct, frozen=True, array_like=True):
    """Who is here, the first by name, and how many there are in all."""

    names: list[tuple[str, str, bool]]  # key and name, and whether the user is talking
    count: int


Question: TypeAlias = IsKey | bool | str | None
AnyAnswer: TypeAlias = List | bool | str | None


class Ask(Frame, frozen=True, tag=22):
    """Who is there? Or, if it is True, who is anywhere else than here? Or is this a key there? Or
    where is whoever has a name's key there?
    """

    ask: int
    question: Question


class Answer(Frame, frozen=True, tag=23):
    """Who is here, or whether it is, or the user's host; None for what can't be told."""

    ask: int
    answer: AnyAnswer


class WrongKey(Frame, frozen=True, tag=24):
    """A key that somebody at a host has shown is nobody's at any node."""

    host: str


# Connections to one node whose user is at another. The number of such a tunnel is that which the
# node knows that is told: positive where the client is, and negative where the user is.


class TunnelOpened(Frame, frozen=True, tag=40):
    """Somebody who is connected to the node that tells has the key of a user here."""

    tunnel: int
    host: str | None
    is_private: bool  # whether nobody on the way can read what goes over the connection
    is_json: bool  # whether JSON is spoken already


class TunnelData(Frame, frozen=True, tag=41):
    """The client has sent something, or is told something, which is whole lines then."""

    tunnel: int
    data: bytes
    more: bool = False  # whether it is to be told together with what comes next


class TunnelTaken(Frame, frozen=True, tag=42):
    """So many more bytes are read there, or in the hands of the client's kernel."""

    tunnel: int
    count: int


End = Literal["said all", "cut", "closed", "lost"]
"""The client has said all, or anybody on the way says so, and may listen on; or the connection is
closed when all is read, or at once.
"""


class TunnelEnded(Frame, frozen=True, tag=43):
    """How the other end of a tunnel has ended."""

    tunnel: int
    how: End


# Nodes of different versions may be members at the same time, while a new one is put in.


VERSION = 2
"""Goes up when a node tells what older ones don't know; who does not say it is of version 1."""


class Version(Frame, frozen=True, tag=51):
    """What version a node is of; it tells that first."""

    version: int


class NotUnderstood(Frame, frozen=True, tag=50):
    """A frame was not understood: its tag and what follows, as far as they are numbers, else None.

    Whoever sent it takes back what was begun with it.
    """

    head: list[int | None]


class Garbled(Frame, frozen=True):
    """What came instead of a frame; it is never sent."""

    head: list[int | None]


Tunnel: TypeAlias = TunnelData | TunnelTaken | TunnelEnded

_AnyFrame: Any = reduce(or_, (kind for kind in Frame.__subclasses__() if kind is not Garbled))

# A Timestamp is a kind of float, which msgspec knows nothing of.
_encoder = msgspec.msgpack.Encoder(enc_hook=float)
_frame = msgspec.msgpack.Decoder(_AnyFrame, dec_hook=lambda kind, value: kind(value))
_parts = msgspec.msgpack.Decoder(list[msgspec.Raw])


def encode(frames: list[Frame]) -> bytes:
    """Return what decode makes these frames of."""
    return _encoder.encode(frames)


def decode(data: bytes) -> list[Frame]:
    """Return the frames in what a node has sent; what is none, as one of a later version, is
    Garbled. Raises msgspec.DecodeError or RecursionError if it is no array at all.
    """
    frames: list[Frame] = []
    for part in _parts.decode(data):
        try:
            frames.append(_frame.decode(part))
        except msgspec.DecodeError:
            frames.append(Garbled(_head(part)))
    return frames


def _head(part: msgspec.Raw) -> list[int | None]:
    try:
        found = msgspec.msgpack.decode(part)
    except msgspec.DecodeError:
        return []
    start = found[:5] if isinstance(found, list) else []
    return [each if type(each) is int else None for each in start]
