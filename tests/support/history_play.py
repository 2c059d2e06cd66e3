"""Right histories, from a small switchboard in which everything takes its time.

What clients do waits until the switchboard comes to it, and what it tells waits until they read.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from msgspec import UNSET

from chatpair.messages import (
    Acknowledge,
    Call,
    Command,
    Error,
    Event,
    Free,
    Goodbye,
    HangUp,
    Left,
    Message,
    Paired,
    Quit,
    Say,
    Status,
    Timestamp,
)
from chatpair.messages import Ending as PairEnding
from chatpair.receipts import Says
from tests.support.history import End, Ending, History, Over, Session

NAMES = ("ann", "ben", "cat", "dan")
NODES = ("n1", "n2")


class Step(NamedTuple):
    """Something that happens next, to the user of a number and perhaps to another."""

    kind: str
    one: int
    other: int


class Player:
    """A user, its client, and what is on its way between them."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.inbound: deque[Command] = deque()
        self.outbound: deque[Event | Over] = deque()
        self.calling = False
        self.peer: Player | None = None
        self.says = Says()
        self.said = self.read = 0
        self.unsettled: deque[tuple[int, Player, int]] = deque()  # as the which event, by whom

    def due(self) -> int:
        """Return how many events are still to be read."""
        return sum(isinstance(event, Event) for event in self.outbound)


class Switchboard:
    """Who is here; each step takes a second."""

    def __init__(self) -> None:
        self.history = History()
        self.here: dict[str, Player] = {}
        self.now = 0.0
        self._texts = 0

    def play(self, steps: Iterable[Step]) -> History:
        """Let all that happen, then let everybody read what is still to be told."""
        for kind, one, other in steps:
            self.now += 1
            name = NAMES[one % len(NAMES)]
            player = self.here.get(name)
            if kind == "kill":
                self._kill(NODES[one % len(NODES)])
            elif player is None:
                self._enter(name, one, other)
            else:
                self._step(kind, player, NAMES[other % len(NAMES)])
        while any(player.inbound or player.outbound for player in self.here.values()):
            for player in list(self.here.values()):
                self.now += 1
                self._serve(player)
                self._read(player)
        return self.history

    def _enter(self, name: str, one: int, other: int) -> None:
        session = Session(name, NODES[other % len(NODES)], self.now, self.now + 0.5, one % 2 == 0)
        self.history.sessions.append(session)
        self.here[name] = Player(session)

    def _step(self, kind: str, player: Player, other: str) -> None:
        match kind:
            case "call" if not player.calling:
                player.calling = True
                self._does(player, Call(other))
            case "say":
                self._texts += 1
                player.said += 1
                number = player.said if player.session.counts else 0
                self._does(player, Say(number, f"text {self._texts}"))
            case "bye":
                self._does(player, HangUp())
            case "quit" if Quit() not in player.inbound:
                self._does(player, Quit())
            case "drop":
                self._ends(player, "dropped")
                self._leave(player, "lost")
            case "serve":
                self._serve(player)
            case "read":
                self._read(player)

    def _does(self, player: Player, what: Command) -> None:
        if Quit() not in player.inbound:  # after which nobody says anything
            player.session.did(self.now, what)
            player.inbound.append(what)

    def _ends(self, player: Player, how: Ending) -> None:
        player.session.told(self.now, End(how))
        del self.here[player.session.name]

    def _read(self, player: Player) -> None:
        if player.outbound:
            event = player.outbound.popleft()
            if isinstance(event, Over):
                player.calling = False
                player.session.told(self.now, event)
                return
            player.read += 1
            player.session.told(self.now, event)
            if player.session.counts:
                player.inbound.append(Acknowledge(player.read))
            else:
                self._settle(player, "handed", player.read)

    def _serve(self, player: Player) -> None:
        if not player.inbound:
            return
        match player.inbound.popleft():
            case Call(name):
                self._call(player, name)
                player.outbound.append(Over())
            case Say() as say:
                self._say(player, say)
            case Acknowledge(seq):
                self._settle(player, "confirmed", seq)
            case HangUp() if player.peer is None:
                player.outbound.append(Error("bye", "nobody", "Nobody."))
            case HangUp():
                self._part(player, "bye")
                player.outbound.append(Free())
            case Quit():
                while player.outbound:
                    self._read(player)
                player.session.told(self.now, Goodbye())
                self._ends(player, "quit")
                self._leave(player, "quit")

    def _call(self, player: Player, name: str) -> None:
        other = self.here.get(name)
        if other is None:
            player.outbound.append(Error("to", "unknown", "Unknown."))
        elif other is player:
            player.outbound.append(Error("to", "self", "You."))
        elif other is player.peer:
            player.outbound.append(Error("to", "already", "Already."))
        elif other.peer is not None:
            player.outbound.append(Error("to", "busy", "Busy."))
        else:
            self._part(player, "switched")
            player.peer, other.peer = other, player
            for one in (player, other):
                assert one.peer is not None
                one.outbound.append(Paired(one.peer.session.name))

    def _say(self, player: Player, say: Say) -> None:
        peer = player.peer
        if player.session.counts:
            player.says.take(say.id)
        if peer is None:
            player.outbound.append(Error("say", "nobody", "Nobody."))
            self._settled(player, say.id, Status(say.id, "failed", "nobody"))
            return
        peer.outbound.append(Message(player.session.name, say.text, Timestamp(self.now)))
        if player.session.counts:
            peer.unsettled.append((peer.read + peer.due(), player, say.id))

    def _settle(self, reader: Player, how: str, upto: int) -> None:
        while reader.unsettled and reader.unsettled[0][0] <= upto:
            _, sender, number = reader.unsettled.popleft()
            confirmed = how != "handed"
            status = Status(number, "confirmed") if confirmed else Status(number, "handed")
            self._settled(sender, number, status)

    def _settled(self, sender: Player, number: int, status: Status) -> None:
        if sender.session.counts:
            why = None if status.why is UNSET else status.why
            sender.says.settle(number, status.status, why)
            sender.outbound.extend(sender.says.to_tell())

    def _part(self, player: Player, why: PairEnding) -> None:
        peer, player.peer = player.peer, None
        if peer is not None:
            peer.peer = None
            peer.outbound.append(Left(player.session.name, why))

    def _leave(self, player: Player, why: PairEnding) -> None:
        self._part(player, why)
        for _, sender, number in player.unsettled:
            self._settled(sender, number, Status(number, "failed", "lost"))
        player.unsettled.clear()

    def _kill(self, node: str) -> None:
        dead = [player for player in self.here.values() if player.session.node == node]
        for player in dead:
            self._ends(player, "closed")
        for player in dead:
            self._leave(player, "lost")
