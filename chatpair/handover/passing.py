"""How all is handed over: what the two processes say to each other on a unix socket.

The new one asks, and says which snapshots it reads. The old one stands still from then on. It
gives a pipe, the snapshot, and then the sockets: with the snapshot alone users with a key can come
back. The new one says that it has all, or why not. Then the old one decides: it writes GO into the
pipe, and serves no more; or else why not, and goes on as if nothing had been asked. A pipe takes
that whatever the other end does, and if it ends without a word the old process is dead. So never
do both serve.
"""

import os
import select
import socket
import struct
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from msgspec import DecodeError, Struct
from msgspec.msgpack import Decoder, encode

from chatpair.handover.snapshot import READ, VERSION, CantRead, Snapshot, decode

TIMEOUT = 10.0
"""Seconds for which the old process stands still at most with nothing said."""

MOST_AT_ONCE = 253
"""Descriptors that go at once: SCM_MAX_FD of the Linux kernel."""

GO = b"go"

_LENGTH = struct.Struct("!I")
_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): process, user and group


class Refused(Exception):
    """There is no handover; the message says why."""


class Word(Struct):
    """What the new process says, first and last."""

    reads: tuple[int, ...] = READ
    """The versions of snapshots."""
    why: str = ""
    """Why it can't take what it was given."""


_words = Decoder(Word)


def _send(sock: socket.socket, data: bytes) -> None:
    """Send bytes as Twisted's Int32StringReceiver has them."""
    sock.sendall(_LENGTH.pack(len(data)) + data)


def _receive(sock: socket.socket) -> bytes:
    """Return such bytes; raises EOFError at the end."""
    (length,) = _LENGTH.unpack(_receive_bytes(sock, _LENGTH.size))
    return _receive_bytes(sock, length)


def _receive_bytes(sock: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        some = sock.recv(min(length - len(data), 2**20))
        if not some:
            raise EOFError
        data += some
    return bytes(data)


def in_portions(sockets: Iterable[socket.socket]) -> Iterable[list[int]]:
    """Yield the descriptors of sockets, as many as go at once."""
    rest = [sock.fileno() for sock in sockets]
    while rest:
        yield rest[:MOST_AT_ONCE]
        rest = rest[MOST_AT_ONCE:]


def is_ready(descriptor: int) -> bool:
    """Wait until a descriptor can be read from, of which select(2) may know none so high."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(TIMEOUT * 1000))


def _word(data: bytes) -> Word:
    try:
        return _words.decode(data)
    except DecodeError as why:
        raise Refused(f"it does not speak as expected: {why}") from None


# The old process


def give(
    sock: socket.socket, asked: bytes, snapshot: bytes, sockets: Iterable[socket.socket]
) -> None:
    """Give all to a process that has asked, and let it go on; raises Refused if it does not."""
    sock.settimeout(TIMEOUT)
    decision, decide = os.pipe()
    with os.fdopen(decide, "wb", buffering=0) as decides:
        try:
            try:
                socket.send_fds(sock, [b"\0"], [decision])
            finally:
                os.close(decision)
            reads = _word(asked).reads
            if VERSION not in reads:
                raise Refused(f"its snapshot has version {VERSION}, and the new one reads {reads}")
            _send(sock, snapshot)
            for some in in_portions(sockets):
                socket.send_fds(sock, [b"\0"], some)
            why = _word(_receive(sock)).why
            if why:
                raise Refused(why)
            decides.write(GO)
        except (OSError, EOFError, Refused) as why:
            late = f"nothing was said for {TIMEOUT:.0f} seconds"
            refused = Refused(late if isinstance(why, TimeoutError) else str(why) or "it has gone")
            with suppress(OSError):
                decides.write(str(refused).encode()[:4_000])
            raise refused from None


# The new process


@dataclass(eq=False, repr=False)
class Given:
    """What the process has given that served before."""

    snapshot: Snapshot
    sockets: dict[int, socket.socket]
    """By their inodes; some are missing if it was killed meanwhile."""
    _sock: socket.socket
    _decision: int

    @property
    def is_whole(self) -> bool:
        """Whether all sockets have come."""
        return self.snapshot.sockets() <= self.sockets.keys()

    def accept(self) -> None:
        """Say that all is there, and return once it is for this process to serve.

        Raises Refused if it is not.
        """
        with suppress(OSError):  # it is dead, which the pipe tells
            _send(self._sock, encode(Word()))
        _await_decision(self._decision)
        self._sock.close()

    def refuse(self, why: str) -> None:
        """Say why this process can't go on with it."""
        with suppress(OSError):
            _send(self._sock, encode(Word(why=why)))
        self._sock.close()


def ask(path: Path) -> Given | None:
    """Return what the process gives that listens on a unix socket, or None if none does.

    Raises Refused if it gives nothing.
    """
    while True:
        with ExitStack() as at_the_end:
            sock = at_the_end.enter_context(socket.socket(socket.AF_UNIX))
            sock.settimeout(2 * TIMEOUT)  # it is for the other one to say that it is too late
            try:
                sock.connect(str(path))
                given = _ask(sock)
                if given is None or not given.is_whole:
                    _await_end(sock)
            except (FileNotFoundError, ConnectionRefusedError):
                if path.exists() and not path.is_socket():
                    raise Refused(f"{path} is no socket") from None
                return None
            except OSError as why:
                raise Refused(f"{path}: {why.strerror or why}") from None
            if given is not None:
                at_the_end.pop_all()
                return given
            # Yet another one may have been given all before that.


def _ask(sock: socket.socket) -> Given | None:
    """Return what the process at the other end gives, or None if it dies before it can."""
    given = None
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        _send(sock, encode(Word()))
        _, pipes, *_ = socket.recv_fds(sock, 1, 1, socket.MSG_CMSG_CLOEXEC)
        if pipes:
            given = _receive_snapshot(sock, pipes[0])
        if given is not None:
            _receive_sockets(given)
    return given


def _await_end(sock: socket.socket) -> None:
    """Wait until the process at the other end has ended, and its ports are closed with it.

    A process that is killed closes its files one by one. Raises Refused if it lives.
    """
    pid, *_ = _CREDENTIALS.unpack(
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not is_ready(process):
            raise Refused(f"process {pid} gives nothing, and does not end")
    finally:
        os.close(process)


def _receive_snapshot(sock: socket.socket, decision: int) -> Given | None:
    try:
        data = _receive(sock)
    except (EOFError, ConnectionError):
        _await_decision(decision)
        return None
    try:
        return Given(decode(data), {}, sock, decision)
    except CantRead as why:
        os.close(decision)
        _send(sock, encode(Word(why=str(why))))
        raise Refused(str(why)) from None


def _receive_sockets(given: Given) -> None:
    while not given.is_whole:
        _, found, flags, _ = socket.recv_fds(given._sock, 1, MOST_AT_ONCE, socket.MSG_CMSG_CLOEXEC)
        if flags & socket.MSG_CTRUNC:
            given.refuse("too few files may be open; see ulimit -n")
            raise Refused("too few files may be open; see ulimit -n")
        if not found:
            return
        for fileno in found:
            given.sockets[os.fstat(fileno).st_ino] = socket.socket(fileno=fileno)


def _await_decision(decision: int) -> None:
    with os.fdopen(decision, "rb") as pipe:
        said = pipe.read()
    if said not in (GO, b""):
        raise Refused(said.decode(errors="replace"))
