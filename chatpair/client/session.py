"""What a line keeps while connections come and go: what was said, asked and heard."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

from msgspec.structs import astuple, replace
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger

from chatpair.client.errors import NotDelivered, Refused, TooLong
from chatpair.client.waiters import UNSETTLED_BYTES, UNSETTLED_SAYS, Load, Waiters
from chatpair.codecs import json
from chatpair.exchange import messages
from chatpair.exchange.names import BadName, fold

MAX_LINE = 65_536
"""Bytes that a line of a client's may have, without its end: a server drops a longer one."""

UNHANDLED_EVENTS, UNHANDLED_BYTES = 4_096, 2**22
"""Events, or letters in them, that may wait for the program before the server has to: more than a
server tells without an acknowledgement, as the program may wait for an answer behind them.
"""


def check_length(command: messages.JsonCommand) -> None:
    """Raise TooLong for what a server would drop, or another ValueError for what is no text."""
    length = len(json.render_command(command).removesuffix(b"\r\n"))
    if length > MAX_LINE:
        raise TooLong(f"Its line would have {length} bytes; {MAX_LINE} are allowed")


def fits(text: str) -> bool:
    """Tell whether a text can be said at once, whatever its id and whoever the peer is."""
    try:
        check_length(messages.Say(2**53 - 1, text, "x" * 4 * 32, 2**53 - 1))
    except ValueError:
        return False
    return True


class _Said(NamedTuple):
    say: messages.Say  # which gets its id when it is sent
    size: int  # bytes of the text
    status: Deferred[messages.Outcome]


class Outbox:
    """What was said and has no status yet: on its way, or waiting to be sent.

    Ids are given at the moment of sending. So those on their way always have the last ones.
    """

    def __init__(self) -> None:
        self._sent: deque[_Said] = deque()
        self._waiting: deque[_Said] = deque()
        self._sent_bytes = 0
        self._last_id = 0
        self._quiet: Waiters[None] = Waiters()

    @property
    def waiting(self) -> int:
        """How many wait to be sent."""
        return len(self._waiting)

    @property
    def is_settled(self) -> bool:
        """Whether it is known of all that was said what became of it."""
        return not (self._sent or self._waiting)

    def say(self, say: messages.Say) -> Deferred[messages.Outcome]:
        """Append what gets its id later; raises ValueError if no server would take it."""
        check_length(replace(say, id=self._last_id + len(self._waiting) + 1))
        said = _Said(say, len(say.text.encode()), Deferred())
        self._waiting.append(said)
        return said.status

    def take(self) -> Iterator[messages.Say]:
        """Yield what may be sent at this moment; it is on its way from then on."""
        while self._waiting and self._has_room(self._waiting[0]):
            said = self._waiting.popleft()
            if said.status.called:  # it was cancelled
                continue
            self._sent.append(said)
            self._sent_bytes += said.size
            self._last_id += 1
            yield replace(said.say, id=self._last_id)
        self._tell_quiet()

    def _has_room(self, said: _Said) -> bool:
        full = len(self._sent) >= UNSETTLED_SAYS or self._sent_bytes + said.size > UNSETTLED_BYTES
        return not (self._sent and full)

    def settle(self, status: messages.Status) -> None:
        """Tell what became of all up to an id."""
        while self._sent and self._last_id - len(self._sent) < status.id:
            said = self._sent.popleft()
            self._sent_bytes -= said.size
            if status.status == "failed":
                said.status.errback(NotDelivered(status.why or "failed"))
            else:
                said.status.callback(status.status)
        self._tell_quiet()

    def resumed(self, got: int) -> None:
        """Let those wait again, with their ids, that the server never got."""
        while self._sent and self._last_id > got:
            said = self._sent.pop()
            self._sent_bytes -= said.size
            self._last_id -= 1
            self._waiting.appendleft(said)

    def drop_waiting(self, why: str) -> None:
        """Give up what waits to be sent: those whom it was meant for are gone."""
        dropped, self._waiting = self._waiting, deque()
        for said in dropped:
            said.status.errback(NotDelivered(why))
        self._tell_quiet()

    def forget(self, why: str) -> None:
        """Give up everything, and count from one again."""
        self._waiting = self._sent + self._waiting
        self._sent = deque()
        self._sent_bytes = self._last_id = 0
        self.drop_waiting(why)

    def settled(self) -> Deferred[None]:
        """Return what fires when nothing waits for its status."""
        quiet = self._quiet.wait()
        self._tell_quiet()
        return quiet

    def _tell_quiet(self) -> None:
        if self.is_settled:
            self._quiet.fire(None)


Question: TypeAlias = messages.Call | messages.HangUp | messages.AskWho | messages.Setting
"""A command that has an answer."""


class _Asked(NamedTuple):
    command: Question
    answer: Deferred[Any]


