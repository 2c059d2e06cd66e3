"""The handover over a restart by systemd, which keeps all of it in between.

systemd stops a service before it starts it again. A signal of its own (RestartKillSignal=) tells
a restart from a stop: then the old process gives all to systemd, which hands it to the new one
(sd_notify(3): FDSTORE=1, and BARRIER=1 when it has it; sd_listen_fds(3)).
"""

import os
import socket
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from twisted.internet.endpoints import _SystemdParser
from twisted.logger import Logger

from chatpair.handover.passing import TIMEOUT, Refused, in_portions, is_ready
from chatpair.handover.snapshot import CantRead, Snapshot, decode

NAME = "chatpair"
"""What all of it is called there."""

_log = Logger()


def _tell(told: str, descriptors: list[int]) -> None:
    where = os.environ.get("NOTIFY_SOCKET", "")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect(f"\0{where[1:]}" if where.startswith("@") else where)
        socket.send_fds(sock, [told.encode()], descriptors)


def put(snapshot: bytes, sockets: Iterable[socket.socket]) -> None:
    """Give all to systemd; raises Refused if it does not say that it has it."""
    kept = os.memfd_create(NAME)
    reads, writes = os.pipe()
    try:
        with os.fdopen(kept, "wb", closefd=False) as file:
            file.write(snapshot)
        for some in ([kept], *in_portions(sockets)):
            _tell(f"FDSTORE=1\nFDNAME={NAME}\nFDPOLL=0", some)
        try:
            _tell("BARRIER=1", [writes])
        finally:
            os.close(writes)
        if not is_ready(reads):
            raise Refused("systemd does not say that it has all")
    except OSError as why:
        raise Refused(f"systemd can't be given all: {why}") from None
    finally:
        os.close(reads)
        os.close(kept)


@dataclass(eq=False, repr=False)
class Kept:
    """What systemd has kept."""

    snapshot: Snapshot
    sockets: dict[int, socket.socket] = field(default_factory=dict)
    """By their inodes."""

    def accept(self) -> None:
        """Let systemd keep it no more."""
        _forget()

    def refuse(self, why: str) -> None:
        """Leave it there, for a start that succeeds."""


def _forget() -> None:
    with suppress(OSError):  # nobody keeps it then
        _tell(f"FDSTOREREMOVE=1\nFDNAME={NAME}", [])


def take() -> Kept | None:
    """Return what systemd has kept, if it has anything that can be read."""
    # Twisted has read the environment, and deleted half of it.
    inherited = _SystemdParser._sddaemon.inheritedDescriptors()
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    descriptors = [one for one, name in zip(inherited, names, strict=False) if name == NAME]
    if not descriptors:
        return None
    sockets, data = {}, b""
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
        status = os.fstat(descriptor)
        if stat.S_ISSOCK(status.st_mode):
            sockets[status.st_ino] = socket.socket(fileno=descriptor)
        else:
            with os.fdopen(descriptor, "rb") as file:
                file.seek(0)
                data = file.read()
    try:
        return Kept(decode(data), sockets)
    except CantRead as why:
        _log.error("All lines are lost over this restart: {why}", event="lines_lost", why=why)
        for sock in sockets.values():
            sock.close()
        _forget()
        return None
