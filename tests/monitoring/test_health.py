"""Whether a newcomer could be given a name, as health checks are told over real sockets."""

import os
import signal
from pathlib import Path

from tests.support.clients import spins_until
from tests.support.cluster import Node
from tests.support.engine import Engine
from tests.support.forks import heed_signals
from tests.support.server import Server
from tests.support.watching import METRICS, asked, scraped

STOPS_LATE = "from chatpair.exchange import visitors\nvisitors.STOPPING_SECONDS = 1e6\n"
"""Has a server that stops wait for its slow readers until they have gone."""

LEASE = 300.0
"""Seconds of a lease that does not end while somebody looks."""


def test_health_is_whether_a_newcomer_could_come() -> None:
    with Server("--max-users", "1", *METRICS) as server:
        assert asked(server, "/health") == (200, "ok\n")
        alice = server.client("alice")
        assert asked(server, "/health") == (503, "full\n")
        assert asked(server, "/health", "HEAD") == (503, "")
        alice.says("Quit")
        assert alice.line() == "Quit"
        assert asked(server, "/health") == (200, "ok\n")
        assert asked(server, "/nothing")[0] == 404
        assert asked(server, "/metrics", "POST")[0] == 405
        assert asked(server, "/nothing", "HEAD")[0] == 404
        spins_until(lambda: scraped(server)["chatpair_event_loop_delay_seconds_count"] > 0)
        server.stop()
        assert b"Request" not in server.output, "who asks is not logged"


def test_nobody_could_come_when_it_stops(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(STOPS_LATE)
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with Server(*METRICS, env=env, preexec_fn=heed_signals) as server:
        alice, bob = server.pair()
        alice.fills(iter(lambda: b"x" * 60_000 + b"\n", b""), lambda: asked(server, "/health"))
        server.kill(signal.SIGTERM)
        spins_until(lambda: asked(server, "/health") == (503, "stopping\n"))
        alice.resets()
        bob.resets()
        assert server.wait() == -signal.SIGTERM


def test_nobody_could_come_before_a_node_is_ready(engine: Engine) -> None:
    # An engine that has nothing may have lost what there was.
    with Node("n1", engine.url, *METRICS, lease=LEASE) as node:
        spins_until(lambda: asked(node, "/health") == (503, "settling\n"))
        with Node("n1", engine.url, *METRICS, lease=LEASE) as other:
            spins_until(lambda: asked(other, "/health") == (503, "joining the cluster\n"))
            engine.kill()
            is_cut_off = (503, "cut off from the engine\n")
            spins_until(lambda: asked(node, "/health") == asked(other, "/health") == is_cut_off)
