"""The ways into a server: each with a server of its own, and what plays a scenario through many."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests.support.certificates import usual
from tests.support.server import WEB as WEB_PORT
from tests.support.server import Server

TCP = ("tcp:0", "epoll:0")
"""Twisted's own transport, and the one with the short path."""

LINES = (*TCP, "ssl", "unix", "haproxy:tcp:0", "haproxy:epoll:0")
"""The ways in for plain lines, and for JSON."""

WEB = ("websocket", "websocket-tls", "haproxy:websocket")
"""The ways in for JSON alone."""


def through(*doors: str) -> pytest.MarkDecorator:
    """Play a scenario that has a port, or a server, through these doors."""
    return pytest.mark.parametrize("door", doors, indirect=True)


def port_of(door: str, folder: Path) -> str:
    """Return where a Server is to listen that has a door; a socket file is in the folder."""
    ports = {
        "ssl": usual().port,
        "unix": f"unix:{folder / 'chatpair.socket'}",
        "websocket": WEB_PORT,
        "websocket-tls": f"web:{usual().port}",
        "haproxy:websocket": "web:haproxy:tcp:0",
    }
    return ports.get(door, door)


class Servers:
    """A server for each door, which is started for the first test and used again by the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._idle: dict[str, Server] = {}

    @contextmanager
    def lent(self, door: str) -> Iterator[Server]:
        """Let a test have the server of a door; one that it broke is not used again."""
        server = self._idle.pop(door, None) or Server(port=port_of(door, self._folder))
        with ExitStack() as ends:
            ends.enter_context(server)
            yield server
            if server.forgets():
                self._idle[door] = server
                ends.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for server in self._idle.values():
            server.__exit__()
