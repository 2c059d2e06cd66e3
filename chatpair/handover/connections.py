"""Connections, taken into a snapshot, and restored on the sockets that have come along."""

import os
import socket
from collections.abc import Callable
from itertools import chain
from typing import Any, TypeAlias

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol

from chatpair.doors.proxied import ProxiedConnection, ProxiedFactory, Unknown
from chatpair.epoll.poller import OUT, EpollPoller
from chatpair.epoll.transport import EpollTransport
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.kept_events import all_bytes
from chatpair.exchange.user import LOST
from chatpair.handover import snapshot
from chatpair.handover.exchange import restore_exchange, take_exchange
from chatpair.handover.ports import Ports
from chatpair.handover.snapshot import GONE, VERSION, CantRead, Snapshot
from chatpair.protocol import ChatProtocol
from chatpair.sessions.json import JsonSession
from chatpair.sessions.plain import PlainSession
from chatpair.wire.outgoing import Outgoing
from chatpair.wire.telnet import TelnetFilter
from chatpair.wire.turns import TELNET_BYTES_A_TURN, read_no_more_at_once

MOST_LATE = 600.0
"""Seconds that a snapshot may be old: clocks that do not count from the same time differ more."""

Moving: TypeAlias = EpollTransport | tcp.Server
"""The transports whose sockets another process can go on with; unix.Server is one, TLS is none."""


def moving(transport: Any) -> Moving | None:
    """Return the transport that has the socket, if that can move."""
    if isinstance(transport, ProxiedConnection):
        transport = transport.transport
    moves = isinstance(transport, Moving) and transport.connected and not transport._aborting
    return transport if moves else None


def inode_of(sock: socket.socket) -> int:
    """Return the number that a socket has in all processes that have it."""
    return os.fstat(sock.fileno()).st_ino


# What is taken


def take_connection(
    protocol: ChatProtocol, socket: int | None, waiting: bytes
) -> snapshot.Connection:
    """Return what there is of a connection, with the socket that moves and what waits there."""
    reading, closes_in = protocol.input_state, None
    if protocol._closing is not None:
        closes_in = protocol.timeOut
        if protocol.transport.disconnecting:
            reading = "ended"  # nobody waits for more
    outgoing, visitors = protocol.outgoing, protocol.factory.visitors
    later = _later(protocol.outgoing)
    session: Any = protocol.session
    timer = protocol._TimeoutMixin__timeoutCall  # type: ignore[attr-defined]
    return snapshot.Connection(
        _session(session),
        socket=socket,
        peer=_address(protocol.transport.getPeer()),
        proxied=isinstance(protocol.transport, ProxiedConnection),
        user=protocol.user.name.key if protocol.user is not None else GONE,
        reading=reading,
        buffer=protocol._buffer,
        fresh=protocol._fresh,
        skipping=protocol._skipping,
        telnet=_telnet(protocol._telnet),
        output=waiting + later,
        full=outgoing.full,
        unhanded=outgoing._unhanded + len(later),
        told_at=outgoing.watch._told_at if outgoing.watch is not None else None,
        due=visitors.unnamed.due_of(protocol) or visitors.silent.due_of(session),
        listens_until=timer.getTime() if timer is not None and closes_in is None else None,
        closes_in=closes_in,
    )


def waiting_in(transport: Moving) -> bytes:
    """Return what a transport is still to write."""
    if isinstance(transport, EpollTransport):
        return bytes(transport._queue)
    return transport.dataBuffer[transport.offset :] + b"".join(transport._tempDataBuffer)


def _later(outgoing: Outgoing) -> bytes:
    """Make what is still to be made for a connection."""
    if outgoing._later is None:
        return b""
    later = b"".join(chain.from_iterable(outgoing._later))
    outgoing._later.clear()
    outgoing._later.append(iter((later,)))  # if it stays after all
    return later


def _address(peer: object) -> tuple[str, int] | None:
    return (peer.host, peer.port) if isinstance(peer, IPv4Address | IPv6Address) else None


def _telnet(telnet: TelnetFilter | None) -> snapshot.Telnet | None:
    if telnet is None:
        return None
    return snapshot.Telnet(telnet._step.__name__, telnet._verb, telnet._tail, telnet._refused)


def _session(
    session: PlainSession | JsonSession,
) -> snapshot.PlainSession | snapshot.JsonSession:
    password = session._password
    doubted, checks = (password._doubted, password.checks) if password is not None else (None, None)
    if isinstance(session, JsonSession):
        queue: Any = list(session._queue._waiting)
        return snapshot.JsonSession(session.said_all, doubted, checks, session._bad_lines, queue)
    asked = getattr(session, "_asked", "")  # not of the last lines of one that is over
    return snapshot.PlainSession(session.said_all, doubted, checks, asked)


