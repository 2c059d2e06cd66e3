"""The transport of TLS on a connection without a socket, and on one that has one."""

import socket
from contextlib import suppress
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.protocols.tls import TLSMemoryBIOFactory

from chatpair.doors.tls import MOST_UNHEARD, Certificates, TLSTransport
from chatpair.wire import liveness
from chatpair.wire.turns import LINES_A_TURN
from tests.support.certificates import usual
from tests.support.exchange import Exchange, Transport

# What Twisted does.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")


def connect(exchange: Exchange) -> tuple[Transport, TLSTransport]:
    """Connect somebody who has not begun the handshake."""
    factory = TLSMemoryBIOFactory(Certificates(usual().port), False, exchange.factory)
    factory.protocol = TLSTransport
    transport = Transport()
    protocol: Any = factory.buildProtocol(transport.getPeer())
    protocol.makeConnection(transport)
    return transport, protocol


@pytest.mark.parametrize("data", [b"\x16", b"\x16\x03\x01"])
def test_a_handshake_that_does_not_end_is_cut(data: bytes) -> None:
    exchange = Exchange()
    transport, protocol = connect(exchange)
    protocol.dataReceived(data)
    exchange.clock.pump([1] * 29)
    assert not transport.disconnected
    exchange.clock.pump([1] * 2)
    assert transport.disconnected
    assert transport.value() == b""


def test_who_closes_before_the_handshake_is_gone() -> None:
    exchange = Exchange()
    transport, protocol = connect(exchange)
    lost: list[object] = []
    transport.connectionLost = lost.append  # type: ignore[attr-defined]
    protocol.readConnectionLost()
    assert len(lost) == 1


def handshake(exchange: Exchange) -> tuple[Transport, TLSTransport, SSL.Connection]:
    """Connect somebody who has done the handshake."""
    transport, protocol = connect(exchange)
    transport._lenient = True
    client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    client.set_connect_state()
    for _ in range(2):
        with suppress(SSL.WantReadError):
            client.do_handshake()
        protocol.dataReceived(client.bio_read(2**16))
        client.bio_write(transport.value())
        transport.clear()
    return transport, protocol, client


def test_who_reads_nothing_is_not_read_for_ever() -> None:
    transport, protocol, client = handshake(Exchange())
    for takes_nothing, times in ((True, 60), (False, 1), (True, 60), (True, 10)):
        assert not transport.disconnecting
        transport.producerPaused = takes_nothing  # type: ignore[attr-defined]
        for _ in range(times):
            client.send(b"\n" * (MOST_UNHEARD // 64))
            protocol.dataReceived(client.bio_read(2**16))
    assert transport.disconnecting


@pytest.mark.parametrize("ends", [b"", b"\x17\x03\x03\0\x01x"])
def test_many_records_at_once_are_one_turn_and_a_bad_one_ends_it(ends: bytes) -> None:
    exchange = Exchange()
    bob = exchange.enter("bob")
    transport, protocol, client = handshake(exchange)
    for line in (b"alice\n", b"To:bob\n", *[b"hi\x7f\n"] * 100):
        client.send(line)
    records = client.bio_read(2**16)
    assert transport.bufferSize < len(records)
    protocol.dataReceived(records + ends)
    told = len(bob.heard())
    assert told <= LINES_A_TURN
    exchange.clock.advance(0)
    assert told + len(bob.heard()) == 101
    assert transport.disconnecting == bool(ends)


def test_an_end_waits_for_one_who_does_not_read() -> None:
    _, protocol, client = handshake(Exchange())
    protocol.pauseProducing()
    client.send(b"alice\n")
    client.shutdown()
    protocol.dataReceived(client.bio_read(2**16))
    assert not protocol.output_ended
    protocol.resumeProducing()
    assert protocol.output_ended


def test_the_socket_under_tls_is_watched() -> None:
    transport, protocol = connect(Exchange())
    with socket.socket() as sock:
        transport.getHandle = lambda: sock  # type: ignore[attr-defined]
        assert liveness.socket_of(protocol) is sock
