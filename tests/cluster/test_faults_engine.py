"""An engine that is restarted, or can't be reached, and what users see of it."""

import threading
from pathlib import Path

import pytest

from tests.support.clients import spins_until
from tests.support.cluster import NOT_READY, SHORT, Cluster, Listener, pair
from tests.support.engine import Engine
from tests.support.json_people import pair as json_pair

pytestmark = pytest.mark.engine

SETTLES = 4.0
"""Seconds of the lease where an engine loses its data: for most of it no name can be had then."""

LOCAL = ("carol", "dave")
"""Whose line is within one node, and needs no engine."""

CUT_OFF = 10.0
"""Seconds of the lease where a node must notice that it is cut off: it has a tenth for that."""


def test_pairs_and_names_outlive_an_engine_that_has_lost_all(tmp_path: Path) -> None:
    with Engine(tmp_path / "engine") as engine, Cluster(engine, 2, lease=SETTLES) as cluster:
        first, second = cluster.nodes
        alice, bob = pair(first, second)
        carol, dave = pair(first, first, *LOCAL)
        idle = first.client("idle")
        alice.says("before")
        engine.kill()
        first.logs("No engine at")
        alice.says("one", "two")
        carol.says("local")
        assert dave.text() == "local"
        idle.says("To:dave", "To:bob")
        assert [idle.line(), idle.line()] == ["dave is talking with someone else.", NOT_READY]
        assert first.asked("newcomer") == NOT_READY
        engine.restart()
        bob.says("three")
        assert [bob.text() for _ in range(3)] == ["before", "one", "two"]
        assert alice.text() == "three"
        spins_until(lambda: second.asked("newcomer") == "OK")
        for name in ("alice", "carol", "dave", "idle"):
            assert second.asked(name) == "Reuse"
        bob.says("/bye")
        assert [bob.line(), alice.line()] == ["You are free.", "Quit."]
        bob.calls("idle")


@pytest.mark.parametrize("how", ["restarted empty", "restarted with its data", "emptied"])
def test_programs_are_told_of_each_line_whatever_the_engine_loses(tmp_path: Path, how: str) -> None:
    with (
        Engine(tmp_path / "engine", persistent=how == "restarted with its data") as engine,
        Cluster(engine, 2, lease=SETTLES) as cluster,
    ):
        alice, bob, _ = json_pair(*cluster.nodes)
        said = 0
        for _ in range(5):
            for _ in range(50):
                said += 1
                alice.does("say", id=said, text=str(said))
                bob.does("say", id=said, text=str(said))
            if how == "emptied":
                engine.command("FLUSHALL")
            else:
                engine.restart()
        programs = Listener(alice), Listener(bob)
        for program in programs:
            program.hears_until(lambda listener: len(listener.heard) == said)
        # What is heard is acknowledged, so all that was said has a status by and by.
        for program in programs:
            program.hears_until(lambda listener: listener.settled == said)
            assert program.heard == [str(number) for number in range(1, said + 1)]


@pytest.mark.parametrize(
    ("lease", "seconds"),
    [(SHORT, 2), (SHORT, 7), pytest.param(10, 60, marks=pytest.mark.endurance)],
)
def test_pairs_outlive_an_engine_that_nobody_can_reach(
    shared_engine: Engine, lease: float, seconds: int
) -> None:
    with Cluster(shared_engine, 3, lease=lease) as cluster:
        first, second, third = cluster.nodes
        alice, bob = pair(first, second)
        carol, dave = pair(first, first, *LOCAL)
        eve, frank, _ = json_pair(third, second, mark="-json")
        for way in cluster.ways:
            way.cut()
        outage = threading.Event()
        threading.Timer(seconds, outage.set).start()
        for node in cluster.nodes:
            node.logs("No engine at")
        said = 0
        while not outage.wait(0.5):
            said += 1
            alice.says(f"alice {said}")
            eve.does("say", id=said, text=f"eve {said}")
            carol.says(f"carol {said}")
            assert dave.text() == f"carol {said}"
            assert third.asked("newcomer") == NOT_READY
            frank.does("ping")  # or it would be taken for gone
            frank.events("pong")
        for way in cluster.ways:
            way.mend()
        for number in range(1, said + 1):
            assert bob.text() == f"alice {number}"
        hearer, speaker = Listener(frank), Listener(eve)
        hearer.hears_until(lambda listener: len(listener.heard) == said)
        assert hearer.heard == [f"eve {number}" for number in range(1, said + 1)]
        speaker.hears_until(lambda listener: listener.settled == said)
        spins_until(lambda: third.asked("newcomer") == "OK")
        for name in ("alice", "bob", "carol", "dave", "alice-json", "bob-json"):
            assert third.asked(name) == "Reuse"


def test_a_node_that_alone_is_cut_off_is_taken_for_dead_and_comes_back(
    shared_engine: Engine,
) -> None:
    with Cluster(shared_engine, 2, lease=CUT_OFF) as cluster:
        first, second = cluster.nodes
        alice, bob = pair(first, second)
        carol, dave = pair(first, first, *LOCAL)
        idle = first.client("idle")
        cluster.ways[0].cut()
        first.logs("No engine at")
        assert bob.line() == "Quit."
        assert second.asked("carol") == "OK"  # for a moment
        spins_until(lambda: not shared_engine.command("EXISTS", "{chatpair}:name:carol"))
        other = second.client("alice")
        carol.says("local")
        assert dave.text() == "local"
        idle.says("To:bob")
        assert idle.line() == NOT_READY
        cluster.ways[0].mend()
        # Somebody else has her name now; the others have theirs as before.
        assert alice.line() == "Quit."
        lines = list(iter(alice.line, ""))
        assert len(lines) == 1, lines
        spins_until(lambda: first.asked("newcomer") == "OK")
        carol.says("still here")
        assert dave.text() == "still here"
        assert second.asked("carol") == "Reuse"
        bob.calls("idle")
        assert idle.line() == "You are chatting with bob."
        other.says("To:bob")
        assert other.line() == "bob is talking with someone else."


def test_an_engine_that_hangs_is_as_one_that_is_away(shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2, lease=CUT_OFF) as cluster:
        first, second = cluster.nodes
        alice, bob = pair(first, second)
        carol, dave = pair(first, first, *LOCAL)
        shared_engine.freeze()
        for node in cluster.nodes:
            node.logs("No engine at")  # a connection on which nothing comes
        alice.says("one")
        carol.says("local")
        assert dave.text() == "local"
        assert second.asked("newcomer") == NOT_READY
        shared_engine.thaw()
        assert bob.text() == "one"
        spins_until(lambda: second.asked("newcomer") == "OK")
