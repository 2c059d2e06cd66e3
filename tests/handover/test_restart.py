"""systemctl restart, with a test in the place of systemd."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from twisted.internet import tcp
from twisted.internet.defer import fail
from twisted.internet.protocol import Factory

from benchmarks.servers import free_port
from chatpair.handover import store
from chatpair.handover.others import Others
from chatpair.handover.ports import Ports
from chatpair.handover.service import Handover, Serving
from chatpair.handover.snapshot import VERSION, Snapshot
from tests.support.exchange import Exchange
from tests.support.forks import BIN
from tests.support.json_client import JsonLines
from tests.support.server import TIMEOUT, Client, Door, Process

START = """
import os, sys
given = [int(number) for number in sys.argv[1].split(",") if number]
for number, descriptor in enumerate(given, 100):
    os.dup2(descriptor, number)
for number in range(len(given)):
    os.dup2(100 + number, 3 + number, inheritable=True)
os.set_blocking(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)))
os.environ["NOTIFY_SOCKET"] = sys.argv[2]
os.environ["LISTEN_FDNAMES"] = ":".join(["a.socket"] + ["chatpair"] * (len(given) - 1))
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Starts a service with descriptors that were kept, as sd_listen_fds(3) says.

Before them is a socket of its own, which it makes blocking each time: NonBlocking= is not set.
"""


class Manager:
    """Starts a service again and again, listens, and keeps descriptors for it."""

    def __init__(self, folder: Path) -> None:
        self._where = str(folder / "notify")
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.settimeout(TIMEOUT)
        self._told.bind(self._where)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.ports = {"systemd": self._listening.getsockname()[1], "epoll": free_port()}
        self.kept: list[int] = []

    @contextmanager
    def started(self) -> Iterator[Process]:
        """Start the service, which tells when it is ready."""
        options = ["--handover", "systemd", "--port", "systemd:domain=INET:index=0"]
        options += ["--port", f"epoll:{self.ports['epoll']}"]
        command = [str(BIN / "twistd"), "-n", "--pidfile=", "chatpair", *options]
        given = [self._listening.fileno(), *self.kept]
        launch = [sys.executable, "-c", START, ",".join(map(str, given)), self._where, *command]
        with Process(launch, pass_fds=given, stdin=subprocess.DEVNULL) as process:
            self._is_told("READY=1")
            yield process
            if process.popen.poll() is None:
                process.kill(signal.SIGTERM)
            process.wait()

    def _is_told(self, last: str) -> None:
        """Do what the service asks for, until it has told something."""
        told = ""
        while told != last:
            data, descriptors, *_ = socket.recv_fds(self._told, 1_000, 253)
            told = data.decode()
            if told.startswith("FDSTORE=1\nFDNAME=chatpair"):
                self.kept += descriptors
            elif told.startswith("FDSTOREREMOVE=1"):
                self.forgets()
            else:
                assert told in (last, "STOPPING=1")
                for descriptor in descriptors:
                    os.close(descriptor)

    def stops_for_a_restart(self, process: Process) -> None:
        """Stop the service with the signal for that."""
        process.kill(signal.SIGUSR2)
        self._is_told("BARRIER=1")
        assert process.wait() == 0

    def forgets(self) -> None:
        """Close what is kept."""
        for descriptor in self.kept:
            os.close(descriptor)
        self.kept.clear()

    def close(self) -> None:
        """Close all."""
        self.forgets()
        self._told.close()
        self._listening.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with closing(Manager(tmp_path)) as running:
        yield running


@pytest.mark.parametrize("port", ["systemd", "epoll"])
def test_nobody_notices(port: str, manager: Manager) -> None:
    door = Door(manager.ports[port])
    with ExitStack() as people:
        with manager.started() as process:
            alice, bob = (people.enter_context(Client(door)) for _ in range(2))
            alice.says("alice")
            bob.says("bob")
            assert (alice.line(), bob.line()) == ("OK", "OK")
            alice.calls("bob")
            bob.line()
            alice.sends(b"hel")
            manager.stops_for_a_restart(process)
        alice.sends(b"lo\n")
        with manager.started() as process:
            assert manager.kept == []
            assert bob.text() == "hello"
            carol = people.enter_context(Client(door))
            carol.says("alice")
            assert carol.line() == "Reuse"
            alice.tells(bob, "nobody else comes")


def test_what_is_not_kept_is_lost_as_any_connection_is(manager: Manager) -> None:
    door = Door(manager.ports["systemd"])
    with ExitStack() as people:
        with manager.started() as process:
            alice = people.enter_context(JsonLines(door))
            key = alice.enters("alice")
            manager.stops_for_a_restart(process)
        for descriptor in manager.kept[1:]:  # FileDescriptorStoreMax= is too low
            os.close(descriptor)
        del manager.kept[1:]
        alice.close()
        with manager.started():
            again = people.enter_context(JsonLines(door))
            again.does("resume", key=key, seen=1)
            assert again.events("resumed")[0]["name"] == "alice"


def test_what_can_not_be_read_is_told(manager: Manager) -> None:
    kept = os.memfd_create("chatpair")
    os.write(kept, b"\x81\xa7version\x63")
    manager.kept.append(kept)
    with manager.started() as process:
        process.wait_for("All lines are lost over this restart: its snapshot has version 99")
        assert manager.kept == []


def test_without_a_manager_it_stops(manager: Manager) -> None:
    with manager.started() as process:
        Path(manager._where).unlink()
        process.kill(signal.SIGUSR2)
        process.wait()
        process.wait_for("No other process takes over: systemd can't be given all")
        process.wait_for("Main loop terminated")


def test_what_is_given_may_be_more_files_than_select_knows(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager._where)
    with ExitStack() as files:
        for _ in range(1_100):
            files.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        giving = threading.Thread(target=store.put, args=(b"all", []))
        giving.start()
        manager._is_told("BARRIER=1")
        giving.join(TIMEOUT)
    assert os.pread(manager.kept[0], 10, 0) == b"all"


@pytest.fixture
def clock(exchange: Exchange) -> Any:
    """A clock that an EpollPoller takes for a reactor."""
    clock: Any = exchange.clock
    clock.addReader = clock.removeReader = lambda _: None
    return clock


def took_over(exchange: Exchange, ports: Ports, others: Others) -> Handover:
    """Return what has taken over from a server on which nobody was."""
    given = store.Kept(Snapshot(VERSION, exchange.clock.seconds(), {}))
    handover = Handover(Serving(exchange.factory, ports, others), ports, lambda: given)
    with handover.taking_over():
        pass
    return handover


def test_what_was_taken_over_goes_on_before_the_next_restart(
    exchange: Exchange, clock: Any, logged: list[str]
) -> None:
    took_over(exchange, Ports(), Others()).restart()
    assert logged == ["Took over 0 users"]
    clock.advance(0)
    assert logged[1].startswith("No other process takes over: systemd can't be given all")


@pytest.mark.usefixtures("clock")
def test_others_can_come_whatever_fails_while_all_goes_on(
    exchange: Exchange, logged: list[str]
) -> None:
    others, opened = Mock(wraps=Others()), Mock(tcp.Port)
    others.heard.side_effect = lambda: fail(OSError("odd"))
    took_over(exchange, Ports(opened={"tcp:0": opened}), others)
    opened.startReading.assert_called_once_with()
    assert "Not all goes on" in logged


def test_a_port_that_is_closed_meanwhile_stays_closed() -> None:
    Ports(opened={"tcp:0": tcp.Port(0, Factory())}).go_on()


def test_ports_that_are_not_used_any_more_are_gone_but_for_those_of_systemd(tmp_path: Path) -> None:
    given = {}
    for description in (f"unix:{tmp_path}/own", "systemd:domain=UNIX:index=0"):
        sock = given[description] = socket.socket(socket.AF_UNIX)
        sock.bind(str(tmp_path / description.partition(":")[0]))
        sock.listen()
    Ports(given=given).close_unused()
    assert [path.name for path in tmp_path.iterdir()] == ["systemd"]
