"""A line to a chatpair server for programs, under Twisted.

async with Line("localhost:9999", "echo") as line:
    async for message in line.messages():
        await line.say(message.text)
"""

import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, NoReturn, Self, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from chatpair.client.address import endpoint_of
from chatpair.client.conversation import Conversation
from chatpair.client.errors import Refused
from chatpair.client.reader import Message, Reader
from chatpair.codecs.cleaning import clean_line
from chatpair.exchange.messages import (
    Block,
    Event,
    Here,
    JsonEvent,
    Outcome,
    Ringing,
    SetDnd,
    SetRing,
    Setting,
    Unblock,
)

T = TypeVar("T")
E = TypeVar("E", bound=Event)


class Events(Generic[E]):
    """What a line hears, of some kind: an asynchronous iterator."""

    def __init__(
        self,
        kind: type[Event],
        reader: Reader,
        wait: Callable[[Deferred[JsonEvent | None]], Awaitable[JsonEvent | None]] = lambda it: it,
    ) -> None:
        """Take what wraps a Deferred for others than Twisted's coroutines."""
        self._kind = kind
        self._reader = reader
        self._wait = wait

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        """Be done with the event before, and wait for the next."""
        while True:
            try:
                event = await self._wait(self._reader.next())
            except BaseException:
                self._reader.give_back()
                raise
            if event is None:
                raise StopAsyncIteration
            if isinstance(event, self._kind):
                return cast(E, event)


