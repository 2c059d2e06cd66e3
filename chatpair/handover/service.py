"""A process takes over from the one that served before it, and hands over to the next."""

import socket
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver

from chatpair.handover import passing
from chatpair.handover.passing import Given, Refused
from chatpair.handover.ports import Ports
from chatpair.handover.snapshot import Snapshot, encode

_log = Logger()


class Serving(Protocol):
    """All that a process serves; connections.py has it."""

    def __len__(self) -> int: ...
    def take(self, ports: dict[str, socket.socket]) -> tuple[Snapshot, list[socket.socket]]: ...
    def restore(self, taken: Snapshot, sockets: dict[int, socket.socket]) -> None: ...
    def retire(self) -> Deferred[None]: ...


class Asked(Int32StringReceiver):
    """A connection of a process that is to take over."""

    MAX_LENGTH = 10_000
    factory: "Handover"

    def stringReceived(self, data: bytes) -> None:
        sock = self.transport.getHandle()  # type: ignore[union-attr]
        try:
            self.factory.hand_over(sock, data)
        finally:
            self.transport.abortConnection()  # type: ignore[union-attr]


class Handover(Factory):
    """Takes over from the process that listens on a unix socket, and listens there then."""

    protocol = Asked  # type: ignore[assignment]
    noisy = False

    def __init__(self, serving: Serving, path: Path, ports: Ports) -> None:
        self._serving = serving
        self._path = path
        self._ports = ports
        self._given: Given | None = None
        self.over = False
        """Whether another process serves by now."""

    # The new process

    def begin(self) -> None:
        """Ask the process that serves for all it has, if there is one; raises Refused."""
        self._given = given = passing.ask(self._path)
        if given is not None:
            ports = given.snapshot.ports
            self._ports.given = {
                description: given.sockets.pop(inode)
                for description, inode in ports.items()
                if inode in given.sockets
            }

    def finish(self) -> None:
        """Know all that the other process knew, when the ports are open; raises Refused."""
        given = self._given
        if given is None:
            return
        try:
            self._serving.restore(given.snapshot, given.sockets)
        except Exception as why:
            given.refuse(str(why))
            raise
        given.accept()
        for sock in (*self._ports.given.values(), *given.sockets.values()):
            sock.close()  # which nobody here has a use for
        self._ports.lock()
        self._given = None
        _log.info("Took over {users} users", event="took_over", users=len(self._serving))

    # The old process

    def hand_over(self, sock: socket.socket, asked: bytes) -> None:
        """Hand all over to a process that has asked for it, and end; or go on."""
        if self.over or not self.numPorts:
            return  # this one is ending already
        taken, sockets = self._serving.take(self._ports.sockets())
        try:
            passing.give(sock, asked, encode(taken), sockets)
        except Refused as why:
            _log.error("No other process takes over: {why}", event="not_taken_over", why=why)
        else:
            self.over = True
            _log.info("Another process has taken over", event="taken_over")
            self._ports.let_go()
            self._serving.retire().addCallback(lambda _: _stop())


def _stop() -> None:
    from twisted.internet import reactor

    with suppress(ReactorNotRunning):  # it stops already
        reactor.stop()
