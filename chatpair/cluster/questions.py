"""What nodes ask each other: who is there, whose a key is, and where somebody is."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from types import UnionType
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from chatpair.cluster import frames
from chatpair.cluster.engine_mesh import EngineMesh
from chatpair.cluster.mesh import node_of
from chatpair.exchange import keys
from chatpair.exchange.delay import Delay
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.held_lines import TOO_MANY_TRIES
from chatpair.exchange.messages import Error, Here, Present
from chatpair.exchange.names import Name
from chatpair.exchange.users import MAX_LISTED, not_ready

ASKING_SECONDS = 2.0
"""How long answers are waited for."""

LISTED_SECONDS = 4.0
"""The same, of a node that has to ask all others first, perhaps in a second only."""

LISTING_SECONDS = 1.0
"""Seconds from one time that a node asks who is elsewhere to the next."""

Answers = dict[str, Any]
"""What nodes answered, by their incs."""

_log = Logger()


@dataclass(eq=False)
class _Asked:
    """What was asked of some nodes, and has been answered."""

    kind: type | UnionType
    """Of what kind an answer is."""
    waiting: set[str]
    answers: Answers = field(default_factory=dict)
    done: Deferred[Answers] = field(default_factory=Deferred)


@dataclass(eq=False, repr=False)
class _Shared:
    """Something that others are asked for, once in LISTING_SECONDS for all who want it.

    Who wants it while it is under way waits for the next: what is on its way was said before.
    """

    _clock: IReactorTime
    _ask: Callable[[], Awaitable[Answers]]
    _waiting: list[Deferred[Answers]] = field(default_factory=list)
    _runs: bool = False

    def get(self) -> Deferred[Answers]:
        wanted: Deferred[Answers] = Deferred()
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


class Questions:
    """Asks other nodes, and answers what they ask.

    Who is there all nodes ask the first by name of those that are not slow for whoever is not with
    them, and that one asks all. So what it costs grows with the nodes, and not with their square.
    """

    def __init__(self, mesh: EngineMesh, exchange: Exchange) -> None:
        self._mesh = mesh
        self._exchange = exchange
        self._numbers = count(1)
        self._asked: dict[int, _Asked] = {}
        clock = exchange.clock
        self._overdue: Delay[int] = Delay(clock, ASKING_SECONDS, self._finish)
        self._overdue_list: Delay[int] = Delay(clock, LISTED_SECONDS, self._finish)
        self._all = _Shared(clock, self._ask_all)
        self._others = _Shared(clock, self._ask_one)
        self.listings: set[tuple[str, int]] = set()
        """Which nodes have asked who is anywhere else, and have had no answer, by their numbers."""

    def _ask(
        self, incs: Iterable[str], question: frames.Question, kind: type | UnionType = frames.List
    ) -> Deferred[Answers]:
        """Fire with what some nodes answer when all have, or when their time is up."""
        number = next(self._numbers)
        asked = self._asked[number] = _Asked(kind, set(incs))
        (self._overdue_list if question is True else self._overdue).start(number)
        for inc in list(asked.waiting):
            self._mesh.send(inc, frames.Ask(number, question))
        self.unanswered("", number)
        return asked.done

    def answered(self, inc: str, frame: frames.Answer) -> None:
        """Take an answer, if it is still waited for.

        One of the wrong kind is none; raises TypeError then.
        """
        asked = self._asked.get(frame.ask)
        if asked is None:
            return
        fits = isinstance(frame.answer, asked.kind)
        if fits:
            asked.answers[inc] = frame.answer
        self.unanswered(inc, frame.ask)
        if not fits:
            raise TypeError(f"an answer of the wrong kind to question {frame.ask}")

    def unanswered(self, inc: str, ask: int) -> None:
        """Wait no more for the answer of a node, and finish if that was the last."""
        asked = self._asked.get(ask)
        if asked is not None:
            asked.waiting.discard(inc)
            if not asked.waiting:
                self._finish(ask)

    def forget_node(self, inc: str) -> None:
        """Wait for no answer of a node that is dead."""
        for number in list(self._asked):
            self.unanswered(inc, number)

    def _finish(self, number: int) -> None:
        asked = self._asked.pop(number)
        self._overdue.stop(number)
        self._overdue_list.stop(number)
        asked.done.callback(asked.answers)

    def asked(self, inc: str, frame: frames.Ask) -> None:
        """Answer another node."""
        answer: frames.AnyAnswer
        match frame.question:
            case True:
                self.listings.add((inc, frame.ask))
                told = self._all.get()
                told.addCallback(lambda all_: self._answer(inc, frame, self._listed(all_, inc)))
                return
            case None | False:
                answer = self._listed({})
            case frames.IsKey():
                answer = self._is_key(frame.question)
            case key:
                user = self._exchange.users.get(key)
                answer = user.inbox.host if user is not None else None
        self._answer(inc, frame, answer)

    def _answer(self, inc: str, frame: frames.Ask, answer: frames.AnyAnswer) -> None:
        self.listings.discard((inc, frame.ask))
        self._mesh.send(inc, frames.Answer(frame.ask, answer))

    # Whose a key is, and where somebody is

    async def find_key(self, key: str, host: str | None, *, counting: bool) -> str | Error | None:
        """Return the inc of the other node that has the user of a key, if one has.

        Somebody at the host says so: a key that is nobody's is counted against it at each node. If
        none has the user, and one does not say so, nobody can tell.
        """
        if not self._mesh.ready:
            return not_ready("resume")
        incs = self._mesh.members
        if counting:
            node = key.split("-", 2)[2:]
            incs = frozenset(inc for inc in incs if [node_of(inc)] == node)
        answers = await self._ask(incs, frames.IsKey(key, host, counting), bool | None)
        where = next((inc for inc, is_there in answers.items() if is_there), None)
        if where in self._mesh.members:
            return where
        if incs - answers.keys():
            return not_ready("resume")
        if None in answers.values():
            return TOO_MANY_TRIES
        if host is not None and not counting:
            for inc in incs:
                self._mesh.send(inc, frames.WrongKey(host))
        return None

    def _is_key(self, asked: frames.IsKey) -> bool | None:
        held = self._exchange.held
        try:
            return held.owner_of(asked.key, asked.host, counting=asked.counting) is not None
        except keys.TooManyTries:
            return None

    def host_of(self, name: Name) -> Deferred[str | None]:
        return Deferred.fromCoroutine(self._host_of(name))

    async def _host_of(self, name: Name) -> str | None:
        inc = await self._mesh.locate(name.key) if self._mesh.ready else None
        if inc is None or inc == self._mesh.me:
            return None
        return (await self._ask([inc], name.key, str | None)).get(inc)

    # Who is there

    def who(self) -> Deferred[Here] | None:
        """Fire with who is at all nodes, as far as they answer, unless there is but this one."""
        if not (self._mesh.ready and self._mesh.members):
            return None

        def found(answers: Answers) -> Here:
            listed = self._listed(answers)
            names = [Present(text, paired) for _, text, paired in listed.names]
            return Here(names, listed.count - len(names))

        return self._others.get().addCallback(found)

    def _awake(self) -> list[str]:
        return [inc for inc in self._mesh.members if not self._mesh.is_slow(inc)]

    def _ask_all(self) -> Deferred[Answers]:
        return self._ask(self._awake(), None)

    async def _ask_one(self) -> Answers:
        """Return what there is at all others, from one of them if it tells."""
        awake = self._awake()
        if len(awake) > 1 and min(awake) < self._mesh.me:
            found = await self._ask([min(awake)], True)
            if found:
                return found
        return await self._all.get()

    def _listed(self, answers: Answers, but: str = "") -> frames.List:
        """Return who is here and at the nodes that have answered, but for one."""
        users, pairs = self._exchange.users, self._exchange.pairs
        names = [(one.name.key, one.name.text, one in pairs) for one in users.first(MAX_LISTED)]
        count = len(users)
        for inc, other in answers.items():
            if inc != but:
                names += other.names
                count += other.count
        return frames.List(sorted(names)[:MAX_LISTED], count)
