"""Connections that begin with a header which says whose they are, as a proxy's do."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from chatpair.doors import proxied
from chatpair.doors.proxied import (
    SECOND_WRITE,
    ProxiedConnection,
    ProxiedFactory,
    Unknown,
    read_header,
)
from chatpair.wire.liveness import socket_of
from tests.support.exchange import Exchange, Party, Transport
from tests.support.server import Client, Server

V2 = b"\r\n\r\n\0\r\nQUIT\n"
TCP4 = b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 9999\r\n"
TCP6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 9999\r\n"


def v2(command: int, family: int, addresses: bytes = b"") -> bytes:
    return V2 + struct.pack("!BBH", 0x20 | command, family, len(addresses)) + addresses


def v2_tcp4(host: str) -> bytes:
    return v2(1, 0x11, socket.inet_aton(host) * 2 + struct.pack("!HH", 40_000, 9_999))


def v2_tcp6(host: str) -> bytes:
    packed = socket.inet_pton(socket.AF_INET6, host)
    return v2(1, 0x21, packed * 2 + struct.pack("!HH", 40_000, 9_999))


HEADERS = [
    TCP4,
    TCP6,
    b"PROXY UNKNOWN\r\n",
    b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
    v2_tcp4("192.0.2.7"),
    v2_tcp6("2001:db8::7"),
    v2(1, 0x11, socket.inet_aton("192.0.2.7") * 2 + bytes(4) + b"\4\0\1\0"),  # an addition
    v2(1, 0x31, b"/run/a".ljust(108, b"\0") * 2),
    v2(0, 0),
    v2(1, 0),
    v2(1, 0x55, bytes(100)),
    v2(0, 0x11, bytes(12)),  # the proxy's own, which looks if this is alive
]

WRONG = [
    b"alice\n",
    b"\n",
    b"PROXY\r\n",
    b"PROXY \r\n",
    b"PROXY TCP5 192.0.2.7 198.51.100.1 40000 9999\r\n",
    b"PROXY TCP4 192.0.2.7\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 many 9999\r\n",
    b"PROXY TCP4 somebody 198.51.100.1 40000 9999\r\n",
    b"PROXY TCP4 \xff 198.51.100.1 40000 9999\r\n",
    b"PROXY " + b"x" * 200,
    b"PROXY " + b"x" * 200 + b"\r\n",
    b"\r\n\r\nGET / HTTP/1.1\r\n",
    v2(2, 0x11),
    v2(1, 0x11, b"short"),
    V2 + b"\x11\x11\0\0",
]


# The header


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_ends_where_the_lines_begin(header: bytes) -> None:
    for end in range(len(header)):
        assert read_header(header[:end]) is None
    for rest in (b"", b"alice\nPROXY \r\n", V2):
        found = read_header(header + rest)
        assert found
        assert found[1] == len(header)


def test_whose_a_connection_is() -> None:
    peers = [found[0] for header in HEADERS if (found := read_header(header))]
    assert peers[0] == peers[4] == IPv4Address("TCP", "192.0.2.7", 40_000)
    assert peers[1] == IPv6Address("TCP", "2001:db8::7", 40_000)
    unknown = [number for number, peer in enumerate(peers) if isinstance(peer, Unknown)]
    assert unknown == [2, 3, 7, 8, 9, 10, 11]


@given(
    st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", b"PROXY TCP6 ", V2, V2 + b"\x21\x11"]),
    st.binary(),
)
def test_no_bytes_fail_in_another_way(start: bytes, rest: bytes) -> None:
    for data in (start + rest, start + rest + b"\r\n"):
        try:
            found = read_header(data)
        except ValueError:
            continue
        assert found is None or found[1] <= len(data)


# The connection


class Behind:
    """A connection to an exchange that comes through a proxy."""

    def __init__(self, exchange: Exchange, factory: ProxiedFactory | None = None) -> None:
        self.exchange = exchange
        self.factory = factory or ProxiedFactory(exchange.factory, exchange.factory)
        self.transport = Transport(peerAddress=IPv4Address("TCP", "198.51.100.9", 50_000))
        connection = self.factory.buildProtocol(self.transport.getPeer())
        assert isinstance(connection, ProxiedConnection)
        self.connection = connection
        self.connection.makeConnection(self.transport)

    def sends(self, data: bytes) -> None:
        self.connection.dataReceived(data)
        self.exchange.clock.advance(0)

    def heard(self) -> bytes:
        data: bytes = self.transport.value()
        self.transport.clear()
        return data


def test_limits_count_whom_the_header_names() -> None:
    exchange = Exchange(max_per_host=1, max_connects_per_minute=2)
    first, second, third = (Behind(exchange) for _ in range(3))
    for behind in (first, second):
        behind.sends(TCP4 + b"alice\n")
    third.sends(v2_tcp4("192.0.2.8") + b"bob\n")
    assert first.heard() == b"OK\r\n"
    assert second.heard() == b"There are too many connections from your address.\r\n"
    assert third.heard() == b"OK\r\n"
    assert set(exchange.factory.visitors._of_host) == {"192.0.2.7", "192.0.2.8"}
    for behind in (first, second, third):
        behind.connection.connectionLost(Failure(ConnectionError()))
    assert not exchange.factory.visitors
    assert not exchange.factory.visitors._of_host
    assert not first.factory.protocols


def test_a_header_may_come_byte_by_byte(exchange: Exchange) -> None:
    for header in HEADERS:
        behind = Behind(exchange)
        for byte in header:
            behind.sends(bytes([byte]))
        behind.sends(b"Quit\n")
        assert behind.heard() == b"Quit\r\n"


def test_the_proxys_own_checks_are_no_strangers_and_counted() -> None:
    exchange = Exchange(max_per_host=1, max_connects_per_minute=1)
    for header in (b"PROXY UNKNOWN\r\n", v2(0, 0), b""):
        for _ in range(5):
            behind = Behind(exchange)
            behind.sends(header)
            assert not behind.transport.disconnected
            behind.connection.connectionLost(connectionDone)
    assert exchange.factory.activity.totals == {("left without a name", ""): 15}
    assert not exchange.factory.visitors


@pytest.mark.parametrize("data", WRONG)
def test_who_sends_no_header_is_closed_and_counted(exchange: Exchange, data: bytes) -> None:
    exchange.enter("alice")  # the log has its line of this minute
    behind = Behind(exchange)
    behind.sends(data)
    behind.sends(TCP4 + b"bob\n")  # too late
    assert behind.transport.disconnected
    behind.connection.connectionLost(Failure(ConnectionError()))
    assert exchange.factory.activity._tallies["refused"].reasons == {"no PROXY header": 1}
    assert list(exchange.factory.users) == ["alice"]
    assert len(exchange.factory.visitors) == 1


def test_who_sends_nothing_is_closed_as_any_other(exchange: Exchange) -> None:
    exchange.enter("alice")
    behind = Behind(exchange)
    exchange.clock.advance(29)
    assert not behind.transport.disconnected
    exchange.clock.advance(1)
    assert behind.transport.disconnected
    assert exchange.factory.activity._tallies["refused"].reasons == {"no PROXY header": 1}


def test_when_there_are_too_many_connections_the_oldest_without_a_header_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proxied, "WAITING", 2)
    exchange = Exchange()
    exchange.factory.settings.max_connections = 1
    factory = ProxiedFactory(exchange.factory, exchange.factory)
    waiting = [Behind(exchange, factory) for _ in range(5)]
    gone = [behind.transport.disconnected for behind in waiting]
    assert gone == [True, True, True, False, False]
    full = Behind(exchange, factory)
    full.sends(TCP4)
    assert full.heard() == b"The server is full.\r\n"


def test_a_server_that_stops_waits_for_no_header(exchange: Exchange) -> None:
    behind, mute = Behind(exchange), Behind(exchange)
    stopped: list[None] = []
    exchange.factory.stop().addCallback(stopped.append)
    assert behind.transport.disconnecting
    behind.connection.connectionLost(connectionDone)
    assert stopped == []
    exchange.clock.advance(4)
    assert mute.transport.disconnected
    mute.connection.connectionLost(connectionDone)
    assert stopped == [None]


def test_what_is_asked_of_the_transport_reaches_it(exchange: Exchange) -> None:
    behind = Behind(exchange)
    behind.sends(TCP4)
    protocol = behind.connection.wrappedProtocol
    assert protocol.transport.getPeer().host == "192.0.2.7"
    protocol.transport.bufferSize = 7
    assert behind.transport.bufferSize == protocol.transport.bufferSize == 7
    with socket.socket() as sock:
        behind.transport.getHandle = lambda: sock  # type: ignore[attr-defined]
        assert socket_of(protocol.transport) is sock


def test_of_a_protocol_that_knows_no_half_closing(exchange: Exchange) -> None:
    class Plain(Protocol):
        pass

    assert not IHalfCloseableProtocol.implementedBy(Plain)
    behind = Behind(exchange, ProxiedFactory(Factory.forProtocol(Plain), exchange.factory))
    behind.sends(TCP4)
    behind.connection.writeConnectionLost()
    assert not behind.transport.disconnecting
    behind.connection.readConnectionLost()
    assert behind.transport.disconnecting


def listener(exchange: Exchange) -> tuple[Behind, Party]:
    """Pair alice, behind a proxy, with bob, and let her half-close."""
    behind, bob = Behind(exchange), exchange.enter("bob")
    behind.sends(TCP4 + b"alice\nTo:bob\n")
    bob.heard()
    behind.heard()
    behind.sends(b"that is")
    behind.connection.readConnectionLost()
    assert bob.heard()[0].endswith("alice: (that is)")
    assert behind.heard() == b"Listening.\r"
    return behind, bob


def test_the_last_byte_follows_later_and_so_finds_out_who_is_gone(exchange: Exchange) -> None:
    behind, bob = listener(exchange)
    exchange.clock.advance(SECOND_WRITE)
    assert behind.heard() == b"\n"
    bob.says("I see")
    assert behind.heard().endswith(b"bob: (I see)\r\n")


@pytest.mark.parametrize("line", ["I see", "Quit"])
def test_what_comes_next_brings_the_last_byte(exchange: Exchange, line: str) -> None:
    behind, bob = listener(exchange)
    bob.says(line)
    heard = behind.heard()
    assert heard.startswith(b"\n")
    assert heard.endswith(b"(I see)\r\n" if line == "I see" else b"Quit.\r\n")
    exchange.clock.advance(SECOND_WRITE)
    assert behind.heard() == b""


def test_who_is_lost_meanwhile_leaves_nothing(exchange: Exchange) -> None:
    behind, bob = listener(exchange)
    behind.connection.connectionLost(Failure(ConnectionError()))
    assert bob.heard() == ["Quit."]
    bob.drops()
    exchange.clock.advance(60)
    exchange.clock.advance(60)
    assert not exchange.clock.getDelayedCalls()


def test_who_listens_to_nobody_is_told_all_at_once(exchange: Exchange) -> None:
    for data, told in (
        (TCP4 + b"alice\n/who", b"OK\r\nHere: alice\r\n"),
        (TCP4[:9], b""),
    ):
        behind = Behind(exchange)
        behind.sends(data)
        behind.connection.readConnectionLost()
        assert behind.heard() == told
        assert behind.transport.disconnecting


def test_a_factory_that_wants_nobody(exchange: Exchange) -> None:
    class Closed(Factory):
        def buildProtocol(self, addr: object) -> None:
            return None

    behind = Behind(exchange, ProxiedFactory(Closed(), exchange.factory))
    behind.sends(TCP4 + b"alice\n")
    behind.sends(b"alice\n")
    assert behind.transport.disconnecting
    assert isinstance(behind.transport, StringTransport)
    behind.connection.connectionLost(connectionDone)
    assert not exchange.factory.visitors


# A real server


@pytest.mark.parametrize("port", ["haproxy:tcp:0", "haproxy:epoll:0", "haproxy:0"])
def test_limits_and_strangers_on_real_sockets(port: str) -> None:
    options = ["--max-connects-per-minute", "3", "--exempt", "198.51.100.0/24"]
    with Server(*options, port=port) as behind:
        for data in WRONG:
            with Client(behind.port) as stranger:
                stranger.sends(data)
                with pytest.raises(ConnectionResetError):
                    stranger.line()

        newcomers = [behind.client(source=f"2001:db8::{number}") for number in range(4)]
        assert newcomers[3].line() == "You are connecting too often; try again in a minute."
        assert newcomers[3].line() == ""
        for number in range(4):
            behind.client(f"u{number}", source="198.51.100.7")
        behind.stop()
    assert behind.output.count(b"no PROXY header") == 2  # at once, and at the end
    assert b"connecting too often 1" in behind.output
