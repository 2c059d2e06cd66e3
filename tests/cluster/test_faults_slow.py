"""Flow control across nodes: a slow engine and a slow reader make the speaker wait."""

import threading
from concurrent.futures import ThreadPoolExecutor
from select import select

from tests.support.clients import sleeps, spins_until
from tests.support.cluster import Cluster, Listener, Node, json_pair, pair
from tests.support.engine import Engine
from tests.support.json_client import JsonClient
from tests.support.json_people import json_client
from tests.support.server import TIMEOUT, Client

MOST_KIB = 16_000
"""By how much a node may grow while somebody says more than goes through."""

LINES = [f"{number} {'x' * 4_000}" for number in range(10_000)]


class Flood:
    """Somebody who says more than anybody holds."""

    def __init__(self, client: Client | JsonClient) -> None:
        self._client = client
        self.said = 0
        self._thread = threading.Thread(target=self._say)
        self._thread.start()

    def _say(self) -> None:
        for number, line in enumerate(LINES, start=1):
            if isinstance(self._client, JsonClient):
                self._client.does("say", id=number, text=line)
            else:
                self._client.says(line)
            self.said = number

    def waits_for(self, node: Node) -> None:
        """Wait until the node reads no more of it, and does nothing else."""
        socket = self._client.socket
        spins_until(lambda: not select([], [socket], [], 0)[1] and sleeps(node.popen))
        assert self.said < len(LINES), "all of it found room, so nobody was made to wait"

    def ends(self) -> None:
        """Wait until all has been said."""
        self._thread.join(TIMEOUT)
        assert self.said == len(LINES)


def hears_all(client: Client) -> None:
    """See that every line comes, once and in order."""
    for line in LINES:
        assert client.text() == line


def test_a_slow_engine_makes_the_speaker_wait_and_nobody_else(shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2) as cluster:
        first, second = cluster.nodes
        alice, bob = pair(first, second)
        carol, dave = first.client("carol"), first.client("dave")
        carol.calls("dave")
        assert dave.line() == "You are chatting with carol."
        before = [node.resident_kib() for node in cluster.nodes]
        cluster.ways[0].rate = 50_000
        flood = Flood(alice)
        flood.waits_for(cluster.nodes[0])
        carol.says("local")
        assert dave.text() == "local"
        for node, kib in zip(cluster.nodes, before, strict=True):
            assert node.resident_kib() - kib < MOST_KIB
        cluster.ways[0].rate = 0
        hears_all(bob)
        flood.ends()
        for node, kib in zip(cluster.nodes, before, strict=True):
            assert node.resident_kib() - kib < MOST_KIB


def test_a_slow_engine_makes_a_program_wait(shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2) as cluster:
        alice, bob, _ = json_pair(*cluster.nodes)
        before = [node.resident_kib() for node in cluster.nodes]
        cluster.ways[0].rate = 50_000
        flood = Flood(alice)
        flood.waits_for(cluster.nodes[0])
        for node, kib in zip(cluster.nodes, before, strict=True):
            assert node.resident_kib() - kib < MOST_KIB
        cluster.ways[0].rate = 0
        speaker, hearer = Listener(alice), Listener(bob)
        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(speaker.hears_until, lambda one: one.settled == len(LINES))
            hearer.hears_until(lambda one: len(one.heard) == len(LINES))
            told.result()
        assert hearer.heard == LINES
        flood.ends()


def test_an_engine_that_hangs_makes_the_speaker_wait(shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2) as cluster:
        alice, bob = pair(*cluster.nodes)
        before = [node.resident_kib() for node in cluster.nodes]
        cluster.ways[0].flows.clear()
        flood = Flood(alice)
        flood.waits_for(cluster.nodes[0])
        for node, kib in zip(cluster.nodes, before, strict=True):
            assert node.resident_kib() - kib < MOST_KIB
        cluster.ways[0].flows.set()
        hears_all(bob)
        flood.ends()


def test_a_reader_who_does_not_read_makes_the_speaker_on_another_node_wait(
    shared_engine: Engine,
) -> None:
    with Cluster(shared_engine, 2) as cluster:
        first, second = cluster.nodes
        alice, bob = pair(first, second)
        carol, dave = first.client("carol"), second.client("dave")
        carol.calls("dave")
        assert dave.line() == "You are chatting with carol."
        before = [node.resident_kib() for node in cluster.nodes]
        flood = Flood(alice)
        flood.waits_for(cluster.nodes[0])
        carol.says("another pair between the same nodes")
        assert dave.text() == "another pair between the same nodes"
        for node, kib in zip(cluster.nodes, before, strict=True):
            assert node.resident_kib() - kib < MOST_KIB
        hears_all(bob)
        flood.ends()


def test_a_program_that_does_not_acknowledge_makes_the_speaker_wait(shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2) as cluster:
        first, second = cluster.nodes
        bob, _ = json_client(second, "bob")
        alice = first.client("alice")
        alice.calls("bob")
        bob.events("paired")
        before = [node.resident_kib() for node in cluster.nodes]
        flood = Flood(alice)
        flood.waits_for(cluster.nodes[0])
        for node, kib in zip(cluster.nodes, before, strict=True):
            assert node.resident_kib() - kib < MOST_KIB
        for line in LINES:
            (message,) = bob.events("message")
            assert message["text"] == line
            bob.does("ack", seq=message["seq"])
        flood.ends()
