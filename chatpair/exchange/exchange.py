"""What connections need of the factory that made them: the exchange, part by part."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime

from chatpair.exchange.activity_log import ActivityLog
from chatpair.exchange.calls import Calls
from chatpair.exchange.directory import Directory
from chatpair.exchange.held_lines import HeldLines
from chatpair.exchange.messages import Ending, Here
from chatpair.exchange.paces import Paces
from chatpair.exchange.pairs import Pairs
from chatpair.exchange.receipts import Receipts
from chatpair.exchange.ringing import RingingCalls
from chatpair.exchange.settings import Settings
from chatpair.exchange.user import User
from chatpair.exchange.users import Users
from chatpair.exchange.visitors import Visitors


class Exchange(Protocol):
    """Who is here, who talks with whom, and what acts on that. ChatFactory is it."""

    clock: IReactorTime
    time_of_day: Callable[[], float]
    settings: Settings
    activity: ActivityLog
    directory: Directory
    users: Users
    pairs: Pairs
    receipts: Receipts
    calls: Calls
    ringing: RingingCalls
    held: HeldLines
    paces: Paces
    visitors: Visitors

    @property
    def full(self) -> bool: ...
    def buildProtocol(self, addr: IAddress | None) -> Any: ...
    def who(self) -> Deferred[Here]: ...
    def who_is_here(self) -> Here: ...
    def leave(self, user: User, why: Ending, reason: str) -> None: ...
