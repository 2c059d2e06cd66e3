"""Where a server is, and how it is reached."""

import re
import socket
import ssl
from dataclasses import dataclass
from typing import Literal, cast

Kind = Literal["tcp", "tls", "haproxy", "unix"]

_PLACE = re.compile(r"(?:(tcp|tls|haproxy):)?(?:\[(\S+)\]|([^:\s]+)):(\d{1,5})")


@dataclass(frozen=True)
class Place:
    """A server's address; see place."""

    kind: Kind
    host: str
    """A host, or the path of a unix socket."""
    port: int = 0

    def connect(self, seconds: float) -> socket.socket:
        """Return a new connection, whose reads and writes take so long at most.

        Raises OSError.
        """
        if self.kind == "unix":
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(seconds)
            sock.connect(self.host)
            return sock
        sock = socket.create_connection((self.host, self.port), seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.kind == "haproxy":
            here, there = sock.getsockname()[:2], sock.getpeername()[:2]
            family = "TCP6" if ":" in here[0] else "TCP4"
            sock.sendall(f"PROXY {family} {here[0]} {there[0]} {here[1]} {there[1]}\r\n".encode())
        if self.kind == "tls":
            context = ssl.create_default_context()
            return context.wrap_socket(sock, server_hostname=self.host)
        return sock


def place(text: str) -> Place:
    """Return the place that HOST:PORT, tls:HOST:PORT, haproxy:HOST:PORT or unix:PATH means.

    Raises ValueError.
    """
    if text.startswith("unix:"):
        return Place("unix", text.removeprefix("unix:"))
    match = _PLACE.fullmatch(text)
    if match is None or int(match[4]) > 65_535:
        raise ValueError(text)
    return Place(cast(Kind, match[1] or "tcp"), match[2] or match[3], int(match[4]))
