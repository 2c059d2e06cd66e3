"""What a program reads of a line: one event at a time, and when that is acknowledged."""

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred, fail

from chatpair.client.session import UNHANDLED_BYTES, UNHANDLED_EVENTS, size_of
from chatpair.client.waiters import Load
from chatpair.exchange import messages

EARLY_EVENTS = 100
"""Events that are kept for a program that has not asked for any yet; older ones pass."""


class Message(messages.Message, frozen=True, kw_only=True, tag="message"):
    """The peer says this, and is told that it has arrived once the program is done with it."""

    _done: Callable[[], None]

    def done(self) -> None:
        """Be done with it before the next event is asked for: its sender may wait for that."""
        self._done()


class Reader:
    """Hands out what an inbox has handled by it, one event at a time.

    It holds an event, and so all behind it, until the program is done with it: asks for the next,
    says something, or quits. While the program waits to know what became of what it has said,
    events are only kept: else two who both speak before they listen would wait for ever.
    """

    def __init__(self, waits: Callable[[], bool]) -> None:
        """Take what tells whether the program has said something of which nothing is known."""
        self._waits = waits
        self._load = Load(UNHANDLED_EVENTS, UNHANDLED_BYTES)
        # What is to be handed out, the first of it perhaps already; and what acknowledges it.
        self._queue: deque[tuple[messages.JsonEvent, Deferred[None]]] = deque()
        self._is_given = False  # the program has the first
        self._is_read = False  # the program has asked for an event at least once
        self._asking: Deferred[messages.JsonEvent | None] | None = None
        self._end: tuple[Exception | None] | None = None  # what has ended it, if anything has

    def take(self, event: messages.JsonEvent) -> Deferred[None] | None:
        """Handle an event: return what fires when the program is done with it."""
        if isinstance(event, messages.Named | messages.Status):
            return None  # start and say tell it
        done: Deferred[None] = Deferred()
        if isinstance(event, messages.Message):
            event = Message(
                event.sender, event.text, event.time, seq=event.seq, _done=lambda: _fire(done)
            )
        elif not self._is_read:
            if isinstance(event, messages.PeerTyping):
                return None
            done.callback(None)
        self._queue.append((event, done))
        self._load.add(size_of(event))
        if not self._is_read and len(self._queue) > EARLY_EVENTS:
            self._drop_first()
        if self._waits() and not self._load.is_full:
            _fire(done)
        self._give()
        return done

    def next(self) -> Deferred[messages.JsonEvent | None]:
        """Be done with the event before; fires with the next, or with nothing after a quit.

        Fails with what ended the line, and with RuntimeError if somebody waits already.
        """
        if self._asking is not None:
            return fail(RuntimeError("The events of this line are waited for already"))
        self._is_read = True
        self.finish()
        asking: Deferred[messages.JsonEvent | None] = Deferred(lambda _: self._stop())
        self._asking = asking
        self._give()
        return asking

    def finish(self) -> None:
        """Be done with the event that was handed out, if there is one."""
        if self._is_given:
            self._is_given = False
            self._drop_first()

    def _drop_first(self) -> None:
        event, done = self._queue.popleft()
        self._load.remove(size_of(event))
        _fire(done)

    def release(self) -> None:
        """Hold nothing, if the program waits for what it has said."""
        for _, done in list(self._queue):
            if self._waits() and not self._load.is_full:
                _fire(done)

    def give_back(self) -> None:
        """Hand the last event out again: who asked for it was cancelled, and may not have it."""
        self._is_given = False

    def end(self, why: Exception | None) -> None:
        """Drop what was not handed out: there is no line any more."""
        self._end = (why,)
        self._queue.clear()
        self._is_given = False
        self._give()

    def _give(self) -> None:
        asking = self._asking
        if asking is None or not (self._queue or self._end):
            return
        self._asking = None
        if self._queue:
            self._is_given = True
            asking.callback(self._queue[0][0])
        elif self._end == (None,):
            asking.callback(None)
        elif self._end:
            asking.errback(self._end[0])

    def _stop(self) -> None:
        self._asking = None


def _fire(done: Deferred[None]) -> None:
    if not done.called:
        done.callback(None)
