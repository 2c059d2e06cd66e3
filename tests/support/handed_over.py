"""An exchange without sockets that goes on as another one, which knows only what a snapshot has."""

from collections.abc import Callable
from typing import Any, cast

from chatpair.cluster.cluster_directory import ClusterDirectory
from chatpair.cluster.engine_mesh import EngineMesh
from chatpair.exchange.messages import Claim
from chatpair.factory import ChatFactory
from chatpair.handover.cluster import OtherNodes
from chatpair.handover.connections import restore_connections, take_connection
from chatpair.handover.exchange import restore_exchange, take_exchange
from chatpair.handover.others import Others
from chatpair.handover.snapshot import VERSION, Connection, Snapshot, decode, encode
from chatpair.protocol import ChatProtocol
from tests.support.cluster_exchange import MemoryMesh, Node
from tests.support.cluster_scenes import Across
from tests.support.exchange import Exchange, Transport
from tests.support.state import State, differences


def others_of(exchange: Exchange) -> Others:
    """Return what an exchange has to do with other nodes, if it is one of several."""
    return OtherNodes(exchange.factory) if isinstance(exchange, Node) else Others()


def taken_from(exchange: Exchange) -> bytes:
    """Return a snapshot of an exchange; sockets are the numbers of its parties."""
    taken, others = Snapshot(VERSION, exchange.clock.seconds(), {}), others_of(exchange)
    take_exchange(exchange.factory, taken, others)
    parties = {
        party.protocol: number
        for number, party in enumerate(exchange.all_parties)
        if not party.lost and party.protocol in exchange.factory.visitors
    }
    elsewhere = [one for one in exchange.factory.visitors if one not in parties]
    for one in (*parties, *elsewhere):
        assert isinstance(one, ChatProtocol)
        part = take_connection(one, parties.get(one), b"", others)
        if one in parties or part.far is not None or one.user is not None:
            taken.connections.append(part)
    return encode(taken)


def hand_over(
    exchange: Exchange, meanwhile: Callable[[], object] = lambda: None, *, compares: bool = True
) -> None:
    """Let another factory go on with an exchange and the connections of its parties.

    Something may be done before they go on. All that is known is the same, if it is compared.
    """
    if isinstance(exchange, Across):
        for node in exchange.network.nodes.values():
            hand_over(node)
        return
    old = exchange.factory
    taken = decode(taken_from(exchange))
    before = State().of_all(old)
    _succeed(exchange)
    new, others = exchange.factory, others_of(exchange)
    restore_exchange(new, taken, others)
    for protocol, part in zip(
        restore_connections(new, taken.connections, _transports(exchange, others), others),
        taken.connections,
        strict=True,
    ):
        if part.socket is None and part.far is None:
            exchange.clock.callLater(0, protocol.vanished, "lost")
    is_claiming = any(isinstance(part.asked, Claim) for part in taken.connections)
    unknown = ("._names", "._keys") if is_claiming else ()  # until they are claimed again
    wrong = list(differences(before, State().of_all(new)))
    assert not compares or all(any(one in each for one in unknown) for each in wrong), wrong
    meanwhile()
    others.go_on()
    exchange.clock.advance(0)


def _succeed(exchange: Exchange) -> None:
    """Let an exchange have another factory, which knows nothing yet."""
    old, directory = exchange.factory, None
    if isinstance(exchange, Node):
        mesh = exchange.mesh
        exchange.mesh = MemoryMesh(mesh._network, mesh.me)
        exchange.mesh.ready, exchange.mesh.members = mesh.ready, mesh.members
        exchange.mesh.holds_names = mesh.holds_names
        mesh.ends()
        exchange.directory = directory = ClusterDirectory(cast(EngineMesh, exchange.mesh))
    else:
        for call in exchange.clock.getDelayedCalls():
            call.cancel()
    exchange.factory = ChatFactory(
        exchange.clock,
        old.settings,
        time_of_day=old.time_of_day,
        accounts=cast(Any, old.users._accounts),
        directory=directory,
    )
    if directory is not None:
        directory.serve(exchange.factory)


def _transports(exchange: Exchange, others: Others) -> Any:
    """Return what makes the transports of connections, of those that parties had."""

    def transport_of(part: Connection, protocol: Any, address: Any) -> Any:
        if part.far is not None:
            return others.restore_transport(part.far, protocol, part.output)
        if part.socket is None:
            return Transport(peerAddress=address)
        party = exchange.all_parties[part.socket]
        old = party.transport
        party.protocol = protocol
        party.transport = new = Transport(peerAddress=old.getPeer())
        new.pauseProducing()
        new.write(old.value() + part.output)
        new.full = old.full
        if part.output and not new.full:
            exchange.clock.callLater(0, lambda: new.producer.resumeProducing())  # type: ignore[union-attr]
        return new

    return transport_of
