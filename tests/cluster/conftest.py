"""Fixtures for the tests of clusters."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support import links
from tests.support.cluster_nodes import Node, Store, World
from tests.support.engine import Engine, EngineClient


@pytest.fixture(scope="session")
def kept_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A real engine for nodes in this process; whoever begins empties it."""
    folder = tmp_path_factory.mktemp("store")
    with Engine(folder, port=False) as engine, closing(EngineClient(engine.path)) as client:
        yield Store(client)


@pytest.fixture
def world(kept_store: Store) -> World:
    """No node yet."""
    return World(kept_store)


@pytest.fixture
def net() -> links.Net:
    """Two nodes that tell each other numbers."""
    return links.Net("a", "b")


@pytest.fixture
def a(net: links.Net) -> links.Node:
    """The first of these."""
    return net.nodes["a"]


@pytest.fixture
def b(net: links.Net) -> links.Node:
    """The second."""
    return net.nodes["b"]


@pytest.fixture
def pair(world: World) -> tuple[Node, Node]:
    """Two nodes that are ready, of which the first has alice."""
    one, other = world.ready("a", "b")
    assert one.enter("alice") == ["yours"]
    one.told.clear()
    other.told.clear()
    return one, other


@pytest.fixture
def one(pair: tuple[Node, Node]) -> Node:
    """The first of them, who has alice."""
    return pair[0]


@pytest.fixture
def other(pair: tuple[Node, Node]) -> Node:
    """The second."""
    return pair[1]
