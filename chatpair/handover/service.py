"""A process takes over from the one that served before it, and hands over to the next."""

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeAlias

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ReactorNotRunning
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver

from chatpair.handover import passing, store
from chatpair.handover.passing import Refused
from chatpair.handover.ports import Ports
from chatpair.handover.snapshot import Snapshot, encode

_log = Logger()


class Serving(Protocol):
    """All that a process serves; serving.py has it."""

    def __len__(self) -> int: ...
    def take(self) -> tuple[Snapshot, list[socket.socket]]: ...
    def restore(self, taken: Snapshot, sockets: dict[int, socket.socket]) -> Deferred[None]: ...
    def retire(self) -> Deferred[None]: ...


Given: TypeAlias = passing.Given | store.Kept
"""What the process before this one has given."""


class Handover:
    """Takes over from the process that served before, and hands over to the next."""

    def __init__(self, serving: Serving, ports: Ports, ask: Callable[[], Given | None]) -> None:
        """Take what asks the process that served before for all it has, if there is one."""
        self._serving = serving
        self._ports = ports
        self._ask = ask
        self._given: Given | None = None
        self._going_on: Deferred[None] = succeed(None)
        self.over = False
        """Whether another process serves by now."""

    # The new process

    def begin(self) -> None:
        """Ask for all that there is; raises Refused."""
        self._given = given = self._ask()
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
        self._going_on = self._serving.restore(given.snapshot, given.sockets)
        self._given = None
        given.accept()
        self._ports.close_unused()
        for sock in given.sockets.values():
            sock.close()
        self._ports.lock()
        self._ports.let_go()
        self._going_on.addErrback(lambda why: _log.failure("Not all goes on", why))
        self._going_on.addCallback(lambda _: self._ports.go_on())
        _log.info("Took over {users} users", event="took_over", users=len(self._serving))

    def refuse(self, why: str) -> None:
        """Tell the other process, if it has given anything, why this one can't go on with it."""
        given, self._given = self._given, None
        if given is not None:
            given.refuse(why)

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
