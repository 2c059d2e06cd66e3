"""An exchange that answers late, as one does whose names are kept elsewhere."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed

from chatpair.exchange.directory import Claimed, OnlyNode
from chatpair.exchange.names import Name
from chatpair.exchange.settings import Settings
from chatpair.exchange.user import User
from chatpair.factory import ChatFactory
from tests.support.exchange import Exchange


class LateDirectory(OnlyNode):
    """Keeps claims and calls until it is told to answer them."""

    factory: ChatFactory
    is_late = False
    claimed: Claimed = "yours"

    def __init__(self) -> None:
        self.asked: dict[Deferred[Any], Callable[[], Any]] = {}
        self._calls: dict[User, Deferred[None]] = {}

    def answer_next(self) -> None:
        """Answer the oldest question, if there is one."""
        if self.asked:
            answer = next(iter(self.asked))
            answer.callback(self.asked.pop(answer)())

    def claim(self, name: Name) -> Deferred[Claimed] | None:
        """Answer late, if it is so."""
        if not self.is_late:
            return super().claim(name)
        answer: Deferred[Claimed] = Deferred(self._cancelled)
        self.asked[answer] = lambda: self.claimed
        return answer

    def _cancelled(self, answer: Deferred[Claimed]) -> None:
        del self.asked[answer]

    def call(self, caller: User, text: str) -> Deferred[None] | None:
        """Answer late, if it is so; as a cluster's, it goes on if nobody waits."""
        if not self.is_late:
            return None

        def call() -> None:
            if self.factory.users.get(caller.name.key) is caller:
                self.factory.calls.call_here(caller, text)
            waiting = self._calls.pop(caller, None)
            if waiting is not None:
                waiting.callback(None)

        self.asked[Deferred()] = call
        self._calls[caller] = Deferred()
        return self._calls[caller]

    def call_under_way(self, caller: User) -> Deferred[None]:
        """Return what fires when the call is answered."""
        if caller not in self._calls:
            return succeed(None)
        self._calls[caller] = Deferred()
        return self._calls[caller]


class LateExchange(Exchange):
    """An exchange that answers late from the moment on that it is told to."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.late = LateDirectory()
        self.factory = ChatFactory(
            self.clock,
            Settings(**options),
            time_of_day=self.clock.seconds,
            directory=self.late,
        )
        self.late.factory = self.factory

    def becomes_late(self) -> None:
        """Keep all claims and calls from now on."""
        self.late.is_late = True

    def answers(self, count: int = 1) -> None:
        """Answer so many questions, and let what follows happen."""
        for _ in range(count):
            self.late.answer_next()
            self.settles()

    def settles(self) -> None:
        """Let all happen that does at this moment."""
        while any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
            self.clock.advance(0)
