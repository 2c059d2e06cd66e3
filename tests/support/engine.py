"""A real engine: a Valkey, or what CHATPAIR_TEST_ENGINE names, in a process of its own."""

import os
import re
import signal
import socket
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import hiredis

from benchmarks.engine import find_engine
from benchmarks.servers import free_port
from tests.support.certificates import Certificate
from tests.support.server import TIMEOUT, Process, require


def program(tls: bool = False) -> str:
    """Return the path of the engine to test with; Valkey's package brings one without TLS."""
    named = os.environ.get("CHATPAIR_TEST_ENGINE")
    path = find_engine()
    return path if path and not (named or tls) else require(named or "redis-server")


def permissions() -> str:
    """Return the rules that docs/cluster.rst has for a user of the engine's."""
    page = Path("docs/cluster.rst").read_text()
    found = re.search(r"ACL SETUSER chatpair on >PASSWORD (.+)", page)
    assert found is not None
    return found[1]


class EngineClient:
    """Commands, and nothing else until the reply is there."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT)
        self._socket.connect(path)
        self._reader = hiredis.Reader()

    def command(self, *arguments: bytes | str | int) -> Any:
        """Return the reply, which may be a hiredis.ReplyError."""
        self.send(*arguments)
        return self.reply()

    def send(self, *arguments: bytes | str | int) -> None:
        """Send a command."""
        self._socket.sendall(hiredis.pack_command(arguments))  # type: ignore[arg-type]

    def reply(self) -> Any:
        """Return the reply to the first command that has had none."""
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
    """An engine on a free port; on a unix socket if it has no port, and with TLS if it has that."""

    _MODE: tuple[str, ...] = ()
    _READY = r"eady to accept connections( unix| at \S+)?\r?\n"

    def __init__(
        self,
        folder: Path,
        *config: str,
        password: str = "",
        port: bool = True,
        tls: Certificate | None = None,
        persistent: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port() if port else 0
        self.path = str(folder / "engine.sock")
        self.password = password
        self._tls = tls is not None
        self._config = [
            "bind 127.0.0.1",
            f"{'tls-port' if tls else 'port'} {self.port}",
            f"unixsocket {self.path}",
            f"dir {folder}",
            *config,
            *self._more(persistent, tls),
        ]
        self._environment = {**os.environ, **(environment or {})}
        self._port_is_kept: socket.socket | None = None
        self._process = self._start()

    def _more(self, persistent: bool, tls: Certificate | None) -> list[str]:
        lines = ['save ""', f"appendonly {'yes' if persistent else 'no'}", "appendfsync always"]
        if self.password:
            lines.append(f"requirepass {self.password}")
        if tls is not None:
            lines += ["port 0", "tls-auth-clients no"]
            lines += [f"tls-cert-file {tls.whole}", f"tls-key-file {tls.key}"]
        return lines

    def _start(self) -> Process:
        config = self.folder / "engine.conf"
        config.write_text("".join(f"{line}\n" for line in self._config))
        command = [program(tls=self._tls), str(config), *self._MODE]
        process = Process(command, env=self._environment)
        process.wait_for(self._READY)
        return process

    @property
    def output(self) -> bytes:
        """What it has logged since it was started last."""
        return self._process.output

    @property
    def url(self) -> str:
        """What --cluster says to reach it, without a password."""
        if not self.port:
            return f"unix://{self.path}"
        return f"{'rediss' if self._tls else 'redis'}://127.0.0.1:{self.port}"

    def command(self, *arguments: bytes | str | int) -> Any:
        """Return the reply to a command, given on a connection of its own."""
        with closing(EngineClient(self.path)) as client:
            if self.password:
                client.command("AUTH", self.password)
            return client.command(*arguments)

    def kill(self) -> None:
        """End it as a crash does; nobody gets its port until it is there again."""
        self._process.kill()
        self._process.wait()
        self._port_is_kept = socket.socket()
        self._port_is_kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port_is_kept.bind(("127.0.0.1", self.port))

    def freeze(self) -> None:
        """Stop it: it answers nothing, and its connections stay."""
        self._process.kill(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.kill(signal.SIGCONT)

    def restart(self) -> None:
        """Kill it if it runs, and start it at the same place; with its data if persistent."""
        self.close()
        self._process = self._start()

    def close(self) -> None:
        """End it."""
        self._process.__exit__()
        if self._port_is_kept is not None:
            self._port_is_kept.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Sentinel(Engine):
    """A Sentinel that watches an engine, and alone decides to make a replica of it the engine."""

    _MODE = ("--sentinel",)
    _READY = r"\+monitor master chat"

    def __init__(self, folder: Path, watched: Engine) -> None:
        self._watched = watched.port
        super().__init__(folder)

    def _more(self, persistent: bool, tls: Certificate | None) -> list[str]:
        # A failover that was too slow is tried again after the second of these.
        times = ("down-after-milliseconds chat 500", "failover-timeout chat 5000")
        what = (f"monitor chat 127.0.0.1 {self._watched} 1", *times)
        return [f"sentinel {one}" for one in what]

    @property
    def url(self) -> str:
        """What --cluster says to ask it."""
        return f"redis+sentinel://127.0.0.1:{self.port}/chat"
