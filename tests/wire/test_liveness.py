"""What the kernel knows of the other end, asked of real sockets."""

import select
import socket
import struct
from collections.abc import Iterator
from functools import partial
from unittest.mock import Mock

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from chatpair.exchange.delay import Delay
from chatpair.wire import liveness
from tests.support.exchange import Exchange, Party
from tests.support.handed_over import hand_over
from tests.support.server import TIMEOUT, reset


@pytest.fixture
def tcp() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname(), TIMEOUT)
        other, _ = listener.accept()
    with one, other:
        yield one, other


@pytest.fixture
def unix() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a unix connection."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def wait_until_readable(sock: socket.socket) -> None:
    assert select.select([sock], [], [], TIMEOUT)[0]


@pytest.mark.parametrize("no_delay", [0, 1])  # as some transports have set it already
def test_the_options_of_a_tcp_connection(
    tcp: tuple[socket.socket, socket.socket], no_delay: int
) -> None:
    tcp[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, no_delay)
    liveness.set_options(tcp[0])
    for level, option, value in [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.SOL_SOCKET, socket.SO_OOBINLINE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    ]:
        assert tcp[0].getsockopt(level, option) == value
    tcp[0].close()
    liveness.set_options(tcp[0])  # which is too late, and harms nobody


def test_other_transports_have_no_options(unix: tuple[socket.socket, socket.socket]) -> None:
    liveness.set_options(unix[0])
    assert unix[0].getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
    assert liveness.socket_of(StringTransport()) is None
    assert liveness.socket_of(Mock(getHandle=lambda: "a TLS connection")) is None


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_half_closed_end_is_not_gone(kind: str, request: pytest.FixtureRequest) -> None:
    one, other = request.getfixturevalue(kind)
    other.shutdown(socket.SHUT_WR)
    wait_until_readable(one)
    assert one.recv(1) == b""
    assert not liveness.is_gone(one, all_read=True)


def test_a_live_end_is_not_silent_and_one_that_was_reset_is_gone(
    tcp: tuple[socket.socket, socket.socket],
) -> None:
    one, other = tcp
    one.sendall(b"hello")
    assert other.recv(10) == b"hello"
    assert not liveness.is_silent(one)
    reset(other)
    wait_until_readable(one)
    assert liveness.is_gone(one, all_read=True)
    assert liveness.is_gone(one, all_read=False)


def test_a_closed_end_is_gone_once_it_was_told_something(
    tcp: tuple[socket.socket, socket.socket],
) -> None:
    one, other = tcp
    other.close()
    wait_until_readable(one)
    assert not liveness.is_gone(one, all_read=True)
    one.sendall(b"Listening.\r\n")
    poll = select.poll()
    poll.register(one, 0)
    assert poll.poll(TIMEOUT * 1_000)
    assert liveness.is_gone(one, all_read=True)


def test_what_came_before_the_other_end_closed_may_wait_to_be_read(
    unix: tuple[socket.socket, socket.socket],
) -> None:
    one, other = unix
    clock = Clock()
    watched = Mock()
    checks: Delay[liveness.Watch] = Delay(clock, 1, lambda watch: watch.look())
    watch = liveness.Watch(clock, checks, one, watched, 0.0)
    watch.begin()
    watch.reads(False)  # because of flow control
    other.sendall(b"last words")
    other.close()
    clock.pump([1] * 5)
    watched.vanished.assert_not_called()
    watch.input_ended()
    clock.advance(1)
    watched.vanished.assert_called_once_with("reset")


def test_what_nobody_read_from_a_unix_socket_is_not_delivered(
    unix: tuple[socket.socket, socket.socket],
) -> None:
    one, other = unix
    assert liveness.is_delivered(one)
    one.sendall(b"hello")
    assert not liveness.is_delivered(one)
    assert not liveness.is_silent(one)
    assert other.recv(10) == b"hello"
    assert liveness.is_delivered(one)


