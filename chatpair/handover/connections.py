"""Connections, taken into a snapshot, and restored on the sockets that have come along."""

import os
import socket
from collections.abc import Callable
from itertools import chain
from typing import Any, TypeAlias

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProtocol

from chatpair.doors.proxied import ProxiedConnection, ProxiedFactory, Unknown
from chatpair.epoll.transport import EpollTransport
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.kept_events import all_bytes
from chatpair.exchange.limits import is_stranger
from chatpair.exchange.messages import AskWho, Block, Claim, Resume
from chatpair.exchange.names import parse
from chatpair.handover import snapshot
from chatpair.handover.others import Others
from chatpair.handover.snapshot import GONE
from chatpair.protocol import ChatProtocol
from chatpair.sessions.json import JsonSession
from chatpair.sessions.plain import PlainSession
from chatpair.sessions.under_way import UnderWay
from chatpair.wire.liveness import innermost, unread_bytes
from chatpair.wire.outgoing import Outgoing
from chatpair.wire.telnet import TelnetFilter
from chatpair.wire.turns import TELNET_BYTES_A_TURN, read_no_more_at_once

_NOTHING = UnderWay(succeed(None))

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
    protocol: ChatProtocol, socket: int | None, waiting: bytes, others: Others
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
    under_way: UnderWay = session._under_way or _NOTHING
    return snapshot.Connection(
        others.session(session) or _session(session),
        socket=socket,
        far=others.transport(protocol.transport),
        asked=under_way.asked,  # type: ignore[arg-type]  # the others are answered at once
        proven=under_way.proven,
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
        told_at=outgoing.told_at,
        due=visitors.unnamed.get(protocol) or visitors.silent.get(session),
        listens_until=timer.getTime() if timer is not None and closes_in is None else None,
        closes_in=closes_in,
    )


def read_last(protocol: ChatProtocol) -> None:
    """Read what has come on a connection that can't move, and handle it in a turn of its own.

    What a program has said it says again; what is not read of others is lost.
    """
    transport = innermost(protocol.transport)
    if isinstance(transport, Moving) and protocol.user and not protocol.session.counting:
        unread = unread_bytes(protocol.socket)
        if unread and not (protocol.input_ended or protocol.deaf):
            protocol.turnEnded()
            for _ in range(0, unread, transport.bufferSize):
                transport.doRead()


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
    return snapshot.Telnet.of(telnet, step=telnet._step.__name__)


def _session(
    session: PlainSession | JsonSession,
) -> snapshot.PlainSession | snapshot.JsonSession:
    password = session._password
    doubted, checks = (password._doubted, password.checks) if password is not None else (None, None)
    if isinstance(session, JsonSession):
        queue: Any = list(session._waiting)
        return snapshot.JsonSession(session.said_all, doubted, checks, session._bad_lines, queue)
    asked = getattr(session, "_asked", "")  # not of the last lines of one that is over
    return snapshot.PlainSession(session.said_all, doubted, checks, asked)


# What is restored


def restore_connections(
    factory: Exchange,
    parts: list[snapshot.Connection],
    transport_of: Callable[[snapshot.Connection, IProtocol, Any], Any],
    others: Others,
    begins: Deferred[None] | None = None,
) -> list[ChatProtocol]:
    """Return connections that go on in the next turn, or in that after something begins.

    Take what makes the transport of one, which does not read yet, for a protocol and an address.
    """
    begins = begins or succeed(None)
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
        if isinstance(part.session, snapshot.CarriedSession):
            others.restore_session(protocol, part.session)
        if part.closes_in is not None:
            protocol.end("closed", seconds=part.closes_in)
        else:
            begins.addCallback(_go_on_later, protocol, part)
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
        taken.telnet.copy_to(telnet, "step")
        read_no_more_at_once(protocol.transport, TELNET_BYTES_A_TURN)
    outgoing = protocol.outgoing
    outgoing.full, outgoing._unhanded = taken.full, taken.unhanded
    if taken.told_at is not None:
        outgoing.look_out().told_at = taken.told_at
    protocol.input_state = "waiting" if taken.reading == "open" else taken.reading
    protocol.paused = taken.reading != "ended"
    if not isinstance(taken.session, snapshot.CarriedSession):
        _restore_session(protocol, taken.session)
        if taken.asked is not None or taken.session.checks is not None:
            no_answer: Deferred[None] = Deferred(_give_up)
            protocol.session._under_way = UnderWay(no_answer, taken.asked, taken.proven)
    if taken.user != GONE:
        protocol.user = protocol.factory.users[taken.user]
        protocol.user.inbox.connection = protocol


def _give_up(no_answer: Deferred[None]) -> None:
    no_answer.callback(None)  # whoever is gone before it is asked again is told of no error


def _restore_session(
    protocol: ChatProtocol, taken: snapshot.PlainSession | snapshot.JsonSession
) -> None:
    session: PlainSession | JsonSession
    if isinstance(taken, snapshot.JsonSession):
        session = json = JsonSession(protocol)
        json._bad_lines = taken.bad_lines
        for command in taken.queue:
            json._waiting.append(command, all_bytes(command))
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


def _go_on_later(_: None, protocol: ChatProtocol, taken: snapshot.Connection) -> None:
    protocol.factory.clock.callLater(0, _go_on, protocol, taken)


def _go_on(protocol: ChatProtocol, taken: snapshot.Connection) -> None:
    if protocol.closed:
        return
    if taken.listens_until is not None:
        protocol.listen_on()
        protocol.setTimeout(max(0.0, taken.listens_until - protocol.factory.clock.seconds()))
        protocol.timeOut = protocol.factory.settings.linger  # type: ignore[assignment]
    if isinstance(taken.session, snapshot.CarriedSession):
        if taken.reading == "ended":
            protocol.outgoing.look_out().input_ended()
    elif protocol.session.awaits_answer:
        _ask_again(protocol, taken, taken.session.checks)
    protocol.session.wake()
    if protocol.deaf and not protocol.input_ended:
        protocol.paused = False
        protocol.transport.resumeProducing()
    else:
        protocol.read_on()


def _ask_again(
    protocol: ChatProtocol, taken: snapshot.Connection, checks: tuple[str, bytes] | None
) -> None:
    """Ask what had no answer yet."""
    session, exchange, user = protocol.session, protocol.factory, protocol.user
    session._under_way = None
    match taken.asked:
        case None if checks is not None:
            session.password.begin(*checks)
        case Claim() as claim:
            if is_stranger(protocol.host):
                exchange.users._new_names.spend(protocol.host, -1)  # as it was counted
            session.claim(claim, proven=taken.proven)
        case Resume() as resume if user is None:
            session.resume(resume)
        case AskWho() as asked:
            session.list_all(asked)
        case Block(name) as block if user is not None:
            session.await_told(exchange.calls.find_host(user, parse(name)), block)
        case call if user is not None and call is not None:
            session.await_told(exchange.directory.call_under_way(user), call)
    if protocol.input_state == "answering" and not session.awaits_answer:
        protocol.readConnectionLost()


# What is left


def let_go(protocol: ChatProtocol) -> None:
    """Know nothing more of a connection that another process has."""
    protocol.outgoing.stop_looking()
    protocol.setTimeout(None)
    protocol.ignore_input()
    protocol.outgoing.writer = None
    protocol.factory.visitors.pop(protocol, None)


def release(transport: Any) -> None:
    """Have no socket any more that another process has; the other end notices nothing."""
    if isinstance(transport, tcp.Server):
        transport.stopReading()
        transport.stopWriting()
        transport.connected, transport.disconnected = False, True
        transport.getHandle().close()
    else:
        transport.release()
