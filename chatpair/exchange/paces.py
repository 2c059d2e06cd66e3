"""How fast users may speak, over all their connections, and whoever comes after them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.internet.interfaces import IReactorTime

from chatpair.exchange.activity_log import ActivityLog
from chatpair.exchange.limits import HOSTS, Pace
from chatpair.exchange.settings import Settings
from chatpair.exchange.user import User

LAST_SECONDS = 5.0
"""How many seconds' worth of what waits is said when a connection is lost."""


@dataclass(eq=False, repr=False)
class Paces:
    """Lets users speak as fast as they may.

    Who comes from where another has left speaks no sooner than that one could have: else one
    would come and go.
    """

    _clock: IReactorTime
    _settings: Settings
    _activity: ActivityLog
    _due: dict[str, float] = field(default_factory=dict)  # of hosts, as of the last who has left

    def begin(self, user: User) -> None:
        """Let a user speak who is new, or is back on another connection."""
        if user.pace is None:
            due = self._due.get(user.inbox.host or "", 0.0)
            user.pace = Pace(self._clock, self._settings.rate, due)
        self.stop(user)

    def must_wait(self, user: User, lines: int, go_on: Callable[[], object]) -> bool:
        """Tell whether what is next, which has so many lines, must wait; go_on is called then."""
        if user.pace is None:
            return False
        slowed = user.pace.slowed
        waits = user.pace.must_wait(lines, go_on)
        if waits and not slowed:
            self._activity.slowed(user.name.text)
        return waits

    def owes_much(self, user: User) -> bool:
        """Tell whether a user whose connection is lost has said as much as is said then."""
        return user.pace is not None and user.pace.due > self._clock.seconds() + LAST_SECONDS

    def stop(self, user: User) -> None:
        """Let nothing go on any more that waits."""
        if user.pace is not None:
            user.pace.stop()

    def leave(self, user: User) -> None:
        """Note when a user whose connection is gone could have spoken again."""
        self.stop(user)
        host, now = user.inbox.host, self._clock.seconds()
        if user.pace is not None and host is not None and user.pace.due > now:
            due = max(user.pace.due, self._due.pop(host, 0.0))
            while self._due and (len(self._due) >= HOSTS or next(iter(self._due.values())) <= now):
                del self._due[next(iter(self._due))]
            self._due[host] = due
