"""All that an exchange knows, as plain data: two that know the same compare equal."""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from types import MemberDescriptorType
from typing import Any

from msgspec import Struct

from chatpair.cluster.remote_users import RemoteInbox
from chatpair.exchange.user import User
from chatpair.factory import ChatFactory

ANEW = {
    "ActivityLog": {"_rest", "_tallies"}  # is written before
    | {"totals", "lines", "line_bytes"},  # are since the start
    "ChatFactory": {"numPorts"},
    # read_on is next, or end, or listen_on; and bind looks up the rest.
    "ChatProtocol": {
        *("transport", "paused", "input_state", "_busyReceiving", "turn"),
        *("_closing", "_TimeoutMixin__timeoutCall", "timeOut", "handle_line", "_listener"),
    },
    "CarriedSession": {"_before", "_last", "_under_way", "_password"},  # writes events, no more
    "ClusterDirectory": {"_seldom"},  # may be logged again
    "Delay": {"_timer", "_seconds"},  # which a test may change
    "FarTransport": {"_reading"},  # read_on is next
    "HostLimit": {"_limit"},  # the same
    "Pace": {"_rest"},  # read_on waits again
    "Outgoing": {"_asks", "_taken", "_later"}  # what waits is made
    | {"watch", "_looks"},  # and told_at goes along
    "Pending": {"waiting"},  # they wait again
    "PlainSession": {"_line_was_cut", "_under_way", "_password"},  # of TLS; and asked again
    "JsonSession": {"_may_move", "_soon", "_under_way", "_password"},  # wake is next
    # What is asked is asked again.
    "Questions": {"_asked", "_overdue", "_overdue_list", "_all", "_others"},
    "TelnetFilter": {"_kept", "_replies"},  # are of one call
    "Visitors": {"watches", "_when_all_closed"},  # they look again
    "Watch": {"_checks", "_next", "_reading", "_input_ended", "waiting", "_socket"},
}
"""What another process makes anew, by class. All else that a class has goes along."""


def fields_of(thing: object) -> Iterator[str]:
    """Yield the names of all that an object has, and those that it may have."""
    yield from getattr(thing, "__dict__", ())
    for kind in type(thing).__mro__:
        for name, value in vars(kind).items():
            is_slot = isinstance(value, MemberDescriptorType)
            is_default = not (callable(value) or hasattr(value, "__get__") or name.isupper())
            if name[:2] != "__" and (is_slot or is_default):
                yield name


class State:
    """What is known, as plain data; each object is told of once."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def of_all(self, factory: ChatFactory) -> list[Any]:
        """Return what a factory, its users and its connections know."""
        users: Any = factory.users
        far = getattr(getattr(factory.directory, "users", None), "_by_node", {}).values()
        remote = [one for of_node in far for one in of_node.values()]
        parts = [users._clock, users, *users.values(), *remote]
        self._seen = {id(one) for one in parts}
        return [self.of(factory), *(self._own(one) for one in sorted(parts[1:], key=str))]

    def of(self, thing: Any) -> Any:
        """Return what something knows, down to the last of it."""
        if thing is None or isinstance(thing, int | float | str | bytes | bytearray):
            return thing
        if isinstance(thing, User):
            return f"user {thing.name.key}"
        if isinstance(thing, Struct):
            return repr(thing)
        if isinstance(thing, tuple) or not type(thing).__module__.startswith("chatpair"):
            return self._held(thing)
        if id(thing) in self._seen:
            return type(thing).__name__
        self._seen.add(id(thing))
        return self._own(thing)

    def _own(self, thing: Any) -> Any:
        if getattr(thing, "_closing", None) is not None:
            return "a connection that closes"
        anew = ANEW.get(type(thing).__name__, ())
        if isinstance(thing, User) and isinstance(thing.inbox, RemoteInbox):
            anew = {"_calls_told"}  # which none was told
        names = sorted({name for name in fields_of(thing) if name not in anew})
        own = {name: self.of(getattr(thing, name)) for name in names if hasattr(thing, name)}
        return [type(thing).__name__, own, self._held(thing)]

    def _held(self, thing: Any) -> Any:
        if isinstance(thing, Mapping):
            # What is missing from some is there, empty, once somebody has looked.
            fills = isinstance(thing, defaultdict)
            full = [(key, value) for key, value in thing.items() if value or not fills]
            full.sort(key=lambda one: str(one[0]))  # what is seen first is told of in full
            pairs = [(self.of(key), self.of(value)) for key, value in full]
            return sorted(pairs, key=repr)
        if isinstance(thing, set | frozenset):
            return sorted((self.of(one) for one in thing), key=repr)
        if isinstance(thing, list | tuple | deque):
            return [self.of(one) for one in thing]
        return getattr(thing, "__qualname__", type(thing).__name__)


def differences(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """Yield where two that were compared differ, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from differences(one.get(key), other.get(key), f"{where}.{key}")
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) == len(other):
            for number, (first, second) in enumerate(zip(one, other, strict=True)):
                yield from differences(first, second, f"{where}[{number}]")
        else:
            yield f"{where}: {one} is not {other}"
    elif one != other:
        yield f"{where}: {one!r} is not {other!r}"
