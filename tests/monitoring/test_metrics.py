"""What a server tells Prometheus and health checks, over real sockets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import made, usual
from tests.support.clients import spins_until
from tests.support.cluster import Cluster
from tests.support.engine import Engine
from tests.support.json_client import JsonLines
from tests.support.json_people import json_client, resume
from tests.support.server import WEB, Client, Door, Server
from tests.support.watching import METRICS, asked, scraped


@pytest.fixture
def watched() -> Iterator[Server]:
    """A server with figures, and nobody there."""
    with Server(*METRICS) as server:
        yield server


def test_what_is_said_called_and_refused_is_counted(watched: Server) -> None:
    alice, bob = watched.pair()
    alice.sends("one\ntwo\ndrei ü\n".encode())
    assert [bob.text() for _ in range(3)] == ["one", "two", "drei ü"]
    bob.says(" /a space", "x" * 70_000)
    assert (alice.text(), bob.line()[:18]) == (" /a space", "That line was not ")
    carol, _ = json_client(watched, "carol")
    for name in ("alice", "nobody", "carol"):
        carol.does("to", name=name)
    carol.does("say", id=1, text="to nobody")
    carol.events("error", "error", "error", "error", "status")
    assert alice.line() == "carol tried to reach you."
    late = watched.client()
    late.says("Back:a-b-c")
    assert late.line() == "No line is held for that key."
    late.close()
    bob.says("Quit")
    assert alice.line() == "Quit."
    carol.does("to", name="alice")
    carol.events("paired")
    carol.does("say", id=2, text="two\nlines")
    assert (alice.line(), alice.text(), alice.text()) == (
        "You are chatting with carol.",
        "two",
        "lines",
    )
    figures: dict[str, float] = {}

    def is_noticed() -> bool:
        figures.update(scraped(watched))
        return figures["chatpair_unnamed_total"] == 1

    spins_until(is_noticed)
    told = {name.removeprefix("chatpair_"): figures[name] for name in figures if figures[name]}
    expected = {
        "lines_total": 6,
        "line_bytes_total": len("one\ntwo\ndrei ü\n /a space\ntwo\nlines\n".encode()),
        'lines_failed_total{reason="nobody"}': 1,
        'lines_failed_total{reason="too long"}': 1,
        'calls_total{outcome="paired"}': 2,
        'calls_total{outcome="busy"}': 1,
        'calls_total{outcome="unknown"}': 1,
        'calls_total{outcome="self"}': 1,
        'refused_total{reason="wrong key"}': 1,
        "users_came_total": 3,
        'users_gone_total{reason="quit"}': 1,
        "pairs": 1,
        'users{door="tcp",state="paired"}': 2,
    }
    assert told.items() >= expected.items()
    assert told.keys() & {"kept_bytes"}, "carol has acknowledged nothing"
    assert "alice" not in asked(watched, "/metrics")[1]


def test_users_are_counted_by_the_way_they_came(tmp_path: Path) -> None:
    path = f"{tmp_path}/socket"
    ports = ("--port", f"unix:{path}", "--port", usual().port, "--hold", "600")
    with Server(*ports, *METRICS, port=WEB) as server:
        server.client("alice")
        bob = server.client("bob", door=Door(path))
        server.client("carol", door=Door(server.tls_port, tls=made().trusting()))
        erin = JsonLines(server.door)
        erin.enters("erin")
        dave, _ = json_client(server, "dave")
        dave.does("to", name="bob")
        assert bob.line() == "You are chatting with dave."
        erin.close()
        spins_until(lambda: scraped(server)['chatpair_users{door="none",state="held"}'] == 1)
        users = {k: v for k, v in scraped(server).items() if k.startswith("chatpair_users{")}
        assert users == {
            'chatpair_users{door="tcp",state="idle"}': 1,
            'chatpair_users{door="tls",state="idle"}': 1,
            'chatpair_users{door="unix",state="paired"}': 1,
            'chatpair_users{door="web",state="paired"}': 1,
            'chatpair_users{door="none",state="held"}': 1,
        }


def test_a_cluster_tells_how_it_is(engine: Engine) -> None:
    with Cluster(engine, 2, *METRICS, lease=10) as cluster:
        one, other = cluster.nodes
        before = scraped(one)['chatpair_calls_total{outcome="paired"}']
        cluster.pair()[0].says("hello")
        spins_until(lambda: scraped(other)['chatpair_cluster_frames_received_total{node="n1"}'] > 1)
        figures = scraped(one)
        unnamed = figures["chatpair_unnamed_total"]
        assert figures["chatpair_lines_total"] == 1
        assert scraped(other)["chatpair_lines_total"] == 0
        assert figures['chatpair_calls_total{outcome="paired"}'] == before + 1
        assert figures['chatpair_cluster_frames_sent_total{node="n2"}'] >= 2
        assert figures['chatpair_cluster_backlog_bytes{node="n2"}'] >= 0
        assert 0 < figures["chatpair_cluster_lease_margin_seconds"] <= 7
        assert 0 < figures["chatpair_cluster_engine_round_trip_seconds"] < 10
        assert (figures["chatpair_cluster_ready"], figures["chatpair_cluster_nodes"]) == (1, 1)
        assert asked(one, "/health") == (200, "ok\n")
        dave, key = json_client(other, "dave")
        dave.close()
        resume(one, key, 1).close()
        with Client(one.door) as check:
            check.says("Quit")
            assert check.line() == "Quit"
        spins_until(lambda: scraped(one)["chatpair_unnamed_total"] == unnamed + 1)
        cluster.ways[0].cut()
        spins_until(lambda: asked(one, "/health") == (503, "cut off from the engine\n"))
        assert scraped(one)["chatpair_cluster_ready"] == 0
        assert asked(other, "/health") == (200, "ok\n")
