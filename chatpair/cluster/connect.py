"""A connection to the engine: how it is made, what is checked, and all ways in which it fails."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from secrets import token_hex
from typing import Any, NamedTuple

import hiredis
import txredisapi
from twisted.internet import defer
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure
from txredisapi import ResponseError

from chatpair.cluster.address import EngineAddress
from chatpair.cluster.scripts import EPOCH, JOIN, PREFIX, PROBE, Script

CONNECT_SECONDS = 3.0
"""How long a try to connect may take."""

_NEEDS = "chatpair needs Valkey, or Redis 6.2 or newer"

_PASSING = re.compile(
    r"(?:ERR Error running script .*: -)?"  # as Redis 6.2 says what a command in a script was told
    r"(BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|OOM|READONLY|TRYAGAIN|UNBLOCKED)\b"
    r"|ERR max number of clients"
)
"""Errors that go away in time, or with no word from us."""


class EngineAway(Exception):
    """Not connected, or lost before the reply, or it can't do it now: it may be done or not."""


class EngineRefuses(Exception):
    """It can never work: a wrong password, a wrong database, an old server. Text is one line."""


class Connection(TimeoutMixin, txredisapi.RedisProtocol):  # type: ignore[misc]
    """Sends commands and returns what is answered: bytes, int, None, and lists of those.

    Whoever waits for whenDisconnected is told before those who wait for replies.
    """

    reason = ""
    """Why it has ended, or is to end, in a few words."""

    def __init__(self, clock: Any, patience: float) -> None:
        """Take the seconds after which it ends if nothing is heard while a command waits."""
        super().__init__(charset=None, convertNumbers=False)
        self.callLater = clock.callLater  # type: ignore[method-assign]  # TimeoutMixin's
        self._patience = patience

    def send(self, *arguments: bytes | str | int) -> "Deferred[Any]":
        """Send a command; the reply may be ResponseError, or EngineAway for none.

        An error that will pass ends the connection, and is none: the next one tells when it has.
        """
        if not self.connected:
            return fail(EngineAway(self.reason))
        if not self.replyQueue.waiting:
            self.setTimeout(self._patience)
        reply: Deferred[Any] = self.execute_command(*arguments)
        return reply.addErrback(self._failed)

    def _failed(self, why: Failure) -> Failure:
        if why.check(ResponseError) and _PASSING.match(str(why.value)):
            self.abort(shown(why.value))
        elif not why.check(txredisapi.ConnectionError):
            return why
        raise EngineAway(self.reason) from None

    def abort(self, why: str = "") -> None:
        """End at once, whatever waits to be written."""
        self.reason = self.reason or why
        self.transport.abortConnection()

    def timeoutConnection(self) -> None:
        """End, unless all was answered."""
        if self.replyQueue.waiting:
            self.abort("it does not answer")

    def _build_command(self, *arguments: bytes | str | int, **_: object) -> bytes:
        packed: bytes = hiredis.pack_command(arguments)  # type: ignore[arg-type]
        return packed

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        """Hand on the replies that are whole."""
        self.resetTimeout()
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self.replyReceived(reply)
        except txredisapi.InvalidData:
            self.abort("it does not speak as Redis does")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the owner, and then whoever waits for replies."""
        self.setTimeout(None)
        self.reason = self.reason or _explain(reason.value)
        super().connectionLost(reason)


def _explain(why: BaseException | None) -> str:
    """Return what Twisted, the system or OpenSSL says about the end of a connection, in a line."""
    if isinstance(why, ConnectionDone):
        return "it closed the connection"
    if type(why).__name__ == "VerificationError":
        return "its certificate is not for that host"
    if why is not None and why.args and isinstance(why.args[0], list):  # OpenSSL's
        return "TLS: " + "; ".join(str(error[-1]) for error in why.args[0])
    number = getattr(why, "osError", None)  # Twisted's own text says it twice
    if isinstance(number, int):
        return os.strerror(number)
    return " ".join(str(why).split()).rstrip(".") or type(why).__name__


def shown(why: BaseException | None) -> str:
    """Return what an engine says; an unknown command's arguments, perhaps a password, are not."""
    return " ".join(str(why).split(", with args")[0].split()).rstrip(".")


def _probes(prefix: str) -> Iterator[tuple[str | int, ...]]:
    """Return all commands that a node sends but those of `_find_process`: they do nothing."""
    inbox, key = f"{prefix}chatpair:inbox:{{probe}}", f"{prefix}{PREFIX}probe"
    yield "XADD", inbox, "NOMKSTREAM", "*", "f", ""
    yield "XREAD", "COUNT", 1, "STREAMS", inbox, "$"
    yield "XTRIM", inbox, "MINID", "~", 0
    yield "PEXPIRE", inbox, 1
    yield "UNLINK", inbox
    yield "EVAL", PROBE.text, 1, key
    yield "EVALSHA", PROBE.sha1, 1, key


class Process(NamedTuple):
    """What is known of the engine's process: whenever it is another, its data may be old."""

    word: str = ""
    """One of its own, which it knows as long as it runs."""
    lost_epoch: bytes = b""
    """What its data say is the epoch, if that was another process's."""
    unused_for: float = 0.0
    """For how many seconds it has surely been there for nodes to come, and none did."""


