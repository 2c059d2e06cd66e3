"""What a user can ask for, and what a user can be told, however a codec writes it.

The JSON codec, the JSON Schema and the reference in docs come from these types; those without a
tag are for the plain codec alone. All text in them is clean.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, field

# RFC 7493 (I-JSON), section 2.2: the integers that every reader of JSON keeps exact.
_MAX = 2**53 - 1

SayId: TypeAlias = Annotated[
    int, Meta(ge=1, le=_MAX, description="The client's own count of what it says: 1, 2, 3, ...")
]
Seq: TypeAlias = Annotated[
    int, Meta(ge=1, le=_MAX, description="The server's count of what it told: 1, 2, 3, ...")
]
SeqOrNone: TypeAlias = Annotated[
    int, Meta(ge=0, le=_MAX, description="The last seq that arrived, or 0 if none did.")
]
LastId: TypeAlias = Annotated[
    int, Meta(ge=0, le=_MAX, description="The last id that the server has, or 0 if it has none.")
]

PairNumber: TypeAlias = Annotated[
    int, Meta(ge=1, le=_MAX, description="Which of your pairs it is: 1, 2, 3, ...")
]

# Commands


class Command(Struct, frozen=True, tag_field="do"):
    """What a client says."""


class Claim(Command, frozen=True, tag="name"):
    """Be known by a name."""

    name: str
    password: (
        Annotated[str, Meta(description="If the name has one: see the code password.")] | UnsetType
    ) = UNSET

    def __repr__(self) -> str:
        """Return what may be in a log."""
        return f"Claim({self.name!r})"


class Resume(Command, frozen=True, tag="resume"):
    """Take a line over, from a connection that is lost or still looks alive."""

    key: Annotated[str, Meta(description="The key that came with named.")]
    seen: SeqOrNone = 0


class Call(Command, frozen=True, tag="to"):
    """Talk with the user of a name; an empty one says nobody."""

    name: str


class Say(Command, frozen=True, tag="say"):
    """Say a text to the peer."""

    id: SayId  # 0 from a user who does not count
    text: Annotated[
        str,
        Meta(description="It may have several lines: whole to a json peer, one each to a plain."),
    ]
    to: (
        Annotated[str, Meta(description="Whom it is meant for: nobody else gets it.")] | UnsetType
    ) = UNSET
    pair: (
        Annotated[PairNumber, Meta(description="The pair it is meant for: nobody else gets it.")]
        | UnsetType
    ) = UNSET


class Acknowledge(Command, frozen=True, tag="ack"):
    """Be done with all events up to one."""

    seq: Seq


class HangUp(Command, frozen=True, tag="bye"):
    """Stop talking with the peer, and stay."""


class SetDnd(Command, frozen=True, tag="dnd"):
    """Let nobody call you, or everybody again."""

    on: bool


class SetRing(Command, frozen=True, tag="ring"):
    """Let calls to you ring until you answer with a call, or pair you at once again."""

    on: bool


class Block(Command, frozen=True, tag="block"):
    """Be busy for whoever has a name; and for ten minutes for who comes from where they are."""

    name: str


class Unblock(Command, frozen=True, tag="unblock"):
    """Block somebody no more."""

    name: str


class AskWho(Command, frozen=True, tag="who"):
    """Ask who is here."""


class StartTyping(Command, frozen=True, tag="typing"):
    """Be typing something to the peer."""


class Ping(Command, frozen=True, tag="ping"):
    """Ask for a pong."""


class EndInput(Command, frozen=True, tag="end"):
    """Have said all on this connection, and listen on; ack, ping and quit still count."""


class Quit(Command, frozen=True, tag="quit"):
    """Leave."""


Setting: TypeAlias = SetDnd | SetRing | Block | Unblock
"""What a user can set for calls."""

_Saying = Claim | Resume | Call | Say | Acknowledge | HangUp
_Asking = AskWho | StartTyping | Ping | EndInput | Quit
JsonCommand: TypeAlias = _Saying | Setting | _Asking


class SpeakJson(Struct, frozen=True):
    """Speak JSON from now on."""


class AskHelp(Struct, frozen=True):
    """Ask for the commands."""


class AskKey(Struct, frozen=True):
    """Ask for a key, and for one's line to be held."""


class Invalid(Struct, frozen=True, tag_field="do", tag="invalid"):
    """What is no command, and the answer to it."""

    error: "Error"
    is_object: bool = True  # unless what should be a JSON object is none


AnyCommand: TypeAlias = JsonCommand | SpeakJson | AskHelp | AskKey | Invalid

# Events

Ending = Literal["quit", "bye", "lost", "switched", "stopped"]
"""Why a pair ended, as the one who stays is told."""

Outcome = Literal["handed", "confirmed", "failed"]
"""What became of a say: the peer's kernel has it, its client has it, or it will not arrive."""

Failing = Literal["nobody", "missing", "quit", "lost", "stopped"]
"""Why a say failed: there was no peer; its id was skipped; or how the peer went."""

_OfName = Literal["reuse", "bad-name", "password", "bad-key"]
_OfCall = Literal["unknown", "busy", "dnd", "ringing", "self", "already", "nobody"]
_OfAny = Literal["too-long", "bad-line", "no-such", "too-many", "try-later"]
ErrorCode = Literal[_OfName, _OfCall, _OfAny]
"""Why a command was refused."""


