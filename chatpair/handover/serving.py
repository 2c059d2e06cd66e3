"""All that a process serves, taken for another one, or from one."""

import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from chatpair.doors.proxied import ProxiedConnection, ProxiedFactory, Unknown
from chatpair.epoll.poller import OUT, EpollPoller
from chatpair.epoll.transport import EpollTransport
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.user import LOST
from chatpair.handover import snapshot
from chatpair.handover.connections import (
    inode_of,
    let_go,
    moving,
    read_last,
    release,
    restore_connections,
    take_connection,
    waiting_in,
)
from chatpair.handover.exchange import restore_exchange, take_exchange
from chatpair.handover.others import Others
from chatpair.handover.ports import Ports
from chatpair.handover.snapshot import VERSION, CantRead, Snapshot
from chatpair.protocol import ChatProtocol

MOST_LATE = 600.0
"""Seconds that a snapshot may be old: clocks that do not count from the same time differ more."""


def _read(_: None, transport: EpollTransport) -> None:
    transport.startReading()


class Serving:
    """All that a process serves: an exchange, and its connections."""

    def __init__(self, chat: Exchange, ports: Ports, others: Others) -> None:
        self._chat = chat
        self._ports = ports
        self._others = others
        self._moved: dict[ChatProtocol, Any] = {}  # connections, with what moves of them

    def __len__(self) -> int:
        """Return how many users there are."""
        return len(self._chat.users)

    def take(self) -> tuple[Snapshot, list[socket.socket]]:
        """Return all that is known, and all sockets, those of the ports first."""
        ports = self._ports.sockets()
        visitors = self._chat.visitors
        connections = [one for one in visitors if isinstance(one, ChatProtocol)]
        for one in connections:
            if moving(one.transport) is None:
                read_last(one)
        self._moved = {one: moving(one.transport) for one in connections if one in visitors}
        inodes = {description: inode_of(sock) for description, sock in ports.items()}
        taken = Snapshot(VERSION, self._chat.clock.seconds(), inodes)
        take_exchange(self._chat, taken, self._others)
        sockets = list(ports.values())
        for one, transport in self._moved.items():
            if transport is None:
                part = take_connection(one, None, b"", self._others)
                if part.far is not None:
                    self._moved[one] = one.transport
                elif one.user is None and not isinstance(part.session, snapshot.CarriedSession):
                    continue
            else:
                if isinstance(one.transport, ProxiedConnection):
                    one.transport.write_kept()
                sock = transport.getHandle()
                sockets.append(sock)
                part = take_connection(one, inode_of(sock), waiting_in(transport), self._others)
            taken.connections.append(part)
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

    def restore(self, taken: Snapshot, sockets: dict[int, socket.socket]) -> Deferred[None]:
        """Serve what another process did; take the sockets of connections out of those given.

        Fires when all go on, and people may come. Raises CantRead if that was on another machine,
        or is another node.
        """
        clock, others = self._chat.clock, self._others
        late = clock.seconds() - taken.now
        if not 0 <= late <= MOST_LATE:
            raise CantRead(f"its clock is {late:.0f} seconds behind: it is on another machine")
        poller = EpollPoller(clock, 0)

        def transport_of(part: snapshot.Connection, protocol: Any, address: Any) -> Any:
            if part.far is not None:
                return others.restore_transport(part.far, protocol, part.output)
            sock, output = sockets.pop(part.socket or 0, None), part.output
            is_lost = sock is None
            if sock is None:
                sock, output = socket.socketpair()[0], b""
            transport = EpollTransport(
                sock,
                protocol,
                address,
                poller,
                len(self._chat.visitors),
                events=OUT if output else 0,
                producerPaused=bool(output),
                _queue=output,
            )
            if is_lost:  # which is noticed before others go on: they would talk to nobody
                clock.callLater(0, transport.connectionLost, Failure(ConnectionLost()))
            return transport

        restore_exchange(self._chat, taken, others)
        begins: Deferred[None] = Deferred()
        restore_connections(self._chat, taken.connections, transport_of, others, begins)
        for waiting in taken.waiting:
            factory = getattr(self._ports.opened.get(waiting.port), "factory", None)
            if isinstance(factory, ProxiedFactory) and waiting.socket in sockets:
                sock = sockets.pop(waiting.socket)
                one: Any = factory.buildProtocol(None)
                nobody: Any = Unknown()
                transport = EpollTransport(sock, one, nobody, poller, 0, events=0)
                one.wait_on(transport, waiting.header)
                begins.addCallback(_read, transport)
        poller.close_when_empty()
        return others.heard().addCallback(lambda _: self._begin(begins))

    def _begin(self, begins: Deferred[None]) -> Deferred[None]:
        begins.callback(None)
        self._others.go_on()
        return deferLater(self._chat.clock, 0)  # connections go on in a turn of their own

    def retire(self) -> Deferred[None]:
        """Tell those whose connections can't move to try again; fires when they are closed.

        All timers still run, and find nobody to tell anything.
        """
        self._others.let_go()
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
