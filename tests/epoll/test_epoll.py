"""The endpoint epoll: and its ports."""

import errno
import gc
import os
import resource
import select
import socket
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from chatpair.epoll.endpoint import (
    ACCEPTS_A_TURN,
    BACKLOG,
    REST_SECONDS,
    TOLD_SECONDS,
    EpollServerEndpoint,
)
from tests.support.turns import Listening, Recorder, Turns, log_of_a_test, read_all


@contextmanager
def no_files_left() -> Iterator[None]:
    """Let the process open no more files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    fillers = [os.dup(0)]
    while fillers[-1] < highest:
        fillers.append(os.dup(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (fillers[-1] + 1, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for filler in fillers:
            os.close(filler)


def complaints(log: list[dict[str, Any]]) -> list[str]:
    return [event["why"] for event in log if "Nobody can connect" in str(event.get("log_format"))]


def test_without_files_a_port_rests_and_says_so_once(listening: Listening) -> None:
    alice, protocol = listening.connect()
    with ExitStack() as sockets, log_of_a_test() as log:
        callers = [sockets.enter_context(socket.socket()) for _ in range(4)]
        with no_files_left():
            for caller in callers[:3]:
                caller.connect(listening.address)
                listening.reactor.turn()
                assert listening.port not in listening.reactor.readers
                assert caller.recv(1) == b""  # rather than left to wait
                listening.reactor.advance(REST_SECONDS)
                assert listening.port in listening.reactor.readers
            alice.sendall(b"hello")
            listening.reactor.turn_until(lambda: protocol.data)
        assert complaints(log) == [os.strerror(errno.EMFILE)]
        listening.connect()
        listening.reactor.advance(TOLD_SECONDS)
        with no_files_left():
            callers[3].connect(listening.address)
            listening.reactor.turn()
        assert len(complaints(log)) == 2


def test_without_watches_left_a_port_rests_too(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(listening.port.poller, "add", fail)
    with log_of_a_test() as log:
        for _ in range(3):
            assert listening.dial().recv(0) == b""
            listening.reactor.turn()
            assert listening.port not in listening.reactor.readers
            listening.reactor.advance(REST_SECONDS)
    assert complaints(log) == [os.strerror(errno.ENOSPC)]


def test_a_port_that_rests_can_be_closed(listening: Listening) -> None:
    listening.dial()
    with no_files_left():
        listening.reactor.turn()
    listening.port.stopListening()
    listening.reactor.advance(REST_SECONDS)
    assert listening.reactor.readers == []
    assert listening.reactor.getDelayedCalls() == []


def test_many_who_connect_at_once_leave_turns_to_others(listening: Listening) -> None:
    listening.port.socket.listen(2 * ACCEPTS_A_TURN)
    for _ in range(ACCEPTS_A_TURN + 1):
        listening.dial()
    listening.port.doRead()
    assert len(listening.accepted) == ACCEPTS_A_TURN
    listening.port.doRead()
    assert len(listening.accepted) == ACCEPTS_A_TURN + 1


def test_a_factory_may_refuse_and_may_fail(listening: Listening) -> None:
    def fail() -> Recorder:
        raise ZeroDivisionError

    listening.make = lambda: None
    refused = listening.dial()
    listening.reactor.turn()
    assert refused.recv(1) == b""
    listening.make = fail
    failed = listening.dial()
    with log_of_a_test() as log:
        listening.reactor.turn()
    assert failed.recv(1) == b""
    assert [event["log_failure"].type for event in log] == [ZeroDivisionError]
    listening.make = Recorder
    listening.connect()


def test_who_has_hung_up_and_is_not_read_costs_no_turns(listening: Listening) -> None:
    client, protocol = listening.connect()
    protocol.transport.pauseProducing()
    protocol.transport.loseWriteConnection()
    client.sendall(b"last words")
    assert read_all(listening, client) == b""
    client.close()
    listening.reactor.turn_until(lambda: not listening.reactor.turn())
    protocol.transport.resumeProducing()
    listening.reactor.turn_until(lambda: "input ended" in protocol.events)
    assert protocol.data == b"last words"


def test_who_resets_before_being_accepted(listening: Listening) -> None:
    client = listening.dial()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    listening.reactor.turn_until(lambda: listening.accepted and listening.accepted[0].reason)
    listening.connect()


def test_connections_outlive_a_port(listening: Listening) -> None:
    client, protocol = listening.connect()
    closed: list[object] = []
    stopped = listening.port.stopListening()
    assert stopped is not None
    stopped.addCallback(closed.append)
    listening.reactor.advance(0)
    assert closed == [None]
    with pytest.raises(ConnectionRefusedError):
        listening.dial()
    client.sendall(b"hello")
    listening.reactor.turn_until(lambda: protocol.data)
    client.close()
    protocol.transport.loseConnection()
    listening.reactor.turn_until(lambda: protocol.reason)
    assert listening.reactor.readers == []


def test_a_reactor_that_stops_ends_all_connections(listening: Listening) -> None:
    class Faulty(Recorder):
        def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
            raise ZeroDivisionError

    protocols = [listening.connect()[1]]
    listening.make = Faulty
    listening.connect()
    listening.make = Recorder
    protocols.append(listening.connect()[1])
    readers, listening.reactor.readers = listening.reactor.readers, []  # as removeAll does
    with log_of_a_test() as log:
        for reader in readers:
            reader.connectionLost(Failure(ConnectionError("stopped")))
    assert [str(protocol.reason) for protocol in protocols] == ["stopped", "stopped"]
    assert [event["log_failure"].type for event in log if "log_failure" in event] == [
        ZeroDivisionError
    ]


# The description


def test_a_description() -> None:
    reactor = Turns()
    endpoint = serverFromString(reactor, "epoll:0:interface=127.0.0.1:backlog=5")
    assert isinstance(endpoint, EpollServerEndpoint)
    ports: list[Any] = []
    factory = Factory.forProtocol(Recorder)
    endpoint.listen(factory).addCallback(ports.append)
    assert ports[0].getHost().host == "127.0.0.1"
    assert ports[0].backlog == 5
    taken = serverFromString(reactor, f"epoll:{ports[0].getHost().port}:interface=127.0.0.1")
    with warnings.catch_warnings():
        # Twisted before 25 leaves a socket that it could not bind to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        failed: list[Any] = []
        taken.listen(factory).addErrback(lambda failure: failed.append(failure.type))
        gc.collect()
    assert failed == [CannotListenError]
    ports[0].stopListening()
    reactor.advance(0)
    assert reactor.readers == []


@pytest.mark.parametrize(
    "description",
    ["epoll:port", "epoll:1:backlog=x", "epoll:1:colour=red", "epoll:1:shared=perhaps"],
)
def test_bad_descriptions(description: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        serverFromString(Turns(), description)


def test_a_system_without_epoll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "epoll")
    with pytest.raises(ValueError, match="this system has no epoll"):
        serverFromString(Turns(), "epoll:0")


def test_the_default_backlog() -> None:
    endpoint = serverFromString(Turns(), "epoll:0")
    assert endpoint == EpollServerEndpoint(endpoint.reactor, 0, BACKLOG)
