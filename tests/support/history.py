"""What clients of a cluster did and were told, and whether that kept the promises made to them.

A client knows when it began to ask for something and when it had read an answer; what the servers
did for it they did at some moment between the two. A line takes any time to arrive. So a history
is wrong only if no moments that the servers could have chosen explain it, as with linearizability:

- *Proofs of ownership.* An answer that only the owner of a name gets proves that the session had
  it at some moment from the begin of what was asked to the reading of the answer. So do a pair,
  from the begin of the call that made it, and a line, from its begin to its reading by the other:
  for both parties. A session has its name without a break, so surely from the earliest end of its
  proofs to their latest begin; where that is empty, at one moment at least between the two. Two
  sessions of one name must find room beside each other.
- A node that can't reach the engine keeps the pairs that it has, though others may take its names
  when its lease has run out: nobody could tell the one case from that of an engine which is away
  for all. So while a test cuts a node off, lines in a pair prove nothing; claims and calls do.
  Once it is back, it claims the names again: a session may have its name before the cut and after
  it, and another one have it meanwhile.

All clocks are one: time.monotonic, of the process that plays the clients.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct

from chatpair.exchange.messages import Command, Event, Message, Repeated, Resumed, Say

Ending: TypeAlias = Literal["quit", "dropped", "closed"]
"""How a session ended: it said so, its client went for good, or the server hung up."""


class End(Struct, frozen=True):
    """The session is over."""

    how: Ending


class Over(Struct, frozen=True):
    """Whatever a call was to be answered has been read; no client calls anybody before that."""

    lost: bool = False
    """Whether a connection was lost meanwhile, and perhaps the call or the answer with it."""


class Moment(NamedTuple):
    """Something that a client began to do, or had read."""

    at: float
    what: Command | Event | Repeated | Over | End


@dataclass(eq=False)
class Session:
    """A name that was granted to a client, and all that came of it, as the client saw it.

    Of a plain session that comes back, Resumed tells whom it was paired with when the connection
    was lost. An event that a resume brings twice is here once.
    """

    name: str
    node: str
    asked: float
    granted: float
    counts: bool
    """Whether it speaks JSON: it is told what became of what it says."""
    moments: list[Moment] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.name}@{self.node}:{self.asked:.3f}"

    def notes(self, at: float, what: Command | Event | Repeated | Over | End) -> None:
        """Note what the client is about to send, or has read."""
        self.moments.append(Moment(at, what))

    @property
    def key(self) -> str:
        """What equal names share."""
        return self.name.casefold()

    @property
    def ending(self) -> Ending | None:
        """How it ended, if it is over."""
        last = self.moments[-1].what if self.moments else None
        return last.how if isinstance(last, End) else None

    @property
    def may_have_missed(self) -> bool:
        """Whether it ended so that the client may not have read all that it was told."""
        return self.ending in ("dropped", "closed")

    @property
    def has_come_back_plain(self) -> bool:
        """Whether some of what it was told, other than lines, may be lost with a connection."""
        return not self.counts and any(isinstance(what, Resumed) for _, what in self.moments)


class Cut(NamedTuple):
    """A node that could not reach the engine, until it was surely a member again."""

    node: str
    begin: float
    end: float


@dataclass
class History:
    """All that happened."""

    sessions: list[Session] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)

    def of_name(self, name: str) -> Iterator[Session]:
        """Yield the sessions that have had a name."""
        return (session for session in self.sessions if session.key == name.casefold())


class Fault(NamedTuple):
    """A promise that was broken."""

    rule: Literal["owners", "pairs", "mutual", "lines", "told", "rung", "events"]
    text: str


class Said(NamedTuple):
    """A text, by whom, as which of its moments, and what the client thought was its peer."""

    session: Session
    place: int
    at: float
    say: Say

    def precedes(self, other: "Said") -> bool:
        """Tell whether it was surely to arrive before another text of the same name."""
        if self.session is other.session:
            return self.place < other.place
        has_ended = self.session.ending is not None
        return has_ended and self.session.moments[-1].at < other.session.asked


class Heard(NamedTuple):
    """A text that arrived."""

    session: Session
    at: float
    message: Message
    again: bool


class Lines:
    """Who has said what, and who has heard it."""

    def __init__(self, history: History) -> None:
        self.said: dict[str, Said] = {}
        self.heard: defaultdict[str, list[Heard]] = defaultdict(list)
        self.arrivals: list[Heard] = []
        for session in history.sessions:
            for index, (at, what) in enumerate(session.moments):
                match what:
                    case Say(text=text):
                        assert text not in self.said, "a test must not say anything twice"
                        self.said[text] = Said(session, index, at, what)
                    case Message(text=text):
                        self._arrive(Heard(session, at, what, False))
                    case Repeated(message):
                        self._arrive(Heard(session, at, message, True))

    def _arrive(self, heard: Heard) -> None:
        self.arrivals.append(heard)
        self.heard[heard.message.text].append(heard)


def event_faults(session: Session) -> Iterator[Fault]:
    """Check that nothing follows the end, nothing goes back in time, and the counts are right."""
    seq, last = 1, session.granted  # the event of the name was the first
    for index, (at, what) in enumerate(session.moments):
        if at < last:
            yield Fault("events", f"{session} has {what} before what came first")
        last = at
        if isinstance(what, End) and index + 1 < len(session.moments):
            yield Fault("events", f"{session} goes on after its end")
        number = getattr(what, "seq", None)
        if isinstance(what, Event) and isinstance(number, int):
            seq += 1
            if number != seq:
                yield Fault("events", f"{session} is told event {number} where {seq} is due")
                seq = number
