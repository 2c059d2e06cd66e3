"""How each server is started, and what it is."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.dialects import Fault
from benchmarks.measure import is_listening

HERE = Path(__file__).parent

START_SECONDS = 60
STOP_SECONDS = 20
TURN_SECONDS = 0.02

CLIENT_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST_PORT = 10_000
SHARE = "CHATPAIR_PORTS"
"""The environment's variable for which share of the ports to take: 2/6 is the second of six."""

NGIRCD_CONF = """\
# No limit that a benchmark would measure instead of the server, and nothing to wait for.
[Global]
Name = irc.benchmark
Info = Written by chatpair's benchmark
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = Welcome
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxNickLength = 20
MaxPenaltyTime = 0
PingTimeout = 3600
[Options]
DNS = no
Ident = no
IncludeDir = {folder}
PAM = no
"""


@dataclass(frozen=True)
class Server:
    """A server to measure: what the load speaks to it, and how it is started."""

    name: str
    about: str
    dialect: str
    arguments: Callable[[int, Path], list[str]]
    """The command, from a port number and a folder that is the server's own."""
    missing: Callable[[], str] = lambda: ""
    """Why it can't be started here, if it can't."""
    listens: Callable[[int, Path], bool] = lambda port, folder: is_listening(port)
    """Whether it does, once it is started."""


def _twistd() -> Path:
    return Path(sys.executable).with_name("twistd")


def chatpair(port: int, folder: Path) -> list[str]:
    """Return what starts chatpair, in a folder of its own."""
    # As in the README, but for limits that all clients on one machine would run into.
    limits = ["--max-users", "100000", "--max-per-host", "100000"]
    return [str(_twistd()), "-n", "chatpair", "--port", str(port), *limits]


def no_chatpair() -> str:
    """Return why chatpair can't be started, if it can't."""
    return "" if _twistd().exists() else f"there is no {_twistd()}: install chatpair beside Python"


def _script(name: str) -> Callable[[int, Path], list[str]]:
    return lambda port, folder: [sys.executable, str(HERE / name), str(port)]


def _find_ngircd() -> str | None:
    return shutil.which("ngircd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def _ngircd(port: int, folder: Path) -> list[str]:
    conf = folder / "ngircd.conf"
    conf.write_text(NGIRCD_CONF.format(port=port, folder=folder))
    return [_find_ngircd() or "ngircd", "-n", "-f", str(conf)]


def _no_ngircd() -> str:
    return "" if _find_ngircd() else "it is not installed; Debian's package is ngircd"


SERVERS = {
    server.name: server
    for server in (
        Server("chatpair", "twistd -n chatpair", "lines", chatpair, no_chatpair),
        Server("relay", "the least such a server can do in Python", "lines", _script("relay.py")),
        Server(
            "linereceiver",
            "a plain LineReceiver of Twisted's",
            "lines",
            _script("line_receiver.py"),
        ),
        Server("ngircd", "an IRC server in C", "irc", _ngircd, _no_ngircd),
    )
}


@dataclass(frozen=True)
class Running:
    """A server that listens."""

    port: int
    process: int  # its id
    folder: Path  # its own


class DidNotStart(Fault):
    """A server did not; no other server's log has more to tell."""


@contextmanager
def running(server: Server, cpu: int | None = None) -> Iterator[Running]:
    """Start a server, on one CPU if it is given, and stop it in the end; a Fault if it dies.

    Whatever Fault comes meanwhile has the end of its log added.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        log = folder / "log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                server.arguments(port, folder),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=pinned(cpu),
            ) as process,
        ):
            started = False
            try:
                wait_until_it_listens(process, lambda: server.listens(port, folder))
                started = True
                yield Running(port, process.pid, folder)
                if process.poll() is not None:
                    raise Fault(f"it ended with status {process.returncode}")
            except Fault as why:
                if started and isinstance(why, DidNotStart):
                    raise
                tail = "".join(f"\n    {line}" for line in log.read_text().splitlines()[-8:])
                told = f"{server.name}: {why}; the end of its log:{tail}"
                raise type(why)(told) from None
            finally:
                _stop(process)


def pinned(cpu: int | None) -> Callable[[], None]:
    """Return what a new process is to do to stay on one CPU."""

    def pin() -> None:
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})

    return pin


def free_port() -> int:
    """Return a port that is free at all addresses, and that no connection gets by chance.

    Those who ask at the same time, each with a share of its own, never get the same one.
    """
    first_for_clients = int(CLIENT_PORTS.read_text().split()[0])
    which, shares = map(int, os.environ.get(SHARE, "1/1").split("/"))
    lowest = min(LOWEST_PORT, first_for_clients - shares)
    candidates = list(range(lowest + which - 1, first_for_clients, shares))
    random.shuffle(candidates)
    for port in candidates:
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("", port))
            return port
    raise Fault("there is no free port")


def share_of(which: int, number: int) -> str:
    """Return one part of so many of the own share of the ports, the first of which is 0."""
    mine, shares = map(int, os.environ.get(SHARE, "1/1").split("/"))
    return f"{which * shares + mine}/{number * shares}"


def wait_until_it_listens(process: subprocess.Popen[bytes], listens: Callable[[], bool]) -> None:
    """Wait until a new process listens; DidNotStart if it never does."""
    end = time.monotonic() + START_SECONDS
    while not listens():
        if process.poll() is not None:
            raise DidNotStart(f"it ended with status {process.returncode} before it listened")
        if time.monotonic() > end:
            raise DidNotStart(f"it does not listen after {START_SECONDS} s")
        time.sleep(TURN_SECONDS)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
