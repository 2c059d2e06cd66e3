"""How a connection ends: its states, and all that may happen in each.

Flushing: nothing more is told, and what was told is on its way. Half-closed: all is on its way and
this half closed; the other end has a moment to close the other one. Closed.

Closing while the other end still sends would reset the connection, and a reset destroys the
answers on their way (RFC 1122, section 4.2.2.13).
"""

from typing import Any, Protocol

from automat import TypeMachineBuilder
from twisted.internet.interfaces import IHalfCloseableDescriptor, ISSLTransport

FLUSHING_SECONDS = 300.0
"""How long a client may take to read what it was told before."""

REFUSED_SECONDS = 30.0
"""The same for one that was refused: the answer may wait for a handshake that never ends."""

CLOSING_SECONDS = 1.0
"""How long what a client still sends is read after the last answer."""


class Closing(Protocol):
    """What may happen on the way to the end."""

    def hang_up(self, seconds: float, at_once: bool) -> None:
        """All is told, and may take so long to be read; at once, if nobody sends any more."""

    def flushed(self) -> None:
        """This half is closed."""

    def other_half_closed(self) -> None:
        """Nothing more will come."""

    def timed_out(self) -> None:
        """What was waited for has not happened."""

    def abort(self) -> None:
        """There is no time to wait."""


class Closer(Protocol):
    """The connection, which says timed_out."""

    transport: Any

    def setTimeout(self, period: float | None) -> None: ...


_builder = TypeMachineBuilder(Closing, Closer)  # type: ignore[type-abstract]
_open = _builder.state("open")
_flushing = _builder.state("flushing")
_half_closed = _builder.state("half-closed")
_closed = _builder.state("closed")


@_open.upon(Closing.hang_up).to(_flushing)
def _hang_up(_: Closing, closer: Closer, seconds: float, at_once: bool) -> None:
    closer.setTimeout(seconds)
    if at_once or not _closes_by_halves(closer.transport):
        closer.transport.loseConnection()
    else:
        closer.transport.loseWriteConnection()
        closer.transport.resumeProducing()


def _closes_by_halves(transport: object) -> bool:
    if ISSLTransport.providedBy(transport):  # Twisted's own passes this on to what is under it
        return hasattr(type(transport), "loseWriteConnection")
    return IHalfCloseableDescriptor.providedBy(transport)


@_flushing.upon(Closing.flushed).to(_half_closed)
def _flushed(_: Closing, closer: Closer) -> None:
    closer.setTimeout(CLOSING_SECONDS)


@_flushing.upon(Closing.other_half_closed).loop()
@_half_closed.upon(Closing.other_half_closed).to(_closed)
@_half_closed.upon(Closing.timed_out).to(_closed)
def _close(_: Closing, closer: Closer) -> None:
    closer.transport.loseConnection()


@_open.upon(Closing.abort).to(_closed)
@_flushing.upon(Closing.abort).to(_closed)
@_half_closed.upon(Closing.abort).to(_closed)
@_closed.upon(Closing.abort).loop()
@_flushing.upon(Closing.timed_out).to(_closed)
def _abort(_: Closing, closer: Closer) -> None:
    closer.transport.abortConnection()


for _state in (_flushing, _half_closed, _closed):
    _state.upon(Closing.hang_up).loop().returns(None)
_half_closed.upon(Closing.flushed).loop().returns(None)
for _input in (Closing.flushed, Closing.other_half_closed, Closing.timed_out):
    _closed.upon(_input).loop().returns(None)

make_closing = _builder.build()
"""Makes the state of a connection that is to close."""
