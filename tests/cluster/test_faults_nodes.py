"""Nodes of a cluster that are killed, frozen or stopped, and what users see of it."""

import signal
from contextlib import suppress

from tests.support.clients import spins_until
from tests.support.cluster import SHORT, Cluster, json_pair, pair
from tests.support.engine import Engine
from tests.support.json_people import json_client
from tests.support.server import Client

CUT_OFF = "The server was cut off from the others for too long. Please come back."


def rest(client: Client) -> list[str]:
    """Return all lines up to the end of the connection, however it comes."""
    lines = []
    with suppress(ConnectionResetError):
        lines = list(iter(client.line, ""))
    return lines


def test_a_killed_node_frees_its_users_names_and_their_peers(shared_engine: Engine) -> None:
    with Cluster(shared_engine, 3, lease=SHORT) as cluster:
        first, second, third = cluster.nodes
        _, bob = pair(first, second)
        first.client("idle")
        first.dies()
        assert bob.line() == "Quit."
        # Whoever is told knows that the name is free, wherever it is asked for.
        alice = third.client("alice")
        second.client("idle")
        bob.calls("alice")
        assert alice.line() == "You are chatting with bob."


def test_programs_are_told_what_became_of_what_they_said_to_a_killed_node(
    shared_engine: Engine,
) -> None:
    with Cluster(shared_engine, 2, lease=SHORT) as cluster:
        first, second = cluster.nodes
        alice, bob, _ = json_pair(second, first)
        alice.does("say", id=1, text="before")
        assert bob.events("message")[0]["text"] == "before"
        bob.does("ack", seq=3)
        assert alice.events("status")[0]["status"] == "confirmed"
        first.dies()
        alice.does("say", id=2, text="after")
        status, left = alice.events("status", "left")
        assert (status["id"], status["status"], status["why"]) == (2, "failed", "lost")
        assert (left["peer"], left["why"]) == ("bob", "lost")
        again, _ = json_client(second, "bob")
        alice.does("to", name="bob")
        alice.events("paired")
        again.events("paired")


def test_no_name_of_a_killed_node_is_free_before_its_lease_has_run_out(
    shared_engine: Engine,
) -> None:
    with Cluster(shared_engine, 2, lease=SHORT) as cluster:
        first, second = cluster.nodes
        _, bob = pair(first, second)
        first.dies()
        while second.asked("alice") == "Reuse":
            pass
        second.knows()  # whose log is read by and by
        assert bob.line() == "Quit."
        spins_until(lambda: second.asked("alice") == "OK")  # whoever asked last is about to go


def test_a_call_that_rings_at_a_killed_node_is_not_answered(shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2, lease=SHORT) as cluster:
        first, second = cluster.nodes
        bob, alice = first.client("bob"), second.client("alice")
        bob.says("/ring on")
        assert bob.line() == "Your line rings when somebody calls."
        alice.says("To:bob")
        assert alice.line() == "bob's line is ringing."
        assert bob.line() == "alice is calling. To:alice to answer."
        first.dies()
        assert alice.line() == "bob does not answer."


def test_a_node_that_was_killed_comes_back_under_its_id(shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2, lease=SHORT) as cluster:
        _, bob = pair(*cluster.nodes)
        cluster.nodes[0].dies()
        first = cluster.start(0)  # which waits until its lease has run out
        assert bob.line() == "Quit."
        alice = first.client("alice")
        bob.calls("alice")
        assert alice.line() == "You are chatting with bob."


def test_a_node_that_is_stopped_tells_the_peers_at_once(shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2) as cluster:
        first, second = cluster.nodes
        _, bob, _ = json_pair(first, second)
        _, dave = first.client("carol"), second.client("dave")
        dave.calls("carol")
        assert first.stop() == -signal.SIGTERM
        assert bob.events("left")[0]["why"] == "stopped"
        assert dave.line() == "Quit."
        spins_until(lambda: second.asked("alice") == "OK")


def test_a_frozen_node_ends_its_users_before_it_does_anything_else(
    shared_engine: Engine,
) -> None:
    with Cluster(shared_engine, 2, lease=SHORT) as cluster:
        first, second = cluster.nodes
        alice, bob = pair(first, second)
        carol, dave = first.client("carol"), first.client("dave")
        carol.calls("dave")
        assert dave.line() == "You are chatting with carol."
        first.freeze()
        assert bob.line() == "Quit."
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
        # What comes from now on is as at any node.
        first.joins()
        assert late.line() in ("Reuse", "The switchboard is not ready.")
        other.says("who am I?")
        assert bob.text() == "who am I?"
        carol = first.client("carol")
        carol.says("To:alice")
        assert carol.line() == "alice is talking with someone else."
        assert other.line() == "carol tried to reach you."


def test_programs_on_a_frozen_node_can_come_back_to_nothing(shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2, lease=SHORT) as cluster:
        first, second = cluster.nodes
        alice, key = json_client(first, "alice")
        bob, _ = json_client(second, "bob")
        alice.does("to", name="bob")
        alice.events("paired")
        bob.events("paired")
        first.freeze()
        bob.does("say", id=1, text="are you there?")
        status, left = bob.events("status", "left")
        assert (status["status"], left["why"]) == ("failed", "lost")
        first.skip_log()
        first.thaw()
        (last,) = alice.rest()
        assert last["event"] == "error"
        assert last["text"] == CUT_OFF
        first.joins()
        for node in (first, second):
            client, _ = json_client(node)
            client.does("resume", key=key, seen=2)
            assert client.events("error")[0]["code"] == "bad-key"
        client.does("name", name="alice")
        client.events("named")


def test_a_node_that_is_frozen_for_less_than_its_lease_goes_on(shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2) as cluster:
        first, second = cluster.nodes
        alice, bob = pair(first, second)
        first.freeze()
        bob.says("one", "two")
        alice.says("three")
        assert second.asked("alice") == "Reuse"
        first.thaw()
        assert [alice.text(), alice.text(), bob.text()] == ["one", "two", "three"]
