"""Fixtures that more than one test module uses."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.doors import description
from tests.exchange import Exchange
from tests.server import Server

# How fast the machine is must not matter.
settings.register_profile("chatpair", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("chatpair")


@pytest.fixture
def exchange() -> Exchange:
    """An exchange without sockets."""
    return Exchange()


@pytest.fixture(params=["tcp:0", "epoll:0"])
def port(request: pytest.FixtureRequest) -> str:
    """Where a server listens: on Twisted's own transport, and on the one with the short path."""
    return description(request.param)


@pytest.fixture
def server(port: str) -> Iterator[Server]:
    """A real server with the options that it has by itself, on each kind of port."""
    with Server(port=port) as running:
        yield running
    assert b"Traceback" not in running.output
