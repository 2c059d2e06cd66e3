"""What the kernel knows of whether the other end of a socket is alive."""

import fcntl
import select
import socket
import struct
import sys
import termios
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.protocols.policies import ProtocolWrapper

from chatpair.exchange.delay import Delay

KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_TRIES = 15, 5, 3
"""Seconds of silence before the first probe, and between probes; probes without an answer."""

SILENCE = 26.0
"""Seconds in which the kernel sent again and heard nothing, after which the other end is dead.

It sends again after 0.2, 0.6, 1.4 ... 12.6 and 25.4 seconds at the soonest: who was away for a
while in between, and is back, can show it only then.
Keepalive can't tell: the kernel does not probe while there is something to send again, and that
it does for a quarter of an hour. TCP_USER_TIMEOUT can't either: it also ends a connection whose
other end is alive and only does not read.
"""

LISTENER_FIRST_CHECK, LISTENER_CHECK = 0.1, 1.0
"""Seconds until a connection is looked at."""

# macOS has the same under another name.
_TCP_KEEPIDLE = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", 0))

# Where struct tcp_info of linux/tcp.h has probes, unacked, last_data_recv and last_ack_recv
# (milliseconds). What acknowledges nothing new counts in the former alone.
_TCP_INFO = struct.Struct("3xB20xI24xII")


def innermost(transport: Any) -> Any:
    """Return the transport that has the socket, under TLS and whatever else wraps it."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    return transport


def socket_of(transport: Any) -> socket.socket | None:
    """Return the socket under a transport of Twisted's, if there is one."""
    transport = innermost(transport)
    handle = transport.getHandle() if hasattr(transport, "getHandle") else None
    return handle if isinstance(handle, socket.socket) else None


_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, _TCP_KEEPIDLE, KEEPALIVE_IDLE),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_TRIES),
    (socket.SOL_SOCKET, socket.SO_OOBINLINE, 1),  # the last one, which tells that all are set
]


def set_options(sock: socket.socket) -> None:
    """Let small lines go at once, probe a silent connection, take urgent data as it comes.

    Telnet marks an interrupt as urgent; out of line its last byte would be missing. What a port
    accepts inherits them all, which is cheaper, on Linux.
    """
    try:
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE):
            for level, option, value in _OPTIONS:
                sock.setsockopt(level, option, value)
    except OSError:
        return  # it is a unix socket, or reset already, which reading will tell


def is_gone(sock: socket.socket, *, all_read: bool) -> bool:
    """Tell whether a connection is lost, even if nobody reads it.

    Until all is read, only an error tells: what the other end wrote before it closed may wait.
    """
    poll = select.poll()
    poll.register(sock, 0)
    lost = select.POLLERR | (select.POLLHUP if all_read else 0)
    return any(event & lost for _, event in poll.poll(0))


def _waiting(sock: socket.socket | None, request: int) -> int | None:
    """Return how many bytes the kernel has, unless it can't be asked any more."""
    if sock is None or sock.fileno() == -1:
        return None
    return int.from_bytes(fcntl.ioctl(sock, request, bytes(4)), sys.byteorder)


def unread_bytes(sock: socket.socket | None) -> int:
    """Return how much has come that was not read yet; an end alone is nothing."""
    return _waiting(sock, termios.FIONREAD) or 0


def is_delivered(sock: socket.socket | None) -> bool:
    """Tell whether the other end has acknowledged all that the kernel was given."""
    return _waiting(sock, termios.TIOCOUTQ) == 0


def is_silent(sock: socket.socket) -> bool:
    """Tell whether the kernel has tried to send for SILENCE seconds and heard nothing at all.

    Only Linux tells; elsewhere the kernel gives up by itself after some minutes.
    """
    if sock.family == socket.AF_UNIX or not hasattr(socket, "TCP_INFO"):
        return False
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    probes, unacked, *last_heard = _TCP_INFO.unpack(info)
    return bool(min(last_heard) >= SILENCE * 1000 and (unacked or probes >= KEEPALIVE_TRIES))


class Watched(Protocol):
    """A connection, which may not notice its loss."""

    def vanished(self, how: str) -> None:
        """It is lost."""

    def all_arrived(self) -> None:
        """There is nothing to watch it for any more."""


@dataclass(slots=True, eq=False, repr=False)
class Watch:
    """Notices what Twisted does not, which watches a connection only while it reads or writes.

    That is: a reset while nothing is read, because of flow control or because the input has
    ended, and a silent end while something is to be delivered. It is there for as long.
    """

    _clock: IReactorTime
    _checks: Delay[Any]  # DELIVERY_CHECK long, for many
    _socket: socket.socket | None
    _watched: Watched
    told_at: float
    """When something was told that may not have arrived, in seconds."""
    _next: IDelayedCall | None = None
    _reading: bool = True
    _input_ended: bool = False

    def begin(self) -> None:
        """See to it that what was written arrives."""
        if self._socket is not None:
            self._checks.start(self)

    def reads(self, reading: bool) -> None:
        """Look out for a reset while nothing is read."""
        self._reading = reading

    def input_ended(self) -> None:
        """Look out for a reset from now on, which comes within a round trip if at all."""
        self.stop()
        self._input_ended = True
        if self._socket is not None:
            self._next = self._clock.callLater(LISTENER_FIRST_CHECK, self.look)

    def stop(self) -> None:
        """Look no more."""
        self._checks.stop(self)
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def look(self) -> None:
        """Look, and come back if that is needed."""
        self._next = None
        assert self._socket is not None
        now = self._clock.seconds()
        delivered = is_delivered(self._socket)
        if delivered:
            self.told_at = now
        if is_gone(self._socket, all_read=self._input_ended):
            self._watched.vanished("reset")
        elif now - self.told_at >= SILENCE and is_silent(self._socket):
            self._watched.vanished("vanished")
        elif self._input_ended:
            self._next = self._clock.callLater(LISTENER_CHECK, self.look)
        elif not (delivered and self._reading):
            self._checks.start(self)
        else:
            self._watched.all_arrived()