class Line:
    """A name at a server, and the conversation held under it.

    A lost connection is replaced, and nothing is lost with it: what was said while there was
    none is sent later. The program hears of each event once and in order.

    What may take a while returns a Deferred. To cancel it, or to let it time out, does no harm.
    What fails, fails with a LineError.
    """

    def __init__(
        self,
        address: str | IStreamClientEndpoint,
        name: str,
        on_event: Callable[[JsonEvent], object] | None = None,
        on_link: Callable[[bool], object] = lambda _: None,
        *,
        password: str = "",
        ca: str = "",
        strict: bool = False,
        clock: IReactorTime | None = None,
    ) -> None:
        """Take where the server is and the name to claim there, and its password if it has one.

        The address is host, host:port, [address]:port, one of these after tls:, an endpoint of
        Twisted's, or its description. With TLS, ca is a file with whom to trust, as PEM, if it
        is not whom the system trusts. The password is sent only when the server asks, and only
        over TLS or on this machine. Raises ValueError for what is no address.

        A strict line acknowledges a message when the next is asked for, at quit or by its done(),
        and not because something is said.

        on_link is told when the line is connected (True), and when the connection is lost and
        another is sought (False). on_event is an old way to hear of events.
        """
        if clock is None:
            from twisted.internet import reactor

            clock = IReactorTime(reactor)
        endpoint = endpoint_of(clock, address, ca) if isinstance(address, str) else address
        self._clock = clock
        self._reader = Reader(lambda: not (strict or self._conversation.is_settled))
        if on_event is not None:
            _warn("Line(on_event=...)", "async for event in line.events()")
        handle = on_event or self._reader.take
        self._conversation = Conversation(
            endpoint, name, handle, on_link, password=password, clock=clock
        )
        self._conversation.finished.addCallback(self._finished)

    def _finished(self, why: Exception | None) -> Exception | None:
        self._reader.end(why)
        return why

    @property
    def name(self) -> str:
        """The name, as the server writes it once it is this line's."""
        return self._conversation.name

    @property
    def peer(self) -> str | None:
        """Whom this line is paired with."""
        return self._conversation.peer

    @property
    def connected(self) -> bool:
        """Whether the server has this line on a connection at this moment."""
        return self._conversation.connected

    @property
    def beginnings(self) -> int:
        """How often the name became this line's: again when the server had forgotten the line."""
        return self._conversation.beginnings

    # Begin and end

    def start(self, *, patient: bool = True) -> Deferred[None]:
        """Connect, for as long as it takes; fires when the name is this line's.

        Fails with Refused if it can't be, with NotJson if the server is none for programs, with
        Ended if the line has ended. Who cancels this quits. Who is not patient has one attempt:
        that fails too with why there was no connection, with ConnectionLost, or with Refused
        and the code try-later.
        """
        return self._conversation.start(patient=patient)

    def settled(self) -> Deferred[None]:
        """Return what fires when it is known of all that was said what became of it."""
        return self._conversation.settled()

    def quit(self) -> Deferred[None]:
        """Leave when all is sent that waits for that; fires when the connection is closed.

        Without a connection the line ends at once, and the server holds the name for a while.
        """
        self._reader.finish()
        return self._conversation.quit()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, _: object
    ) -> None:
        """Quit when everything said has its status; after an exception, at once."""
        if kind is None:
            try:
                await self.settled()
            finally:
                await self.quit()
        else:
            left = self._conversation.quit()
            self._conversation.drop(value)
            await left

    # Calls

    def call(self, name: str, timeout: float | None = None) -> Deferred[str]:
        """Call somebody, and wait while it rings; fires with the peer's name as they write it.

        Fails with Refused, or with TimeoutError after so many seconds. A call that rings is
        taken back when nobody waits for it any more. What was said before and is not sent yet
        goes to nobody once there is a pair.
        """
        return self._within(timeout, Deferred.fromCoroutine(self._call(clean_line(name))))

    async def _call(self, name: str) -> str:
        conversation = self._conversation
        try:
            try:
                return await conversation.call(name)
            except Refused as why:
                if why.code != "ringing":
                    raise
            return await conversation.rings.answer(name)
        except CancelledError:
            if conversation.peer is None:
                conversation.hang_up().addErrback(lambda _: None)  # no call may be on its way
            raise

    def wait_for_call(self, timeout: float | None = None) -> Deferred[str]:
        """Wait until this line is paired, and answer a call that rings; fires with the peer.

        Fails with TimeoutError after so many seconds.
        """
        return self._within(timeout, Deferred.fromCoroutine(self._wait_for_call()))

    async def _wait_for_call(self) -> str:
        while self.peer is None:
            called = await self._conversation.rings.call()
            if isinstance(called, Ringing):
                with suppress(Refused):  # it rings no more
                    await self._conversation.call(called.name)
        return self.peer

    def _within(self, timeout: float | None, waiting: Deferred[T]) -> Deferred[T]:
        if timeout is not None:
            waiting.addTimeout(timeout, self._clock, _timed_out)
        return waiting

    def hang_up(self) -> Deferred[None]:
        """Stop talking with the peer, and stay; fails with Refused if there is none."""
        return self._conversation.hang_up()

    def who(self) -> Deferred[Here]:
        """Ask who is here."""
        return self._conversation.who()

    def dnd(self, on: bool) -> Deferred[None]:
        """Let nobody call this line, or everybody again."""
        return self._conversation.apply(SetDnd(on))

    def ring(self, on: bool) -> Deferred[None]:
        """Let calls ring until they are answered by calling back, or make a pair at once."""
        return self._conversation.apply(SetRing(on))

    def block(self, name: str) -> Deferred[None]:
        """Be busy for somebody, and hang up if it is the peer; fails with Refused for no name."""
        return self._conversation.apply(Block(clean_line(name)))

    def unblock(self, name: str) -> Deferred[None]:
        """Be busy for somebody no more; fails with Refused if that was not so."""
        return self._conversation.apply(Unblock(clean_line(name)))

    # Talking

    def say(self, text: str) -> Deferred[Outcome]:
        """Say a text to the peer; fires with "handed" or "confirmed" when it has arrived.

        Fails with NotDelivered, or with TooLong, or another ValueError if it is no text. It is
        sent as soon as there is a connection and not too much on its way. Cancelling takes it
        back if it is not sent yet, and else only stops the wait.
        """
        said = self._conversation.say(text)
        self._reader.release()
        return said

    def typing(self) -> Deferred[None]:
        """Let the peer see that something is being typed, if there is a connection."""
        return self._conversation.typing()

    def messages(self) -> Events[Message]:
        """Iterate over what peers say; all else that happens passes.

        A message is acknowledged, so that its sender knows that it has arrived, when the next
        is asked for, when something is said if the line is not strict, at quit, or by its done().
        The iteration ends after quit, and raises what ended the line otherwise.
        """
        return Events(Message, self._reader)

    def events(self) -> Events[JsonEvent]:
        """Iterate over all that is told: messages, who paired or left, and the other events.

        What methods return, as the outcome of a text, is not among them.
        """
        return Events(Event, self._reader)

    # As it was before

    @property
    def finished(self) -> Deferred[Exception | None]:
        """Fires when all is over: with nothing after quit, else with what ended the line."""
        _warn("Line.finished", "async for event in line.events(), which ends or raises it")
        return self._conversation.finished

    def apply(self, setting: Setting) -> Deferred[None]:
        """Set something for calls to this line."""
        _warn("Line.apply()", "line.dnd(True), line.ring(True), line.block(name)")
        return self._conversation.apply(setting)


def _warn(old: str, new: str) -> None:
    warnings.warn(f"{old} will go; write {new}", DeprecationWarning, stacklevel=3)


def _timed_out(result: object, timeout: float) -> NoReturn:
    raise TimeoutError(f"It took more than {timeout} seconds")
