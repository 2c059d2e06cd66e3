"""An engine that loses all, can't be reached or refuses what it is asked, and what users see."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import hiredis
import pytest

from tests.support.clients import spins_until
from tests.support.cluster import NOT_READY, SHORT, Cluster, Listener, pair
from tests.support.engine import Engine, EngineClient, permissions
from tests.support.json_people import pair as json_pair

pytestmark = pytest.mark.engine

SETTLES = 10.0
"""Seconds of the lease where an engine loses its data: for most of it no name can be had then."""

LOCAL = ("carol", "dave")
"""Whose line is within one node, and needs no engine."""


@pytest.mark.parametrize("how", ["restarted empty", "restarted with its data", "emptied"])
def test_lines_and_names_outlive_whatever_the_engine_loses(tmp_path: Path, how: str) -> None:
    with (
        Engine(tmp_path / "engine", persistent=how == "restarted with its data") as engine,
        Cluster(engine, 2, lease=SETTLES) as cluster,
    ):
        first, second = cluster.nodes
        alice, bob, _ = json_pair(first, second)
        carol, dave = pair(first, second, *LOCAL)
        said = 0
        for _ in range(5):
            for _ in range(50):
                said += 1
                alice.does("say", id=said, text=str(said))
                bob.does("say", id=said, text=str(said))
                carol.says(str(said))
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
        assert [dave.text() for _ in range(said)] == [str(number) for number in range(1, said + 1)]
        spins_until(lambda: second.asked("newcomer") == "OK")
        for name in ("alice", *LOCAL):
            assert second.asked(name) == "Reuse"
        dave.says("/bye")
        assert [dave.line(), carol.line()] == ["You are free.", "Quit."]


def test_cuts_anywhere_lose_nothing_of_what_is_said(shared_cluster: Cluster) -> None:
    alice, bob = shared_cluster.pair()
    for number, count in enumerate([*range(16), *range(16, 560, 34), *range(700, 4_000, 300)]):
        for way in shared_cluster.ways:
            way.cut_after(count)
        lines = [f"{number} {line} {'x' * (count // 20)}" for line in range(30)]
        for speaker, hearer in ((alice, bob), (bob, alice)):
            speaker.says(*lines)
            assert [hearer.text() for _ in lines] == lines
    alice.says("/bye")
    assert [alice.line(), bob.line()] == ["You are free.", "Quit."]


# An engine that is away, or as one that is: nobody can have a name, and all else goes on

Outage = Callable[[Engine, Cluster], AbstractContextManager[None]]


@contextmanager
def is_cut_off(engine: Engine, cluster: Cluster) -> Iterator[None]:
    for way in cluster.ways:
        way.cut()
    yield
    for way in cluster.ways:
        way.mend()


@contextmanager
def hangs(engine: Engine, cluster: Cluster) -> Iterator[None]:
    engine.freeze()
    yield
    engine.thaw()


def told(begin: str, end: str) -> Outage:
    """Return what an engine may be as it is told to, by commands with semicolons between."""

    @contextmanager
    def outage(engine: Engine, cluster: Cluster) -> Iterator[None]:
        for commands in (begin, end):
            for command in commands.split("; "):
                assert engine.command(*command.split()) == b"OK"
            if commands is begin:
                yield

    return outage


@contextmanager
def cannot_save(engine: Engine, cluster: Cluster) -> Iterator[None]:
    (engine.folder / "dump.rdb" / "in-the-way").mkdir(parents=True, exist_ok=True)
    assert engine.command("CONFIG", "SET", "save", "3600 1") == b"OK"
    engine.command("BGSAVE")
    spins_until(lambda: b"last_bgsave_status:err" in engine.command("INFO", "persistence"))
    yield
    assert engine.command("CONFIG", "SET", "save", "") == b"OK"


@contextmanager
def runs_a_script(engine: Engine, cluster: Cluster) -> Iterator[None]:
    engine.command("CONFIG", "SET", "lua-time-limit", 50)
    with closing(EngineClient(engine.path)) as client:
        client.send("EVAL", "while true do end", 0)
        yield
        spins_until(lambda: engine.command("SCRIPT", "KILL") == b"OK")
        assert isinstance(client.reply(), hiredis.ReplyError)


OUTAGES = {
    "cut off": (is_cut_off, ".+"),
    "hangs": (hangs, "it does not answer"),
    "cannot save": (cannot_save, "MISCONF .+"),
    "runs a script": (runs_a_script, "BUSY .+"),
    "has no replica": (
        told("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"),
        "NOREPLICAS .+",
    ),
    "full": (told("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"), "OOM .+"),
    "a replica": (
        told("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
        "(READONLY|UNBLOCKED) .+",
    ),
    "a replica without its master": (
        told(
            "CONFIG SET replica-serve-stale-data no; REPLICAOF 127.0.0.1 1",
            "REPLICAOF NO ONE; CONFIG SET replica-serve-stale-data yes",
        ),
        "(MASTERDOWN|READONLY|UNBLOCKED) .+",
    ),
}
"""What may be, and what the nodes then say of the engine."""

# A node that stands still for a tenth of a lease as it is cut off ends its users.
LONG = [("cut off", 10.0, 9.0), ("has no replica", 10.0, 9.0)]
BRIEF = [(what, 10.0 if what == "hangs" else SHORT, 0.0) for what in OUTAGES]


@pytest.mark.parametrize(
    ("what", "lease", "seconds"),
    [*LONG, *BRIEF, pytest.param("cut off", 10, 60, marks=pytest.mark.endurance)],
)
def test_pairs_outlive_an_engine_that_is_away(
    tmp_path: Path, what: str, lease: float, seconds: float
) -> None:
    outage, why = OUTAGES[what]
    with Engine(tmp_path) as engine, Cluster(engine, 2, lease=lease) as cluster:
        first, second = cluster.nodes
        alice, bob = pair(first, second)
        carol, dave = pair(first, first, *LOCAL)
        idle = first.client("idle")
        eve, frank, _ = json_pair(second, first, mark="-json")
        is_over = threading.Event()
        threading.Timer(seconds, is_over.set).start()
        said = 0
        with outage(engine, cluster):
            for node in cluster.nodes:
                node.logs(rf"No engine at [\d.:]+: {why}; trying again")
            while not is_over.wait(0.5) or not said:
                said += 1
                alice.says(f"alice {said}")
                eve.does("say", id=said, text=f"eve {said}")
                carol.tells(dave, f"carol {said}")
                idle.says("To:bob")
                assert idle.line() == NOT_READY
                assert second.asked("newcomer") == NOT_READY
                frank.does("ping")  # or it would be taken for gone
                frank.events("pong")
        for number in range(1, said + 1):
            assert bob.text() == f"alice {number}"
        hearer, speaker = Listener(frank), Listener(eve)
        hearer.hears_until(lambda listener: len(listener.heard) == said)
        assert hearer.heard == [f"eve {number}" for number in range(1, said + 1)]
        speaker.hears_until(lambda listener: listener.settled == said)
        spins_until(lambda: second.asked("newcomer") == "OK")
        for name in ("alice", "bob", *LOCAL, "idle", "alice-json", "bob-json"):
            assert second.asked(name) == "Reuse"


# Who may do what


def test_the_permissions_in_the_docs_are_enough_and_fewer_are_told_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = permissions()
    monkeypatch.setenv("CHATPAIR_CLUSTER_AUTH", "chatpair:pw")
    with (
        Engine(tmp_path / "engine", f"user chatpair on >pw {rules}") as engine,
        Cluster(engine, 3, lease=SETTLES) as cluster,
    ):
        first, second, third = cluster.nodes
        alice, bob = pair(first, second)
        first.client("carol").says("Quit")
        engine.command("FLUSHALL")  # all is claimed again
        third.dies()  # its names are swept
        second.knows("n1")
        alice.tells(bob, "one")
        assert all(b"refuses" not in node.output for node in cluster.nodes)
        engine.command("ACL", "SETUSER", "chatpair", "-hset")
        for node in (first, second):
            node.logs("refuses what the cluster asks: ")
            node.logs("Cut off")
        assert second.asked("newcomer") == NOT_READY
        engine.command("ACL", "SETUSER", "chatpair", "+hset")
        spins_until(lambda: second.asked("newcomer") == "OK")
        bob.tells(alice, "two")
        for node in (first, second):
            assert node.output.count(b"refuses what the cluster asks: ") == 1
