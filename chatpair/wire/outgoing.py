"""What is written to a connection: who waits for it, and when the kernel has it."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from socket import socket
from typing import Any, Protocol

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from chatpair.exchange.visitors import DELIVERY_CHECK
from chatpair.wire.liveness import Watch, innermost
from chatpair.wire.turns import PORTION

DEFAULT_BUFFER = 65_536
"""Bytes that may wait in a transport which does not say how many."""


class Writer(Protocol):
    """The connection, which is told."""

    factory: Any
    transport: Any
    socket: socket | None

    def vanished(self, how: str) -> None:
        """It is lost."""

    def callLater(self, period: float, func: Callable[[], object]) -> object: ...

    def room_changed(self) -> None:
        """It got full, or empty."""

    def handed(self) -> None:
        """The kernel has what was written for a receipt."""


@implementer(IPushProducer)
@dataclass(slots=True, eq=False, repr=False)
class Outgoing:
    """Writes to a connection's transport, and is its producer: it knows when others must wait.

    It stands there in the connection's place, as a transport that is lost tells its producer to
    stop, and a protocol told so would close a connection that is not at fault.
    """

    writer: Writer | None
    """The connection, as long as anything is told."""
    full: bool = False
    """Whether what was written is still waiting to be taken, so that more should wait too."""
    watch: Watch | None = None
    """Watches the connection when it has not all that it was told for long, or is not read."""
    _looks: bool = False  # whether it is still to be looked if all that was told has arrived
    _asks: bool = False  # whether the kernel takes what is being written
    _taken: bool = False  # and it does
    _unhanded: int = 0  # bytes that wait in the transport at most, of which somebody wants to know
    _later: deque[Iterator[bytes]] | None = None  # what is still to be made, or waits for that

    def write(self, data: bytes) -> None:
        """Write, and see to it that a silent end is noticed."""
        writer = self.writer
        if writer is None:
            return
        if self._later is not None:
            self._later.append(iter((data,)))
            return
        writer.transport.write(data)
        if not self._looks and self.writer is not None:  # what was written may have ended it
            self._look_later()

    def _look_later(self) -> None:
        """Look in a while: nearly always all has arrived then, and nothing is to be watched."""
        writer = self.writer
        assert writer is not None
        self._looks = True
        if writer.socket is not None:
            writer.factory.visitors.watches.start(self)

    def look(self) -> None:
        """Watch the connection, unless all has arrived that it was told DELIVERY_CHECK ago."""
        self._make_watch(-DELIVERY_CHECK).look()

    def look_out(self) -> Watch:
        """Return what watches the connection, from now on if there was none."""
        if self.watch is not None:
            return self.watch
        told_at = self.told_at
        self.stop_looking()
        watch = self._make_watch()
        watch.told_at = watch.told_at if told_at is None else told_at
        watch.begin()
        return watch

    def _make_watch(self, seconds: float = 0.0) -> Watch:
        writer = self.writer
        assert writer is not None
        clock, watches = writer.factory.clock, writer.factory.visitors.watches
        self._looks = True
        self.watch = Watch(clock, watches, writer.socket, self, clock.seconds() + seconds)
        return self.watch

    @property
    def told_at(self) -> float | None:
        """When something was told that may not have arrived, in seconds, if anything was."""
        if self.watch is not None:
            return self.watch.told_at
        if not self._looks or self.writer is None:
            return None
        due: float | None = self.writer.factory.visitors.watches.get(self)
        return due and due - DELIVERY_CHECK

    def stop_looking(self) -> None:
        """Look no more at what becomes of what was told."""
        if self.watch is not None:
            self.watch.stop()
        elif self._looks and self.writer is not None:
            self.writer.factory.visitors.watches.stop(self)

    def write_for_receipt(self, parts: Iterator[bytes]) -> None:
        """Write a text, and say handed as soon as the kernel has all of it and all before it.

        The other end may ask for much with little: so what is long is made while it is written, a
        portion at a time, each in a turn of its own and when the kernel has those before.
        """
        if self.writer is None:
            return
        if self._later is not None:
            self._later.append(parts)
            return
        later = deque((parts,))
        portion = _next_portion(later)
        if later:
            self._later = later
            self._filled(True)
        self._ask(portion)

    def _go_on(self) -> None:
        later = self._later
        if later is None:
            return
        portion = _next_portion(later)
        if not later:
            self._later = None
        self._ask(portion)
        if self._later is None and self._taken:
            self._filled(False)

    def _ask(self, data: bytes) -> None:
        """Write, and learn when the kernel has taken it.

        A transport tells that it is empty only after it has paused its producer. So it is made
        to, for this write, unless the kernel takes all at once.
        """
        assert self.writer is not None
        transport = innermost(self.writer.transport)
        limit = getattr(transport, "bufferSize", DEFAULT_BUFFER)
        self._asks = self._taken = True
        self._unhanded += len(data)
        try:
            transport.bufferSize = 0
            self.writer.transport.write(data)
            if not self._looks and self.writer is not None:
                self._look_later()
        finally:
            transport.bufferSize = limit
            self._asks = False
        if self._taken:
            self._unhanded = 0
            self._say_handed()
        elif self._unhanded > limit:
            self._filled(True)

    def drop(self) -> None:
        """Write nothing of what is still to be made."""
        self._later = None

    def lost(self) -> None:
        """Write nothing more at all."""
        self.drop()
        self.close()

    def close(self) -> None:
        """Write nothing more; what was written is still on its way."""
        if self.writer is not None:
            later, self._later = self._later, None
            if later is not None:
                self.writer.transport.write(b"".join(chain.from_iterable(later)))
            self.writer.transport.unregisterProducer()
            self.stop_looking()
            self.writer = None

    def _filled(self, full: bool) -> None:
        self.full = full
        if self.writer is not None:
            self.writer.room_changed()

    def _say_handed(self) -> None:
        if self.writer is None:
            return
        if self._later is None:
            self.writer.handed()
        else:
            self.writer.callLater(0, self._go_on)

    # The watch tells

    def vanished(self, how: str) -> None:
        if self.writer is not None:
            self.writer.vanished(how)

    def all_arrived(self) -> None:
        self.watch = None
        self._looks = False

    # The transport tells

    def pauseProducing(self) -> None:
        if self._asks:  # it may say so more than once, as TLS writes long texts in parts
            self._taken = False
        else:
            self._filled(True)

    def resumeProducing(self) -> None:
        unhanded, self._unhanded = self._unhanded, 0
        if self._later is None:
            self._filled(False)
        if unhanded:
            self._say_handed()

    def stopProducing(self) -> None:
        """Do nothing: the connection is told by itself that it is lost."""


def _next_portion(parts: deque[Iterator[bytes]]) -> bytes:
    """Make what comes next; nothing is left in the deque when that is all."""
    portion: list[bytes] = []
    size = 0
    while parts:
        part = next(parts[0], None)
        if part is None:
            parts.popleft()
        elif portion and size + len(part) > PORTION:
            parts.appendleft(iter((part,)))
            break
        else:
            portion.append(part)
            size += len(part)
    return b"".join(portion)
