"""A server that is replaced while people are on it, by another process."""

import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.support.forks import BIN
from tests.support.server import TIMEOUT, Process, Server

MOST = 253

TWISTD = [str(BIN / "twistd"), "-n", "--pidfile=", "chatpair"]


class Replaced:
    """A server with --handover, and the ones that take its place one after the other."""

    def __init__(self, folder: Path, *options: str, port: str = "0") -> None:
        self.path = folder / "handover.socket"
        self._options = (*options, "--handover", f"unix:{self.path}")
        self._port = port
        self.server = self.start()

    def start(self) -> Server:
        """Start a server, which takes over from the one that serves."""
        return Server(*self._options, port=self._port)

    def starting(self, *more: str, **of_process: object) -> Process:
        """Start a server without waiting until it serves, with options of its process."""
        options = ["--port", self._port, *self._options, *more]
        return Process([*TWISTD, *options], **of_process)

    def starting_another(self, version: str) -> Process:
        """Start a server of another version, which other_version.py knows."""
        module = [sys.executable, "-m", "tests.support.other_version", version, *TWISTD[1:]]
        return Process([*module, "--port", self._port, *self._options])

    def replace(self, meanwhile: Callable[[], object] = lambda: None) -> Server:
        """Let another server take over, and see that the old one ends well; return that.

        Something may be done when the new one serves, and the old one has perhaps not ended.
        """
        old, self.server = self.server, self.start()
        self.server._clients = old._clients.pop_all()
        meanwhile()
        with old:
            assert old.wait() == 0, old.output
        return old

    def __enter__(self) -> "Replaced":
        return self

    def __exit__(self, *exception: object) -> None:
        with self.server:
            pass


class Between:
    """Stands between two servers of which one takes over, and stops one of them at a step.

    Steps are: asked, pipe, snapshot, sockets, have. None of it goes on to the other end before.
    """

    def __init__(self, path: Path) -> None:
        """Stand where the old one listens, so that the new one connects here."""
        self._path, self._real = path, path.with_name("real")
        path.rename(self._real)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        # Who listens is whose end the new one waits for; this one's has come.
        listens = f"import socket; socket.socket(fileno={self._listening.fileno()}).listen()"
        subprocess.run(
            [sys.executable, "-c", listens], pass_fds=[self._listening.fileno()], check=True
        )

    def at(self, step: str, stop: Callable[[], object]) -> None:
        """Pass everything on up to a step, and do something then."""
        self._step, self._stop = step, stop
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Between":
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        new, _ = self._listening.accept()
        self._listening.close()
        self._path.unlink()
        old = socket.socket(socket.AF_UNIX)
        old.connect(str(self._real))
        self._real.rename(self._path)
        with new, old, suppress(OSError):
            self._ends = new, old
            for one in self._ends:
                one.settimeout(TIMEOUT)
            self._pass(new, old, "asked")
            self._pass(old, new, "pipe")
            length = self._pass(old, new, "snapshot", 4)
            (left,) = struct.unpack("!I", length)
            while left:
                left -= len(self._pass(old, new, "", left))
            self._step_is("sockets")
            back = threading.Thread(target=self._pump, args=(old, new), daemon=True)
            back.start()
            self._pass(new, old, "have")
            back.join(TIMEOUT)

    def _pass(
        self, one: socket.socket, other: socket.socket, step: str, most: int = 65_536
    ) -> bytes:
        data, descriptors, *_ = socket.recv_fds(one, most, MOST)
        if not data:
            raise ConnectionError
        self._step_is(step)
        if descriptors:
            socket.send_fds(other, [data], descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
        else:
            other.sendall(data)
        return data

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while True:
                self._pass(one, other, "")

    def _step_is(self, step: str) -> None:
        if step == self._step:
            self._stop()
            new, old = self._ends
            old.shutdown(socket.SHUT_RDWR)  # which also wakes the other thread
            self._drop(old)
            new.shutdown(socket.SHUT_RDWR)
            raise ConnectionError

    @staticmethod
    def _drop(end: socket.socket) -> None:
        """Read what is on its way: a port in it would look as if somebody listened on it."""
        data = b"more"
        while data:
            data, descriptors, *_ = socket.recv_fds(end, 65_536, MOST)
            for descriptor in descriptors:
                os.close(descriptor)
