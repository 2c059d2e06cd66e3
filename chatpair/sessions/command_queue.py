"""Commands of a client that counts and acknowledges, which wait for room without being lost."""

from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatpair.exchange.kept_events import Kept, all_bytes
from chatpair.exchange.messages import AnyCommand

COMMANDS_A_TURN = 25
"""Commands that are obeyed before others have their turn."""


@dataclass(slots=True, eq=False, repr=False)
class CommandQueue:
    """Obeys commands in their order, as soon as nothing blocks them.

    Those that must wait are read all the same. The acknowledgements that make room may be behind
    them: two who say much to each other at the same time would wait for each other for ever.
    """

    _clock: IReactorTime
    _obey: Callable[[AnyCommand], object]
    _is_blocked: Callable[[AnyCommand], bool]  # whether one would cause too much
    _all_obeyed: Callable[[], object]
    _waiting: Kept[AnyCommand] = field(default_factory=Kept)
    _soon: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether no more should be read."""
        return self._waiting.full

    def append(self, command: AnyCommand) -> bool:
        """Obey a command, now or when those before it are obeyed; return whether it waits."""
        waits = bool(self._waiting.entries) or self._is_blocked(command)
        if waits:
            self._waiting.append(command, all_bytes(command))
        else:
            self._obey(command)
        return waits

    def clear(self) -> list[AnyCommand]:
        """Forget those that wait; return them."""
        commands, self._waiting = list(self._waiting), Kept()
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
            self._obey(self._waiting.popleft())

    def _may_obey(self) -> bool:
        return bool(self._waiting.entries) and not self._is_blocked(self._waiting.oldest())

    def _run(self) -> None:
        self._soon = None
        turn = COMMANDS_A_TURN
        while turn and self._may_obey():
            self._obey(self._waiting.popleft())
            turn -= 1
        self.wake()
        self._all_obeyed()
