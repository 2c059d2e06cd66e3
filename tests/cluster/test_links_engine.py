"""Frames between nodes over a real engine, which dies, freezes, and is cut off at every point."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.proxy import Proxy
from tests.support.server import Process

LEASE = "2"


@pytest.fixture(params=[False, True], ids=["empty", "persistent"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine that starts again empty, or with its data."""
    with Engine(tmp_path / "engine", persistent=request.param) as running:
        yield running


def nodes(count: int, *urls: str) -> Process:
    """Start nodes that tell each other so many frames."""
    return Process([sys.executable, "-m", "tests.support.links_nodes", LEASE, str(count), *urls])


def check(running: Process) -> None:
    """Wait until all frames have arrived; none may have come twice, or too early."""
    running.wait_for(r"\ball\b")
    assert b"wrong" not in running.output
    assert b"Traceback" not in running.output
    assert b"refuses" not in running.output


def test_engine_is_killed_and_restarted(engine: Engine) -> None:
    with nodes(2_000, *[engine.url] * 3) as running:
        for tenth in (2, 5):
            running.wait_for(f"arrived {tenth}")
            engine.kill()
            running.wait_for(rf"(?s)(No engine at.*){{{1 if tenth == 2 else 2}}}")
            engine.restart()
        check(running)


def test_engine_is_frozen(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine, nodes(1_000, *[engine.url] * 2) as running:
        running.wait_for("arrived 3")
        engine.freeze()
        running.wait_for("No engine at")
        engine.thaw()
        check(running)


def test_cut_after_any_number_of_bytes(tmp_path: Path) -> None:
    with ExitStack() as stack:
        engine = stack.enter_context(Engine(tmp_path))
        limits = [range(first, 40_000, 3_989) for first in (5_000, 6_301, 7_707)]
        proxies = [stack.enter_context(Proxy(engine.port, *some)) for some in limits]
        urls = [f"redis://127.0.0.1:{proxy.address[2]}" for proxy in proxies]
        running = stack.enter_context(nodes(4_000, *urls))
        check(running)
        assert not any(proxy.limits_left for proxy in proxies)
        assert running.output.count(b"No engine at") >= 12


def test_inbox_is_lost(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine, nodes(1_500, *[engine.url] * 2) as running:
        for tenth in (3, 6):
            running.wait_for(f"arrived {tenth}")
            engine.command("FLUSHALL")
        check(running)