async def connect(
    reactor: Any, address: EngineAddress, patience: float, word: str
) -> tuple[Connection, Process]:
    """Return a connection that is ready, and the engine's process; its word is the one that is
    given if the process knows that.

    Raises EngineAway or EngineRefuses, whose text goes on after the engine's address.
    """
    endpoint: IStreamClientEndpoint
    if address.path:
        endpoint = UNIXClientEndpoint(reactor, address.path, timeout=CONNECT_SECONDS)
    elif address.service:
        place = await _ask_sentinels(reactor, address, patience)
        endpoint = _endpoint(reactor, address, *place)
    else:
        endpoint = _endpoint(reactor, address, *address.places[0])
    connection = await _connect(reactor, endpoint, patience)
    try:
        return connection, await _greet(connection, address, word)
    except BaseException:
        connection.abort()
        raise


def _endpoint(reactor: Any, address: EngineAddress, host: str, port: int) -> IStreamClientEndpoint:
    endpoint = HostnameEndpoint(reactor, host, port, timeout=CONNECT_SECONDS)
    if not address.tls:
        return endpoint
    try:
        return wrapClientTLS(address.tls_for(host), endpoint)
    except ValueError as why:  # the file has changed since
        raise EngineAway(str(why)) from None


async def _connect(reactor: Any, endpoint: IStreamClientEndpoint, patience: float) -> Connection:
    factory = Factory.forProtocol(lambda: Connection(reactor, patience))
    factory.noisy = False
    connecting = endpoint.connect(factory).addTimeout(CONNECT_SECONDS, reactor)
    try:
        connection: Connection = await connecting  # type: ignore[assignment]
    except defer.TimeoutError:
        raise EngineAway("it does not answer") from None
    except (ConnectError, OSError) as why:
        raise EngineAway(_explain(why)) from None
    return connection


async def _ask_sentinels(reactor: Any, address: EngineAddress, patience: float) -> tuple[str, int]:
    """Return where the engine is, from the first Sentinel that knows."""
    why = ""
    for place in address.places:
        try:
            sentinel = await _connect(reactor, _endpoint(reactor, address, *place), patience)
            try:
                return await _ask_sentinel(sentinel, address)
            finally:
                sentinel.abort()
        except EngineAway as failure:
            why = f"{place[0]}:{place[1]}: {failure}"
    raise EngineAway(why)


async def _ask_sentinel(sentinel: Connection, address: EngineAddress) -> tuple[str, int]:
    question = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.service)
    try:
        try:
            found = await sentinel.send(*question)
        except ResponseError as why:
            if not (str(why).startswith("NOAUTH") and address.password):
                raise
            await sentinel.send("AUTH", *_credentials(address))
            found = await sentinel.send(*question)
    except ResponseError as why:
        raise EngineAway(shown(why)) from None
    match found:
        case [bytes(host), bytes(port)] if port.isdigit():
            return host.decode("utf-8", "replace"), int(port)
    raise EngineAway(f"it knows no {address.service}")


def _credentials(address: EngineAddress) -> list[str]:
    return [address.user, address.password] if address.user else [address.password]


async def _greet(connection: Connection, address: EngineAddress, word: str) -> Process:
    """Get in; return the process, once it is certain that what the cluster needs is there."""
    if address.password:
        whose = f"the password of the user {address.user}" if address.user else "the password"
        await _must(connection, f"refuses {whose}", "AUTH", *_credentials(address))
    if address.database:
        await _must(connection, f"has no database {address.database}", "SELECT", address.database)
    for command in _probes(address.prefix):
        await _must(connection, f"does not do what is needed ({_NEEDS})", *command)
    return await _find_process(connection, address.prefix + EPOCH, word)


async def _find_process(connection: Connection, key: str, word: str) -> Process:
    """Find out whether it is the one that the epoch was made with, by its word.

    An engine keeps scripts in its memory, and nowhere else: so one that has a word in it is known
    to the process that it was given to. Redis 6.2 saves them; it must tell itself which it is.
    """
    hello = await _must(connection, "does not say what it is", "HELLO")
    version = dict(zip(hello[::2], hello[1::2], strict=True)).get(b"version", b"")
    epoch: bytes = await _must(connection, "has no epoch", "GET", key) or b""
    maker = epoch.rpartition(b".")[0].decode("latin-1")
    marks = _mark(maker).sha1, _mark(word).sha1, JOIN.sha1
    found = await _must(connection, "keeps no scripts", "SCRIPT", "EXISTS", *marks)
    is_same, is_known, was_joined = found
    unused_for = 0.0
    if version.startswith(b"6."):
        info: bytes = await _must(connection, "does not say which process it is", "INFO", "server")
        word = _field(info, b"run_id")
        is_same, is_known = maker == word, True
    elif not (epoch or was_joined):
        with suppress(ResponseError, LookupError, ValueError):  # it need not be allowed
            info = await connection.send("INFO", "server")
            unused_for = float(_field(info, b"uptime_in_seconds"))
    if not is_known:
        word = token_hex(8)
        await _must(connection, "keeps no scripts", "SCRIPT", "LOAD", _mark(word).text)
    return Process(word, b"" if is_same else epoch, unused_for)


def _field(info: bytes, name: bytes) -> str:
    return info.partition(name + b":")[2].split()[0].decode()


def _mark(word: str) -> Script:
    return Script(f"return '{word}'")


async def _must(connection: Connection, refusal: str, *command: str | int) -> Any:
    """Send a command; raise EngineRefuses if its answer is an error."""
    try:
        return await connection.send(*command)
    except ResponseError as why:
        if str(why).startswith("NOAUTH"):
            refusal = "does not let in"
        elif re.search("permissions|can't run|can't access", str(why)):
            refusal = "does not allow what is needed (docs/cluster.rst has the permissions)"
        raise EngineRefuses(f"{refusal}: {shown(why)}") from None
