"""Several nodes without sockets or an engine: frames arrive when a test lets them."""

from collections import deque
from collections.abc import Callable
from itertools import count, permutations
from typing import Any, Literal, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from chatpair.cluster import frames
from chatpair.cluster.cluster_directory import ClusterDirectory
from chatpair.cluster.engine_mesh import EngineMesh
from chatpair.cluster.frames import Frame
from chatpair.cluster.mesh import NotReady
from chatpair.exchange.names import Name, NameIndex
from chatpair.exchange.settings import Settings
from chatpair.factory import ChatFactory
from tests.support.cluster_wire import Wire
from tests.support.exchange import Exchange, Party, clock


class Link:
    """What is on its way from one node to another."""

    def __init__(self, network: "Network", source: str, target: str) -> None:
        self._network = network
        self._ends = source, target
        self.waiting: deque[bytes] = deque()
        self.held = False
        self.limit = 1_000_000  # frames after which it is full
        self.full = self.slow = False
        self.sent: list[Frame] = []

    def has(self, **features: bool | int) -> None:
        """Be another, and let the node that tells know."""
        vars(self).update(features)
        source, target = self._ends
        self._network.nodes[source].directory.room_changed(target)

    def send(self, frame: Frame) -> None:
        """Take a frame."""
        self.sent.append(frame)
        self.waiting.append(frames.encode([frame]))
        self._room_changed()
        if not self.held:
            self._network.clock.callLater(0, self._arrive)

    def _arrive(self) -> None:
        if self.waiting and not self.held:
            self.deliver()

    def deliver(self) -> None:
        """Let the next frame arrive."""
        source, target = self._ends
        [frame] = frames.decode(self.waiting.popleft())
        self._network.receive(source, target, frame)
        self._room_changed()

    def release(self) -> None:
        """Let all that waits arrive, and hold nothing any more."""
        self.held = False
        while self.waiting:
            self.deliver()

    def _room_changed(self) -> None:
        full = len(self.waiting) >= (self.limit // 2 if self.full else self.limit)
        was_full, self.full = self.full, full
        if was_full and not full:
            source, target = self._ends
            told = self._network.nodes[source].directory.room_changed
            self._network.clock.callLater(0, told, target)  # in a turn of its own, as by links


class MemoryMesh:
    """The other nodes as one node sees them: what an EngineMesh is to its exchange."""

    def __init__(self, network: "Network", me: str) -> None:
        self._network = network
        self.me = me
        self.ready = self.holds_names = True
        self.members: frozenset[str] = frozenset()
        self.is_over = False
        self._asked: list[Deferred[Any]] = []  # of the engine, if it does not answer at once

    def ends(self) -> None:
        """Do nothing more: another one takes its place."""
        self.is_over = True
        waiting = [one for one in self._network.asked if one[0] not in self._asked]
        self._network.asked = deque(waiting)

    def _engine(self, does: Callable[[], Any]) -> Deferred[Any]:
        answer = self._network.engine(does)
        if not answer.called:
            self._asked.append(answer)
        return answer

    def claim(self, name: Name) -> Deferred[Literal["yours", "taken", "later"]]:
        """Take a name, if the engine answers."""
        given_up: list[object] = []
        claimed: Deferred[Any] = Deferred(given_up.append)
        asked = self._engine(lambda: "later" if given_up else self._claim(name))
        asked.addBoth(lambda answer: None if given_up else claimed.callback(answer))
        return claimed

    def _claim(self, name: Name) -> Any:
        if self.is_over or not self.ready or self.me not in self._network.nodes:
            return "later"
        if self._network.names.has(name):
            return "taken"
        self._network.names.add(name)
        self._network.owners[name.key] = name, self.me
        return "yours"

    def release(self, name: Name) -> None:
        """Let a name be free again, if it is this node's."""
        if not self.is_over:
            self._network.engine(lambda: self._network.free(name.key, self.me))

    def locate(self, key: str) -> Deferred[str | None]:
        """Fire with the node of a name."""
        if not self.ready:
            return fail(NotReady())
        return self._engine(lambda: self._network.owners.get(key, (None, None))[1])

    def send(self, inc: str, frame: Frame) -> None:
        """Tell a node something."""
        if not self.is_over and self.me in self._network.nodes and inc in self._network.nodes:
            self._network.links[self.me, inc].send(frame)

    def is_full(self, inc: str) -> bool:
        """Tell whether too much is on its way to a node."""
        return self._network.links[self.me, inc].full

    def is_slow(self, inc: str) -> bool:
        """Tell whether a node takes nothing."""
        return self._network.links[self.me, inc].slow

    def check(self) -> bool:
        """Tell that no time has passed unnoticed."""
        return True


class Node(Exchange):
    """One node, and the parties connected to it."""

    def __init__(self, network: "Network", inc: str, settings: Settings) -> None:
        self._hosts = network.hosts
        self.all_parties = []
        self.clock = network.clock
        self.inc = inc
        self.mesh = MemoryMesh(network, inc)
        self.directory = ClusterDirectory(cast(EngineMesh, self.mesh))
        self.factory = ChatFactory(
            self.clock, settings, time_of_day=self.clock.seconds, directory=self.directory
        )
        self.directory.serve(self.factory)

    def take_turn(self) -> None:
        """Let what others do reach those here."""
        self.clock.advance(0)

    def is_frozen(self) -> None:
        """Be frozen for too long, and notice that as late as may be: at the next look."""

        def check() -> bool:
            self.directory.check = self.mesh.check
            self.directory.frozen()
            self.directory.reborn()
            return False

        self.directory.check = check

    def waits_for_nothing(self) -> bool:
        """Tell whether nothing is kept of what was between this node and others."""
        directory, calls = self.directory, self.directory.calls
        kept = directory.tunnels._ends, directory.questions._asked, calls._pending
        return not any((*kept, *directory.users.unsettled.values(), self.factory.visitors))


class PartyTransport(StringTransport):
    """What a wire has for a socket: somebody connected to a node of these."""

    def __init__(self, wire: Wire, party: Party) -> None:
        super().__init__()
        self._wire, self.party = wire, party
        wire.makeConnection(self)

    def write(self, data: bytes) -> None:
        self.party.sends(data)

    def loseConnection(self) -> None:
        super().loseConnection()
        self.party.drops()

    def carry(self) -> None:
        """Let the wire hear what has been told, and that the server has hung up."""
        if not self.disconnecting:
            self._wire.flush()
            data = self.party.transport.value()
            self.party.transport.clear()
            self._wire.dataReceived(data)
            if self.party.closed:
                self.breaks()

    def breaks(self) -> None:
        """Let both ends know that the connection is lost."""
        self.loseConnection()
        self._wire.connectionLost()


class Network:
    """Nodes, what is on its way between them, and who has which name."""

    def __init__(self, *ids: str, **options: Any) -> None:
        self.clock: Clock = clock()
        self.hosts = count()
        self.names = NameIndex()
        self.owners: dict[str, tuple[Name, str]] = {}
        self.engine_held = False
        self.asked: deque[tuple[Deferred[Any], Callable[[], Any]]] = deque()
        self.nodes: dict[str, Node] = {}
        settings = Settings(**options)
        for one in ids:
            inc = f"{one}.00000001"
            self.nodes[inc] = Node(self, inc, settings)
        self.links = {ends: Link(self, *ends) for ends in permutations(self.nodes, 2)}
        self._tell_members()

    def node(self, one: str) -> Node:
        """Return the node of an id."""
        return self.nodes[f"{one}.00000001"]

    def link(self, source: str, target: str) -> Link:
        """Return the way from one node to another, by their ids."""
        return self.links[f"{source}.00000001", f"{target}.00000001"]

    def _tell_members(self) -> None:
        for inc, node in list(self.nodes.items()):
            node.mesh.members = frozenset(self.nodes) - {inc}
            node.directory.members_changed(node.mesh.members)

    def receive(self, source: str, target: str, frame: Frame) -> None:
        """Let a frame arrive, if its node is there."""
        if target in self.nodes:
            self.nodes[target].directory.received(source, frame)

    def hold(self) -> None:
        """Let nothing arrive by itself from now on."""
        self.engine_held = True
        for link in self.links.values():
            link.held = True

    def take_turns(self) -> None:
        """Let all happen that does at this moment."""
        while any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
            self.clock.advance(0)

    def settle(self) -> None:
        """Let all arrive that is on its way."""
        self.engine_held = False
        for link in self.links.values():
            link.held = False
        while True:
            self.take_turns()
            if self.asked:
                self.answer()
            elif any(link.waiting for link in self.links.values()):
                for link in list(self.links.values()):
                    link.release()
            else:
                return

    # The engine

    def engine(self, does: Callable[[], Any]) -> Deferred[Any]:
        """Do something at the engine, now or when a test lets it answer."""
        if not self.engine_held:
            return succeed(does())
        waiting: Deferred[Any] = Deferred()
        self.asked.append((waiting, does))
        return waiting

    def answer(self) -> None:
        """Let the engine do the next thing that it was asked for."""
        waiting, does = self.asked.popleft()
        waiting.callback(does())

    def free(self, key: str, inc: str) -> None:
        """Let a name be free, if it is a node's."""
        name, owner = self.owners.get(key, (None, None))
        if name is not None and owner == inc:
            del self.owners[key]
            self.names.remove(name)

    # The end of nodes

    def dies(self, one: str) -> None:
        """Let a node die, and all others know."""
        inc = self.node(one).inc
        del self.nodes[inc]
        for ends, link in self.links.items():
            if inc in ends:
                link.waiting.clear()
        for key, (_, owner) in list(self.owners.items()):
            if owner == inc:
                self.free(key, inc)
        self._tell_members()
