"""A connection that waits: nothing of its input is obeyed until what was asked is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatpair.connection import LineConnection
from chatpair.exchange.user import Connection, User
from chatpair.sessions.command_queue import CommandQueue

_log = Logger()

Answer = TypeVar("Answer")


class AnsweredConnection(LineConnection, Connection):
    """Keeps its input, and the end of that, while an answer is under way.

    What the user is told meanwhile goes out.
    """

    user: User | None = None
    _queue: CommandQueue | None = None  # if JSON is spoken
    _under_way: Deferred[Any] | None = None
    _input_ended_early = False  # while an answer was under way

    # What a subclass adds

    def all_obeyed(self) -> None:
        """Override this for when no command waits any more."""
        raise NotImplementedError

    # Waiting

    @property
    def awaits_answer(self) -> bool:
        """Whether all that has come since must wait for an answer."""
        return self._under_way is not None

    def await_answer(self, answer: Deferred[Answer], use: Callable[[Answer], object]) -> None:
        """Obey nothing until an answer comes and is used; it is cancelled if this ends before."""
        self.factory.unnamed.stop(self)
        self._under_way = answer
        answer.addCallback(self._answered, use).addErrback(self._failed)
        if self.awaits_answer:
            self.paused = self.paused or self.finishing
            self.flow_changed()

    def _answered(self, answer: Answer, use: Callable[[Answer], object]) -> None:
        self._under_way = None
        if self.user is None and self._queue is None:
            self.factory.unnamed.start(self)
        use(answer)
        if self._input_ended_early and self._queue is not None:
            self._queue.obey_all()
        if self.awaits_answer:
            return
        if self._input_ended_early:
            self._input_ended_early = False
            super().readConnectionLost()
        elif self.finishing:
            self.factory.clock.callLater(0, self.read_on)
        elif self.input_ended:
            self.all_obeyed()
        self.flow_changed()

    def _failed(self, why: Failure) -> None:
        if not why.check(CancelledError):
            _log.failure("What follows an answer failed", failure=why)
            self.abort()

    def forget_answer(self) -> None:
        """Wait no more: nobody is there to use it."""
        answer, self._under_way = self._under_way, None
        if answer is not None:
            answer.cancel()

    # What waits

    def read_on(self) -> None:
        """Handle what waited; of the last lines nothing while one waits for an answer."""
        if not (self.finishing and self.awaits_answer):
            super().read_on()

    def readConnectionLost(self) -> None:
        """Take the end of input for what it is once all before it is done with."""
        if self.awaits_answer:
            self._input_ended_early = True
        else:
            super().readConnectionLost()

    def drain(self) -> None:
        """Handle what has come, but nothing that an answer may change the meaning of."""
        if self.awaits_answer:
            self.clearLineBuffer()
        else:
            super().drain()
