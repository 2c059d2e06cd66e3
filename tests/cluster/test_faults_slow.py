"""Flow control across nodes: a slow engine and a slow reader make the speaker wait."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from select import select

import pytest

from tests.support.clients import sleeps, spins_until
from tests.support.cluster import Cluster, Node
from tests.support.server import TIMEOUT, Client

MOST_KIB = 16_000
"""By how much a node may grow while somebody says more than goes through."""

LINES = [f"{number} {'x' * 4_000}" for number in range(10_000)]


class Flood:
    """Somebody who says more than anybody holds."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.said = 0
        self._thread = threading.Thread(target=self._say)
        self._thread.start()

    def _say(self) -> None:
        for number, line in enumerate(LINES, start=1):
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


@contextmanager
def does_not_grow(*nodes: Node) -> Iterator[None]:
    """See that nodes hold little of what waits, while it does and once it has come."""
    before = [node.resident_kib() for node in nodes]
    yield
    for node, kib in zip(nodes, before, strict=True):
        assert node.resident_kib() - kib < MOST_KIB


@pytest.mark.parametrize("engine_hangs", [True, False])
def test_a_hanging_engine_or_a_slow_reader_makes_the_speaker_wait_and_nobody_else(
    shared_cluster: Cluster, engine_hangs: bool
) -> None:
    nodes = shared_cluster.nodes[:2]
    alice, bob = shared_cluster.pair()
    carol, dave = shared_cluster.pair(0, 0 if engine_hangs else 1, "carol", "dave")
    with does_not_grow(*nodes):
        with does_not_grow(*nodes):
            if engine_hangs:
                shared_cluster.ways[0].flows.clear()  # let nothing come through
            flood = Flood(alice)
            flood.waits_for(nodes[0])
            carol.says("another pair")
            assert dave.text() == "another pair"
        shared_cluster.ways[0].mend()
        for line in LINES:
            assert bob.text() == line
        flood.ends()