# What is restored


def restore_connections(
    factory: Exchange,
    parts: list[snapshot.Connection],
    transport_of: Callable[[snapshot.Connection, IProtocol, Any], Any],
) -> list[ChatProtocol]:
    """Return connections that go on in the next turn.

    Take what makes the transport of one, which does not read yet, for a protocol and an address.
    """
    protocols = []
    for part in parts:
        address: Any = Unknown() if part.proxied else UNIXAddress(None)
        if part.peer is not None:
            host, port = part.peer
            address = (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)
        protocol: ChatProtocol = factory.buildProtocol(address)
        if part.proxied:
            proxied: Any = factory
            outer: Any = ProxiedFactory(proxied, factory).buildProtocol(None)
            outer.go_on(transport_of(part, outer, address), protocol, address)
        else:
            protocol.transport = transport_of(part, protocol, address)
        protocol.connected = 1
        protocol.begin()
        factory.visitors.came(protocol, protocol.counted_host())
        _restore(protocol, part)
        if part.closes_in is not None:
            protocol.end("closed", seconds=part.closes_in)
        else:
            factory.clock.callLater(0, _go_on, protocol, part)
        protocols.append(protocol)
    for protocol in protocols:
        if protocol.user is not None:
            protocol.bind()
    due = [(one, part.due) for one, part in zip(protocols, parts, strict=True) if part.due]
    plain = ((one, when) for one, when in due if isinstance(one.session, PlainSession))
    factory.visitors.unnamed.restore(plain)
    json = ((one.session, when) for one, when in due if isinstance(one.session, JsonSession))
    factory.visitors.silent.restore(json)
    return protocols


def _restore(protocol: ChatProtocol, taken: snapshot.Connection) -> None:
    protocol._buffer, protocol._fresh = taken.buffer, taken.fresh
    protocol._skipping = taken.skipping
    if taken.telnet is not None:
        protocol._telnet = telnet = TelnetFilter(protocol.answerTelnet)
        telnet._step = getattr(telnet, taken.telnet.step)
        telnet._verb, telnet._tail = taken.telnet.verb, taken.telnet.tail
        telnet._refused = taken.telnet.refused
        read_no_more_at_once(protocol.transport, TELNET_BYTES_A_TURN)
    outgoing = protocol.outgoing
    outgoing.full, outgoing._unhanded = taken.full, taken.unhanded
    if taken.told_at is not None:
        outgoing.look_out()._told_at = taken.told_at
    protocol.input_state = "waiting" if taken.reading == "open" else taken.reading
    protocol.paused = taken.reading != "ended"
    _restore_session(protocol, taken.session)
    if taken.user != GONE:
        protocol.user = protocol.factory.users[taken.user]
        protocol.user.inbox.connection = protocol


def _restore_session(
    protocol: ChatProtocol, taken: snapshot.PlainSession | snapshot.JsonSession
) -> None:
    session: PlainSession | JsonSession
    if isinstance(taken, snapshot.JsonSession):
        session = json = JsonSession(protocol)
        json._bad_lines = taken.bad_lines
        for command in taken.queue:
            json._queue._waiting.append(command, all_bytes(command))
        protocol.handle_line = json.unnamed
        protocol.factory.visitors.silent.stop(json)  # for it has a time of its own
    else:
        session = plain = PlainSession(protocol)
        plain._asked = taken.asked
        protocol.handle_line = plain.password_line if taken.asked else plain.unnamed
        if taken.said_all:
            protocol.ignore_input()
    session.said_all = taken.said_all
    if taken.doubted is not None:
        session.password._doubted = taken.doubted
    protocol.session = session


def _go_on(protocol: ChatProtocol, taken: snapshot.Connection) -> None:
    if taken.listens_until is not None:
        protocol.listen_on()
        protocol.setTimeout(max(0.0, taken.listens_until - protocol.factory.clock.seconds()))
        protocol.timeOut = protocol.factory.settings.linger  # type: ignore[assignment]
    if taken.session.checks is not None:
        protocol.session.password.begin(*taken.session.checks)
    protocol.session.wake()
    if protocol.deaf and not protocol.input_ended:
        protocol.paused = False
        protocol.transport.resumeProducing()
    else:
        protocol.read_on()


# What is left


def let_go(protocol: ChatProtocol) -> None:
    """Know nothing more of a connection that another process has."""
    if protocol.outgoing.watch is not None:
        protocol.outgoing.watch.stop()
    protocol.setTimeout(None)
    protocol.ignore_input()
    protocol.outgoing.writer = None
    protocol.factory.visitors.discard(protocol)


