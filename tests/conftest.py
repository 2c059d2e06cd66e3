"""Fixtures that more than one test module uses."""

from collections.abc import Iterator

import pytest

from tests.exchange import Exchange
from tests.server import Server


@pytest.fixture
def exchange() -> Exchange:
    """An exchange without sockets."""
    return Exchange()


@pytest.fixture
def server() -> Iterator[Server]:
    """A real server with the options that it has by itself."""
    with Server() as running:
        yield running
    assert b"Traceback" not in running.output
