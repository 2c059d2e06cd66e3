"""A line to a chatpair server for programs, under asyncio.

async with Line("localhost:9999", "echo") as line:
    async for message in line.messages():
        await line.say(message.text)
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from twisted.internet.defer import Deferred

from chatpair.aio.endpoint import LoopClock, LoopEndpoint
from chatpair.client import line
from chatpair.client.line import Events
from chatpair.client.reader import Message
from chatpair.exchange.messages import Event, JsonEvent

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    method: Callable[Concatenate[line.Line, P], Deferred[T]],
) -> Callable[Concatenate["Line", P], Coroutine[Any, Any, T]]:
    """Return a method of a line as a coroutine."""

    @wraps(method)
    async def wait(self: "Line", /, *arguments: P.args, **named: P.kwargs) -> T:
        return await self._wait(method(self._line, *arguments, **named))

    return wait


class Line:
    """What chatpair.Line is, with coroutines.

    It belongs to the loop that runs when it is made.
    """

    def __init__(
        self,
        address: str,
        name: str,
        on_link: Callable[[bool], object] = lambda _: None,
        *,
        password: str = "",
        ca: str = "",
        strict: bool = False,
    ) -> None:
        """Take where the server is, the name to claim there, and its password if it has one.

        The address is host, host:port, [address]:port, one of these after tls:, or unix:path.
        """
        self._loop = asyncio.get_running_loop()
        clock: Any = LoopClock()
        endpoint = LoopEndpoint(address, ca)
        self._line = line.Line(
            endpoint, name, on_link=on_link, password=password, strict=strict, clock=clock
        )

    async def _wait(self, deferred: Deferred[T]) -> T:
        return await deferred.asFuture(self._loop)

    @property
    def name(self) -> str:
        return self._line.name

    @property
    def peer(self) -> str | None:
        return self._line.peer

    @property
    def connected(self) -> bool:
        return self._line.connected

    @property
    def beginnings(self) -> int:
        return self._line.beginnings

    start = _awaited(line.Line.start)
    settled = _awaited(line.Line.settled)
    quit = _awaited(line.Line.quit)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *why: Any) -> None:
        await self._wait(Deferred.fromCoroutine(self._line.__aexit__(*why)))

    call = _awaited(line.Line.call)
    wait_for_call = _awaited(line.Line.wait_for_call)
    hang_up = _awaited(line.Line.hang_up)
    who = _awaited(line.Line.who)
    dnd = _awaited(line.Line.dnd)
    ring = _awaited(line.Line.ring)
    block = _awaited(line.Line.block)
    unblock = _awaited(line.Line.unblock)
    say = _awaited(line.Line.say)
    typing = _awaited(line.Line.typing)

    def messages(self) -> Events[Message]:
        return Events(Message, self._line._reader, self._wait)

    def events(self) -> Events[JsonEvent]:
        return Events(Event, self._line._reader, self._wait)
