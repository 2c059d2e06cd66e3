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
    """Servers that are started for the first test that wants one like it, and used again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._idle: dict[tuple[str, ...], Server] = {}

    @contextmanager
    def lent(self, door: str, *options: str) -> Iterator[Server]:
        """Let a test have a server with nobody there; one that it broke is not used again."""
        kind = (door, *options)
        server = self._idle.pop(kind, None) or Server(*options, port=port_of(door, self._folder))
        with ExitStack() as ends:
            ends.enter_context(server)
            yield server
            is_as_new = server.is_left()
            assert b"Traceback" not in server.output
            if is_as_new:
                server.output = b""
                self._idle[kind] = server
                ends.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for server in self._idle.values():
            server.__exit__()
