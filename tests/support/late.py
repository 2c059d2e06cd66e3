"""An exchange that answers late, as one does whose names are kept elsewhere."""

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from chatpair.exchange.user import Connection, User
from chatpair.factory import ChatFactory
from chatpair.protocol import ChatProtocol
from tests.support.exchange import Exchange

Answer = TypeVar("Answer")


class LateFactory(ChatFactory):
    """Keeps claims and calls until it is told to answer them."""

    is_late = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.asked: dict[Deferred[Any], Callable[[], Any]] = {}
        self.calls: dict[User, Deferred[None]] = {}

    def answer_next(self) -> None:
        """Answer the oldest question, if there is one."""
        if self.asked:
            answer = next(iter(self.asked))
            answer.callback(self.asked.pop(answer)())

    def _later(self, do: Callable[[], Answer]) -> Deferred[Answer]:
        answer: Deferred[Answer] = Deferred(self._cancelled)
        self.asked[answer] = do
        return answer

    def _cancelled(self, answer: Deferred[Any]) -> None:
        del self.asked[answer]

    def claim(self, text: str, connection: Connection, host: str | None, **options: bool) -> Any:
        """Answer late, if it is so."""

        def claim() -> Any:
            return ChatFactory.claim(self, text, connection, host, **options)

        return self._later(claim) if self.is_late else claim()

    def call(self, caller: User, text: str) -> Deferred[None] | None:
        """Answer late, if it is so; as a cluster's, it goes on if nobody waits."""
        if not self.is_late:
            return super().call(caller, text)

        def call() -> None:
            if self.users.get(caller.name.key) is caller:
                ChatFactory.call(self, caller, text)
            waiting = self.calls.pop(caller, None)
            if waiting is not None:
                waiting.callback(None)

        self.asked[Deferred()] = call
        return self.call_under_way(caller, begins=True)

    def call_under_way(self, caller: User, *, begins: bool = False) -> Deferred[None] | None:
        """Return what fires when the call is answered."""
        if not begins and caller not in self.calls:
            return None
        self.calls[caller] = Deferred()
        return self.calls[caller]


class LateExchange(Exchange):
    """An exchange that answers late from the moment on that it is told to."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.late = LateFactory(self.clock, **options)
        self.factory = self.late
        self.factory.protocol = ChatProtocol  # type: ignore[assignment]

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
