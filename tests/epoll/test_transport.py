"""A connection on epoll:, as Twisted documents its own, and what is better than on that."""

import os
import re
import resource
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from chatpair.epoll.poller import EVENTS_A_TURN
from chatpair.epoll.transport import EpollTransport
from tests.support.server import TIMEOUT, reset
from tests.support.turns import Listening, Recorder, read_all

NOVEL = b"".join(b"%07d\n" % number for number in range(1_000_000))
"""More than any kernel takes at once from somebody whom nobody reads."""


def test_twisteds_own_tests(tmp_path: Path) -> None:
    trial = [sys.executable, "-m", "twisted.trial", "--temp-directory"]
    run = subprocess.run(
        [*trial, str(tmp_path / "trial"), "tests.support.twisted_transports"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=10 * TIMEOUT,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    successes = re.search(r"PASSED \(.*successes=(\d+)\)", run.stdout)
    assert successes
    assert int(successes[1]) > 190  # without a network Twisted skips 15 of link-local addresses


# Writing


def test_a_write_is_on_its_way_when_it_returns(listening: Listening) -> None:
    client, protocol = listening.connect()
    protocol.transport.write(b"hello")
    assert client.recv(100) == b"hello"


def test_what_is_written_in_a_turn_goes_out_together_at_its_end(listening: Listening) -> None:
    class Echo(Recorder):
        def dataReceived(self, data: bytes) -> None:
            before = counted.send.call_count
            for letter in data:
                self.transport.write(bytes([letter]))
            assert counted.send.call_count == before

    listening.make = Echo
    client, protocol = listening.connect()
    counted = protocol.transport.socket = Mock(wraps=protocol.transport.socket)
    for times in (1, 2):
        client.sendall(b"hello")
        listening.reactor.turn_until(lambda: select.select([client], [], [], 0)[0])
        assert client.recv(100) == b"hello"
        assert counted.send.call_count == times


def test_a_producer_waits_until_all_is_written(listening: Listening) -> None:
    client, protocol = listening.connect()
    protocol.transport.registerProducer(protocol, True)
    with pytest.raises(RuntimeError, match="is not unregistered"):
        protocol.transport.registerProducer(protocol, True)
    protocol.transport.write(b"x" * protocol.transport.bufferSize)
    assert protocol.events == []
    protocol.transport.write(NOVEL)
    assert protocol.events == ["pause"]
    got = 0
    while "resume" not in protocol.events:
        got += len(client.recv(65_536))
        listening.reactor.turn()
    assert got > 0
    while not protocol.transport.unsent:
        protocol.transport.write(b"x" * 65_536)
        got -= 65_536
    while protocol.transport.unsent:
        got += len(client.recv(65_536))
        listening.reactor.turn()
    assert protocol.events == ["pause", "resume"]  # which was not paused again
    protocol.transport.unregisterProducer()
    protocol.transport.loseConnection()
    rest = read_all(listening, client)
    assert got + len(rest) == 65_536 + len(NOVEL)
    assert protocol.events == ["pause", "resume"]


def test_a_producer_is_told_when_the_connection_is_lost(listening: Listening) -> None:
    client, protocol = listening.connect()
    with pytest.raises(TypeError, match="Data must be bytes"):
        protocol.transport.write("text")
    protocol.transport.registerProducer(protocol, True)
    reset(client)
    listening.reactor.turn_until(lambda: protocol.reason)
    protocol.transport.registerProducer(protocol, True)
    assert protocol.events == ["stop", "stop"]


def test_a_write_to_one_who_is_gone_ends_the_connection_later(listening: Listening) -> None:
    client, protocol = listening.connect()
    reset(client)
    for _ in range(3):
        protocol.transport.write(b"hello")
    assert protocol.reason is None
    listening.reactor.turn_until(lambda: protocol.reason)
    assert isinstance(protocol.reason, ConnectionLost)
    assert protocol.events == []  # the reader has met no end of input
    protocol.transport.write(b"nobody")
    protocol.transport.abortConnection()
    protocol.transport.loseConnection()
    protocol.transport.loseWriteConnection()


# Reading, and not reading


@pytest.mark.parametrize("input_ends", [False, True])
def test_a_reset_is_noticed_though_nothing_is_read(listening: Listening, input_ends: bool) -> None:
    client, protocol = listening.connect()
    if input_ends:
        client.shutdown(socket.SHUT_WR)
        listening.reactor.turn_until(lambda: protocol.events)
    else:
        protocol.transport.pauseProducing()
    reset(client)
    listening.reactor.turn_until(lambda: protocol.reason)
    assert isinstance(protocol.reason, ConnectionLost)


def test_an_answer_before_unread_input_is_not_destroyed(listening: Listening) -> None:
    client, protocol = listening.connect()
    protocol.transport.pauseProducing()
    client.sendall(b"unread")
    protocol.transport.write(b"bye")
    protocol.transport.loseConnection()
    listening.reactor.turn_until(lambda: protocol.reason)
    assert client.recv(100) == b"bye"
    assert client.recv(100) == b""


def test_a_closed_connection_that_a_forked_process_has_is_served_no_more(
    listening: Listening,
) -> None:
    client, protocol = listening.connect()
    copy = os.dup(protocol.transport.fileno())
    try:
        protocol.transport.loseConnection()
        listening.reactor.turn_until(lambda: protocol.reason)
        reset(client)
        assert listening.reactor.turn() == 0
    finally:
        os.close(copy)


def test_one_who_is_aborted_is_told_so_in_a_turn_of_its_own(listening: Listening) -> None:
    listening.make = lambda: Neighbour(listening.accepted, "abortConnection")
    (one, _), (other, aborted) = listening.connect(), listening.connect()
    one.sendall(b"hello")
    reset(other)
    listening.reactor.turn_until(lambda: aborted.reason)
    assert isinstance(aborted.reason, ConnectionAborted)


# Many in a turn


class Neighbour(Recorder):
    """Does something to another connection when it hears from its own client."""

    def __init__(self, others: list[Any], does: str) -> None:
        super().__init__()
        self.others = others
        self.does = does

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        for other in self.others:
            if other is not self:
                getattr(other.transport, self.does)()


@pytest.mark.parametrize("does", ["pauseProducing", "abortConnection"])
def test_one_that_another_stopped_in_the_same_turn_is_not_read(
    listening: Listening, does: str
) -> None:
    listening.make = lambda: Neighbour(listening.accepted, does)
    pairs = [listening.connect() for _ in range(3)]
    for client, _ in pairs:
        client.sendall(b"hello")
    listening.reactor.turn_until(lambda: any(protocol.data for _, protocol in pairs))
    assert sorted(protocol.data for _, protocol in pairs) == [b"", b"", b"hello"]


def test_ten_thousand_that_are_ready_at_once_leave_turns_to_others(listening: Listening) -> None:
    class ReadsOnce(Recorder):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.transport.pauseProducing()

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 11_000), before[1]))
    address = IPv4Address("TCP", "127.0.0.1", 1)
    protocols = []
    try:
        for number in range(10_000):
            near, far = socket.socketpair()
            far.send(b"hello")
            far.close()
            protocols.append(ReadsOnce())
            poller = listening.port.poller
            protocols[-1].makeConnection(
                EpollTransport(near, protocols[-1], address, poller, number)
            )
        due: list[None] = []
        turns = served = 0
        while served < 10_000:
            listening.reactor.callLater(0, due.append, None)
            listening.reactor.turn()
            turns += 1
            before_turn, served = served, sum(bool(protocol.data) for protocol in protocols)
            assert served - before_turn <= EVENTS_A_TURN
            assert len(due) == turns
        assert turns >= 10_000 / EVENTS_A_TURN
    finally:
        for protocol in protocols:
            protocol.transport.connectionLost(Failure(ConnectionDone()))
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


