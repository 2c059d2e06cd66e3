"""A server that all programs can talk to, and what starts them."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.certificates import made, usual
from tests.support.doors import Servers
from tests.support.programs import COMMANDS, GREETING, Program, Telnet
from tests.support.server import Server, require

Start = Callable[..., Program | Telnet]


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server's unix socket is."""
    return tmp_path_factory.mktemp("programs") / "chatpair.socket"


@pytest.fixture
def server(path: Path, door: str, servers: Servers) -> Iterator[Server]:
    """A real server on a TCP port, a unix socket, and a port with TLS."""
    with servers.lent(door, "--port", f"unix:{path}", "--port", usual().port) as running:
        yield running


@pytest.fixture
def start(server: Server, path: Path) -> Iterator[Start]:
    """Start a program of COMMANDS, and say a name to the server if there is one."""
    where = {"port": server.port, "path": path, "tls": server.tls_port, "root": made().root}
    with ExitStack() as programs:

        def start(command: str, name: str = "") -> Program | Telnet:
            arguments = COMMANDS[command].format(**where).split()
            require(arguments[0])
            kind: Start = Telnet if command == "telnet" else Program
            program = kind(arguments)
            programs.enter_context(program)
            if kind is Telnet:
                program.wait_for(re.escape(GREETING))
            if name:
                program.types(name)
                program.shows("OK")
            return program

        yield start
