"""Calls that ring until they are answered."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from chatpair.exchange.delay import Delay
from chatpair.exchange.messages import Ringing, Tried, Unanswered
from chatpair.exchange.user import User

RING_SECONDS = 30.0
"""How long a call rings."""


class RingingCalls(dict[User, User]):
    """Whose calls ring at whom; few do at a time."""

    def __init__(self, clock: IReactorTime, is_blocked: Callable[[User, User], bool]) -> None:
        """Take what tells whether a caller is one of whom a callee never hears."""
        super().__init__()
        self._clock = clock
        self._is_blocked = is_blocked
        self._waiting: Delay[User] = Delay(clock, RING_SECONDS, self._give_up)
        self.callee_of = self.get
        """Returns at whom a user's call rings, or None."""

    def callers_of(self, callee: User) -> list[User]:
        """Return those whose calls ring at a user."""
        return [caller for caller, called in self.items() if called is callee]

    def announce(self, caller: User, callee: User) -> bool:
        """Tell a user of a call that is to ring, if that can be; return whether."""
        return callee.announce(Ringing(caller.name.text), self._clock.seconds())

    def begin(self, caller: User, callee: User) -> None:
        """Let a call ring until that takes too long; of one elsewhere others see to that."""
        self[caller] = callee
        self._waiting.start(caller)

    def stop(self, caller: User) -> User | None:
        """Let a user's call ring no more, if it does; return who was called."""
        callee = self.pop(caller, None)
        if callee is not None:
            self._waiting.stop(caller)
        return callee

    def take_back(self, caller: User) -> bool:
        """Let a user's call ring no more, and tell who was called; return whether it did ring."""
        callee = self.stop(caller)
        if callee is None:
            return False
        if not (callee.settings.dnd or self._is_blocked(caller, callee)):
            callee.announce(Tried(caller.name.text), self._clock.seconds())
        return True

    def _give_up(self, caller: User) -> None:
        callee = self[caller]
        self.take_back(caller)
        caller.tell(Unanswered(callee.name.text))

    def went(self, callee: User) -> None:
        """Let no call ring at a user who is gone."""
        for caller in self.callers_of(callee):
            self.stop(caller)
            caller.tell(Unanswered(callee.name.text))

    def clear(self) -> None:
        """Let nothing ring any more; nobody is told."""
        for caller in list(self):
            self.stop(caller)
