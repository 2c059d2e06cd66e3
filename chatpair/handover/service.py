"""A process takes over from the one that served before it, and hands over to the next."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost, ReactorNotRunning
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure

from chatpair.doors.proxied import ProxiedConnection, ProxiedFactory, Unknown
from chatpair.epoll.poller import OUT, EpollPoller
from chatpair.epoll.transport import EpollTransport
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.user import LOST
from chatpair.handover import passing, snapshot, store
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
from chatpair.handover.passing import Refused
from chatpair.handover.ports import Ports
from chatpair.handover.snapshot import VERSION, CantRead, Snapshot, encode
from chatpair.protocol import ChatProtocol

MOST_LATE = 600.0
"""Seconds that a snapshot may be old: clocks that do not count from the same time differ more."""

Given: TypeAlias = passing.Given | store.Kept
"""What the process before this one has given."""

_log = Logger()


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


class Handover:
    """Takes over from the process that served before, and hands over to the next."""

    def __init__(self, serving: Serving, ports: Ports, ask: Callable[[], Given | None]) -> None:
        """Take what asks the process that served before for all it has, if there is one."""
        self._serving = serving
        self._ports = ports
        self._ask = ask
        self._going_on: Deferred[None] = succeed(None)
        self.over = False
        """Whether another process serves by now."""

    # The new process

    @contextmanager
    def taking_over(self) -> Iterator[None]:
        """Ask for all that there is, and know it when the ports are open, which is done within.

        Raises Refused; if this process can't go on with it, the other one is told why.
        """
        given = self._ask()
        if given is None:
            yield
            return
        self._ports.given = {
            description: given.sockets.pop(inode)
            for description, inode in given.snapshot.ports.items()
            if inode in given.sockets
        }
        try:
            yield
            self._going_on = self._serving.restore(given.snapshot, given.sockets)
        except Exception as why:
            given.refuse(str(why))
            raise
        given.accept()
        self._ports.close_unused()
        for sock in given.sockets.values():
            sock.close()
        self._ports.lock()
        self._ports.let_go()
        self._going_on.addErrback(lambda why: _log.failure("Not all goes on", why))
        self._going_on.addCallback(lambda _: self._ports.go_on())
        _log.info("Took over {users} users", event="took_over", users=len(self._serving))

    # The old process

    def hand_over(self, give: Callable[[bytes, list[socket.socket]], None]) -> bool:
        """Hand all over by a function, and end; or go on if it raises Refused. Return which."""
        if self.over:
            return True
        taken, sockets = self._serving.take()
        try:
            give(encode(taken), sockets)
        except Refused as why:
            not_taken_over(why)
            self._ports.stay()
            return False
        self.over = True
        _log.info("Another process has taken over", event="taken_over")
        self._ports.let_go()
        self._serving.retire().addCallback(lambda _: stop())
        return True

    def restart(self) -> None:
        """Give all to systemd, which starts another process when this one ends, as it must.

        What was taken over goes on before: until then nobody has it all.
        """
        self._going_on.addBoth(lambda _: self._restart())

    def _restart(self) -> None:
        over = False
        try:
            over = self.hand_over(store.put)
        finally:  # systemd waits for the end, whatever has failed
            if not over:
                stop()


def not_taken_over(why: object) -> None:
    """Log why no other process takes over."""
    _log.error("No other process takes over: {why}", event="not_taken_over", why=why)


def stop() -> None:
    """Stop the process, if it does not stop already."""
    from twisted.internet import reactor

    with suppress(ReactorNotRunning):
        reactor.stop()


class Asked(Int32StringReceiver):
    """A connection of a process that is to take over."""

    MAX_LENGTH = 10_000
    factory: "HandoverDoor"

    def lengthLimitExceeded(self, length: int) -> None:
        not_taken_over("it does not speak as expected")
        super().lengthLimitExceeded(length)

    def stringReceived(self, data: bytes) -> None:
        sock = self.transport.getHandle()  # type: ignore[union-attr]
        try:
            if self.factory.numPorts:  # else the server stops
                self.factory.handover.hand_over(partial(passing.give, sock, data))
        finally:
            self.transport.abortConnection()  # type: ignore[union-attr]


class HandoverDoor(Factory):
    """What the port serves on which such a process asks."""

    protocol = Asked  # type: ignore[assignment]
    noisy = False

    def __init__(self, handover: Handover) -> None:
        self.handover = handover
