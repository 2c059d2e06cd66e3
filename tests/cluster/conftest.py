"""Fixtures for the tests of clusters."""

from collections.abc import Iterator

import pytest

from tests.support.cluster_nodes import Store, World, store


@pytest.fixture(scope="session")
def kept_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A real engine for nodes in this process; whoever begins empties it."""
    with store(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def world(kept_store: Store) -> World:
    """No node yet."""
    return World(kept_store)