class Timestamp(float):
    """A time in seconds since the epoch, which JSON has as RFC 3339 in UTC, to the millisecond."""


class Event(Struct, frozen=True, kw_only=True, tag_field="event"):
    """What a client is told."""


class CountedEvent(Event, frozen=True, kw_only=True):
    """What a client with a name is told, and is told again after a drop until it acknowledges."""

    seq: Seq | UnsetType = UNSET


class Mode(Event, frozen=True, kw_only=True, tag="mode"):
    """JSON is spoken from now on."""

    mode: Literal["json"] = "json"
    version: Literal[1] = 1
    hold: Annotated[int, Meta(ge=0, description="Seconds for which a lost line is held.")]


class Named(CountedEvent, frozen=True, tag="named"):
    """The name is yours."""

    name: str
    key: Annotated[str, Meta(description="What resumes this line; whoever has it is you.")]
    motd: Annotated[str, Meta(description="What the operator says to newcomers.")] | UnsetType = (
        UNSET
    )


class Resumed(Event, frozen=True, tag="resumed"):
    """The line is yours again; the events that were not seen follow."""

    name: str
    peer: str | None
    got: LastId
    pair: PairNumber | UnsetType = UNSET


class Paired(CountedEvent, frozen=True, tag="paired"):
    """You talk with this peer from now on."""

    peer: str
    pair: PairNumber | UnsetType = UNSET


class Message(CountedEvent, frozen=True, tag="message"):
    """The peer says this."""

    sender: str = field(name="from")
    text: str
    time: Timestamp


class Status(CountedEvent, frozen=True, tag="status"):
    """What became of a say, and of all before it of which nothing was told yet."""

    id: SayId
    status: Outcome
    why: Failing | UnsetType = UNSET


class Left(CountedEvent, frozen=True, tag="left"):
    """The peer is gone, and you are free."""

    peer: str
    why: Ending


class Held(CountedEvent, frozen=True, tag="held"):
    """The peer's connection is gone; what is said to it is kept for a while."""

    peer: str


class Back(CountedEvent, frozen=True, tag="back"):
    """The peer is connected again."""

    peer: str


class PeerTyping(Event, frozen=True, tag="typing"):
    """The peer is typing."""

    sender: str = field(name="from")


class Free(CountedEvent, frozen=True, tag="free"):
    """You asked to stop talking with the peer, and are free."""


class Tried(CountedEvent, frozen=True, tag="tried"):
    """Somebody called in vain: you were talking, or did not answer."""

    name: str


class Ringing(CountedEvent, frozen=True, tag="ringing"):
    """Somebody calls; call them within 30 seconds to answer."""

    name: str


class Unanswered(CountedEvent, frozen=True, tag="unanswered"):
    """Whoever you called has not answered."""

    name: str


class DndSet(CountedEvent, frozen=True, tag="dnd"):
    """Nobody can call you, or everybody can again."""

    on: bool


class RingSet(CountedEvent, frozen=True, tag="ring"):
    """Calls to you ring, or pair you at once."""

    on: bool


class Blocked(CountedEvent, frozen=True, tag="blocked"):
    """You are busy for whoever has this name."""

    name: str


class Unblocked(CountedEvent, frozen=True, tag="unblocked"):
    """You are busy for whoever has this name no more."""

    name: str


class Present(Struct, frozen=True):
    """Somebody who is here."""

    name: str
    paired: bool


class Here(Event, frozen=True, tag="who"):
    """Who is here, sorted, and how many more there are."""

    names: list[Present]
    more: Annotated[int, Meta(ge=0)]


class Pong(Event, frozen=True, tag="pong"):
    """The answer to a ping; also said to whoever ends the input and may listen on."""


class Goodbye(CountedEvent, frozen=True, tag="quit"):
    """The answer to quit; nothing follows."""


class Error(CountedEvent, frozen=True, tag="error"):
    """A command was refused, or the server ends the connection."""

    of: Annotated[str | None, Meta(description="The command, if it is known.")]
    code: Annotated[ErrorCode, Meta(description="For programs.")]
    text: Annotated[str, Meta(description="For people.")]


_OfLine = Mode | Named | Resumed
_OfPair = Paired | Message | Status | Left | Held | Back | PeerTyping | Free
_OfCalls = Tried | Ringing | Unanswered | DndSet | RingSet | Blocked | Unblocked
JsonEvent: TypeAlias = _OfLine | _OfPair | _OfCalls | Here | Pong | Goodbye | Error


class Repeated(Struct, frozen=True):
    """The peer said this before the connection was lost; it may have arrived."""

    message: Message


class Key(Struct, frozen=True):
    """What gives a plain user the line back."""

    key: str


class AskPassword(Struct, frozen=True):
    """The name has a password; it is the next line."""


class Listening(Struct, frozen=True):
    """The input has ended; you may listen on."""


class Help(Struct, frozen=True):
    """The commands."""


class Notice(Struct, frozen=True, tag_field="event", tag="notice"):
    """The server says this."""

    text: str


AnyEvent: TypeAlias = JsonEvent | Repeated | Key | AskPassword | Listening | Help | Notice
