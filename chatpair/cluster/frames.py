"""What nodes tell each other, and how it is written: msgspec's structs as MessagePack arrays.

A user of the node that is told is called "to", one of the node that tells "by"; both are numbers
that the user's own node gave. A call is known by a number that the caller's node gave.
"""

import msgspec
from msgspec import Struct
from twisted.logger import Logger

from chatpair.exchange.messages import Ending, ErrorCode, Failing, Outcome
from chatpair.exchange.names import Name

_log = Logger()


class Frame(Struct, frozen=True, array_like=True, gc=False):
    """Something that a node tells another."""


# Calls


class Call(Frame, frozen=True, tag=1):
    """Somebody calls whoever has a name's key here."""

    by: int
    call: int
    name: Name
    host: str | None
    """Where the caller is, if that is known."""
    age: float
    """For how many seconds the caller has been there."""
    callee: str


class Cancel(Frame, frozen=True, tag=2):
    """A call is taken back, or its caller knows nothing of it; a pair that it made ends."""

    by: int
    call: int


class Accepted(Frame, frozen=True, tag=3):
    """A call has made a pair."""

    to: int
    call: int
    by: int
    name: Name
    host: str | None


class Rings(Frame, frozen=True, tag=4):
    """A call rings."""

    to: int
    call: int
    by: int
    name: Name
    host: str | None


class Refused(Frame, frozen=True, tag=5):
    """A call has failed; without a text, as there is nobody of that name here."""

    to: int
    call: int
    code: ErrorCode = "unknown"
    text: str = ""


class Unanswered(Frame, frozen=True, tag=6):
    """A call that rang was not answered."""

    to: int
    call: int


# Pairs


class Left(Frame, frozen=True, tag=7):
    """The peer is gone."""

    to: int
    by: int
    why: Ending


class Away(Frame, frozen=True, tag=8):
    """The peer's connection is gone, or the peer is back."""

    to: int
    by: int
    away: bool


class Typing(Frame, frozen=True, tag=9):
    """The peer is typing."""

    to: int
    by: int


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


class Said(Frame, frozen=True, tag=12):
    """The peer says a text, which may have several lines."""

    to: int
    by: int
    seconds: float
    text: str
    say: int = 0
    """The peer's own number of it, if the peer is to know what became of it."""


class Settled(Frame, frozen=True, tag=13):
    """What became of some of the texts that somebody said to users here."""

    to: int
    says: list[int]
    outcome: Outcome
    why: Failing | None = None


# Questions, which have a number of the node that asks


class Ask(Frame, frozen=True, tag=14):
    """Who is there?"""

    ask: int


class Answer(Frame, frozen=True, tag=15):
    """Who is here, the first by name, and how many there are in all."""

    ask: int
    names: list[tuple[str, str, bool]]
    """Name and key, and whether the user is talking."""
    count: int


class AskKey(Frame, frozen=True, tag=16):
    """Is this the key of somebody there, says somebody at a host?"""

    ask: int
    key: str
    host: str | None
    counting: bool

    def __repr__(self) -> str:
        """Return what may be in a log."""
        return f"AskKey({self.ask})"


class AnswerKey(Frame, frozen=True, tag=17):
    """Whether it is."""

    ask: int
    is_here: bool


class AskHost(Frame, frozen=True, tag=18):
    """Where is whoever has a name's key there?"""

    ask: int
    key: str


class AnswerHost(Frame, frozen=True, tag=19):
    """Where that user is, if it is known."""

    ask: int
    host: str | None


# Connections to one node whose user is at another. Their numbers are of the node they came to


class TunnelOpen(Frame, frozen=True, tag=30):
    """Somebody connected here has the key of a user there."""

    tunnel: int
    host: str | None
    is_private: bool
    """Whether nobody on the way can read what goes over the connection."""
    is_json: bool
    """Whether JSON is spoken already."""


class TunnelSent(Frame, frozen=True, tag=31):
    """The client has sent something."""

    tunnel: int
    data: bytes

    def __repr__(self) -> str:
        """Return what may be in a log."""
        return f"TunnelSent({self.tunnel})"


class TunnelRead(Frame, frozen=True, tag=32):
    """So many more bytes of what the client has sent are read."""

    tunnel: int
    count: int


class TunnelTold(Frame, frozen=True, tag=33):
    """The client is told something: whole lines, together with what comes next if there is more."""

    tunnel: int
    data: bytes
    more: bool

    def __repr__(self) -> str:
        """Return what may be in a log."""
        return f"TunnelTold({self.tunnel})"


class TunnelHanded(Frame, frozen=True, tag=34):
    """So many more bytes of what the client is told are in the hands of the kernel."""

    tunnel: int
    count: int


class TunnelEnd(Frame, frozen=True, tag=35):
    """The client has said all, and may still listen."""

    tunnel: int
    was_cut: bool
    """Whether anybody on the way may have ended it."""


class TunnelLost(Frame, frozen=True, tag=36):
    """The client's connection is gone, or ended for another reason."""

    tunnel: int
    was_closed: bool
    """Whether it was the client that closed it."""


class TunnelClose(Frame, frozen=True, tag=37):
    """The client's connection is to be closed, at once or when it has read all."""

    tunnel: int
    at_once: bool


AnyFrame = (
    Call
    | Cancel
    | Accepted
    | Rings
    | Refused
    | Unanswered
    | Left
    | Away
    | Typing
    | Flow
    | Lines
    | Said
    | Settled
    | Ask
    | Answer
    | AskKey
    | AnswerKey
    | AskHost
    | AnswerHost
    | TunnelOpen
    | TunnelSent
    | TunnelRead
    | TunnelTold
    | TunnelHanded
    | TunnelEnd
    | TunnelLost
    | TunnelClose
)

_encoder = msgspec.msgpack.Encoder()
_frames = msgspec.msgpack.Decoder(list[AnyFrame])
_frame = msgspec.msgpack.Decoder(AnyFrame)
_parts = msgspec.msgpack.Decoder(list[msgspec.Raw])


def encode(frames: list[Frame]) -> bytes:
    """Return what decode makes these frames of."""
    return _encoder.encode(frames)


def decode(data: bytes) -> list[Frame]:
    """Return the frames in what a node has sent; what is none, as one of a later version, is not.

    It raises nothing.
    """
    try:
        return list(_frames.decode(data))
    except (msgspec.DecodeError, RecursionError):
        return _decode_each(data)


def _decode_each(data: bytes) -> list[Frame]:
    frames: list[Frame] = []
    try:
        parts = _parts.decode(data)
    except (msgspec.DecodeError, RecursionError) as why:
        _log.warn("Another node sent what is no frames: {why}", why=why)
        return frames
    for part in parts:
        try:
            frames.append(_frame.decode(part))
        except (msgspec.DecodeError, RecursionError) as why:
            _log.warn("Another node sent a frame that is not known here: {why}", why=why)
    return frames
