"""The ways into a server, and a mark for the scenarios that are played through all of them."""

import pytest

from tests.certificates import usual

through_every_door = pytest.mark.parametrize("port", ["tcp:0", "epoll:0", "ssl"], indirect=True)


def description(door: str) -> str:
    """Return where a server listens that is to have a door."""
    return usual().port if door == "ssl" else door
