"""Fixtures that more than one test module uses."""

import os
import resource
from collections import deque
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from selenium.webdriver import Chrome
from twisted.logger import formatEvent, globalLogPublisher

from benchmarks.servers import SHARE, share_of
from tests.support.browser import Pages, browser
from tests.support.cluster import Cluster, settle
from tests.support.doors import Servers, port_of
from tests.support.engine import Engine
from tests.support.exchange import Exchange
from tests.support.reactor import Reactor
from tests.support.server import Server

# How fast the machine is must not matter; only a machine that nobody waits for tries many examples.
for profile, examples in (("quick", 100), ("thorough", 300)):
    settings.register_profile(
        profile,
        deadline=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("thorough" if os.environ.get("CI") == "true" else "quick")

# Each of many processes would compile all anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A user who is not root may often have but a thousand files, and some tests connect as many.
_, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many tests run side by side: none if they are named one by one."""
    named = [argument for argument in config.args if "::" in argument]
    return 0 if named else 3 * (os.cpu_count() or 1)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is left out, if it is."""
    if config.option.markexpr == "not endurance":
        return "left out: what takes minutes; pytest -m endurance runs that"
    return None


SHARED = {"chromium": 4, "shared_cluster": 3, "shared_engine": 1, "servers": 1, "port": 1}
"""Fixtures that take long to make, or ask for a server, and how long a test with one takes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let as few workers as can be make each of what tests share.

    Each worker begins with as many items, the slow ones first; others take from the end of those.
    """

    def kind(item: pytest.Item) -> tuple[int, str]:
        names = getattr(item, "fixturenames", ())
        of_all = [at for at, shared in enumerate(SHARED) if shared in names]
        params = item.callspec.params if hasattr(item, "callspec") else {}
        return (of_all or [len(SHARED)])[0], str(params.get("door", ""))

    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
    if workers == 0:
        return
    slow = deque(sorted((item for item in items if kind(item)[0] < len(SHARED)), key=kind))
    others = deque(item for item in reversed(items) if kind(item)[0] == len(SHARED))
    weights = list(accumulate([*SHARED.values()][kind(item)[0]] for item in slow))
    ordered: list[pytest.Item] = []
    for at in range(1, workers + 1):
        while slow and weights[-len(slow)] <= weights[-1] * at / workers:
            ordered.append(slow.popleft())
        while others and len(ordered) < len(items) * at // workers:
            ordered.append(others.popleft())
    items[:] = ordered


@pytest.fixture(scope="session", autouse=True)
def ports(worker_id: str) -> None:
    """Let no other worker take a port from where this one does, and what it starts."""
    if worker_id != "master":
        workers = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        which = int(worker_id.removeprefix("gw")) % workers
        # Two runs at the same time have a share each, however many workers the other one has.
        os.environ[SHARE] = share_of(which, workers)


@pytest.fixture
def exchange() -> Exchange:
    """An exchange without sockets."""
    return Exchange()


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What is logged, a line each."""
    lines: list[str] = []
    observer: Any = lambda event: lines.append(formatEvent(event))  # noqa: E731
    globalLogPublisher.addObserver(observer)
    yield lines
    globalLogPublisher.removeObserver(observer)


@pytest.fixture
def door(request: pytest.FixtureRequest) -> str:
    """The way into a server: the one that a bare number means, unless a scenario is marked."""
    return str(getattr(request, "param", "epoll:0"))


@pytest.fixture
def port(door: str, tmp_path: Path) -> str:
    """Where a server listens that a test starts for itself."""
    return port_of(door, tmp_path)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers that tests use one after the other."""
    with Servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture
def server(door: str, servers: Servers) -> Iterator[Server]:
    """A real server with the options that it has by itself, and nobody there."""
    with servers.lent(door) as running:
        yield running


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser, which takes seconds to start."""
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def web(servers: Servers) -> Iterator[Server]:
    """A server with a web door, and nobody there."""
    with servers.lent("websocket") as running:
        yield running


@pytest.fixture
def pages(chromium: Chrome) -> Iterator[Pages]:
    """What opens pages, in tabs of their own."""
    with Pages(chromium) as opened:
        yield opened


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A real engine, which is empty and keeps nothing."""
    with Engine(tmp_path / "engine") as running:
        yield running


@pytest.fixture(scope="session")
def _lasting_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine")) as running:
        yield running


@pytest.fixture
def shared_engine(_lasting_engine: Engine) -> Iterator[Engine]:
    """A real engine that goes on from test to test, where nodes can have names at once."""
    if not _lasting_engine.command("DBSIZE"):
        settle(_lasting_engine)
    yield _lasting_engine
    if _lasting_engine.command("HLEN", "{chatpair}:nodes"):
        _lasting_engine.command("FLUSHALL")  # a killed node is a member still


@pytest.fixture(scope="session")
def _lasting_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    limits = ("--max-per-host", "5000")
    with (
        Engine(tmp_path_factory.mktemp("cluster")) as running,
        Cluster(running, 3, *limits) as cluster,
    ):
        yield cluster


@pytest.fixture
def shared_cluster(_lasting_cluster: Cluster) -> Iterator[Cluster]:
    """Three nodes that go on from test to test: each names its users with the mark of its own."""
    _lasting_cluster.next_mark()
    yield _lasting_cluster
    _lasting_cluster.close_clients()


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    """A real reactor."""
    running = Reactor()
    yield running
    running.close()
