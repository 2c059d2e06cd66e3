"""What programs import: a line under Twisted and under asyncio, and its address."""

import asyncio
import socket
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail

import chatpair
import chatpair.aio
from chatpair.aio.endpoint import _Transport
from chatpair.client.address import Place
from chatpair.client.line import Events
from chatpair.client.reader import Message, Reader
from chatpair.exchange.messages import JsonEvent, Named, Paired, SetDnd
from tests.support.library import SCENARIOS, try_in
from tests.support.played import HI, Endpoint, Stage, outcome
from tests.support.reactor import Reactor
from tests.support.server import TIMEOUT, Server

WORLDS = pytest.mark.parametrize("world", ["twisted", "asyncio"])


@WORLDS
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.filterwarnings("error")
def test_a_line(server: Server, reactor: Reactor, world: str, scenario: str) -> None:
    try_in(world, reactor, SCENARIOS[scenario], f"localhost:{server.port}")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("localhost", Place("localhost", 9_999, False)),
        ("chat.example.org:1", Place("chat.example.org", 1, False)),
        ("::1", Place("::1", 9_999, False)),
        ("fe80::1%eth0", Place("fe80::1%eth0", 9_999, False)),
        ("[::1]:7", Place("::1", 7, False)),
        ("[::1]", Place("::1", 9_999, False)),
        ("tls:chat.example.org", Place("chat.example.org", 9_999, True)),
        ("tls:[::1]:7", Place("::1", 7, True)),
    ],
)
def test_an_address(text: str, place: Place) -> None:
    assert Place.parse(text) == place


@pytest.mark.parametrize("text", ["", " ", "host:port", "host:0", "a:b:c", "[::1", "[::1]x"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be "):
        chatpair.Line(text, "alice")


def test_an_endpoint_may_be_described_or_be_there() -> None:
    for where in ("tcp:localhost:9999", "unix:/run/chat", Endpoint()):
        assert outcome(chatpair.Line(where, "alice").quit()) == [None]


def test_asyncio_warns_of_nothing_when_much_is_said_on_a_connection_that_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def say() -> None:
        ours, theirs = socket.socketpair()
        theirs.close()
        connecting = asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        transport = _Transport((await connecting)[0])
        for _ in range(20):
            transport.write(b"x")
        transport.loseConnection()

    asyncio.run(say())
    assert caplog.messages == []


def test_who_quits_under_asyncio_connects_no_more() -> None:
    async def quit_early() -> None:
        come = asyncio.Event()

        async def never_greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            come.set()
            await reader.read(-1)
            writer.close()

        async with await asyncio.start_server(never_greet, "127.0.0.1", 0) as server:
            _, port = server.sockets[0].getsockname()
            line = chatpair.aio.Line(f"tls:127.0.0.1:{port}", "alice")
            starting = asyncio.create_task(line.start())
            await asyncio.wait_for(come.wait(), TIMEOUT)
            under_way = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
            await line.quit()
            with pytest.raises(chatpair.LineError):
                await starting
            await asyncio.wait(under_way, timeout=TIMEOUT)
            assert any(one.cancelled() for one in under_way)  # asyncio itself ends it in a minute

    asyncio.run(quit_early())


def test_what_is_not_there_is_told_so() -> None:
    with pytest.raises(AttributeError, match="'chatpair' has no attribute 'line'"):
        chatpair.line  # noqa: B018


def test_the_old_ways_go_on_and_tell_what_to_write() -> None:
    stage, heard = Stage(), list[JsonEvent]()
    with pytest.warns(DeprecationWarning, match="write async for event in line.events()"):
        line = chatpair.Line(stage.endpoint, "build", heard.append, clock=stage.clock)
    with pytest.warns(DeprecationWarning, match="which ends or raises it"):
        finished = outcome(line.finished)
    started = outcome(line.start())
    stage.accepts()
    stage.tells(Named("build", "key"), Paired("bob"))
    assert started == [None]
    with pytest.warns(DeprecationWarning, match=r"write line.dnd\(True\)"):
        line.apply(SetDnd(True))
    assert SetDnd(True) in stage.said()
    assert [type(event) for event in heard] == [Named, Paired]
    outcome(line.quit())
    stage.quits()
    assert finished == [None]


def test_an_event_that_a_cancelled_program_did_not_get_is_handed_out_again() -> None:
    def cancelled(_: object) -> Deferred[Any]:
        return fail(CancelledError())  # after the event was on its way

    reader = Reader(lambda: False)
    handled = reader.take(HI)
    assert handled is not None
    torn = Events[Message](Message, reader, cancelled)
    (why,) = outcome(Deferred.fromCoroutine(torn.__anext__()))
    assert isinstance(why, CancelledError)
    events = Events[Message](Message, reader)
    (message,) = outcome(Deferred.fromCoroutine(events.__anext__()))
    assert (message.text, handled.called) == ("hi", False)
    assert outcome(Deferred.fromCoroutine(events.__anext__())) == []
    assert handled.called
