"""A real haproxy before the server."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from twisted.internet.address import IPv4Address

from chatpair.conformance.__main__ import CASES, play
from chatpair.conformance.place import Place
from chatpair.doors.proxied import Unknown, read_header
from tests.support.doors import through
from tests.support.server import TIMEOUT, Client, Door, Process, Server, require

CONFIGURATION = """
global
    log stderr format raw local0 notice
defaults
    mode tcp
    log global
    timeout connect 10s
    timeout client 10m
    timeout server 10m
frontend people
    bind fd@{descriptor}
    default_backend chatpair
backend chatpair
    server one 127.0.0.1:{port} {options}
"""
RULES = {
    *("a text", "quit", "half closed in a line", "half closed and listening"),
    *("a closed connection", "a reset connection", "a peer that does not read"),
}
VERSIONS = ["send-proxy", "send-proxy-v2"]
CHECKS = " check inter 20ms fall 1 rise 1 on-marked-down shutdown-sessions"


@contextmanager
def haproxy(folder: Path, port: int, options: str) -> Iterator[tuple[Process, Door]]:
    """Run a haproxy that passes connections on to a port; yield it, and where it listens."""
    program = require("haproxy")
    file = folder / "haproxy.cfg"
    with socket.create_server(("127.0.0.1", 0), backlog=1_000) as listening:
        descriptor = listening.fileno()
        file.write_text(CONFIGURATION.format(descriptor=descriptor, port=port, options=options))
        with Process([program, "-db", "-f", str(file)], pass_fds=[descriptor]) as process:
            yield process, Door(listening.getsockname()[1])


@through("haproxy:epoll:0", "haproxy:tcp:0")
@pytest.mark.parametrize("options", VERSIONS)
def test_lines_arrive_and_the_end_whichever_it_is(
    server: Server, tmp_path: Path, options: str
) -> None:
    with haproxy(tmp_path, server.port, options) as (_, door):
        at = [Place("tcp", "127.0.0.1", int(door.address))]
        for case in CASES:
            if case.name in RULES:
                outcome = play(case, at, TIMEOUT)
                assert not outcome.fault, outcome


@pytest.mark.parametrize("options", VERSIONS)
def test_a_server_that_is_killed_and_one_that_comes(tmp_path: Path, options: str) -> None:
    with ExitStack() as stack:
        # As many as may be from one host: checks may come from it too, and pile up for a moment.
        first = stack.enter_context(Server(port="haproxy:epoll:0"))
        process, door = stack.enter_context(haproxy(tmp_path, first.port, options + CHECKS))
        first.door = door
        alice = first.client("alice")
        first.kill()
        first.wait()
        assert alice.line() == ""
        process.wait_for("Server chatpair/one is DOWN")
        port = f"haproxy:epoll:{first.port}"
        second = stack.enter_context(Server(port=port))
        second.door = door
        process.wait_for("Server chatpair/one is UP")
        alice, bob = second.pair()
        alice.tells(bob, "still here")
        second.stop()
        told = second.output.decode().splitlines()
        assert [line for line in told if "refused" in line] == []  # nor were the checks


@pytest.mark.parametrize("options", VERSIONS)
def test_what_a_real_one_sends(tmp_path: Path, options: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=100) as backend,
        haproxy(tmp_path, backend.getsockname()[1], options + " check inter 20ms") as (_, door),
    ):
        backend.settimeout(TIMEOUT)
        found: set[str] = set()
        with Client(door, source="127.0.0.2") as client:
            client.says("alice")
            peer = IPv4Address("TCP", *client.socket.getsockname())
            while found != {"check", "client"}:
                connection, _ = backend.accept()
                with connection:
                    header = read_header(connection.recv(1_000))
                assert header
                found.add("client" if header[0] == peer else "check")
                if header[0] == peer:
                    continue
                if options == "send-proxy":
                    assert isinstance(header[0], IPv4Address)  # the proxy's own
                    assert header[0].host == "127.0.0.1"
                else:
                    assert isinstance(header[0], Unknown)
