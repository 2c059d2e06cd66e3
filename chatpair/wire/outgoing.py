"""What is written to a connection: who waits for it, and when the kernel has it."""

from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from chatpair.wire.liveness import Watch, innermost

DEFAULT_BUFFER = 65_536
"""Bytes that may wait in a transport which does not say how many."""


class Writer(Protocol):
    """The connection, which is told."""

    transport: Any
    watch: Watch

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
    _asks: bool = False  # whether the kernel takes what is being written
    _taken: bool = False  # and it does
    _unhanded: int = 0  # bytes that wait in the transport at most, of which somebody wants to know

    def write(self, data: bytes) -> None:
        """Write, and see to it that a silent end is noticed."""
        writer = self.writer
        if writer is not None:
            writer.transport.write(data)
            if not writer.watch.waiting:
                writer.watch.told()

    def write_for_receipt(self, data: bytes) -> None:
        """Write, and say handed as soon as the kernel has this and all before it.

        A transport tells that it is empty only after it has paused its producer. So it is made
        to, for this write, unless the kernel takes all at once.
        """
        if self.writer is None:
            return
        transport = innermost(self.writer.transport)
        limit = getattr(transport, "bufferSize", DEFAULT_BUFFER)
        self._asks = self._taken = True
        self._unhanded += len(data)
        try:
            transport.bufferSize = 0
            self.write(data)
        finally:
            transport.bufferSize = limit
            self._asks = False
        if self._taken:
            self._unhanded = 0
            self._say_handed()
        elif self._unhanded > limit:
            self._filled(True)

    def close(self) -> None:
        """Write nothing more; what was written is still on its way."""
        if self.writer is not None:
            self.writer.transport.unregisterProducer()
            self.writer = None

    def _filled(self, full: bool) -> None:
        self.full = full
        if self.writer is not None:
            self.writer.room_changed()

    def _say_handed(self) -> None:
        if self.writer is not None:
            self.writer.handed()

    # The transport tells

    def pauseProducing(self) -> None:
        if self._asks:  # it may say so more than once, as TLS writes long texts in parts
            self._taken = False
        else:
            self._filled(True)

    def resumeProducing(self) -> None:
        unhanded, self._unhanded = self._unhanded, 0
        self._filled(False)
        if unhanded:
            self._say_handed()

    def stopProducing(self) -> None:
        """Do nothing: the connection is told by itself that it is lost."""
