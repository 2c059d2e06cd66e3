"""Who is here, at all nodes: one of them has it put together, however many ask at whichever."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from chatpair.cluster import frames
from chatpair.cluster.engine_mesh import EngineMesh
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.messages import Here, Present
from chatpair.exchange.users import MAX_LISTED

LISTING_SECONDS = 1.0
"""Seconds from one time that a node asks who is elsewhere to the next."""

T = TypeVar("T")

_log = Logger()


@dataclass(eq=False, repr=False)
class _Shared(Generic[T]):
    """Something that others are asked for, once in LISTING_SECONDS for all who want it.

    Who wants it while it is under way waits for the next: what is on its way was said before.
    """

    _clock: IReactorTime
    _ask: Callable[[], Awaitable[T]]
    _waiting: list[Deferred[T]] = field(default_factory=list)
    _runs: bool = False

    def get(self) -> Deferred[T]:
        wanted: Deferred[T] = Deferred()
        self._waiting.append(wanted)
        if not self._runs:
            self._runs = True
            running = ensureDeferred(self._run())
            running.addErrback(lambda why: _log.failure("Listing failed", failure=why))
        return wanted

    async def _run(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            interval: Deferred[None] = deferLater(self._clock, LISTING_SECONDS)
            found = await self._ask()
            for wanted in waiting:
                wanted.callback(found)
            await interval
        self._runs = False


@dataclass(eq=False, repr=False)
class Listing:
    """Lists who is here.

    All nodes ask the first by name of those that are not slow for whoever is not with them, and
    that one asks all. So what it costs grows with the nodes, and not with their square.
    """

    _mesh: EngineMesh
    _exchange: Exchange
    _ask: Callable[[Iterable[str], bool | None], Deferred[dict[str, Any]]]
    """Asks nodes a question, and fires with what those say that answer in time."""

    def __post_init__(self) -> None:
        clock = self._exchange.clock
        self._all: _Shared[dict[str, Any]] = _Shared(clock, self._ask_all)
        self._others: _Shared[list[frames.List]] = _Shared(clock, self._ask_one)

    def who(self) -> Deferred[Here] | None:
        """Fire with who is at all nodes, as far as they answer, unless there is but this one."""
        if not (self._mesh.ready and self._mesh.members):
            return None

        def found(others: list[frames.List]) -> Here:
            listed = self._with_those_here(others)
            names = [Present(text, paired) for _, text, paired in listed.names]
            return Here(names, listed.count - len(names))

        return self._others.get().addCallback(found)

    def here(self) -> frames.List:
        """Return who is at this node."""
        return self._with_those_here([])

    def all_but(self, inc: str) -> Deferred[frames.List]:
        """Fire with who is at all nodes but one."""

        def found(answers: dict[str, Any]) -> frames.List:
            return self._with_those_here(_lists(answers, but=inc))

        return self._all.get().addCallback(found)

    def _ask_all(self) -> Deferred[dict[str, Any]]:
        return self._ask(self._awake(), None)

    def _awake(self) -> list[str]:
        return [inc for inc in self._mesh.members if not self._mesh.is_slow(inc)]

    async def _ask_one(self) -> list[frames.List]:
        """Return what there is at all others, from one of them if it tells."""
        awake = self._awake()
        if len(awake) > 1 and min(awake) < self._mesh.me:
            found = _lists(await self._ask([min(awake)], True))
            if found:
                return found
        return _lists(await self._all.get())

    def _with_those_here(self, others: list[frames.List]) -> frames.List:
        users, pairs = self._exchange.users, self._exchange.pairs
        names = [(one.name.key, one.name.text, one in pairs) for one in users.first(MAX_LISTED)]
        count = len(users)
        for other in others:
            names += other.names
            count += max(other.count, len(other.names))
        return frames.List(sorted(names)[:MAX_LISTED], count)


def _lists(answers: dict[str, Any], but: str = "") -> list[frames.List]:
    return [answer for inc, answer in answers.items() if inc != but]
