"""What nodes ask each other: who is there, whose a key is, and where somebody is."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import deferLater
from twisted.logger import Logger

from chatpair.cluster import frames
from chatpair.cluster.mesh import Mesh, node_of
from chatpair.exchange import keys
from chatpair.exchange.delay import Delay
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.messages import Error, Here, Present
from chatpair.exchange.names import Name
from chatpair.exchange.users import MAX_LISTED, not_ready

ASKING_SECONDS = 2.0
"""How long answers are waited for."""

LISTING_SECONDS = 0.25
"""Seconds from one question who is here to the next at least: each costs all nodes a list."""

_log = Logger()

Answers = dict[str, Any]
"""What nodes answered, by their incs."""


@dataclass(eq=False)
class _Asked:
    """What was asked of some nodes, and has been answered."""

    number: int
    waiting: set[str]
    answers: Answers = field(default_factory=dict)
    done: Deferred[Answers] = field(default_factory=Deferred)


class Questions:
    """Asks other nodes, and answers what they ask."""

    def __init__(self, mesh: Mesh, exchange: Exchange) -> None:
        self._mesh = mesh
        self._exchange = exchange
        self._numbers = count(1)
        self._asked: dict[int, _Asked] = {}
        self._overdue: Delay[_Asked] = Delay(exchange.clock, ASKING_SECONDS, self._finish)
        self._wait_for_list: list[Deferred[Here]] = []
        self._lists = False

    def _ask(self, incs: Iterable[str], question: frames.IsKey | str | None) -> Deferred[Answers]:
        """Fire with what some nodes answer when all have, or after ASKING_SECONDS."""
        number = next(self._numbers)
        asked = self._asked[number] = _Asked(number, set(incs))
        self._overdue.start(asked)
        for inc in list(asked.waiting):
            self._mesh.send(inc, frames.Ask(number, question))
        self._settle(asked)
        return asked.done

    def answered(self, inc: str, frame: frames.Answer) -> None:
        """Take an answer, if its node was asked for it and has not answered yet."""
        asked = self._asked.get(frame.ask)
        if asked is not None and inc in asked.waiting:
            asked.answers[inc] = frame.answer
            self._settle(asked, inc)

    def forget_node(self, inc: str) -> None:
        """Wait for no answer of a node that is dead."""
        for asked in list(self._asked.values()):
            self._settle(asked, inc)

    def _settle(self, asked: _Asked, inc: str = "") -> None:
        """Wait no more for a node, and finish if that was the last."""
        asked.waiting.discard(inc)
        if not asked.waiting:
            self._finish(asked)

    def _finish(self, asked: _Asked) -> None:
        if self._asked.pop(asked.number, None) is not None:
            self._overdue.stop(asked)
            asked.done.callback(asked.answers)

    def asked(self, inc: str, frame: frames.Ask) -> None:
        """Answer another node."""
        answer: frames.List | bool | str | None
        match frame.question:
            case None:
                answer = frames.List(self._first(), len(self._exchange.users))
            case frames.IsKey():
                answer = self._is_key(frame.question)
            case key:
                user = self._exchange.users.get(key)
                answer = user.inbox.host if user is not None else None
        self._mesh.send(inc, frames.Answer(frame.ask, answer))

    # Who is here

    def who(self) -> Deferred[Here] | None:
        """Fire with who is at all nodes, as far as they answer, unless there is but this one.

        While others are asked for somebody, whoever asks too waits for the next answers: those
        that are on their way were given before. All who ask within LISTING_SECONDS share them.
        """
        if not (self._mesh.ready and self._mesh.members):
            return None
        listed: Deferred[Here] = Deferred()
        self._wait_for_list.append(listed)
        if not self._lists:
            self._lists = True
            listing = ensureDeferred(self._list())
            listing.addErrback(lambda why: _log.failure("Listing failed", failure=why))
        return listed

    async def _list(self) -> None:
        while self._wait_for_list:
            waiting, self._wait_for_list = self._wait_for_list, []
            interval: Deferred[None] = deferLater(self._exchange.clock, LISTING_SECONDS)
            answers = await self._ask(self._mesh.members, None)
            found, total = self._first(), len(self._exchange.users)
            for answer in answers.values():
                found += answer.names
                total += max(answer.count, len(answer.names))
            names = [Present(text, paired) for _, text, paired in sorted(found)[:MAX_LISTED]]
            for listed in waiting:
                listed.callback(Here(names, total - len(names)))
            await interval
        self._lists = False

    def _first(self) -> list[tuple[str, str, bool]]:
        """Return the first users here, as in a List."""
        users, pairs = self._exchange.users, self._exchange.pairs
        return [(one.name.key, one.name.text, one in pairs) for one in users.first(MAX_LISTED)]

    # Whose a key is, and where somebody is

    def find_key(
        self, key: str, host: str | None, *, counting: bool
    ) -> Deferred[str | Error | None]:
        """Fire with the inc of the other node that has the user of a key, if one has.

        Somebody at the host says so: a key that is nobody's is counted against it at each node. If
        none has the user, and one that is alive does not say so, nobody can tell.
        """
        if not self._mesh.ready:
            return succeed(not_ready("resume"))
        incs = self._mesh.members
        if counting:
            node = key.split("-", 2)[2:]
            incs = frozenset(inc for inc in incs if [node_of(inc)] == node)

        def found(answers: Answers) -> str | Error | None:
            members = self._mesh.members
            where = next((inc for inc, is_there in answers.items() if is_there is True), None)
            if where in members:
                return where
            if any(answers.get(inc) is None for inc in incs & members):
                return not_ready("resume")
            if host is not None and not counting:
                for inc in incs:
                    self._mesh.send(inc, frames.WrongKey(host))
            return None

        return self._ask(incs, frames.IsKey(key, host, counting)).addCallback(found)

    def _is_key(self, asked: frames.IsKey) -> bool | None:
        held = self._exchange.held
        try:
            return held.owner_of(asked.key, asked.host, counting=asked.counting) is not None
        except keys.TooManyTries:
            return None

    def key_was_wrong(self, inc: str, frame: frames.WrongKey) -> None:
        """Count a key that is nobody's at any node."""
        self._exchange.held.key_was_wrong(frame.host, counting=False)

    def host_of(self, name: Name) -> Deferred[str | None]:
        if not self._mesh.ready:
            return succeed(None)

        def located(inc: str | None) -> Deferred[Answers]:
            return self._ask([] if inc in (None, self._mesh.me) else [inc or ""], name.key)

        answers: Deferred[Answers] = self._mesh.locate(name.key).addCallback(located)
        return answers.addCallback(lambda hosts: next(iter(hosts.values()), None))
