"""What a server hands over to the one that takes its place: all that it knows, as bytes.

Seconds are those of boot_clock, which all processes of a machine share. Users are known by the
keys of their names, those of other nodes by a number, a space and the node; sockets by their
inodes, receipts by where they are in the list of all.
"""

from typing import Any, Self

from msgspec import DecodeError, Struct
from msgspec.msgpack import Decoder, Encoder

from chatpair.exchange.limits import HostTimes
from chatpair.exchange.messages import (
    Failing,
    Invalid,
    JsonCommand,
    JsonEvent,
    Message,
    Notice,
    Outcome,
)
from chatpair.exchange.names import Name
from chatpair.exchange.says import Says
from chatpair.exchange.user import CallSettings
from chatpair.wire.reading import State

VERSION = 2
"""Goes up when an older server can't read what a newer one writes; fields that are new do not
count, as each has a default.
"""

READ = (VERSION - 1, VERSION)
"""The versions that are understood: this one, and the one before."""

GONE = ""
"""Stands for a user who is here no more."""


class Part(Struct, omit_defaults=True):
    """Something that a snapshot has, most fields of which are copies of something's attributes.

    A field is called as the attribute that it is a copy of, without the underscore of one that
    nobody else is to know.
    """

    @classmethod
    def of(cls, thing: object, **others: Any) -> Self:
        """Return what something has, but for fields that are given."""
        names = [name for name in cls.__struct_fields__ if name not in others]
        return cls(**others, **{name: getattr(thing, _attribute(thing, name)) for name in names})

    def copy_to(self, thing: object, *others: str) -> None:
        """Let something have the same, but for other fields."""
        for name in self.__struct_fields__:
            if name not in others:
                setattr(thing, _attribute(thing, name), getattr(self, name))


def _attribute(thing: object, name: str) -> str:
    return name if hasattr(thing, name) else f"_{name}"


class Receipt(Part):
    """exchange.user.Receipt."""

    sender: str
    say: int
    settled: bool


class Inbox(Part, tag="plain"):
    """exchange.user.Inbox: what is kept of a user of nc or telnet."""

    host: str | None
    receipts: list[int]


class RecalledInbox(Part, tag="recalled"):
    """exchange.recalled_inbox.RecalledInbox."""

    host: str | None
    receipts: list[int]
    lost_at: float
    pending: bool
    peer: str
    lately: list[tuple[float, Message, bool]]
    waiting: list[JsonEvent | Notice]


class CountedInbox(Part, tag="counted"):
    """exchange.counted_inbox.CountedInbox."""

    host: str | None
    pair: int
    seq: int
    says: Says
    kept: list[tuple[JsonEvent, int | None]]
    """Events that were not acknowledged, and the receipts that wait for that."""


class User(Part):
    """exchange.user.User."""

    name: Name
    inbox: Inbox | RecalledInbox | CountedInbox
    since: float
    came_from: str | None
    settings: CallSettings
    key: str = ""
    pace: tuple[float, bool, float | None] | None = None
    can_call: bool = False
    away_told: bool = False
    calls_told: tuple[int, int] = (0, 0)


class Keyring(Part):
    """exchange.keys.Keyring: keys and near misses by user, and wrong ones by host."""

    keys: dict[str, str]
    near_misses: dict[str, int]
    wrong: HostTimes


class Telnet(Part):
    """wire.telnet.TelnetFilter."""

    step: str
    verb: int
    tail: bytes
    refused: set[tuple[int, int]]


class PlainSession(Part, tag="plain"):
    """sessions.plain.PlainSession."""

    said_all: bool = False
    doubted: str | None = None
    checks: tuple[str, bytes] | None = None
    asked: str = ""


class JsonSession(Part, tag="json"):
    """sessions.json.JsonSession."""

    said_all: bool = False
    doubted: str | None = None
    checks: tuple[str, bytes] | None = None
    bad_lines: int = 0
    queue: list[JsonCommand | Invalid] = []


class CarriedSession(Part, tag="carried"):
    """cluster.carried_session.CarriedSession."""

    inc: str
    number: int
    counting: bool
    on_way: int
    part: bytes
    untold: int


class FarTransport(Part):
    """cluster.far_transport.FarTransport."""

    inc: str
    number: int
    host: str | None
    is_private: bool
    on_way: int
    producer_waits: bool
    unread: bytes
    input_ended: bool
    input_was_cut: bool


class Connection(Part):
    """protocol.ChatProtocol, with what its transport has not written."""

    session: PlainSession | JsonSession | CarriedSession
    socket: int | None = None
    """None if it can't move, because TLS or HTTP is spoken on it."""
    far: FarTransport | None = None
    """If the socket is another node's."""
    asked: JsonCommand | None = None
    """What is to be asked again, as no answer has come."""
    proven: bool = False
    """Whether a name that is claimed was proven to be the claimer's."""
    peer: tuple[str, int] | None = None
    """The address, unless there is none."""
    proxied: bool = False
    user: str = GONE
    reading: State = "open"
    buffer: bytes = b""
    fresh: bool = False
    skipping: bool = False
    telnet: Telnet | None = None
    output: bytes = b""
    full: bool = False
    unhanded: int = 0
    told_at: float | None = None
    """Since when it may not have all that it was told."""
    due: float | None = None
    """When a name, or a line of a program, is overdue."""
    listens_until: float | None = None
    """If it has said all, and listens on."""
    closes_in: float | None = None
    """Within so many seconds, once all is written; None if it stays."""


