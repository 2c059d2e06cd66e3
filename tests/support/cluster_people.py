"""People who do what they like at the nodes of a cluster, and note what they do and are told."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from msgspec import UNSET, UnsetType

from chatpair.client import json_codec, plain_codec
from chatpair.codecs import json
from chatpair.exchange import messages
from tests.support.cluster_wire import Wire
from tests.support.history import End, Ending, History, Over, Session

NAMES = ("ann", "ben", "cat", "dan", "eva", "fay", "gus", "hal", "ida", "jon")

_AGAIN = re.compile(r"\[.{24}\] (\S+) \(again\): \((.*)\)")
_LATER = ("The switchboard is not ready.", "The last call is still on its way.")
_SILENCE = 0.4  # seconds, in which somebody in a pair mostly hears something
_MOST_TRIES = 15.0  # seconds, in which no line is held any more


@dataclass(eq=False)
class Person:
    """Somebody who comes under a name, talks, goes one way or another, and comes again."""

    number: int
    chance: Random
    history: History
    nodes: int
    connects: Callable[[Wire, int, str], bool]
    """Connects a wire to a node, from a host, or tells that the node is not there."""
    clock: Callable[[], float]
    unsettled: dict[int, messages.Say] = field(default_factory=dict)
    session: Session | None = None
    peer: str | None = None
    state = "out"  # naming, in, leaving, listening, lost, returning
    since = 0.0
    calling = ""  # what marks that a call has been answered
    rings_at = ""  # who was called last, if that rings
    wanted = ""  # the name to come under, or any
    is_at_rest = counts = _is_held = False
    _is_recalled = False  # a plain one hears how things stood
    _pair: int | UnsetType = UNSET
    _wire: Wire | None = None
    _old_wire: Wire | None = None
    _called = _caller = _key = _name = ""
    _home = _at = _seen = _acknowledged = _said = _marks = _texts = 0
    _asked = _lost_at = _heard_at = 0.0

    def __str__(self) -> str:
        return (
            f"{self.number} {self.state} {self.wanted} since {self.since:.3f} at n{self._at + 1}"
            f" as {self.session}, with {self.peer}, calling {self.calling!r},"
            f" unsettled {[*self.unsettled]}"
        )

    # Connections

    def _enter(self, state: str) -> None:
        self.state, self.since = state, self.clock()

    def _connect(self, node: int) -> bool:
        wire = Wire(
            lambda line: self._heard(line) if self._wire is wire else None,
            lambda: self._lost() if self._wire is wire else None,
        )
        if not self.connects(wire, node, f"127.0.1.{self.number + 1}"):
            return False
        self._wire, self._at = wire, node
        return True

    def _send(self, *commands: messages.Command | bytes) -> None:
        assert self._wire is not None
        lines = [one if isinstance(one, bytes) else self._rendered(one) for one in commands]
        data = b"".join(lines)
        cut = self.chance.randrange(len(data)) if self.chance.random() < 0.1 else None
        self._wire.send(data, cut)

    def _rendered(self, command: messages.Command) -> bytes:
        if self.counts:
            return json.render_command(command)  # type: ignore[arg-type]
        match command:
            case messages.HangUp():
                return b"/bye\r\n"
            case messages.Resume(key):
                return f"Back:{key}\r\n".encode()
            case _:
                return plain_codec.render_command(command)  # type: ignore[arg-type]

    def comes(self, name: str, node: int, *, counts: bool) -> None:
        """Connect, and claim a name."""
        self.counts = counts
        if self.chance.random() < 0.2:
            name = name.capitalize()
        if self._connect(node):
            self._enter("naming")
            self._asked = self.clock()
            self._send(*[b"Mode:json\r\n"] * self.counts, messages.Claim(name))
            self._name = name

    def _comes_back(self) -> None:
        assert self.session is not None
        node = self._home if self.chance.random() < 0.5 else self.chance.randrange(self.nodes)
        if self._connect(node):
            self._enter("returning")
            self._is_recalled = False
            self.session.notes(self.clock(), messages.Resume(self._key))
            self._send(*[b"Mode:json\r\n"] * self.counts, messages.Resume(self._key, self._seen))

    def _lost(self) -> None:
        """Come back, if that is possible, after the connection has ended."""
        self._wire = None
        if self.session is None:
            self._enter("out")
        elif self._key and self.state in ("in", "returning"):
            self._will_come_back()
        else:
            self.ends("closed")

    def _will_come_back(self) -> None:
        if self.state == "in":
            self._lost_at = self.clock()
        self._enter("lost")

    def ends(self, how: Ending) -> None:
        """Be gone; the connection is closed some way if there is one still."""
        assert self.session is not None
        self.session.notes(self.clock(), End(how))
        self.session = self.peer = None
        self.calling = self.rings_at = self._caller = ""
        self.unsettled = {}
        for wire in (self._wire, self._old_wire):
            if wire is not None:
                wire.close(self.chance.random() < 0.5)
        self._wire = self._old_wire = None
        self._enter("out")

    # What is told

    def _heard(self, line: str) -> None:
        self._heard_at = self.clock()
        event: messages.AnyEvent
        if self.counts:
            event = json_codec.parse_event(line.encode())
        elif match := _AGAIN.fullmatch(line):
            event = messages.Repeated(messages.Message(match[1], match[2], messages.Timestamp(0)))
        elif line.startswith("You are already chatting with "):
            event = messages.Error("to", "already", line)
        elif line in _LATER:
            event = messages.Error("to" if self.session else "name", "try-later", line)
        else:
            event = plain_codec.parse_event(line)
        if self.session is None:
            self._is_answered(event)
        elif self.state == "returning" and not self._is_recalled:
            self._may_be_back(event)
        else:
            self._told(event)

    def _is_answered(self, event: messages.AnyEvent) -> None:
        match event:
            case messages.Named(key=key):
                now = self.clock()
                self.session = Session(self._name, f"n{self._at + 1}", self._asked, now, False)
                self.session.counts = self.counts
                self.history.sessions.append(self.session)
                self._key, self._home = key, self._at
                self._seen, self._acknowledged, self._said = 1, 0, 0
                self._enter("in")
                self._is_held = self.counts or self.chance.random() < 0.4
                if self._is_held and not self.counts:
                    self._send(b"/key\r\n")
                if self.chance.random() < 0.5:
                    self._send(messages.SetRing(True))
            case messages.Error():
                self._give_up()

    def _give_up(self) -> None:
        assert self._wire is not None
        self._wire.close()
        self._wire = None
        self._enter("lost" if self.session else "out")

    def _may_be_back(self, event: messages.AnyEvent) -> None:
        match event:
            case messages.Named() if not self.counts:
                self._is_recalled = True
            case messages.Resumed(got=got):
                self._is_back(event)
                self._send(
                    *(say for number, say in self.unsettled.items() if number > got),
                    messages.Ping(),
                )
            case messages.Error(text=text) | messages.Notice(text=text):
                held = self._at != self._home or "No line is held" not in text
                if held and self.clock() - self._lost_at < _MOST_TRIES:
                    self._give_up()
                else:
                    self.ends("closed")

    def _is_back(self, event: messages.Resumed) -> None:
        assert self.session is not None
        self.session.notes(self.clock(), event)
        self._enter("in")
        if self._old_wire is not None:
            self._old_wire.close()
            self._old_wire = None
        if self.calling:
            self._mark(lost=True)

    def _told(self, event: messages.AnyEvent) -> None:
        assert self.session is not None
        now = self.clock()
        if self.state == "returning" and isinstance(event, messages.Paired | messages.Free):
            self.peer = event.peer if isinstance(event, messages.Paired) else None
            self._is_back(messages.Resumed(self._name, self.peer, 0))
            return
        if isinstance(event, messages.Notice):
            self._noticed(now, event.text)
            return
        if isinstance(event, messages.Event | messages.Repeated):
            self.session.notes(now, event)
        if isinstance(event, messages.CountedEvent) and isinstance(event.seq, int):
            self._seen = event.seq
        match event:
            case messages.Paired(peer, pair):
                self.peer, self._pair, self.rings_at = peer, pair, ""
            case messages.Free():
                self.peer, self.rings_at = None, ""
            case messages.Left():
                self.peer = None
            case messages.Ringing(name):
                self._caller = name
            case messages.Unanswered():
                self.rings_at = ""
            case messages.Error(code="ringing"):
                self.rings_at = self._called
            case messages.Status(number):
                self.unsettled = {id_: say for id_, say in self.unsettled.items() if id_ > number}
            case messages.Error(of=of, code="no-such") if of is not None and of.startswith("mark"):
                self._marked(now, of)
            case messages.Goodbye():
                self.ends("quit" if self.state == "leaving" else "closed")

    def _noticed(self, now: float, text: str) -> None:
        if text.startswith("Your key is "):
            self._key = text.split()[3].rstrip(".")
        elif text.startswith("No such command: /mark"):
            self._marked(now, text.split("/")[1].split(".")[0])

    def _mark(self, lost: bool) -> None:
        """Let the answer to this tell that a call has been answered, if it has arrived."""
        self._marks += 1
        self.calling = f"mark{self._marks}{'lost' * lost}"
        mark = f'{{"do":"{self.calling}"}}\r\n' if self.counts else f"/{self.calling}\r\n"
        self._send(mark.encode())

    def _marked(self, now: float, mark: str) -> None:
        if mark == self.calling:
            assert self.session is not None
            self.session.notes(now, Over(mark.endswith("lost")))
            self.calling = ""

    # What is done

    def acts(self) -> None:
        """Do something."""
        for wire in (self._wire, self._old_wire):
            if wire is not None:
                wire.flush()
                wire.stall(not self.is_at_rest and self.chance.random() < 0.03)
        patience = self.clock() - self.since > 6
        match self.state:
            case "out" if not self.is_at_rest or self.wanted:
                name = self.wanted or self.chance.choice(NAMES)
                node = self.chance.randrange(self.nodes)
                self.comes(name, node, counts=self.chance.random() < 0.5)
            case "naming" | "returning" if patience:
                self._give_up()
            case "lost" if self.chance.random() < 0.4:
                self._comes_back()
            case "in":
                self.acknowledges()
                if not self.is_at_rest:
                    self._does_something()
            case "leaving" | "listening" if patience or self.is_at_rest:
                self.ends("dropped")

    def acknowledges(self) -> None:
        """Be done with all events, or not yet."""
        late = not self.is_at_rest and self.chance.random() < 0.5
        if self.counts and self._acknowledged < self._seen and not late:
            self._acknowledged = self._seen
            self._send(messages.Acknowledge(self._seen))

    def _does_something(self) -> None:
        assert self._wire is not None
        kinds = {"say": 20, "burst": 2, "bye": 2, "quit": 0.5, "call": 1}
        if self.peer is None:
            kinds = {"say": 1, "call": 20, "bye": 0.5, "quit": 1}
        kinds |= {"drop": 0.4, "return": 0.8, "take over": 0.4, "half-close": 0.3}
        if self.rings_at:
            kinds |= {"call anew": 60}
        if self.peer is not None and self.clock() - self._heard_at > _SILENCE:
            kinds = {"say": 20, "drop": 0.1}  # most people talk on to a frozen node
        (kind,) = self.chance.choices([*kinds], [*kinds.values()])
        match kind:
            case "say" | "burst" if not self._wire.is_full:
                self.says(self.chance.randint(1, 4) if kind == "say" else 60)
            case "call" if not self.calling:
                is_answer = self._caller and self.chance.random() < 0.5
                self.calls(self._caller if is_answer else self.chance.choice(NAMES))
            case "call anew" if not self.calling:
                name = self.rings_at
                self.hangs_up()
                self.calls(name)
            case "bye":
                self.hangs_up()
            case "quit":
                self.does(messages.Quit())
                self._enter("leaving")
            case "drop":
                self.ends("dropped")
            case "return" if self._key:
                self._wire.close(self.chance.random() < 0.5)
                self._wire = None
                self._will_come_back()
            case "take over" if self._key:
                self._wire.stall(True)
                self._old_wire, self._wire = self._wire, None
                self._will_come_back()
            case "half-close" if not self.counts and not self._wire.unsent:
                self._wire.half_close()
                self._enter("listening")

    def does(self, *commands: messages.Command) -> None:
        """Say something to the server, and note it."""
        assert self.session is not None
        for command in commands:
            self.session.notes(self.clock(), command)
        self._send(*commands)

    def says(self, count: int) -> None:
        """Say so many texts."""
        says: list[messages.Say] = []
        for _ in range(count):
            self._said += 1
            self._texts += 1
            long = "x" * self.chance.choice((0, 0, 0, 10, 100, 3_000))
            say = messages.Say(
                self._said if self.counts else 0, f"{self.number}-{self._texts} {long}."
            )
            if self.counts and self.peer and self.chance.random() < 0.3:
                say = messages.Say(say.id, say.text, self.peer, self._pair)
            if self.counts:
                self.unsettled[say.id] = say
            says.append(say)
        self.does(*says)

    def calls(self, name: str) -> None:
        """Call somebody."""
        self._called = name
        self.does(messages.Call(name))
        self._mark(lost=False)

    def leaves(self) -> None:
        """Be gone as soon as may be, with a name or not yet."""
        if self.session is None:
            self._give_up()
        elif self._is_held:
            self.does(messages.Quit())
            self._enter("leaving")
        else:
            self.ends("dropped")

    def hangs_up(self) -> None:
        """Be free."""
        self.does(messages.HangUp())
