"""Calls that ring until they are answered."""

from collections.abc import Callable, Iterator

from twisted.internet.interfaces import IReactorTime

from chatpair.exchange.delay import Delay
from chatpair.exchange.messages import Ringing, Tried, Unanswered
from chatpair.exchange.user import User

RING_SECONDS = 30.0
"""How long a call rings."""


class RingingCalls:
    """Whose calls ring at whom."""

    def __init__(self, clock: IReactorTime, is_blocked: Callable[[User, User], bool]) -> None:
        """Take what tells whether a caller is one of whom a callee never hears."""
        self._clock = clock
        self._is_blocked = is_blocked
        self._callees: dict[User, User] = {}  # by those whose calls ring
        self._callers: dict[User, dict[User, None]] = {}  # the same the other way round
        self._waiting: Delay[User] = Delay(clock, RING_SECONDS, self._give_up)

    def __iter__(self) -> Iterator[tuple[User, User]]:
        """Yield each caller and callee."""
        return iter(self._callees.items())

    def callee_of(self, caller: User) -> User | None:
        """Return at whom a user's call rings."""
        return self._callees.get(caller)

    def callers_of(self, callee: User) -> list[User]:
        """Return those whose calls ring at a user."""
        return list(self._callers.get(callee, ()))

    def announce(self, caller: User, callee: User) -> bool:
        """Tell a user of a call that is to ring, if that can be; return whether."""
        return callee.announce(Ringing(caller.name.text), self._clock.seconds())

    def begin(self, caller: User, callee: User) -> None:
        """Let a call ring."""
        self.note(caller, callee)
        self._waiting.start(caller)

    def note(self, caller: User, callee: User) -> None:
        """Know that a call rings which others let ring and end."""
        self._callees[caller] = callee
        self._callers.setdefault(callee, {})[caller] = None

    def stop(self, caller: User) -> User | None:
        """Let a user's call ring no more, if it does; return who was called."""
        callee = self._callees.pop(caller, None)
        if callee is not None:
            self._waiting.stop(caller)
            callers = self._callers[callee]
            del callers[caller]
            if not callers:
                del self._callers[callee]
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
        callee = self._callees[caller]
        self.take_back(caller)
        caller.tell(Unanswered(callee.name.text))

    def went(self, callee: User) -> None:
        """Let no call ring at a user who is gone."""
        for caller in self.callers_of(callee):
            self.stop(caller)
            caller.tell(Unanswered(callee.name.text))

    def clear(self) -> None:
        """Let nothing ring any more; nobody is told."""
        for caller in list(self._callees):
            self.stop(caller)