class Waiting(Part):
    """doors.proxied.ProxiedConnection, before its header has come."""

    socket: int
    port: str
    """What describes the port by which it came."""
    header: bytes
    """What has come of it."""


class WrongPasswords(Part):
    """passwords.wrong_passwords.WrongPasswords, for one name, host or both."""

    name: str | None
    host: str | None
    count: int
    until: float
    forgotten_at: float


class RemoteUser(Part):
    """exchange.user.User of another node, and cluster.remote_users.RemoteInbox."""

    inc: str
    uid: int
    name: Name
    host: str | None
    since: float
    can_call: bool
    away_told: bool
    ring_call: int
    pair_call: int
    peer: str
    peer_uid: int
    settled: list[tuple[int, Outcome, Failing | None]]
    """Nothing, as all is told at once; an older server looks for it."""
    far_full: bool
    far_away: bool
    told_full: bool


class PendingCall(Part):
    """A call that another node has not answered, and when that takes long."""

    caller: str
    number: int
    text: str
    key: str
    inc: str
    late: bool
    due: float | None


class Link(Part):
    """cluster.link.Link."""

    inc: str
    frames: list[bytes]
    entries: list[bytes]
    acked: int
    taken: int
    full: bool
    slow: bool
    moved: float
    waits_since: float


class Links(Part):
    """cluster.links.Links."""

    me: str
    links: list[Link]
    strangers: list[str]


class Lease(Part):
    """cluster.lease.Lease, with what it has and the names."""

    seconds: float
    me: str
    tries: int
    former: list[str]
    join: int
    epoch: bytes
    """As what this is a member, if the number is not 0."""
    owns: bool
    until: float | None
    is_cut_off: bool
    settling_since: float | None
    alive: list[str]
    gone: list[str]
    turn: int
    doubtful: list[str]
    """The keys of names that may be this node's, and of nobody here."""


class Node(Part):
    """A server that is one of a cluster."""

    users: list[RemoteUser]
    numbers: list[int]
    """The next ones of users, calls, questions and tunnels."""
    uids: dict[str, int]
    calls: list[PendingCall]
    rings: dict[str, int]
    """The last calls of users here that rang elsewhere."""
    open: list[tuple[str, int, int, int]]
    """The node, the speaker's number, that of what was said, and the receipt that waits for it."""
    listings: list[tuple[str, int]]
    """Who has asked who is at all nodes but there."""
    lease: Lease | None = None
    links: Links | None = None


class Snapshot(Part):
    """All of it."""

    version: int
    now: float
    ports: dict[str, int]
    """The sockets of the ports, by what describes them."""
    users: list[User] = []
    last_came: float = 0.0
    """When anybody came, or was blocked, last: each later than the one before."""
    receipts: list[Receipt] = []
    pairs: dict[str, str] = {}
    ringing: dict[str, tuple[str, float | None]] = {}
    """Whom a user calls, and until when, if that is for this server to say."""
    late: list[tuple[tuple[int, ...], float]] = []
    held: dict[str, float] = {}
    """Until when."""
    tokens: Keyring | None = None
    words: Keyring | None = None
    paces: dict[str, float] = {}
    new_names: HostTimes = {}
    lost_keys: HostTimes = {}
    connects: HostTimes = {}
    wrong_passwords: list[WrongPasswords] = []
    connections: list[Connection] = []
    waiting: list[Waiting] = []
    node: Node | None = None

    def sockets(self) -> set[int]:
        """Return the inodes of all sockets that go along."""
        of_connections = {one.socket for one in self.connections if one.socket is not None}
        of_waiting = {one.socket for one in self.waiting}
        return of_connections | of_waiting | set(self.ports.values())


class CantRead(Exception):
    """A snapshot is none, or one of a version that is not understood; the message says which."""


class _Head(Struct):
    version: int


def _hook(kind: type, value: Any) -> Any:
    return kind(value)


_encoder = Encoder(enc_hook=float)  # for Timestamp
_head: Decoder[_Head] = Decoder(_Head)
_decoder: Decoder[Snapshot] = Decoder(Snapshot, dec_hook=_hook)


def encode(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes."""
    return _encoder.encode(snapshot)


def decode(data: bytes) -> Snapshot:
    """Return the snapshot that bytes are; raises CantRead."""
    try:
        version = _head.decode(data).version
        if version not in READ:
            raise CantRead(f"its snapshot has version {version}, and this server reads {READ}")
        return _decoder.decode(data)
    except DecodeError as why:  # ValidationError is one
        raise CantRead(f"its snapshot is none: {why}") from None