# Protocols that fail


def faulty(method: str) -> Any:
    """Return a protocol that comes to each of its methods, and fails in one."""

    class Faulty(Recorder):
        def connectionMade(self) -> None:
            self.transport.registerProducer(self, True)

        def readConnectionLost(self) -> None:
            self.transport.loseWriteConnection()

        def writeConnectionLost(self) -> None:
            self.transport.loseConnection()

    def fail(protocol: Faulty, *arguments: Any) -> None:
        if method == "connectionLost":
            Recorder.connectionLost(protocol, *arguments)
        raise ZeroDivisionError(method)

    setattr(Faulty, method, fail)
    return Faulty


@pytest.mark.parametrize(
    "method",
    [
        *("stopProducing", "connectionMade", "dataReceived", "readConnectionLost"),
        *("writeConnectionLost", "connectionLost"),
    ],
)
def test_a_protocol_that_fails_ends_its_own_connection(listening: Listening, method: str) -> None:
    other_client, other = listening.connect()
    with capturedLogs() as log:
        listening.make = faulty(method)
        client, failing = listening.connect()
        if method != "connectionMade":
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
        listening.reactor.turn_until(lambda: failing.reason)
    (failure,) = [event["log_failure"] for event in log if "log_failure" in event]
    assert failure.check(ZeroDivisionError)
    if method not in ("connectionLost", "stopProducing"):
        assert isinstance(failing.reason, ZeroDivisionError)
    other_client.sendall(b"still here")
    listening.reactor.turn_until(lambda: other.data)
