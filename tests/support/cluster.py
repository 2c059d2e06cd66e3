"""Real nodes over a real engine, and what may happen to them and to what is between."""

import re
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import Any, Self

from tests.support.clients import spins_until
from tests.support.engine import Engine
from tests.support.json_client import JsonClient
from tests.support.proxy import Proxy
from tests.support.server import Client, Connection, Server

NOT_READY = "The switchboard is not ready."
"""What a node answers that can't tell whose a name is."""

LEASE = 60.0
"""Seconds of the lease where nobody is to be taken for dead, however slow the machine is."""

SHORT = 5.0
"""Seconds of the lease where somebody is: the others must not stand still for most of it."""


class Node(Server):
    """A server that shares an engine with others."""

    def __init__(
        self, name: str, url: str, *options: str, lease: float = LEASE, port: str = "0"
    ) -> None:
        self.name = name
        self._mark = 0
        cluster = ("--cluster", url, "--node", name, "--lease", f"{lease:g}")
        super().__init__(*cluster, *options, port=port)

    def logs(self, pattern: str) -> re.Match[bytes]:
        """Wait until the log has a match after the last one that was waited for so."""
        found = self.wait_for(rf"(?s)\A.{{{self._mark}}}.*?({pattern})".encode())
        self._mark = found.end(1)
        return found

    def skip_log(self) -> None:
        """Let logs look only at what comes from now on."""
        self._mark = len(self.output)

    def joins(self) -> None:
        """Wait until it has joined the cluster, or has joined it again, and names can be had."""
        self.logs(rf"Joined the cluster at \S+ as node {self.name}\b")
        spins_until(lambda: self.gives(f"probe-{self.name}"))

    def meets(self, other: "Node") -> None:
        """Let it know another node now: by its heartbeats it would in a tenth of the lease."""
        name = f"met-by-{self.name}"
        with Client(other.door) as there, Client(self.door) as here:
            for client, own in ((there, name), (here, f"probe-{self.name}")):
                spins_until(partial(is_told, client, own, "OK"))
            paired = f"You are chatting with {name}."
            spins_until(partial(is_told, here, f"To:{name}", paired))

    def asked(self, name: str) -> str:
        """Ask for a name on a connection of its own, which is closed then; return the answer."""
        with Client(self.door) as client:
            client.says(name)
            return client.line()

    def gives(self, name: str) -> bool:
        """Tell whether a name can be had, for a moment."""
        return self.asked(name) == "OK"

    def knows(self, *others: str) -> None:
        """Wait until these are the other nodes for it."""
        last = re.compile(rb"The other nodes are now: ([\w, -]+)\n")
        named = ", ".join(sorted(others)).encode() or b"none"
        spins_until(lambda: last.findall(self.output)[-1:] == [named])

    def closes_at_the_end(self, connection: Connection) -> None:
        """Take it too that on a slow machine peers at other nodes seem to be away for a moment."""
        connection.is_patient = True
        super().closes_at_the_end(connection)

    def freeze(self) -> None:
        """Stop the process as it is."""
        self.kill(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.kill(signal.SIGCONT)

    def dies(self) -> None:
        """End the process as a crash does; its sockets are reset."""
        self.kill(signal.SIGKILL)
        self.wait()

    def __exit__(self, *exception: object) -> None:
        self.thaw()
        super().__exit__(*exception)


def is_told(client: Client, line: str, answer: str) -> bool:
    """Say a line; tell whether the answer is this one."""
    client.says(line)
    return client.line() == answer


def settle(engine: Engine) -> None:
    """Let an engine see nodes for the first time, whose lease is short.

    An engine without data lets no names be claimed for most of a lease.
    """
    with Node("settler", engine.url, lease=1) as node:
        node.joins()
    # One that hardly ran is cut off by itself, does not leave, and would have no other lease here.
    engine.command("DEL", "{chatpair}:nodes")


class Cluster:
    """Nodes n1, n2, ..., each with a way of its own to the engine that can be cut."""

    def __init__(
        self,
        engine: Engine,
        size: int,
        *options: str,
        lease: float = LEASE,
        port: str = "0",
        hands_over: bool = False,
    ) -> None:
        """Take whether a node that is begun while it is there takes over from itself."""
        self.engine = engine
        self._port = port
        self._options = options
        self._lease = lease
        self._hands_over = hands_over
        self._stack = ExitStack()
        self.ways = [self._stack.enter_context(Proxy(engine.port)) for _ in range(size)]
        self.nodes: list[Node] = []
        self.mark = ""
        """What is after all names in a test, where nodes go on from test to test."""
        self._marks = count()
        self._started: list[Node] = []

    def next_mark(self) -> None:
        """Let another test begin, once all nodes are well."""
        self.mark = f"-{next(self._marks)}"
        for node in self.nodes:
            spins_until(partial(node.gives, f"probe{self.mark}-{node.name}"))

    def close_clients(self) -> None:
        """Let everybody go, and no fault remain."""
        for way in self.ways:
            way.mend()
        for node in self.nodes:
            node.close_clients()
            assert b"Traceback" not in node.output, node.output.decode()

    def pair(
        self, caller: int = 0, callee: int = 1, one: str = "alice", other: str = "bob"
    ) -> tuple[Client, Client]:
        """Let one, on a node, call another, both plain, in a test where nodes go on."""
        return pair(self.nodes[caller], self.nodes[callee], one, other, mark=self.mark)

    def begin(self, number: int) -> Node:
        """Start a node, again if it was there, and do not wait until it has joined."""
        url = f"redis://127.0.0.1:{self.ways[number].port}"
        name = f"n{number + 1}"
        more = ("--handover", f"unix:{self.engine.folder}/{name}") if self._hands_over else ()
        node = Node(name, url, *self._options, *more, lease=self._lease, port=self._port)
        self._stack.enter_context(node)
        self._started.append(node)
        return node

    def __enter__(self) -> Self:
        try:
            if not self.engine.command("DBSIZE"):
                settle(self.engine)
            with ThreadPoolExecutor(len(self.ways)) as pool:
                self.nodes = list(pool.map(self.begin, range(len(self.ways))))
            for node in self.nodes:
                node.joins()
            for node in self.nodes:
                others = [other for other in self.nodes if other is not node]
                for other in others:
                    node.meets(other)
                if others:
                    node.knows(*(other.name for other in others))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.__exit__(*exception)
        if exception[0] is not None:
            for node in self._started:
                print(f"== {node.name}\n{node.output.decode()}")
            print(f"== the engine\n{self.engine.output.decode()}")


def pair(
    caller: Node, callee: Node, one: str = "alice", other: str = "bob", *, mark: str = ""
) -> tuple[Client, Client]:
    """Let one, on a node, call another, both plain; the mark is after their names."""
    first, second = caller.client(f"{one}{mark}"), callee.client(f"{other}{mark}")
    first.calls(f"{other}{mark}")
    assert second.line() == f"You are chatting with {one}{mark}."
    return first, second


class Listener:
    """A program that acknowledges what it hears."""

    def __init__(self, client: JsonClient) -> None:
        self._client = client
        self.heard: list[str] = []
        self.settled = 0
        """The last of what it said that is known to have come."""

    def hears_until(self, done: Callable[[Self], bool]) -> None:
        """Take what comes until something is so."""
        while not done(self):
            event = self._client.hears()
            if event["event"] == "message":
                self.heard.append(event["text"])
            elif event["event"] not in ("held", "back"):
                assert (event["event"], event.get("status")) == ("status", "confirmed")
                self.settled = event["id"]
            self._client.does("ack", seq=event["seq"])