def release(transport: Moving) -> None:
    """Have no socket any more that another process has; the other end notices nothing."""
    if isinstance(transport, EpollTransport):
        transport.release()
    else:
        transport.stopReading()
        transport.stopWriting()
        transport.connected, transport.disconnected = False, True
        transport.getHandle().close()


# All of it


class Serving:
    """All that a process serves: an exchange, and its connections."""

    def __init__(self, chat: Exchange, ports: Ports) -> None:
        self._chat = chat
        self._ports = ports
        self._moved: dict[ChatProtocol, Moving | None] = {}  # connections, with what moves of them

    def __len__(self) -> int:
        """Return how many users there are."""
        return len(self._chat.users)

    def take(self) -> tuple[Snapshot, list[socket.socket]]:
        """Return all that is known, and all sockets, those of the ports first."""
        ports = self._ports.sockets()
        visitors = self._chat.visitors
        connections = [one for one in visitors if isinstance(one, ChatProtocol)]
        self._moved = {one: moving(one.transport) for one in connections}
        inodes = {description: inode_of(sock) for description, sock in ports.items()}
        taken = Snapshot(VERSION, self._chat.clock.seconds(), inodes)
        take_exchange(self._chat, taken)
        sockets = list(ports.values())
        for one, transport in self._moved.items():
            if transport is not None:
                if isinstance(one.transport, ProxiedConnection):
                    one.transport.write_kept()
                sock = transport.getHandle()
                sockets.append(sock)
                part = take_connection(one, inode_of(sock), waiting_in(transport))
                taken.connections.append(part)
            elif one.user is not None:
                taken.connections.append(take_connection(one, None, b""))
        for description, waiting in self._waiting():
            sock = waiting.transport.getHandle()
            sockets.append(sock)
            assert waiting.header is not None
            taken.waiting.append(snapshot.Waiting(inode_of(sock), description, waiting.header))
        return taken, sockets

    def _waiting(self) -> list[tuple[str, ProxiedConnection]]:
        """Return the connections whose headers have not come, with what describes their ports."""
        return [
            (description, one)
            for description, port in self._ports.opened.items()
            if isinstance(port.factory, ProxiedFactory)
            for one in port.factory.waiting
            if moving(one)
        ]

    def restore(self, taken: Snapshot, sockets: dict[int, socket.socket]) -> None:
        """Serve what another process did; take the sockets of connections out of those given.

        Raises CantRead if that was on another machine.
        """
        clock = self._chat.clock
        late = clock.seconds() - taken.now
        if not 0 <= late <= MOST_LATE:
            raise CantRead(f"its clock is {late:.0f} seconds behind: it is on another machine")
        poller = EpollPoller(clock, 0)
        lost = set()

        def transport_of(part: snapshot.Connection, protocol: Any, address: Any) -> EpollTransport:
            sock, output = sockets.pop(part.socket or 0, None), part.output
            if sock is None:
                sock, output = socket.socketpair()[0], b""
                lost.add(id(part))
            return EpollTransport(
                sock,
                protocol,
                address,
                poller,
                len(self._chat.visitors),
                events=OUT if output else 0,
                producerPaused=bool(output),
                _queue=output,
            )

        restore_exchange(self._chat, taken)
        protocols = restore_connections(self._chat, taken.connections, transport_of)
        for part, protocol in zip(taken.connections, protocols, strict=True):
            if id(part) in lost:
                clock.callLater(0, protocol.vanished, "lost")
        for waiting in taken.waiting:
            factory = getattr(self._ports.opened.get(waiting.port), "factory", None)
            if isinstance(factory, ProxiedFactory) and waiting.socket in sockets:
                sock = sockets.pop(waiting.socket)
                one: Any = factory.buildProtocol(None)
                nobody: Any = Unknown()
                one.wait_on(EpollTransport(sock, one, nobody, poller, 0), waiting.header)
        poller.close_when_empty()

    def retire(self) -> Deferred[None]:
        """Tell those whose connections can't move to try again; fires when they are closed.

        All timers still run, and find nobody to tell anything.
        """
        self._chat.activity.close()
        for user in self._chat.users.values():
            user.inbox.connection = LOST
        for connection, transport in self._moved.items():
            connection.user = connection.peer = None
            if transport is not None:
                let_go(connection)
                release(transport)
        for _, waiting in self._waiting():
            waiting.leave()
            release(waiting.transport)
        return self._chat.visitors.stop()
