"""The two connections to a real engine: what they carry, and what happens when they end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import capturedLogs
from txredisapi import ResponseError

from chatpair.cluster.engine import EngineAway
from chatpair.cluster.scripts import EPOCH, JOIN, Script
from tests.support.clients import spins_until
from tests.support.cluster_engine import Kept
from tests.support.engine import Engine
from tests.support.proxy import Proxy
from tests.support.reactor import Reactor

pytestmark = pytest.mark.engine


@pytest.fixture
def kept(engine: Engine, reactor: Reactor) -> Iterator[Kept]:
    """An engine that is connected."""
    with Kept(reactor, engine.url) as kept:
        yield kept


def test_what_is_sent_and_answered(kept: Kept) -> None:
    everything = bytes(range(256)) * 1_000
    assert kept.command("SET", "a", everything) == b"OK"
    assert kept.command("GET", b"a") == everything
    assert kept.command("GET", "b") is None
    assert kept.command("INCRBY", "n", 12) == 12
    assert kept.command("GET", "n") == b"12"
    assert kept.command("MGET", "n", "b") == [b"12", None]
    assert kept.command("LRANGE", "l", 0, -1) == []
    replies = [kept.engine.command("INCR", "many") for _ in range(1_000)]
    assert [kept.reactor.result(reply) for reply in replies] == list(range(1, 1_001))
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        kept.command("LPUSH", "a", "é")
    with pytest.raises(ResponseError, match="unknown command"):
        kept.command("NONSENSE")


def test_a_script_is_sent_once(kept: Kept, engine: Engine) -> None:
    script = Script("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
    engine.command("CONFIG", "RESETSTAT")
    for count in (1, 2, 3):
        reply = kept.reactor.result(kept.engine.script(script, b"\xff"))
        assert reply == [b"{chatpair}:nodes", b"\xff", count]
        if count == 2:
            engine.command("SCRIPT", "FLUSH")
    assert engine.command("SCRIPT", "EXISTS", script.sha1) == [1]
    stats = kept.command("INFO", "commandstats").decode()
    assert "cmdstat_evalsha:calls=3," in stats
    with pytest.raises(ResponseError, match="oops"):
        kept.reactor.result(kept.engine.script(Script("return redis.error_reply('oops')")))


def test_a_read_that_waits_keeps_no_command_waiting(kept: Kept, engine: Engine) -> None:
    replies: list[Any] = []
    kept.engine.read("XREAD", "BLOCK", 30_000, "STREAMS", "s", "$").addCallback(replies.append)
    kept.reactor.until(lambda: b"blocked_clients:1" in engine.command("INFO", "clients"))
    assert kept.command("PING") == b"PONG"
    assert replies == []
    kept.command("XADD", "s", "1-1", "f", b"\0")
    kept.reactor.until(lambda: replies)
    assert replies == [[[b"s", [[b"1-1", [b"f", b"\0"]]]]]]


def test_not_connected_is_told_at_once(reactor: Reactor, engine: Engine) -> None:
    kept = Kept(reactor, engine.url)
    assert not kept.engine.connected
    for send in (kept.engine.command, kept.engine.read):
        with pytest.raises(EngineAway):
            kept.reactor.result(send("PING"))
    with kept:
        assert kept.engine.connected
    assert not kept.engine.connected
    with pytest.raises(EngineAway):
        kept.command("PING")
    assert kept.events == []


@pytest.mark.parametrize("persistent", [True, False])
def test_a_restart(tmp_path: Path, reactor: Reactor, persistent: bool) -> None:
    with (
        Engine(tmp_path, persistent=persistent) as engine,
        capturedLogs() as log,
        Kept(reactor, engine.url) as kept,
    ):
        first = kept.engine.process.word
        epoch = f"{first}.0".encode()
        kept.command("SET", "a", 1)
        kept.command("SET", EPOCH, epoch)
        engine.command("CLIENT", "KILL", "TYPE", "normal")
        kept.until("lost", "connected")
        assert kept.engine.process[:2] == (first, b"")
        waits = kept.engine.read("BLPOP", "l", 0)
        kept.reactor.until(lambda: b"blocked_clients:1" in engine.command("INFO", "clients"))
        engine.kill()
        with pytest.raises(EngineAway):
            kept.reactor.result(waits)
        kept.until("lost")
        assert not kept.engine.connected
        engine.restart()
        kept.until("connected")
        assert kept.engine.process.word != first
        assert kept.engine.process.lost_epoch == (epoch if persistent else b"")
        assert kept.command("GET", "a") == (b"1" if persistent else None)
        assert [line["log_format"].split(":")[0] for line in log if "address" in line] == [
            "The engine at {address} is there",
            "No engine at {address}",
            "The engine at {address} is there",
            "No engine at {address}",
            "The engine at {address} is there",
        ]


def test_nodes_agree_which_process_it_is(reactor: Reactor, engine: Engine) -> None:
    with Kept(reactor, engine.url) as one, Kept(reactor, engine.url) as other:
        words = one.engine.process.word, other.engine.process.word
        assert words[0] != words[1]
        for word in (*words, "another's"):
            engine.command("SET", EPOCH, f"{word}.0")
            engine.command("CLIENT", "KILL", "TYPE", "normal")
            for kept in (one, other):
                kept.until("lost", "connected")
                assert kept.engine.process.lost_epoch == (b"" if word in words else b"another's.0")
        assert words == (one.engine.process.word, other.engine.process.word)


def test_for_how_long_no_node_has_come(tmp_path: Path, reactor: Reactor) -> None:
    few = "~{chatpair}:* ~chatpair:* +@all -@dangerous"
    with Engine(tmp_path, f"user few on >pw {few}") as engine:
        spins_until(lambda: b"uptime_in_seconds:0" not in engine.command("INFO", "server"))

        def unused_for(auth: str = "") -> float:
            with Kept(reactor, engine.url, auth=auth) as kept:
                return kept.engine.process.unused_for

        assert unused_for() >= 1
        assert unused_for("few:pw") == 0  # it may not ask
        engine.command("SCRIPT", "LOAD", JOIN.text)
        assert unused_for() == 0
        engine.command("FLUSHALL")
        assert unused_for() == 0


def test_lost_is_told_before_what_waits(kept: Kept, engine: Engine) -> None:
    told: list[object] = []
    engine.freeze()
    for send in (kept.engine.command, kept.engine.read):
        reply = send("PING")
        reply.addErrback(lambda why: told.append((list(kept.events), kept.engine.connected)))
        reply.addCallback(lambda _: kept.engine.command("PING"))
        reply.addErrback(lambda why: told.append(why.type))
    engine.kill()
    kept.reactor.until(lambda: len(told) == 4)
    assert told == [(["lost"], False), EngineAway] * 2


def test_a_frozen_engine_is_noticed_and_a_silence_in_which_nothing_waits_is_none(
    reactor: Reactor, engine: Engine
) -> None:
    with Kept(reactor, engine.url, patience=1) as kept:
        assert kept.engine.longest_block == 500
        passed: list[None] = []
        reactor.reactor.callLater(1.5, passed.append, None)
        reactor.until(lambda: passed)
        assert kept.command("PING") == b"PONG"
        assert kept.events == []
        engine.freeze()
        with pytest.raises(EngineAway):
            kept.command("PING")
        kept.until("lost")
        engine.thaw()
        kept.until("connected")
        assert kept.command("PING") == b"PONG"


@pytest.mark.parametrize("limit", [0, 1, 3_000, 100_000])
def test_a_connection_that_is_cut_anywhere(tmp_path: Path, reactor: Reactor, limit: int) -> None:
    with Engine(tmp_path) as engine, Proxy(engine.port, limit) as proxy:
        kept = Kept(reactor, f"redis://127.0.0.1:{proxy.address[2]}", patience=2)
        kept.start()
        reactor.until(lambda: kept.events)
        if limit == 100_000:
            with pytest.raises(EngineAway):
                kept.command("SET", "a", b"." * 200_000)
            kept.reactor.until(lambda: len(kept.events) == 3)
        assert kept.events[-1] == "connected"
        assert kept.command("GET", "a") is None
        kept.stop()


def test_two_connections_to_two_engines_are_none(
    tmp_path: Path, reactor: Reactor, engine: Engine
) -> None:
    with Engine(tmp_path) as other, Proxy(engine.port) as proxy:

        def fails_over(told: bytes) -> bytes:
            proxy.lead_new_to(other.port)  # when the first connection is there
            return told

        proxy.spoil = fails_over
        kept = Kept(reactor, f"redis://127.0.0.1:{proxy.port}")
        kept.start()
        reactor.until(lambda: "connected" in kept.events)
        for send in (kept.engine.command, kept.engine.read):
            assert kept.reactor.result(send("CONFIG", "GET", "port"))[1] == str(other.port).encode()
        kept.stop()


def test_a_listener_that_fails_harms_nothing(reactor: Reactor, engine: Engine) -> None:
    kept = Kept(reactor, engine.url)
    with capturedLogs() as log:
        kept.engine.start(lambda: 1 / 0, lambda: None, lambda why: None)
        reactor.until(lambda: [line for line in log if "log_failure" in line])
        assert kept.command("PING") == b"PONG"
    kept.stop()
