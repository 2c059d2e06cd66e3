"""A line to a chatpair server for programs, under asyncio.

async with Line("localhost:9999", "echo") as line:
    async for message in line.messages():
        await line.say(message.text)
"""

import asyncio
from collections.abc import Callable
from typing import Any, Self, TypeVar

from twisted.internet.defer import Deferred

from chatpair.aio.endpoint import LoopClock, LoopEndpoint
from chatpair.client import line
from chatpair.client.line import Events
from chatpair.client.reader import Message
from chatpair.exchange.messages import Event, Here, JsonEvent, Outcome

T = TypeVar("T")


class Line:
    """What chatpair.Line is, with coroutines; see there for what each of them does.

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

    async def start(self, *, patient: bool = True) -> None:
        await self._wait(self._line.start(patient=patient))

    async def settled(self) -> None:
        await self._wait(self._line.settled())

    async def quit(self) -> None:
        await self._wait(self._line.quit())

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *why: Any) -> None:
        await self._wait(Deferred.fromCoroutine(self._line.__aexit__(*why)))

    async def call(self, name: str, timeout: float | None = None) -> str:
        return await self._wait(self._line.call(name, timeout))

    async def wait_for_call(self, timeout: float | None = None) -> str:
        return await self._wait(self._line.wait_for_call(timeout))

    async def hang_up(self) -> None:
        await self._wait(self._line.hang_up())

    async def who(self) -> Here:
        return await self._wait(self._line.who())

    async def dnd(self, on: bool) -> None:
        await self._wait(self._line.dnd(on))

    async def ring(self, on: bool) -> None:
        await self._wait(self._line.ring(on))

    async def block(self, name: str) -> None:
        await self._wait(self._line.block(name))

    async def unblock(self, name: str) -> None:
        await self._wait(self._line.unblock(name))

    async def say(self, text: str) -> Outcome:
        return await self._wait(self._line.say(text))

    async def typing(self) -> None:
        await self._wait(self._line.typing())

    def messages(self) -> Events[Message]:
        return Events(Message, self._line._reader, self._wait)

    def events(self) -> Events[JsonEvent]:
        return Events(Event, self._line._reader, self._wait)
