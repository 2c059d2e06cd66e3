"""Pairs of all kinds who talk all the time, and see that each line comes once and in order."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.server import TIMEOUT

Kind = Callable[["Talkers", str], Awaitable[None]]


class Talker:
    """Somebody on a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def says(self, line: str) -> None:
        """Say a line, in two pieces."""
        data = f"{line}\n".encode()
        self._writer.write(data[:3])
        await asyncio.sleep(0)
        self._writer.write(data[3:])
        await self._writer.drain()

    async def hears(self, *starts: str) -> str:
        """Return the last of the next lines, which begin so."""
        line = ""
        for start in starts:
            line = (await asyncio.wait_for(self._reader.readline(), TIMEOUT)).decode()
            assert line.startswith(start), f"{line!r} is not {start!r}"
        return line

    async def text(self) -> str:
        """Return what the peer says next."""
        line = await self.hears("[")
        match = re.search(r": \((.*)\)\r\n$", line)
        assert match, line
        return match[1]

    async def does(self, do: str, **rest: object) -> None:
        """Say a command in JSON."""
        await self.says(json.dumps({"do": do, **rest}))

    async def event(self, kind: str) -> Any:
        """Return the next event, which is of a kind."""
        event = json.loads(await self.hears("{"))
        assert event["event"] == kind, event
        return event

    def ends_input(self) -> None:
        """Half-close."""
        self._writer.write_eof()

    def resets(self) -> None:
        """Be gone."""
        self._writer.transport.abort()


class Talkers:
    """All who talk, until they are told to end."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.over = False
        self.replaced = 0
        """How often the server was replaced."""
        self.rounds = 0
        """How often anybody has done what it does again and again."""
        self._all: list[Talker] = []

    async def comes(self, *first: str) -> Talker:
        """Connect, and say something."""
        talker = Talker(*await asyncio.open_connection("127.0.0.1", self._port))
        self._all.append(talker)
        for line in first:
            await talker.says(line)
        return talker

    async def pair(self, name: str) -> tuple[Talker, Talker]:
        """Connect two who talk."""
        one, other = await self.comes(f"{name}-a"), await self.comes(f"{name}-b")
        await one.hears("OK")
        await other.hears("OK")
        await one.says(f"To:{name}-b")
        await one.hears("You are chatting with")
        await other.hears("You are chatting with")
        return one, other

    async def chat(self, name: str) -> None:
        """Say a number, and say it back."""
        one, other = await self.pair(name)
        number = 0
        while not self.over:
            number += 1
            for speaker, listener in ((one, other), (other, one)):
                await speaker.says(str(number))
                assert await listener.text() == str(number)
            self.rounds += 1

    async def count(self, name: str) -> None:
        """Say, acknowledge, and know that it arrived."""
        one, other = await self.comes("Mode:json"), await self.comes("Mode:json")
        seqs = {}
        for talker, end in ((one, "a"), (other, "b")):
            await talker.event("mode")
            await talker.does("name", name=f"{name}-{end}")
            seqs[talker] = (await talker.event("named"))["seq"]
        await one.does("to", name=f"{name}-b")
        for talker in (one, other):
            assert (await talker.event("paired"))["seq"] == 2
        number = 0
        while not self.over:
            number += 1
            await one.does("say", id=number, text=str(number))
            message = await other.event("message")
            assert (message["text"], message["seq"]) == (str(number), number + 2)
            await other.does("ack", seq=message["seq"])
            status = await one.event("status")
            assert (status["id"], status["seq"]) == (number, number + 2)
            assert status["status"] == "confirmed"
            await one.does("ack", seq=status["seq"])
            self.rounds += 1

    async def come_back(self, name: str) -> None:
        """Lose the connection after each replacement, with a key."""
        one, other = await self.pair(name)
        await other.says("/key")
        key = (await other.hears("Your key is")).split()[3].rstrip(".")
        number = 0
        while not self.over:
            number += 1
            before = self.replaced
            other.resets()
            await one.hears(f"{name}-b has lost the connection")
            await one.says(str(number))
            while before == self.replaced and not self.over:
                await asyncio.sleep(0.01)
            other = await self.comes(f"Back:{key}")
            await other.hears("OK")
            while not (await other.hears("")).endswith(f": ({number})\r\n"):
                pass
            await one.hears(f"{name}-b is back.")
            self.rounds += 1

    async def only_listen(self, name: str) -> None:
        """Be told something by who has said all."""
        one, other = await self.pair(name)
        other.ends_input()
        await other.hears("Listening.")
        number = 0
        while not self.over:
            number += 1
            await one.says(str(number))
            assert await other.text() == str(number)
            self.rounds += 1
            await asyncio.sleep(0)

    async def ring(self, name: str) -> None:
        """Call before a replacement, and answer after it."""
        one, other = await self.comes(f"{name}-a"), await self.comes(f"{name}-b", "/ring")
        await one.hears("OK")
        await other.hears("OK", "Your line rings")
        while not self.over:
            before = self.replaced
            await one.says(f"To:{name}-b")
            await one.hears(f"{name}-b's line is ringing")
            await other.hears(f"{name}-a is calling")
            while before == self.replaced and not self.over:
                await asyncio.sleep(0.01)
            await other.says(f"To:{name}-a")
            await other.hears("You are chatting with")
            await one.hears("You are chatting with")
            await one.says("/bye")
            await one.hears("You are free.")
            await other.hears("Quit.")
            self.rounds += 1

    async def be_deaf(self, name: str) -> None:
        """Read nothing until the end."""
        one, other = await self.pair(name)
        said = 0
        reads: Any = other._writer.transport
        reads.pause_reading()
        while not self.over and said < 40:
            before = self.replaced
            for _ in range(2):
                said += 1
                one._writer.write(b"%d %b\n" % (said, b"x" * 60_000))
            while before == self.replaced and not self.over:
                await asyncio.sleep(0.01)
        reads.resume_reading()
        for number in range(1, said + 1):
            line = await other.hears("[")
            assert f": ({number} x" in line, line[:80]
        self.rounds += 1

    def leave(self) -> None:
        """Close all connections."""
        for talker in self._all:
            talker.resets()


KINDS: tuple[Kind, ...] = (
    *(Talkers.chat, Talkers.count, Talkers.come_back),
    *(Talkers.only_listen, Talkers.ring, Talkers.be_deaf),
)


async def talk(port: int, pairs: int, replacements: int, replace: Callable[[], object]) -> None:
    """Let pairs of all kinds talk while a server is replaced so often."""
    talkers = Talkers(port)
    talks: list[asyncio.Task[None]] = [
        asyncio.create_task(KINDS[number % len(KINDS)](talkers, f"p{number}"))  # type: ignore[arg-type]
        for number in range(pairs)
    ]
    for _ in range(replacements):
        rounds = talkers.rounds
        while talkers.rounds < rounds + pairs and not any(one.done() for one in talks):
            await asyncio.sleep(0.01)
        await asyncio.to_thread(replace)
        talkers.replaced += 1
    talkers.over = True
    try:
        await asyncio.gather(*talks)
    finally:
        talkers.leave()
        await asyncio.sleep(0)
