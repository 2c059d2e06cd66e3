"""An exchange without sockets that goes on as another one, which knows only what a snapshot has."""

from typing import Any, cast

from chatpair.factory import ChatFactory
from chatpair.handover.connections import restore_connections, take_connection
from chatpair.handover.exchange import restore_exchange, take_exchange
from chatpair.handover.snapshot import VERSION, Connection, Snapshot, decode, encode
from chatpair.protocol import ChatProtocol
from tests.support.exchange import Exchange, Transport
from tests.support.state import differences, state_of_all


def taken_from(exchange: Exchange) -> bytes:
    """Return a snapshot of an exchange; sockets are the numbers of its parties."""
    taken = Snapshot(VERSION, exchange.clock.seconds(), {})
    take_exchange(exchange.factory, taken)
    taken.connections = [
        take_connection(party.protocol, number, b"")
        for number, party in enumerate(exchange.all_parties)
        if not party.lost and party.protocol in exchange.factory.visitors
    ]
    return encode(taken)


def hand_over(exchange: Exchange) -> None:
    """Let another factory go on with an exchange and the connections of its parties."""
    old = exchange.factory
    taken = decode(taken_from(exchange))
    before = state_of_all(old)
    for call in exchange.clock.getDelayedCalls():
        call.cancel()
    accounts: Any = old.users._accounts
    exchange.factory = new = ChatFactory(
        exchange.clock, old.settings, time_of_day=old.time_of_day, accounts=accounts
    )
    restore_exchange(new, taken)

    def transport_of(part: Connection, protocol: Any, address: Any) -> Transport:
        party = exchange.all_parties[cast(int, part.socket)]
        old = party.transport
        party.protocol = cast(ChatProtocol, protocol)
        party.transport = new = Transport(peerAddress=old.getPeer())
        new.pauseProducing()
        new.write(old.value() + part.output)
        new.full = old.full
        if part.output and not new.full:
            exchange.clock.callLater(0, lambda: new.producer.resumeProducing())  # type: ignore[union-attr]
        return new

    restore_connections(new, taken.connections, transport_of)
    wrong = list(differences(before, state_of_all(new)))
    assert not wrong, wrong
    exchange.clock.advance(0)
