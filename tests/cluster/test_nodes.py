"""Nodes that are started twice, stopped, frozen or slow, and what users see of it."""

import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.clients import is_full, sleeps, spins_until
from tests.support.cluster import SHORT, Cluster, Node, pair
from tests.support.engine import Engine
from tests.support.forks import BIN
from tests.support.json_people import json_client
from tests.support.json_people import pair as json_pair
from tests.support.server import TIMEOUT, Client, Process

CUT_OFF = "The server was cut off from the others for too long. Please come back."

MOST_KIB = 16_000
"""By how much a node may grow while somebody says more than goes through."""

LINES = [f"{number} {'x' * 4_000}" for number in range(10_000)]


def test_two_nodes_of_one_id(tmp_path: Path, shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2, lease=SHORT) as cluster:
        alice, bob = pair(cluster.nodes[0], cluster.nodes[1])
        arguments = ["--cluster", shared_engine.url, "--node", "n1", "--lease", f"{SHORT:g}"]
        pid = tmp_path / "twistd.pid"
        twistd = [str(BIN / "twistd"), "-n", f"--pidfile={pid}", "chatpair", "--port", "tcp:0"]
        with Process([*twistd, *arguments]) as twin:
            assert twin.wait() == 1
        assert not pid.exists()
        assert twin.output.count(b"#critical] Another node has the id n1.") == 1
        alice.tells(bob, "not disturbed")


def test_two_switchboards_on_one_engine(tmp_path: Path) -> None:
    with Engine(tmp_path / "engine") as engine, ExitStack() as stack:
        rules = ("on", "nopass", "~team:*", "+@all", "-client")
        assert engine.command("ACL", "SETUSER", "default", "reset", *rules) == b"OK"
        for prefix, shown in (("team:a:", False), ("team:b:", True)):
            if shown:
                assert engine.command("ACL", "SETUSER", "default", "+client") == b"OK"
            url = f"{engine.url}?prefix={prefix}"
            first, second = (
                stack.enter_context(Node(f"n{number}", url, lease=SHORT)) for number in (1, 2)
            )
            for node in (first, second):
                node.joins()
            first.meets(second)
            alice, bob = pair(first, second)
            alice.tells(bob, "hello")
        names = re.findall(rb"name=(\S*)", engine.command("CLIENT", "LIST"))
        assert sorted(name for name in names if name) == [b"chatpair-n1"] * 2 + [b"chatpair-n2"] * 2


def rest(client: Client) -> list[str]:
    """Return all lines up to the end of the connection, however it comes."""
    lines = []
    with suppress(ConnectionResetError):
        lines = list(iter(client.line, ""))
    return lines


def test_a_node_that_is_stopped_tells_the_peers_and_leaves_no_names(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        with Cluster(engine, 2) as cluster:
            first, second = cluster.nodes
            _, bob, _ = json_pair(first, second)
            dave, _ = pair(second, first, "dave", "carol")
            assert first.stop() == -signal.SIGTERM
            assert bob.events("left")[0]["why"] == "stopped"
            assert dave.line() == "Quit."
            spins_until(lambda: second.gives("alice"))
            assert engine.command("EXISTS", "{chatpair}:name:bob") == 1
        assert engine.command("KEYS", "*name*") == engine.command("KEYS", "*look*") == []


def test_a_frozen_node_ends_its_users_before_it_does_anything_else(shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2, lease=SHORT) as cluster:
        first, second = cluster.nodes
        alice, bob = pair(first, second)
        carol, dave = pair(first, first, "carol", "dave")
        frank, eve, key = json_pair(second, first, mark="-json")
        first.freeze()
        frank.does("say", id=1, text="are you there?")
        assert bob.line() == "Quit."
        status, left = frank.events("status", "left")
        assert (status["status"], left["why"]) == ("failed", "lost")
        other = second.client("alice")
        bob.calls("alice")
        assert other.line() == "You are chatting with bob."
        for client in (alice, carol):
            client.says("said to the frozen node")
        late = first.client()  # the kernel takes it
        late.says("alice")
        first.skip_log()
        first.thaw()
        assert rest(alice) == [CUT_OFF]
        ends = [rest(client) for client in (carol, dave)]  # of whom one ends before the other
        assert sorted(ends) == [["Quit.", CUT_OFF], [CUT_OFF]]
        (last,) = eve.rest()
        assert (last["event"], last["text"]) == ("error", CUT_OFF)
        # What comes from now on is as at any node.
        first.joins()
        assert late.line() in ("Reuse", "The switchboard is not ready.")
        other.tells(bob, "who am I?")
        carol = first.client("carol")
        carol.says("To:alice")
        assert carol.line() == "alice is talking with someone else."
        assert other.line() == "carol tried to reach you."
        # And nothing is held that a program could come back to.
        for node in (first, second):
            program, _ = json_client(node)
            program.does("resume", key=key, seen=2)
            assert program.events("error")[0]["code"] == "bad-key"
        program.enters("bob-json")


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
    with ThreadPoolExecutor() as pool, does_not_grow(*nodes):
        with does_not_grow(*nodes):
            if engine_hangs:
                shared_cluster.ways[0].flows.clear()  # let nothing come through
            saying = pool.submit(alice.says, *LINES)
            spins_until(lambda: is_full(alice.socket) and sleeps(nodes[0].popen))
            assert not saying.done(), "all of it found room, so nobody was made to wait"
            carol.tells(dave, "another pair")
        shared_cluster.ways[0].mend()
        for line in LINES:
            assert bob.text() == line
        saying.result(TIMEOUT)