class Commands:
    """Commands that have no ids to tell their answers by: so one is on its way at a time."""

    def __init__(self) -> None:
        self._asked: deque[_Asked] = deque()
        self._sent = False  # the first of them

    @property
    def waiting(self) -> int:
        """How many wait to be sent."""
        return len(self._asked) - self._sent

    def __len__(self) -> int:
        return len(self._asked)

    @property
    def change_peer(self) -> bool:
        """Whether who the peer is depends on an answer."""
        return any(isinstance(one.command, messages.Call | messages.HangUp) for one in self._asked)

    def ask(self, command: Question) -> Deferred[Any]:
        """Append a command; raises ValueError if no server would take it."""
        check_length(command)
        asked = _Asked(command, Deferred())
        self._asked.append(asked)
        return asked.answer

    def take(self) -> messages.JsonCommand | None:
        """Return what may be sent at this moment, if anything; it is on its way from then on."""
        while self._asked and not self._sent:
            command, answer = self._asked[0]
            if not answer.called:
                self._sent = True
                return command
            self._asked.popleft()  # it was cancelled
        return None

    def send_again(self) -> None:
        """Take what was on its way for lost: its answer would be here."""
        self._sent = False

    def hear(self, event: messages.JsonEvent, peer: str | None) -> bool:
        """Take an event for an answer if it is one; return whether it is nothing but that."""
        command = self._asked[0].command if self._sent else None
        match command, event:
            case messages.Call(name), messages.Paired(peer=other) if is_same_name(name, other):
                self._first().callback(other)
            case (
                (messages.HangUp(), messages.Free())
                | (messages.SetDnd(), messages.DndSet())
                | (messages.SetRing(), messages.RingSet())
                | (messages.Block(), messages.Blocked())
                | (messages.Unblock(), messages.Unblocked())
            ):
                self._first().callback(None)
            case messages.AskWho(), messages.Here():
                self._first().callback(event)
            case _, messages.Error(of="to", code="already"):
                # Two who call each other are a pair with the first call. The answer to the
                # second comes after that, and perhaps after another command.
                if (
                    isinstance(command, messages.Call)
                    and peer is not None
                    and is_same_name(command.name, peer)
                ):
                    self._first().callback(peer)
                return True
            case messages.Command(), messages.Error(of, code, text) if of == json.word(command):
                self._first().errback(Refused(code, text))
                return True
        return isinstance(event, messages.Here)

    def _first(self) -> Deferred[Any]:
        self._sent = False
        return self._asked.popleft().answer

    def drop(self, why: Exception) -> None:
        """Give up everything."""
        dropped, self._asked = self._asked, deque()
        self._sent = False
        for asked in dropped:
            asked.answer.errback(why)


def is_same_name(name: str, other: str) -> bool:
    """Tell whether a server takes two names for the same."""
    try:
        return fold(name) == fold(other)
    except BadName:
        return name == other


def size_of(event: messages.JsonEvent) -> int:
    """Return how many letters there are in an event."""
    return sum(len(value) for value in astuple(event) if isinstance(value, str))


class _Tally:
    """How far the events of one key have come, by their seq."""

    def __init__(self) -> None:
        self.heard = self.done = self.told = 0


class Inbox:
    """What was heard: the program handles one event at a time, in order."""

    _log = Logger()

    def __init__(
        self, handle: Callable[[messages.JsonEvent], object], done: Callable[[], object]
    ) -> None:
        """Take what handles an event, with a Deferred if it takes time, and whom to tell then."""
        self._handle = handle
        self._done = done
        self._events: deque[tuple[messages.JsonEvent, bool, _Tally]] = deque()
        self._load = Load(UNHANDLED_EVENTS, UNHANDLED_BYTES)
        self._busy = False
        self._tally = _Tally()

    @property
    def is_full(self) -> bool:
        """Whether so much waits for the program that no more should come."""
        return self._load.is_full

    def is_new(self, event: messages.JsonEvent) -> bool:
        """Note that an event has come; return whether it has not come before."""
        if isinstance(event, messages.CountedEvent) and event.seq:
            if event.seq <= self._tally.heard:
                return False
            self._tally.heard = event.seq
        return True

    def take(self, event: messages.JsonEvent, shown: bool = True) -> None:
        """Let the program handle an event once it is done with those before, or pass it over."""
        if isinstance(event, messages.PeerTyping) and self._busy:
            return  # it would be news of yesterday, and anybody can send very many
        if not (shown or isinstance(event, messages.CountedEvent)):
            return
        self._events.append((event, shown, self._tally))
        self._load.add(size_of(event))
        if not self._busy:
            self._busy = True
            Deferred.fromCoroutine(self._work())

    async def _work(self) -> None:
        while self._events:
            event, shown, tally = self._events.popleft()
            if shown:
                await self._show(event)
            if isinstance(event, messages.CountedEvent) and event.seq:
                tally.done = event.seq
            self._load.remove(size_of(event))
            self._done()
        self._busy = False

    async def _show(self, event: messages.JsonEvent) -> None:
        try:
            await maybeDeferred(self._handle, event)
        except Exception:
            # It counts as done: else it would come again for ever, and block all after it.
            self._log.failure("Handling {event} failed", event=event)

    def due(self) -> int:
        """Return up to which event to acknowledge, or 0 for none; it counts as acknowledged."""
        tally = self._tally
        if tally.done <= tally.told:
            return 0
        tally.told = tally.done
        return tally.done

    def resume(self) -> int:
        """Return up to which event all are done with; that counts as acknowledged."""
        self._tally.told = self._tally.done
        return self._tally.done

    def forget(self) -> None:
        """Expect events that are counted from one again."""
        self._tally = _Tally()

    def close(self) -> None:
        """Drop what the program has not begun to handle."""
        self._events.clear()
