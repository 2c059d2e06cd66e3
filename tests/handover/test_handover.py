"""A server is replaced while people talk: real processes, real sockets."""

import re
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from benchmarks.servers import free_port
from chatpair.handover import passing
from chatpair.handover.passing import Refused
from chatpair.handover.snapshot import READ, VERSION, Snapshot, encode
from tests.support.doors import LINES, WEB, through
from tests.support.json_people import pair, resume
from tests.support.replacing import Replaced
from tests.support.server import TIMEOUT, Server
from tests.support.talking import talk


@through(*[door for door in LINES if door != "ssl"])
def test_nobody_notices(port: str, tmp_path: Path) -> None:
    with Replaced(tmp_path, port=port) as replaced:
        alice, bob = replaced.server.pair()
        for text in ("hello", "world"):
            alice.sends(text[:3].encode())
            door = replaced.server.door
            old = replaced.replace()
            assert replaced.server.door == door
            assert b"stopping" not in old.output
            alice.sends(text[3:].encode() + b"\n")
            assert bob.text() == text
            bob.says(f"no, {text}")
            assert alice.text() == f"no, {text}"
        replaced.server.client("erin").says("To:bob")
        assert bob.line() == "erin tried to reach you."
        alice.says("Quit")
        assert (alice.line(), alice.line()) == ("Quit", "")
        assert bob.line() == "Quit."


@through("unix")  # over which no reset tells it
def test_a_listener_that_goes_later_is_noticed(port: str, tmp_path: Path) -> None:
    with Replaced(tmp_path, "--linger", "100000", port=port) as replaced:
        alice, bob = replaced.server.pair()
        alice.ends_input()
        assert alice.line() == "Listening."
        replaced.replace()
        bob.tells(alice, "still here?")
        alice.close()
        assert bob.line() == "Quit."


@through("ssl", *WEB)
def test_what_can_not_move_comes_back(port: str, tmp_path: Path) -> None:
    with Replaced(tmp_path, port=port) as replaced:
        alice, bob, key = pair(replaced.server)
        told: list[Any] = []
        replaced.replace(lambda: told.extend(alice.rest() + bob.rest()))
        assert [(event["code"], event.get("seq")) for event in told] == [("try-later", None)] * 2
        resume(replaced.server, key, 2).does("say", id=1, text="I am back")


@pytest.mark.parametrize("kind", ["epoll", "tcp"])
def test_who_comes_by_a_proxy_that_has_not_said_all(kind: str, tmp_path: Path) -> None:
    web = free_port()
    options = ("--web", f"haproxy:tcp:{web}:interface=127.0.0.1")
    with Replaced(tmp_path, *options, port=f"haproxy:{kind}:0") as replaced, ExitStack() as ends:
        by_port, silent, by_web = (
            ends.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT))
            for port in (replaced.server.port, replaced.server.port, web)
        )
        by_port.sendall(b"PROXY TCP4 10.0.0.1")
        by_web.sendall(b"PROXY TCP4 10.0.0.1")
        replaced.replace()
        by_port.sendall(b" 10.0.0.2 1 2\r\nalice\n")
        assert by_port.recv(100) == b"OK\r\n"
        silent.sendall(b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nbob\n")
        assert silent.recv(100) == b"OK\r\n"
        by_web.sendall(b" 10.0.0.2 1 2\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert by_web.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")


# What goes wrong: for who is killed meanwhile see tests/cluster


def test_what_the_new_one_can_not_do_is_told_by_both(tmp_path: Path) -> None:
    with Replaced(tmp_path) as replaced:
        alice, bob = replaced.server.pair()
        with Server() as other, replaced.starting("--port", str(other.port)) as new:
            assert new.wait() == 1
            new.wait_for("Address already in use")
        replaced.server.wait_for("No other process takes over: Couldn't listen on .*in use")
        alice.tells(bob, "still here?")
        # Whoever comes next can wait for the end of the one that has gone on.
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(replaced.path))
            credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        assert struct.unpack("3i", credentials)[0] == replaced.server.popen.pid


def test_a_snapshot_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    why = f"its snapshot has version {VERSION + 1}, and this server reads {READ}"
    with socket.socket(socket.AF_UNIX) as listening, ThreadPoolExecutor() as pool:
        listening.bind(str(path))
        listening.listen()

        def give() -> None:
            with listening.accept()[0] as sock:
                asked = passing._receive(sock)
                passing.give(sock, asked, encode(Snapshot(VERSION + 1, 0.0, {})), [])

        giving = pool.submit(give)
        with pytest.raises(Refused, match=re.escape(why)):
            passing.ask(path)
        with pytest.raises(Refused, match=re.escape(why)):
            giving.result(TIMEOUT)


# All the time


@pytest.mark.parametrize(
    ("pairs", "times"), [(6, 2), pytest.param(200, 20, marks=pytest.mark.endurance)]
)
def test_each_line_comes_once_and_in_order(pairs: int, times: int, tmp_path: Path) -> None:
    with Replaced(tmp_path, "--max-per-host", "1000") as replaced:
        talk([replaced.server.port], pairs, times, replaced.replace)
