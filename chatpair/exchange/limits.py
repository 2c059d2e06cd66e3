"""What strangers may do how often, and how fast somebody may speak."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias, TypeGuard

from twisted.internet.interfaces import IDelayedCall, IReactorTime

Network: TypeAlias = IPv4Network | IPv6Network

HostTimes: TypeAlias = dict[str, tuple[float, int]]
"""Since when, in seconds, a host has done something, and how often; the oldest first."""

HOSTS = 100_000
"""Hosts that are remembered at a time; past it the oldest is forgotten before its minute is up."""


def host_of(address: object, exempt: Sequence[Network] = ()) -> str | None:
    """Return what counts as one host, or None for what has no limits.

    That is a unix socket's address, and one of a network that is exempt. Whoever has one IPv6
    address has 2**64 of them: the network counts (RFC 6177), unless it is the one that all who
    share a cable have. An IPv4 address is one however it is written.
    """
    host = getattr(address, "host", None)
    if not isinstance(host, str) or (":" not in host and not exempt):
        return host
    try:
        ip = ip_address(host)
    except ValueError:
        return host
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if any(ip in network for network in exempt):
        return None
    if ip.version == 4 or ip.is_loopback or ip.is_link_local:
        return str(ip)
    return str(IPv6Network((int(ip) >> 64 << 64, 64)))


def is_stranger(host: str | None) -> TypeGuard[str]:
    """Tell whether what a host does is counted by the minute: one of this machine's is not."""
    return host is not None and not host.startswith("127.") and host != "::1"


@dataclass(slots=True, eq=False, repr=False)
class HostLimit:
    """Something that each host may do so many times in a while, from the first time on."""

    _clock: IReactorTime
    _limit: int  # 0 for none
    _seconds: float = 60.0
    _times: HostTimes = field(default_factory=dict)  # since when, oldest first

    def is_spent(self, host: str) -> bool:
        """Tell whether a host has to wait."""
        if not self._limit or host not in self._times:
            return False
        since, times = self._times[host]
        return times >= self._limit and self._is_recent(since)

    def _is_recent(self, since: float) -> bool:
        return self._clock.seconds() - since < self._seconds

    def spend(self, host: str, count: int = 1) -> None:
        """Count one time, or give one back."""
        if not self._limit:
            return
        while self._times:  # forget those whose time is up, and the oldest if there are too many
            oldest = next(iter(self._times))
            if len(self._times) < HOSTS and self._is_recent(self._times[oldest][0]):
                break
            del self._times[oldest]
        since, times = self._times.get(host, (self._clock.seconds(), 0))
        self._times[host] = since, times + count


@dataclass(slots=True, eq=False, repr=False)
class Pace:
    """How fast somebody speaks: so many lines a second, after a second's worth of them at once.

    A text of more lines than those waits before it is said, as they would if they came one by one.
    """

    _clock: IReactorTime
    _rate: int  # lines a second
    due: float = 0.0
    """When all that was said would have been said at this rate, in seconds of the clock."""
    slowed: bool = False
    """Whether anything ever had to wait."""
    _since: float | None = None  # when the long text began to wait that is next
    _rest: IDelayedCall | None = None

    def must_wait(self, lines: int, go_on: Callable[[], object]) -> bool:
        """Tell whether what is next, which has so many lines, must wait; go_on is called then."""
        now = begun = self._clock.seconds()
        if lines > self._rate:
            begun = self._since = now if self._since is None else self._since
        seconds = max(self.due, begun) + lines / self._rate - 1 - now
        if seconds <= 1e-6:  # as exact as the time of day is in a float
            return False
        self.slowed = True
        if self._rest is None:
            self._rest = self._clock.callLater(seconds, self._rested, go_on)
        return True

    def _rested(self, go_on: Callable[[], object]) -> None:
        self._rest = None
        go_on()

    def spend(self, lines: int) -> None:
        """Count lines that were said; more than a second's worth have waited before."""
        seconds = lines / self._rate
        self.due = max(self.due, self._clock.seconds() - max(0.0, seconds - 1)) + seconds
        self._since = None

    def stop(self) -> None:
        """Call nothing any more."""
        self._since = None
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
