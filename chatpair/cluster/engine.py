"""The engine: a Valkey or Redis, and two connections that are kept to it."""

import random
from collections.abc import Callable
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from txredisapi import ResponseError

from chatpair.cluster.address import EngineAddress
from chatpair.cluster.connect import (
    Connection,
    EngineAway,
    EngineRefuses,
    Process,
    connect,
    shown,
)
from chatpair.cluster.scripts import KEY, Script
from chatpair.cluster.seldom import Seldom

__all__ = ["Engine", "EngineAway", "EngineRefuses"]

SHORTEST_WAIT, LONGEST_WAIT = 0.25, 1.0
"""Seconds between tries to connect."""

_Told = Callable[[], object]
_ToldWhy = Callable[[str], object]

_log = Logger()


class Engine:
    """Two connections, one for commands and one for reads that wait; both are there, or none.

    They are not a ClientService each: one of those gets stuck if a connection ends while it is
    prepared, and two could be to two engines while a Sentinel's answer changes.
    """

    process = Process()
    """The engine's process that is connected, or was last."""

    connected = False
    """Whether commands can be sent."""

    def __init__(self, reactor: Any, address: EngineAddress, name: str, *, patience: float) -> None:
        """Take what to be called there, and for how many seconds a command waits when nothing is
        heard; connect to nothing.
        """
        self.address = address
        self.name = name
        self.longest_block = round(patience * 500)
        """Milliseconds that a read may wait for data (BLOCK)."""
        self._reactor = reactor
        self._patience = patience
        self._seldom = Seldom(reactor, _log)
        self._connections: list[Connection] = []
        self._told: set[type] = set()  # what is in the log since the last success
        self._was_connected = self._stopped = False
        self._keeping: Deferred[None] = defer.succeed(None)

    def start(self, connected: _Told, lost: _Told, refused: _ToldWhy) -> None:
        """Connect, and again whenever a connection ends.

        `connected` and `lost` are called in turns, `lost` before commands that wait fail, and also
        for each try that fails until there was a connection; or `refused` once, and nothing after
        it, if the engine was never connected and can't be.
        """
        self._keeping = defer.ensureDeferred(self._keep(connected, lost, refused))
        self._keeping.addErrback(lambda why: why.trap(defer.CancelledError))

    def stop(self) -> "Deferred[None]":
        """End both connections when what was sent is written; fires when they have ended."""
        self._stopped = True
        self._keeping.cancel()
        self.connected = False
        open_ones = [connection for connection in self._connections if connection.connected]
        ending = defer.gatherResults([connection.whenDisconnected() for connection in open_ones])
        for connection in open_ones:
            connection.transport.loseConnection()
        return ending.addCallback(lambda _: None)

    def abort(self) -> None:
        """End both at once, whatever waits to be written; to stop is next."""
        self.connected = False
        for connection in self._connections:
            connection.abort()

    def key(self, name: str) -> str:
        """Return how a key is called in the engine."""
        return self.address.prefix + name

    def command(self, *arguments: bytes | str | int) -> "Deferred[Any]":
        """Send a command; fires with bytes, int, None, or a list of those.

        Fails with EngineAway, at once if not connected, or with txredisapi.ResponseError.
        """
        return self._send(0, arguments)

    def read(self, *arguments: bytes | str | int) -> "Deferred[Any]":
        """Send a command that may wait, for longest_block at most; otherwise as `command`."""
        return self._send(1, arguments)

    def script(self, script: Script, *arguments: bytes | str | int) -> "Deferred[Any]":
        """Run a script; otherwise as `command`."""
        rest = (1, self.key(KEY), *arguments)

        def unknown(why: Failure) -> "Failure | Deferred[Any]":
            if why.check(ResponseError) and str(why.value).startswith("NOSCRIPT"):
                return self.command("EVAL", script.text, *rest)
            return why

        return self.command("EVALSHA", script.sha1, *rest).addErrback(unknown)

    def _send(self, which: int, arguments: tuple[bytes | str | int, ...]) -> "Deferred[Any]":
        if not self.connected:
            return defer.fail(EngineAway("The engine is away."))
        return self._connections[which].send(*arguments).addErrback(self._refused)

    def _refused(self, why: Failure) -> Failure:
        if why.check(ResponseError) and not str(why.value).startswith("NOSCRIPT"):
            text = "The engine at {address} refuses what the cluster asks: {why}"
            told = shown(why.value)
            self._seldom.warn(text, event="engine_refuses", address=self.address, why=told)
        return why

    async def _keep(self, connected: _Told, lost: _Told, refused: _ToldWhy) -> None:
        tries = 0
        while not self._stopped:
            try:
                ended = await self._connect()
                tries = 0
                _call(connected)
                raise EngineAway(await ended)
            except defer.CancelledError:
                raise
            except Exception as error:
                why = _reason(error)
                self._disconnect(why)
                if isinstance(why, EngineRefuses) and not self._was_connected:
                    _call(refused, f"The engine at {self.address} {why}")
                    return
                if tries == 0 or not self._was_connected:
                    _call(lost)
            longest = min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** min(tries, 10))
            tries += 1
            await deferLater(self._reactor, random.uniform(SHORTEST_WAIT, longest))

    async def _connect(self) -> "Deferred[str]":
        """Return what fires with why a connection has ended, when the first of the two has."""
        ended: Deferred[str] = Deferred()

        def end(connection: Connection) -> None:
            if not ended.called:
                ended.callback(connection.reason)

        self._connections = []
        words = set()
        for _ in range(2):
            connection, self.process = await connect(
                self._reactor, self.address, self._patience, self.process.word
            )
            self._connections.append(connection)
            connection.whenDisconnected().addCallback(end)
            # For CLIENT LIST; some may not say it.
            connection.send("CLIENT", "SETNAME", self.name).addErrback(lambda _: None)
            words.add(self.process.word)
        if ended.called:
            raise EngineAway(await ended)
        if len(words) > 1:
            raise EngineAway("two connections lead to two engines")
        self.connected = self._was_connected = True
        self._told.clear()
        _log.info("The engine at {address} is there", event="engine_there", address=self.address)
        return ended

    def _disconnect(self, why: EngineAway | EngineRefuses) -> None:
        self.connected = False
        for connection in self._connections:
            connection.abort()
        is_away = isinstance(why, EngineAway)
        if type(why) not in self._told and (self._was_connected or is_away):
            self._told.add(type(why))
            line = "No engine at {address}: {why}" if is_away else "The engine at {address} {why}"
            text = f"{line}; trying again"
            _log.warn(text, event="engine_lost", address=self.address, why=why)


def _reason(error: Exception) -> EngineAway | EngineRefuses:
    """Return why there is no engine; what answers as none does may be something else tomorrow."""
    if isinstance(error, EngineAway | EngineRefuses):
        return error
    return EngineAway(f"it answers as no engine does ({type(error).__name__}: {error})")


def _call(function: Callable[..., object], *arguments: object) -> None:
    try:
        function(*arguments)
    except Exception:
        _log.failure("What was to be told of the engine failed")
