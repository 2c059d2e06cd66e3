"""The ways into a server, and the mark of a scenario that is played through several of them."""

from pathlib import Path

import pytest

from tests.support.certificates import usual

TCP = ("tcp:0", "epoll:0")
"""Twisted's own transport, and the one with the short path."""

LINES = (*TCP, "ssl", "unix", "haproxy:tcp:0", "haproxy:epoll:0")
"""The ways in for plain lines, and for JSON."""

WEB = ("websocket", "websocket-tls", "haproxy:websocket")
"""The ways in for JSON alone."""


def through(*doors: str) -> pytest.MarkDecorator:
    """Play a scenario that has a port, or a server, through these doors."""
    return pytest.mark.parametrize("port", doors, indirect=True)


def port_of(door: str, folder: Path) -> str:
    """Return where a Server is to listen that has a door; a socket file is in the folder."""
    ports = {
        "ssl": usual().port,
        "unix": f"unix:{folder / 'chatpair.socket'}",
        "websocket": "web:tcp:0",
        "websocket-tls": f"web:{usual().port}",
        "haproxy:websocket": "web:haproxy:tcp:0",
    }
    return ports.get(door, door)
