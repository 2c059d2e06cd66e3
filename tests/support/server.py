"""A real server: twistd in a process of its own, and plain sockets to talk to it."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, Self

import pytest

from tests.support.certificates import made
from tests.support.forks import BIN, start

TIMEOUT = 180
"""Seconds after which something that a test waits for hangs; no test takes as long."""

WEB = "web:tcp:0:interface=127.0.0.1"
"""Where a Server listens that is a web site."""


def unavailable(why: str) -> NoReturn:
    """Skip the test, or fail where all are due."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def require(program: str) -> str:
    """Return the path of a program; the test needs it."""
    return shutil.which(program) or unavailable(f"the program {program} is not installed")


def own_address() -> str:
    """Return an address of this machine that is not its loopback."""
    found = subprocess.run([require("hostname"), "-I"], check=True, capture_output=True, text=True)
    own = [word for word in found.stdout.split() if "." in word]
    if not own:
        pytest.skip("this machine has no network")
    return own[0]


class Process:
    """A process whose standard output is read as it comes."""

    may_fork = False
    """Whether it is no matter how it is started."""

    def __init__(self, arguments: Sequence[str], **options: Any) -> None:
        self.popen: Any = start(arguments, may_fork=self.may_fork, **options)
        self.output = b""
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _receive(self) -> bytes:
        data: bytes = self.popen.stdout.read1()
        return data

    def _take(self, data: bytes) -> None:
        self.output += data

    def _read(self) -> None:
        with suppress(OSError):  # EIO when the last who had a terminal open is gone
            while data := self._receive():
                with self._changed:
                    self._take(data)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, text: str | bytes) -> re.Match[bytes]:
        """Wait until the output has a match for a pattern."""
        pattern = text.encode() if isinstance(text, str) else text
        with self._changed:
            found = self._changed.wait_for(
                lambda: re.search(pattern, self.output) or self._ended, TIMEOUT
            )
        assert isinstance(found, re.Match), f"no {text!r} in {self.output!r} (over: {found})"
        return found

    def write(self, data: bytes) -> None:
        """Write to the standard input."""
        self.popen.stdin.write(data)
        self.popen.stdin.flush()

    def close_input(self, last: bytes = b"") -> None:
        """End the standard input, with what is written last."""
        self.write(last)
        self.popen.stdin.close()

    def wait(self) -> int:
        """Wait for the end; return the exit status, or minus the signal."""
        status: int = self.popen.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        return status

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal."""
        self.popen.send_signal(number)

    def stop(self) -> int:
        """End the process as an operator does; return its exit status."""
        self.kill(signal.SIGTERM)
        return self.wait()

    def resident_kib(self) -> int:
        """Return how much memory the process has, in KiB."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        match = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert match
        return int(match[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.popen.poll() is None:
            self.kill()
        self.wait()
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream is not None and not stream.closed:
                with suppress(BrokenPipeError):
                    stream.close()
        if not any(exception):
            assert b"Traceback" not in self.output, self.output.decode()


@dataclass(frozen=True)
class Door:
    """Where a server listens, and what it hears before the first line."""

    address: int | str
    """A TCP port, or the path of a unix socket."""
    proxied: bool = False
    """Whether a header tells whose a connection is."""
    tls: ssl.SSLContext | None = None
    """Whom to trust, if it speaks TLS."""
    web: bool = False
    """Whether it is a web site, with a WebSocket."""
    host: str = "127.0.0.1"
    """The machine's address, of a TCP port; one is connected to from itself."""

    def connect(self, source: str) -> socket.socket:
        """Connect from an address, if the door is of a kind that has any."""
        if isinstance(self.address, str):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(self.address)  # which fails if it would have to wait and may not
            sock.settimeout(TIMEOUT)
            return sock
        target = (self.host, self.address)
        if not self.proxied:
            here = source if self.host == "127.0.0.1" else self.host
            sock = socket.create_connection(target, TIMEOUT, source_address=(here, 0))
            if self.tls is None:
                return sock
            # Its end must be told, as somebody else can cut the connection.
            return self.tls.wrap_socket(
                sock, server_hostname="localhost", suppress_ragged_eofs=False
            )
        sock = socket.create_connection(target, TIMEOUT)
        family = "TCP6" if ":" in source else "TCP4"
        sock.sendall(f"PROXY {family} {source} {source} 40000 {self.address}\r\n".encode())
        return sock


def reset(sock: socket.socket) -> None:
    """Close with a reset, as a crash of the kernel's does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


AWAY_OR_BACK = (b" has lost the connection. What you say is kept for a while.", b" is back.")


class Connection:
    """A socket that is closed at the end, one way or another."""

    socket: socket.socket
    is_patient = False
    """Whether to pass over what tells that the peer is away, or back."""

    def fills(self, data: Iterator[bytes], meanwhile: Callable[[], object]) -> bytes:
        """Send until the server takes no more; return what of the last piece is unsent.

        It has had turns enough to take more: as many things as happen meanwhile.
        """
        self.socket.setblocking(False)
        unsent = b""
        rounds = 0
        while rounds < 50:
            try:
                unsent = unsent or next(data)
                unsent = unsent[self.socket.send(unsent) :]
                rounds = 0
            except (BlockingIOError, ssl.SSLWantWriteError):
                rounds += 1
                meanwhile()
        self.socket.settimeout(TIMEOUT)
        return unsent

    def resets(self) -> None:
        """Close with a reset."""
        reset(self.socket)

    def close(self) -> None:
        """Close, without a word."""
        self.socket.close()

    def leaves(self) -> None:
        """Be gone, with nothing held of it, if it is not yet."""
        with suppress(OSError):
            self.resets()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Client(Connection):
    """A plain socket, or one with TLS, that reads lines."""

    def __init__(self, door: Door | int, source: str = "127.0.0.1") -> None:
        door = Door(door) if isinstance(door, int) else door
        self.socket = door.connect(source)
        self._has_tls = door.tls is not None
        self._buffer = b""
        self._in_a_line = False  # which is not finished

    def sends(self, data: bytes) -> None:
        """Send bytes."""
        self._in_a_line = not data.endswith(b"\n")
        self.socket.sendall(data)

    def says(self, *lines: str) -> None:
        """Send lines of text."""
        self.sends("".join(f"{line}\n" for line in lines).encode())

    def line(self) -> str:
        """Return the next line, or nothing at the end."""
        while b"\r\n" not in self._buffer:
            data = self.socket.recv(65_536)
            if not data:
                assert self._buffer == b"", f"an unfinished line: {self._buffer!r}"
                return ""
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\r\n", 1)
        if self.is_patient and line.endswith(AWAY_OR_BACK):
            return self.line()
        return line.decode()

    def text(self) -> str:
        """Return what is in the brackets of the next line, which must be the peer's."""
        line = self.line()
        match = re.fullmatch(r"\[\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}\] \S+: \((.*)\)", line, re.S)
        assert match, f"not a line of the peer's: {line!r}"
        return match[1]

    def tells(self, peer: "Client", text: str) -> None:
        """Say a text, and see that the peer hears it."""
        self.says(text)
        assert peer.text() == text

    def calls(self, name: str) -> None:
        """Pair with somebody."""
        self.says(f"To:{name}")
        assert self.line() == f"You are chatting with {name}."

    def ends_input(self) -> None:
        """Half-close, or say what means the same."""
        if self._has_tls:
            self.sends(b"\n" * self._in_a_line + b"/end\n")
        else:
            self.socket.shutdown(socket.SHUT_WR)


class Server(Process):
    """twistd -n chatpair on a free port; for one that is a web site, web: is in front of it."""

    may_fork = True

    def __init__(self, *options: str, port: str = "0", **settings: object) -> None:
        web = port.removeprefix("web:") if port.startswith("web:") else None
        lines = port if web is None else "epoll:0:interface=127.0.0.1"
        where = ["--port", lines, *([] if web is None else ["--web", web])]
        arguments = [str(BIN / "twistd"), "-n", "--pidfile=", "chatpair", *where, *options]
        super().__init__(arguments, stdin=subprocess.DEVNULL, **settings)
        self._clients = ExitStack()
        self.wait_for(r"chatpair \S+ is ready")
        self.door = self._door("ChatFactory", lines)
        self.port = self.door.address if isinstance(self.door.address, int) else 0
        with_tls = re.search(rb"ChatFactory \(TLS\) starting on (\d+)", self.output)
        self.tls_port = int(with_tls[1]) if with_tls else 0
        self.json_door = self.door
        self.web_port = 0
        if web is not None:
            self.json_door = replace(self._door("WebSite", web), web=True)
            self.web_port = int(self.json_door.address)

    def _door(self, factory: str, port: str) -> Door:
        pattern = rf"{factory}(?: \(TLS\))?( \(PROXY\))? starting on (\d+|'.*')"
        match = re.search(pattern.encode(), self.output)
        where = match[2].decode().strip("'") if match else "0"
        tls = made().trusting() if port.startswith(("ssl:", "tls:")) else None
        return Door(int(where) if where.isdecimal() else where, bool(match and match[1]), tls)

    def closes_at_the_end(self, connection: Connection) -> None:
        """Close a connection with the server at the latest."""
        self._clients.callback(connection.leaves)

    def client(
        self, name: str = "", source: str = "127.0.0.1", *, door: Door | int | None = None
    ) -> Client:
        """Connect, and say a name if there is one; closed with the server at the latest."""
        client = Client(self.door if door is None else door, source)
        self.closes_at_the_end(client)
        if name:
            client.says(name)
            assert client.line() == "OK"
        return client

    def caller(self, name: str, callee: str) -> Client:
        """Connect somebody who calls somebody."""
        client = self.client(name)
        client.calls(callee)
        return client

    def pair(self, caller: str = "alice", callee: str = "bob") -> tuple[Client, Client]:
        """Connect two, and let one call the other."""
        first, second = self.client(caller), self.client(callee)
        first.calls(callee)
        assert second.line() == f"You are chatting with {caller}."
        return first, second

    def is_left(self) -> bool:
        """Let everybody leave; tell whether it goes on, with nobody there.

        A line that is held is somebody's.
        """
        self._clients.close()
        if self.popen.poll() is not None:
            return False
        with suppress(OSError), Client(self.door) as probe:
            probe.says("probe")
            # What was closed before a question is mostly noticed before it, or little later.
            answers = [probe.line()]
            while answers[-1] != "Here: probe" and len(answers) < 100:
                probe.says("/who")
                answers.append(probe.line())
            probe.says("Quit")  # so that the next to come finds nobody
            return answers[-1] == "Here: probe" and probe.line() == "Quit"
        return False

    def close_clients(self) -> None:
        """Close all connections that have been made to it."""
        self._clients.close()

    def __exit__(self, *exception: object) -> None:
        self.close_clients()
        if self.popen.poll() is None:
            self.stop()
        super().__exit__(*exception)
