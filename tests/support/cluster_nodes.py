"""Leases of several nodes in this process, on a real engine, with every fault on the way to it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import hiredis
from msgspec.msgpack import decode, encode
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from txredisapi import ResponseError

from chatpair.cluster.connect import Process
from chatpair.cluster.engine import Engine, EngineAway
from chatpair.cluster.engine_names import EngineNames
from chatpair.cluster.lease import Lease
from chatpair.cluster.mesh import MeshListener, Stay
from chatpair.cluster.scripts import EPOCH, KEY, Script
from chatpair.exchange.directory import Claimed
from chatpair.exchange.names import Name, parse
from chatpair.handover import snapshot
from chatpair.handover.cluster import restore_lease, take_lease
from tests.support.engine import EngineClient

LEASE = 10.0
STEP = 0.0625  # which adds up exactly

Command = tuple[bytes | str | int, ...]


class Store:
    """A real engine, which seems to be restarted when its data or its run_id are changed."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client
        self.run_id = "run0"
        self.limbo: list[tuple[str, Script | None, Command]] = []  # sent on connections that ended
        self.flush()

    def command(self, *arguments: bytes | str | int) -> Any:
        """Return the reply."""
        return self._client.command(*arguments)

    def do(self, script: Script | None, rest: Command) -> Any:
        """Return the reply to a script, or to a command."""
        return self.command(*rest) if script is None else self.command("EVAL", script.text, *rest)

    def flush(self) -> None:
        """Empty it, as somebody may while all are connected."""
        assert self.command("FLUSHALL") == b"OK"

    def restart(self, data: dict[bytes, bytes]) -> None:
        """Be another process, with these data."""
        self.flush()
        for key, dumped in data.items():
            assert self.command("RESTORE", key, 0, dumped) == b"OK"
        self.run_id = f"run{int(self.run_id[3:]) + 1}"

    def data(self) -> dict[bytes, bytes]:
        """Return all the data."""
        return {key: self.command("DUMP", key) for key in self.command("KEYS", "*")}

    def names(self) -> dict[str, str]:
        """Return who owns what, by key, and assert that nothing else speaks of a name."""
        keys = {key.decode() for key in self.command("KEYS", "*")}
        owners = {
            key.removeprefix("{chatpair}:name:"): self.command("GET", key).decode()
            for key in keys
            if key.startswith("{chatpair}:name:")
        }
        looks: set[tuple[str, ...]] = set()
        kept: set[tuple[str, ...]] = set()
        for hash_key in keys:
            kind, _, rest = hash_key.removeprefix("{chatpair}:").partition(":")
            fields = self.command("HGETALL", hash_key) if kind in ("look", "of") else []
            for field, value in zip(fields[::2], fields[1::2], strict=True):
                if kind == "look":
                    look_kind, _, look = rest.partition(":")
                    looks.add((look_kind, look, field.decode(), value.decode()))
                else:
                    value = value.decode()
                    kept.update((value[0], x, field.decode(), rest) for x in value[1:].split("\n"))
        assert looks == kept
        assert {(key, inc) for _, _, key, inc in kept} == set(owners.items())
        return owners


