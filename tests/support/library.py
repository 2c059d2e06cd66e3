"""What the library promises, tried under Twisted and asyncio: each scenario is written for both."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import pytest
from twisted.internet.defer import CancelledError, Deferred

import chatpair.aio
from chatpair import Line, LineError, NotDelivered, Refused
from chatpair.exchange.messages import Free, Left, Paired, Ringing
from tests.support.reactor import Reactor
from tests.support.server import TIMEOUT

Lines = Callable[[str], Any]
"""Makes a line of a name."""

Scenario = Callable[["World", Lines], Coroutine[Any, Any, None]]

SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> None:
    """Let it be tried."""
    SCENARIOS[function.__name__] = function


class World(NamedTuple):
    """What a program does otherwise under Twisted than under asyncio."""

    start: Callable[[Any], Any]
    """Lets something go on while others do; returns what can be awaited or cancelled."""
    is_done: Callable[[Any], bool]
    cancelled: type[BaseException]

    async def cancels(self, started: Any) -> None:
        """Cancel what goes on, and see that that is how it ends."""
        started.cancel()
        with pytest.raises(self.cancelled):
            await started


def _start(it: Any) -> Any:
    return it if isinstance(it, Deferred) else Deferred.fromCoroutine(it)


TWISTED = World(_start, lambda it: bool(it.called), CancelledError)
ASYNCIO = World(asyncio.ensure_future, asyncio.Future.done, asyncio.CancelledError)


async def fails(awaitable: Awaitable[Any]) -> LineError:
    """Return how something fails, as it must."""
    with pytest.raises(LineError) as failed:
        await awaitable
    return failed.value


async def talk(alice: Any, bob: Any) -> None:
    """Let two wait until all that was sent before has been told."""
    for _ in range(2):
        for line in (alice, bob):
            await line.who()


@scenario
async def an_echo(world: World, line_of: Lines) -> None:
    async def echo() -> None:
        async with line_of("echo") as line:
            async for message in line.messages():
                await line.say(message.text)

    echoing = world.start(echo())
    async with line_of("alice") as alice:
        while (await fails(alice.call("nobody"))).code == "unknown":
            if any(one.name == "echo" for one in (await alice.who()).names):
                break
        assert await alice.call("Echo") == "echo"
        messages = alice.messages()
        for text in ("hi", "two\nlines"):
            assert await alice.say(text) == "confirmed"
            message = await anext(messages)
            assert (message.sender, message.text) == ("echo", text)
    await world.cancels(echoing)


@scenario
async def what_is_read_is_confirmed_when_it_is_done(world: World, line_of: Lines) -> None:
    async with line_of("alice") as alice, line_of("bob") as bob:
        await alice.call("bob")
        messages = bob.messages()
        first = world.start(alice.say("1"))
        second = world.start(alice.say("2"))
        third = world.start(alice.say("3"))
        fourth = world.start(alice.say("for nobody"))
        one = await anext(messages)
        await talk(alice, bob)
        assert not world.is_done(first)
        one.done()
        one.done()
        assert await first == "confirmed"
        assert (await anext(messages)).text == "2"
        await talk(alice, bob)
        assert not world.is_done(second)
        assert (await anext(messages)).text == "3"
        assert await second == "confirmed"
        assert not world.is_done(third)
        await bob.quit()  # in good order
        assert await third == "confirmed"
        assert (await fails(fourth)).code == "quit"


@scenario
async def who_speaks_is_done_with_what_has_come(world: World, line_of: Lines) -> None:
    async with line_of("alice") as alice, line_of("bob") as bob:
        await alice.call("bob")
        saying = world.start(alice.say("Are you there?"))
        await talk(alice, bob)
        assert not world.is_done(saying)
        assert await bob.say("Yes.") == "confirmed"  # else what bob has not read holds that up
        assert await saying == "confirmed"


@scenario
async def what_a_program_died_on_is_not_confirmed(world: World, line_of: Lines) -> None:
    async with line_of("alice") as alice:
        try:
            async with line_of("bob") as bob:
                await alice.call("bob")
                saying = world.start(alice.say("deadly"))
                async for message in bob.messages():
                    raise ZeroDivisionError(message.text)
        except ZeroDivisionError:
            why = await fails(saying)
            assert isinstance(why, NotDelivered)
            assert why.code == "quit"


@scenario
async def all_that_happens(world: World, line_of: Lines) -> None:
    async with line_of("alice") as alice, line_of("bob") as bob:
        events = bob.events()
        await alice.call("bob")
        saying = world.start(alice.say("hi"))
        kinds = []
        async for event in events:
            match event:
                case Paired(peer="alice"):
                    kinds.append("paired")
                case Left(peer="alice", why="bye"):
                    break
                case message if message.text == "hi":
                    message.done()
                    assert await saying == "confirmed"
                    await alice.hang_up()
        assert kinds == ["paired"]
        assert bob.peer is None
        events = alice.events()
        assert [type(await anext(events)) for _ in range(2)] == [Paired, Free]


@scenario
async def a_call_that_rings(world: World, line_of: Lines) -> None:
    async with line_of("alice") as alice, line_of("bob") as bob, line_of("carol") as carol:
        await bob.ring(True)
        calling = world.start(alice.call("bob"))
        assert await bob.wait_for_call() == "alice"
        assert await calling == "bob"
        assert await bob.wait_for_call(timeout=60) == "alice"  # she is here already
        await alice.hang_up()
        calling = world.start(alice.call("bob"))
        events = bob.events()
        await hears(events, Left)
        await hears(events, Ringing)
        assert not world.is_done(calling)
        await carol.call("alice")
        assert (await fails(calling)).code == "switched"


@scenario
async def a_call_that_rings_in_vain(world: World, line_of: Lines) -> None:
    async with line_of("alice") as alice, line_of("bob") as bob, line_of("carol") as carol:
        await bob.ring(True)
        with pytest.raises(TimeoutError):
            await alice.call("bob", timeout=0.01)
        events = bob.events()
        await hears(events, Ringing)
        calling = world.start(carol.call("bob"))
        await hears(events, Ringing)
        await world.cancels(calling)
        await talk(carol, bob)
        await carol.ring(True)
        calling = world.start(bob.call("carol"))  # it is no answer any more, but a call
        await talk(bob, carol)
        assert not world.is_done(calling)
        assert await carol.call("bob") == "bob"
        assert await calling == "carol"


async def hears(events: Any, kind: type[Any]) -> None:
    """Wait for an event of a kind."""
    while not isinstance(await anext(events), kind):
        pass


@scenario
async def refusals(world: World, line_of: Lines) -> None:
    async with line_of("alice") as alice, line_of("bob") as bob:
        assert (await fails(alice.call("nobody"))).code == "unknown"
        assert (await fails(alice.hang_up())).code == "nobody"
        assert (await fails(alice.say("hi"))).code == "nobody"
        assert (await fails(alice.say("x" * 70_000))).code == "too-long"
        assert (await fails(line_of("alice").start())).code == "reuse"
        await bob.dnd(True)
        assert (await fails(alice.call("bob"))).code == "dnd"
        await bob.dnd(False)
        await bob.block("alice")
        why = await fails(alice.call("bob"))
        assert isinstance(why, Refused)
        assert (why.code, why.text) == ("busy", "bob is talking with someone else.")
        await bob.unblock("alice")
        assert (await fails(bob.unblock("alice"))).code == "unknown"
        assert await alice.call("bob") == "bob"
        await bob.block("alice")
        await talk(alice, bob)
        assert (alice.peer, bob.peer) == (None, None)


@scenario
async def cancelling(world: World, line_of: Lines) -> None:
    async with line_of("alice") as alice, line_of("bob") as bob:
        messages = bob.messages()
        await world.cancels(world.start(anext(messages)))
        with pytest.raises(TimeoutError):
            await bob.wait_for_call(timeout=0.01)
        await alice.call("bob")
        saying = world.start(alice.say("hi"))
        assert (await anext(messages)).text == "hi"
        reading = world.start(anext(messages))
        await talk(alice, bob)
        with pytest.raises(RuntimeError):
            await anext(messages)
        await world.cancels(reading)
        assert await saying == "confirmed"


@scenario
async def who_never_reads_is_not_held_up(world: World, line_of: Lines) -> None:
    async with line_of("alice") as alice, line_of("bob") as bob:
        await alice.call("bob")

        async def read() -> None:
            number = 0
            async for message in bob.messages():
                assert message.text == str(number)
                number += 1

        reading = world.start(read())
        flood = [world.start(bob.say(str(number))) for number in range(2_000)]
        for number in range(300):
            assert await alice.say(str(number)) == "confirmed"
        await alice.quit()
        for saying in flood:
            with suppress(NotDelivered):
                await saying
        await bob.quit()
        await reading


@scenario
async def the_end(world: World, line_of: Lines) -> None:
    alice = line_of("alice")
    await alice.start()
    assert (alice.name, alice.peer, alice.connected) == ("alice", None, True)

    async def read() -> list[Any]:
        return [event async for event in alice.events()]

    reading, calling = world.start(read()), world.start(alice.wait_for_call())
    await alice.who()
    await alice.quit()
    assert await reading == []
    assert (await fails(calling)).code == "ended"
    assert (await fails(alice.wait_for_call())).code == "ended"
    assert (await fails(alice.who())).code == "ended"
    assert not alice.connected


def try_in(kind: str, reactor: Reactor, scenario: Scenario, address: str, ca: str = "") -> None:
    """Try a scenario in one of the worlds."""
    if kind == "asyncio":
        trying = scenario(ASYNCIO, partial(chatpair.aio.Line, address, ca=ca))
        asyncio.run(asyncio.wait_for(trying, TIMEOUT))
    else:
        line_of = partial(Line, address, ca=ca, clock=reactor.reactor)
        reactor.result(Deferred.fromCoroutine(scenario(TWISTED, line_of)))
