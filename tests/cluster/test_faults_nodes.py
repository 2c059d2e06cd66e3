"""Nodes of a cluster that are killed, frozen or stopped, and what users see of it."""

import signal
from contextlib import suppress
from pathlib import Path

from tests.support.clients import spins_until
from tests.support.cluster import SHORT, Cluster, pair
from tests.support.engine import Engine
from tests.support.json_people import json_client
from tests.support.json_people import pair as json_pair
from tests.support.server import Client

CUT_OFF = "The server was cut off from the others for too long. Please come back."


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
        other.says("who am I?")
        assert bob.text() == "who am I?"
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
