"""How a connection to the engine is made, and the engine checked; whatever fails is told apart."""

import re
from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet import defer
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from txredisapi import ResponseError

from chatpair.cluster.address import EngineAddress
from chatpair.cluster.engine_connection import (
    Connection,
    EngineAway,
    EngineRefuses,
    explain,
    shown,
)

T = TypeVar("T")

CONNECT_SECONDS = 3.0
"""How long a try to connect may take."""

_NEEDS = "chatpair needs Valkey, or Redis 6.2 or newer"
_LACKS = f"does not do what is needed ({_NEEDS})"
_PROBE = "chatpair:inbox:{probe}"


async def connect(reactor: Any, address: EngineAddress, patience: float) -> tuple[Connection, str]:
    """Return a connection that is ready, and the run_id of the engine's process.

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
    return connection, await _talk(connection, _greet(connection, address))


async def _talk(connection: Connection, talk: Coroutine[Any, Any, T]) -> T:
    """Return what comes of talking on a connection; if nothing, abort it."""
    try:
        return await talk
    except BaseException as why:
        connection.abort()
        if isinstance(why, EngineAway) and connection.reason:
            raise EngineAway(connection.reason) from None
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
        raise EngineAway(explain(why)) from None
    return connection


async def _ask_sentinels(reactor: Any, address: EngineAddress, patience: float) -> tuple[str, int]:
    """Return where the engine is, from the first Sentinel that knows."""
    why = ""
    for place in address.places:
        try:
            sentinel = await _connect(reactor, _endpoint(reactor, address, *place), patience)
            found = await _talk(sentinel, _ask_sentinel(sentinel, address))
        except EngineAway as failure:
            why = f"{place[0]}:{place[1]}: {failure}"
        else:
            sentinel.transport.loseConnection()
            return found
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


async def _greet(connection: Connection, address: EngineAddress) -> str:
    """Get in; return the run_id, once it is certain that what the cluster needs is there."""
    if address.password:
        whose = f"the password of the user {address.user}" if address.user else "the password"
        await _must(connection, f"refuses {whose}", "AUTH", *_credentials(address))
    info = _read_info(await _must(connection, "does not let in", "INFO"))
    _check_version(info)
    if address.database:
        await _must(connection, f"has no database {address.database}", "SELECT", address.database)
    if info.get("loading", "0") != "0":
        raise EngineAway("it is still reading its data")
    if info.get("role", "master") != "master":
        raise EngineAway("it is a replica, which can't be written to")
    probe = address.prefix + _PROBE
    await _must(connection, _LACKS, "XADD", probe, "NOMKSTREAM", "*", "f", "")
    await _must(connection, _LACKS, "XREAD", "COUNT", 1, "STREAMS", probe, "$")
    await _must(connection, _LACKS, "EVAL", "return 1", 1, address.prefix + "{chatpair}:engine")
    return info.get("run_id", "")


def _read_info(reply: Any) -> dict[str, str]:
    lines = reply.decode("utf-8", "replace").splitlines() if isinstance(reply, bytes) else []
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _check_version(info: dict[str, str]) -> None:
    version = info.get("redis_version", "")
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers and (int(numbers[1]), int(numbers[2])) < (6, 2):
        raise EngineRefuses(f"is Redis {version}: {_NEEDS}")


async def _must(connection: Connection, refusal: str, *command: str | int) -> Any:
    """Send a command; raise EngineRefuses if its answer is an error that will not pass."""
    try:
        return await connection.send(*command)
    except ResponseError as why:
        raise EngineRefuses(f"{refusal}: {shown(why)}") from None