@pytest.mark.parametrize(
    ("probes", "unacknowledged", "last_data", "last_heard", "silent"),
    [
        (0, 1, 90_000, 26_000, True),
        (0, 1, 90_000, 25_999, False),
        (0, 1, 100, 26_000, False),  # what it said acknowledges nothing new
        (3, 0, 90_000, 26_000, True),
        (2, 0, 100_000, 100_000, False),  # its window is full, and the next probe is far off
        (0, 0, 10_000_000, 10_000_000, False),
    ],
)
def test_what_counts_as_silent(
    probes: int, unacknowledged: int, last_data: int, last_heard: int, silent: bool
) -> None:
    class Socket(socket.socket):
        def getsockopt(self, *option: int) -> bytes:  # type: ignore[override]
            return struct.pack("3xB20xI24xII", probes, unacknowledged, last_data, last_heard)

    with Socket() as sock:
        assert liveness.is_silent(sock) == silent


# What is made of it


class Kernel:
    """What the kernel says of a connection, for the time of a test."""

    delivered = True
    gone = silent = False

    def __init__(self, monkeypatch: pytest.MonkeyPatch, party: Party) -> None:
        for question in ("delivered", "gone", "silent"):
            name = f"is_{question}"
            answer = partial(lambda question, *_, **__: getattr(self, question), question)
            monkeypatch.setattr(liveness, name, answer)
        self.is_asked_of(party)

    def is_asked_of(self, party: Party) -> None:
        party.protocol.socket = Mock()
        party.protocol.outgoing.all_arrived()  # as if nothing was told: it had no socket


def test_a_silent_end_is_noticed(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = exchange.pair()
    kernel = Kernel(monkeypatch, bob)
    exchange.clock.pump([1] * 10)
    alice.says("hello")
    kernel.delivered = False
    exchange.clock.pump([1] * 30)
    assert not bob.transport.disconnected
    kernel.silent = True
    exchange.clock.pump([1] * 5)
    assert bob.transport.disconnected
    bob.drops()
    assert alice.heard() == ["Quit."]
    assert exchange.factory.activity.totals["went", "vanished"] == 1


def test_an_end_that_was_told_something_just_now_is_not_silent(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = exchange.pair()
    kernel = Kernel(monkeypatch, bob)
    exchange.clock.pump([1] * 100)
    kernel.delivered, kernel.silent = False, True  # as after a long silence
    alice.says("hello")
    exchange.clock.pump([1] * 19)
    assert not bob.transport.disconnected
    kernel.delivered = True
    exchange.clock.pump([1] * 60)
    assert not bob.transport.disconnected
    assert exchange.clock.getDelayedCalls() == []
    assert bob.protocol.outgoing.watch is None  # all has arrived


@pytest.mark.parametrize("then", ["it waits", "it waits for a turn", "it is handed over"])
def test_a_reset_is_noticed_though_nothing_is_read(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    alice, bob = exchange.pair()
    kernel = Kernel(monkeypatch, alice)
    exchange.clock.pump([1] * 60)
    if then == "it waits for a turn":
        alice.protocol.dataReceived(b"x\x7f\n" * 100)
        assert alice.paused
    bob.fills()
    exchange.clock.pump([1] * 60)
    assert alice.paused
    if then == "it is handed over":
        hand_over(exchange, lambda: kernel.is_asked_of(alice), compares=False)
    kernel.gone = True
    exchange.clock.pump([1] * 6)
    assert alice.transport.disconnected
    assert not bob.transport.disconnected


def test_a_listener_that_is_gone_is_noticed_at_once(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = exchange.pair()
    kernel = Kernel(monkeypatch, alice)
    alice.ends_input()
    kernel.gone = True
    exchange.clock.advance(0.1)
    assert alice.transport.disconnected
    alice.drops()
    assert bob.heard() == ["Quit."]


def test_a_connection_that_closes_is_left_to_close(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = exchange.enter("alice")
    kernel = Kernel(monkeypatch, alice)
    kernel.gone = True
    alice.says("Quit")
    exchange.clock.pump([1] * 10)
    assert not alice.transport.disconnected
