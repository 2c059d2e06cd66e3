"""What a session waits for."""

from typing import Any, NamedTuple

from twisted.internet.defer import Deferred

from chatpair.exchange.messages import AnyCommand


class UnderWay(NamedTuple):
    """An answer that is waited for, and what was asked, by which another process asks again."""

    answer: Deferred[Any]
    asked: AnyCommand | None = None
    """None if a password is checked."""
    proven: bool = False
    """Whether a name that is claimed was proven to be the claimer's."""
