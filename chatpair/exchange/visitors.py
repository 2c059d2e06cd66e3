"""Connections, with a user or without: how many there are, and which are waited for."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from chatpair.exchange.delay import Delay
from chatpair.exchange.limits import HostLimit, is_stranger
from chatpair.exchange.settings import Settings

SILENT_SECONDS = 90.0
"""How long a connection that speaks JSON may say nothing; clients ping every 30 seconds."""

DELIVERY_CHECK = 5.0
"""Seconds until it is looked whether what was told has arrived."""

LAST_READING_SECONDS, LAST_READING_STEP = 0.5, 0.01
"""For how long what has come is still read when the server stops, and between two looks."""

STOPPING_SECONDS = 4.0
"""How long users have to read their last lines when the server stops."""


class Visitor(Protocol):
    """A connection that may have no user yet."""

    paused: bool
    """Whether what has come waits for room, or for the turns of others."""

    def has_unread(self) -> bool:
        """Tell whether the other end has said something that was not read yet."""
        return False

    def no_name_came(self) -> None:
        """Close, because a name is overdue."""

    def drain(self) -> None:
        """Handle what has come already, within bounds, though flow control said to wait."""
        return

    def stop(self) -> None:
        """Say that the server is stopping, and close."""

    def abort(self) -> None:
        """Close at once."""


class Visitors(dict[Visitor, None]):
    """The connections of this server."""

    def __init__(self, clock: IReactorTime, settings: Settings) -> None:
        super().__init__()
        self._clock = clock
        self._settings = settings
        self._of_host: defaultdict[str, int] = defaultdict(int)
        self._connects = HostLimit(clock, settings.max_connects_per_minute)
        self._when_all_closed: Deferred[None] | None = None
        self.unnamed: Delay[Visitor] = Delay(
            clock, settings.name_time, lambda visitor: visitor.no_name_came()
        )
        """Those whose name is waited for."""
        self.silent: Delay[Any] = Delay(
            clock, SILENT_SECONDS, lambda visitor: visitor.no_line_came()
        )
        """Those who are to say something in time."""
        self.watches: Delay[Any] = Delay(clock, DELIVERY_CHECK, lambda watch: watch.look())
        """Those who look after connections that were told something."""

    @property
    def crowded(self) -> bool:
        """Whether there are more than may be, so that some must close at once."""
        return len(self) > self._settings.max_connections

    def came(self, visitor: Visitor, host: str | None) -> bool:
        """Count a connection; return whether its host, if it has one, may have one more."""
        self[visitor] = None  # a set would take up to three times as much
        if host is None:
            return True
        self._of_host[host] += 1
        return self._of_host[host] <= self._settings.max_per_host

    def comes_too_often(self, host: str | None) -> bool:
        """Tell whether a host has connected as often as it may in a minute; else count it."""
        if not is_stranger(host):
            return False
        if self._connects.is_spent(host):
            return True
        self._connects.spend(host)
        return False

    def recount(self, host: str | None) -> None:
        """Let a connection be counted once more that was counted as another kind."""
        if is_stranger(host):
            self._connects.spend(host, -1)

    def went(self, visitor: Visitor, host: str | None) -> None:
        """Forget a connection that was counted."""
        self.pop(visitor, None)
        if self._when_all_closed is not None and not self:
            all_closed, self._when_all_closed = self._when_all_closed, None
            all_closed.callback(None)
        if host is not None:
            self._of_host[host] -= 1
            if not self._of_host[host]:
                del self._of_host[host]

    # The end

    def all_read(self) -> Deferred[None]:
        """Fire when what has come is handled, at the latest after LAST_READING_SECONDS."""
        read: Deferred[None] = Deferred()
        latest = self._clock.seconds() + LAST_READING_SECONDS

        def look(visitors: Iterable[Visitor]) -> None:
            unread = [one for one in visitors if one in self and _has_unread(one)]
            if unread and self._clock.seconds() < latest:
                self._clock.callLater(LAST_READING_STEP, look, unread)
            else:
                read.callback(None)

        look(self)
        return read

    def drain(self) -> None:
        """Let all handle what has come."""
        for visitor in list(self):
            visitor.drain()

    def stop(self) -> Deferred[None]:
        """Close all; fires when they are closed, at the latest after STOPPING_SECONDS."""
        for visitor in list(self):
            visitor.stop()
        if not self:
            return succeed(None)
        self._when_all_closed = Deferred()
        deadline = self._clock.callLater(STOPPING_SECONDS, self._abort)
        return self._when_all_closed.addCallback(
            lambda _: deadline.cancel() if deadline.active() else None
        )

    def _abort(self) -> None:
        for visitor in list(self):
            visitor.abort()


def _has_unread(visitor: Visitor) -> bool:
    return visitor.paused or visitor.has_unread()
