"""Questions to several nodes, whose answers are gathered for a while."""

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from chatpair.cluster.frames import Frame
from chatpair.exchange.delay import Delay

ASKING_SECONDS = 2.0
"""How long answers are waited for."""

Answers = list[tuple[str, Any]]
"""The answers, and the incs of the nodes that gave them."""


class _Question:
    """What was asked, and what has been answered."""

    __slots__ = ("answers", "done", "number", "waiting")

    def __init__(self, number: int, incs: Iterable[str]) -> None:
        self.number = number
        self.waiting = set(incs)
        self.answers: Answers = []
        self.done: Deferred[Answers] = Deferred()


class Asking:
    """Asks nodes, and gathers what they answer."""

    def __init__(self, clock: IReactorTime, send: Callable[[str, Frame], object]) -> None:
        """Take the clock, and what sends a frame to a node."""
        self._send = send
        self._numbers = count(1)
        self._questions: dict[int, _Question] = {}
        self._overdue: Delay[_Question] = Delay(clock, ASKING_SECONDS, self._finish)

    def ask(self, incs: Iterable[str], question: Callable[[int], Frame]) -> Deferred[Answers]:
        """Ask some nodes; fires with what was answered when all have, or after ASKING_SECONDS.

        The question is made of the number that answers are known by.
        """
        asked = _Question(next(self._numbers), incs)
        self._questions[asked.number] = asked
        self._overdue.start(asked)
        done = asked.done
        for inc in list(asked.waiting):
            self._send(inc, question(asked.number))
        self._finish_if_all(asked)
        return done

    def answered(self, inc: str, frame: Any) -> None:
        """Take an answer, if its node was asked for it and has not answered yet."""
        asked = self._questions.get(frame.ask)
        if asked is not None and inc in asked.waiting:
            asked.waiting.remove(inc)
            asked.answers.append((inc, frame))
            self._finish_if_all(asked)

    def forget_node(self, inc: str) -> None:
        """Wait for no answer of a node that is dead."""
        for asked in list(self._questions.values()):
            asked.waiting.discard(inc)
            self._finish_if_all(asked)

    def waits_for(self) -> set[str]:
        """Return the incs of the nodes that have not answered all."""
        return {inc for asked in self._questions.values() for inc in asked.waiting}

    def _finish_if_all(self, asked: _Question) -> None:
        if not asked.waiting and asked.number in self._questions:
            self._finish(asked)

    def _finish(self, asked: _Question) -> None:
        del self._questions[asked.number]
        self._overdue.stop(asked)
        asked.done.callback(asked.answers)