class Wire:
    """What an Engine is to one node: a connection that can be slow, or cut at any point."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.process = Process()
        self.unused_for = 0.0
        self.connected = False
        self.address = "here"
        self.is_slow = False
        self.sent: list[tuple[Script | None, Command, Deferred[Any]]] = []
        self.replies: list[tuple[Any, Deferred[Any]]] = []

    def script(self, script: Script, *arguments: bytes | str | int) -> Deferred[Any]:
        """Send a script."""
        return self._send(script, (1, KEY, *arguments))

    def key(self, name: str) -> str:
        """Return how a key is called in the engine."""
        return name

    def command(self, *arguments: bytes | str | int) -> Deferred[Any]:
        """Send a command."""
        return self._send(None, arguments)

    def _send(self, script: Script | None, rest: Command) -> Deferred[Any]:
        if not self.connected:
            return fail(EngineAway("away"))
        answer: Deferred[Any] = Deferred()
        self.sent.append((script, rest, answer))
        if not self.is_slow:
            self.catches_up()
        return answer

    def lose(self) -> None:
        """Let nothing that was sent be done, though the connection seems to be there."""
        self.replies += [(hiredis.ReplyError("never"), answer) for _, _, answer in self.sent]
        self.sent.clear()

    def run(self, count: int = 1_000_000) -> None:
        """Let the engine do what came first."""
        for script, rest, answer in self.sent[:count]:
            self.replies.append((self.store.do(script, rest), answer))
        del self.sent[:count]

    def answer(self, count: int = 1_000_000) -> None:
        """Let the replies arrive that came first."""
        replies, self.replies = self.replies[:count], self.replies[count:]
        for reply, answer in replies:
            if isinstance(reply, hiredis.ReplyError):
                answer.errback(ResponseError(str(reply)))
            else:
                answer.callback(reply)

    def catches_up(self) -> None:
        """Let all be done that was sent, and all replies arrive."""
        self.run()
        self.answer()

    def is_slow_no_more(self) -> None:
        """Catch up, and let all be done at once from now on."""
        self.is_slow = False
        self.catches_up()

    def connect(self, lease: Lease) -> None:
        """Be connected to what runs now."""
        if not self.connected:
            self.connected = True
            run_id, epoch = self.store.run_id, self.store.command("GET", EPOCH) or b""
            is_lost = not epoch.startswith(f"{run_id}.".encode())
            self.process = Process(run_id, epoch if is_lost else b"", self.unused_for)
            lease.connected()

    def cut(self, lease: Lease, *, left: bool = False) -> None:
        """End the connection; what was sent may be left in a buffer, and done later."""
        if self.connected:
            self.connected = False
            if left:
                self.store.limbo += [
                    (self.process.word, script, rest) for script, rest, _ in self.sent
                ]
            waiting = [answer for _, answer in self.replies] + [each[2] for each in self.sent]
            self.sent, self.replies = [], []
            lease.lost()
            for answer in waiting:
                answer.errback(EngineAway("cut"))


class Node:
    """A node without connections: names of users, and what its lease has told it."""

    def __init__(self, world: "World", node_id: str, lease: float = LEASE) -> None:
        self.clock = Clock()
        self.clock.advance(world.now)
        self.is_frozen = False
        self.wire = Wire(world.store)
        self.users: dict[str, Any] = {}
        self.here = self.users  # as an exchange calls them
        self.claiming: set[str] = set()
        self._told: list[str] = []
        self._was_ready = False
        self._stay: Stay | None = None  # as what it had opened its links
        self.members: frozenset[str] = frozenset()
        engine = cast(Engine, self.wire)
        self.directory = EngineNames(engine)
        told = self.opened, self.members_changed
        self.lease = Lease(self.clock, engine, self.directory, *told, node_id, lease)
        self.lease.exchange = cast(MeshListener, self)
        self.lease.refused = self.tells

    def enter(self, text: str) -> "list[Claimed]":
        """Claim a name for a user; the list gets the outcome."""
        outcomes: list[Claimed] = []
        name = parse(text)
        if name.key in self.users or name.key in self.claiming:
            return ["taken"]
        self.claiming.add(name.key)

        def claimed(outcome: Claimed) -> None:
            self.claiming.remove(name.key)
            outcomes.append(outcome)
            if outcome == "yours":
                assert name.key not in self.users
                self.users[name.key] = SimpleNamespace(name=name)

        self.lease.claim(name).addCallback(claimed)
        return outcomes

    def leave(self, key: str) -> None:
        """End a user."""
        self.directory.release(self.users.pop(key).name)

    # What a lease tells

    @property
    def told(self) -> list[str]:
        """Return what the lease has told, and how its readiness has changed meanwhile."""
        self.tells()
        return self._told

    def tells(self, *what: str) -> None:
        """Note what the lease tells, and before that whether names can be claimed."""
        if self.lease.ready != self._was_ready:
            self._was_ready = self.lease.ready
            self._told.append("ready" if self._was_ready else "not ready")
        self._told += what

    def opened(self, me: str) -> None:
        if self.lease._stay is not self._stay:
            self.tells("joined")
        self._stay = self.lease._stay

    def members_changed(self, members: frozenset[str]) -> None:
        self.members = members

    def frozen(self) -> None:
        self.tells("frozen")
        assert not self.lease.entitled
        for key in list(self.users):
            self.leave(key)

    def reborn(self) -> None:
        self.tells("reborn")

    def expelled(self, name: Name) -> None:
        self.tells(f"expelled {name}")
        self.leave(name.key)


class World:
    """Nodes, their engine, and the time that goes on for all of them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 1_000.0
        self.nodes: list[Node] = []
        store.limbo.clear()
        store.restart({})

    def start(self, node_id: str, lease: float = LEASE) -> Node:
        """Start a node, and let it reach the engine."""
        node = Node(self, node_id, lease)
        self.nodes.append(node)
        node.wire.connect(node.lease)
        return node

    def ready(self, *ids: str) -> list[Node]:
        """Return nodes that have started and are ready."""
        nodes = [self.start(node_id) for node_id in ids]
        self.wait(LEASE)
        assert all(node.lease.ready for node in nodes)
        return nodes

    def wait(self, seconds: float) -> None:
        """Let time go on, and find no name with two owners at any moment of it."""
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            for node in self.nodes:
                node.clock.rightNow += STEP  # what is due happens when it wakes
                if not node.is_frozen:
                    self.wake(node)
            self.look()

    def away(self, seconds: float, *nodes: Node) -> None:
        """Let nodes be without an engine for some time."""
        for node in nodes:
            node.wire.cut(node.lease)
        self.wait(seconds)
        for node in nodes:
            node.wire.connect(node.lease)

    def wait_until(self, happened: Callable[[], object], seconds: float = 10 * LEASE) -> float:
        """Return after how many seconds something happened."""
        start = self.now
        while not happened():
            assert self.now - start < seconds
            self.wait(STEP)
        return self.now - start

    def kill(self, node: Node) -> None:
        """End a node as SIGKILL does; what it has sent may be done, or not."""
        self.nodes.remove(node)
        node.wire.connected = False
        process = node.wire.process.word
        self.store.limbo += [(process, script, rest) for script, rest, _ in node.wire.sent]

    def hand_over(self, old: Node) -> Node:
        """Let another process go on as a node, which knows only what a snapshot has."""
        new = Node(self, "another")
        new.users = new.here = old.users
        new._told, new.members = old.told, old.members
        taken = decode(encode(take_lease(old.lease)), type=snapshot.Lease)
        restore_lease(new.lease, taken, new.users)
        new._stay = new.lease._stay
        self.nodes.append(new)
        is_connected, new.wire.is_slow = old.wire.connected, old.wire.is_slow
        self.kill(old)
        if is_connected:
            new.wire.connect(new.lease)
        for key in old.claiming:  # whoever has asked asks again
            new.enter(key)
        return new

    def wake(self, node: Node) -> None:
        """Let all that is late in a node happen."""
        node.is_frozen = False
        node.clock.advance(0)
        node.tells()

    def look(self) -> None:
        """Find no name with two owners."""
        owners = [node for node in self.nodes if node.lease.entitled]
        for at, one in enumerate(owners):
            for other in owners[at + 1 :]:
                for user in one.users.values():
                    others = other.users.values()
                    assert not any(user.name.is_same(second.name) for second in others)
