"""Commands of a client that counts and acknowledges, which wait for room without being lost."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatpair.exchange.kept_events import KEPT_BYTES, KEPT_EVENTS, cost_of
from chatpair.exchange.messages import AnyCommand

WAITING_COMMANDS, WAITING_BYTES = KEPT_EVENTS, KEPT_BYTES
"""Commands, or bytes that they take, that are read though they must wait.

The acknowledgements that make room may be behind them: two who say much to each other at the
same time would wait for each other for ever.
"""

COMMANDS_A_TURN = 25
"""Commands that are obeyed before others have their turn."""


@dataclass(slots=True, eq=False, repr=False)
class CommandQueue:
    """Obeys commands in their order, as soon as nothing blocks them."""

    _clock: IReactorTime
    _obey: Callable[[AnyCommand], object]
    _is_blocked: Callable[[AnyCommand], bool]  # whether one would cause too much
    _all_obeyed: Callable[[], object]
    _waiting: deque[tuple[AnyCommand, int]] = field(default_factory=deque)
    _bytes: int = 0
    _soon: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether no more should be read."""
        return len(self._waiting) >= WAITING_COMMANDS or self._bytes >= WAITING_BYTES

    def append(self, command: AnyCommand) -> None:
        """Obey a command, now or when those before it are obeyed."""
        if self._waiting or self._is_blocked(command):
            cost = cost_of(command)
            self._waiting.append((command, cost))
            self._bytes += cost
        else:
            self._obey(command)

    def clear(self) -> list[AnyCommand]:
        """Forget those that wait; return them."""
        commands = [command for command, _ in self._waiting]
        self._waiting.clear()
        self._bytes = 0
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        return commands

    def wake(self) -> None:
        """Obey those that wait, in a turn of its own, if nothing blocks them any longer."""
        if self._soon is None and self._may_obey():
            self._soon = self._clock.callLater(0, self._run)

    def obey_all(self) -> None:
        """Obey those that wait, now, until something blocks one."""
        while self._may_obey():
            self._obey_next()

    def _may_obey(self) -> bool:
        return bool(self._waiting) and not self._is_blocked(self._waiting[0][0])

    def _run(self) -> None:
        self._soon = None
        turn = COMMANDS_A_TURN
        while turn and self._may_obey():
            self._obey_next()
            turn -= 1
        self.wake()
        self._all_obeyed()

    def _obey_next(self) -> None:
        command, cost = self._waiting.popleft()
        self._bytes -= cost
        self._obey(command)
