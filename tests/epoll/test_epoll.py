"""The endpoint epoll: and its ports."""

import errno
import gc
import os
import select
import warnings
from typing import Any

import pytest
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from chatpair.epoll.endpoint import ACCEPTS_A_TURN, BACKLOG, EpollServerEndpoint
from tests.support.server import Client, Server, reset
from tests.support.turns import Listening, Recorder, Turns, read_all


def test_without_watches_left_who_connects_is_turned_away(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with capturedLogs() as log, monkeypatch.context() as patch:
        patch.setattr(listening.port.poller, "add", fail)
        stranger = listening.dial()
        listening.reactor.turn()
        assert stranger.recv(1) == b""
    assert [event["acceptError"] for event in log] == [os.strerror(errno.ENOSPC)]
    listening.connect()


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
    with capturedLogs() as log:
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
    reset(listening.dial())
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
    assert not listening.reactor.readers


def test_a_reactor_that_stops_ends_all_connections(listening: Listening) -> None:
    class Faulty(Recorder):
        def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
            raise ZeroDivisionError

    protocols = [listening.connect()[1]]
    listening.make = Faulty
    listening.connect()
    listening.make = Recorder
    protocols.append(listening.connect()[1])
    readers, listening.reactor.readers = listening.reactor.readers, set()  # as removeAll does
    with capturedLogs() as log:
        for reader in readers:
            reader.connectionLost(Failure(ConnectionError("stopped")))
    assert [str(protocol.reason) for protocol in protocols] == ["stopped", "stopped"]
    assert [event["log_failure"].type for event in log if "log_failure" in event] == [
        ZeroDivisionError
    ]


# The description


def test_a_description() -> None:
    reactor = Turns()
    assert serverFromString(reactor, "epoll:0") == EpollServerEndpoint(reactor, 0, BACKLOG)
    endpoint = serverFromString(reactor, "epoll:0:interface=127.0.0.1:backlog=5")
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
    assert not reactor.readers


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


def test_two_servers_on_one_port() -> None:
    with Server(port="epoll:0:shared=yes") as one:
        port = f"epoll:{one.port}:interface=0.0.0.0:shared=yes"
        with Server(port=port) as other:
            welcomed = 0
            strangers: list[Client] = []
            while welcomed < 2:  # each has its own alice
                strangers.append(one.client())
                strangers[-1].says("alice")
                welcomed += strangers[-1].line() == "OK"
            one.stop()
            for number in range(20):
                assert other.client(f"user{number}")
