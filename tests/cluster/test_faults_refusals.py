"""An engine that is there, and refuses what it is asked for a while: it is as one that is away."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import hiredis
import pytest

from benchmarks.servers import free_port
from tests.support.clients import spins_until
from tests.support.cluster import NOT_READY, SHORT, Cluster, Listener, pair
from tests.support.engine import Engine, EngineClient, permissions
from tests.support.json_people import pair as json_pair

pytestmark = pytest.mark.engine


@contextmanager
def configured(engine: Engine, option: str, value: str | int, usual: str | int) -> Iterator[None]:
    """Let an option of the engine's have another value."""
    assert engine.command("CONFIG", "SET", option, value) == b"OK"
    yield
    assert engine.command("CONFIG", "SET", option, usual) == b"OK"


def has_no_replica(engine: Engine) -> object:
    return configured(engine, "min-replicas-to-write", 1, 0)


def is_full(engine: Engine) -> object:
    return configured(engine, "maxmemory", 1, 0)


@contextmanager
def is_a_replica(engine: Engine) -> Iterator[None]:
    assert engine.command("REPLICAOF", "127.0.0.1", free_port()) == b"OK"
    yield
    assert engine.command("REPLICAOF", "NO", "ONE") == b"OK"


@contextmanager
def is_a_replica_without_its_master(engine: Engine) -> Iterator[None]:
    with configured(engine, "replica-serve-stale-data", "no", "yes"), is_a_replica(engine):
        yield


@contextmanager
def cannot_save(engine: Engine) -> Iterator[None]:
    (engine.folder / "dump.rdb" / "in-the-way").mkdir(parents=True, exist_ok=True)
    with configured(engine, "save", "3600 1", ""):
        engine.command("BGSAVE")
        spins_until(lambda: b"last_bgsave_status:err" in engine.command("INFO", "persistence"))
        yield


@contextmanager
def runs_a_script(engine: Engine) -> Iterator[None]:
    with (
        configured(engine, "lua-time-limit", 50, 5_000),
        closing(EngineClient(engine.path)) as client,
    ):
        client.send("EVAL", "while true do end", 0)
        yield
        # The option can't be set before it has ended.
        spins_until(lambda: engine.command("SCRIPT", "KILL") == b"OK")
        assert isinstance(client.reply(), hiredis.ReplyError)


KINDS = {
    has_no_replica: b"NOREPLICAS",
    is_full: b"OOM",
    is_a_replica: b"READONLY|UNBLOCKED",
    is_a_replica_without_its_master: b"MASTERDOWN|READONLY|UNBLOCKED",
    cannot_save: b"MISCONF",
    runs_a_script: b"BUSY",
}


def test_pairs_and_lines_outlive_an_engine_that_refuses(tmp_path: Path) -> None:
    with Engine(tmp_path / "engine") as engine, Cluster(engine, 2, lease=SHORT) as cluster:
        first, second = cluster.nodes
        alice, bob = pair(first, second)
        carol, dave = pair(first, first, "carol", "dave")
        frank, eve, _ = json_pair(second, first, mark="-json")
        hearer, speaker = Listener(eve), Listener(frank)
        said = 0

        def speaks() -> None:
            nonlocal said
            said += 1
            alice.says(f"alice {said}")
            frank.does("say", id=said, text=f"frank {said}")
            carol.says(f"carol {said}")
            assert dave.text() == f"carol {said}"

        for refuses, code in KINDS.items():
            # The first goes on until silence would have been the end of the other node.
            outage = threading.Event()
            threading.Timer(1.4 * SHORT if refuses is has_no_replica else 0, outage.set).start()
            heard = said
            with refuses(engine):  # type: ignore[attr-defined]
                for node in cluster.nodes:
                    node.logs(rf"No engine at [\d.:]+: ({code.decode()}) [^\n]+; trying again")
                while not outage.wait(0.2) or said == heard:
                    speaks()
                    assert second.asked("newcomer") == NOT_READY
            for number in range(heard + 1, said + 1):
                assert bob.text() == f"alice {number}"
            hearer.hears_until(lambda listener: len(listener.heard) == said)
            speaker.hears_until(lambda listener: listener.settled == said)
            spins_until(lambda: second.asked("newcomer") == "OK")
            assert second.asked("alice") == "Reuse"
        assert hearer.heard == [f"frank {number}" for number in range(1, said + 1)]
        bob.says("/bye")
        assert [bob.line(), alice.line()] == ["You are free.", "Quit."]


def test_the_permissions_in_the_docs_are_enough_and_fewer_are_told_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = permissions()
    monkeypatch.setenv("CHATPAIR_CLUSTER_AUTH", "chatpair:pw")
    with (
        Engine(tmp_path / "engine", f"user chatpair on >pw {rules}") as engine,
        Cluster(engine, 3, lease=1) as cluster,
    ):
        first, second, third = cluster.nodes
        alice, bob = pair(first, second)
        first.client("carol").says("Quit")
        engine.command("FLUSHALL")  # all is claimed again
        third.dies()  # its names are swept
        second.knows("n1")
        alice.says("one")
        assert bob.text() == "one"
        assert all(b"refuses" not in node.output for node in cluster.nodes)
        engine.command("ACL", "SETUSER", "chatpair", "-hset")
        for node in (first, second):
            node.logs("refuses what the cluster asks: ")
            node.logs("Cut off")
        assert second.asked("newcomer") == NOT_READY
        engine.command("ACL", "SETUSER", "chatpair", "+hset")
        spins_until(lambda: second.asked("newcomer") == "OK")
        bob.says("two")
        assert alice.text() == "two"
        for node in (first, second):
            assert node.output.count(b"refuses what the cluster asks: ") == 1
