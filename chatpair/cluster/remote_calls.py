"""Calls between users of different nodes: the callee's node decides, and both know the pair."""

from dataclasses import dataclass, field
from itertools import count
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.logger import Logger

from chatpair.cluster import frames
from chatpair.cluster.engine_mesh import EngineMesh
from chatpair.cluster.mesh import NotReady
from chatpair.cluster.remote_users import RemoteInbox, RemoteUsers
from chatpair.exchange.calls import already_paired, no_such_user
from chatpair.exchange.delay import Delay
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.messages import Error, Paired, Unanswered
from chatpair.exchange.names import BadName, fold
from chatpair.exchange.user import User
from chatpair.exchange.users import not_ready

CALL_SECONDS = 5.0
"""How long a caller waits for the answer of another node before going on without it."""

_log = Logger()

_ON_ITS_WAY = Error("to", "try-later", "The last call is still on its way.")


@dataclass(eq=False)
class Pending:
    """A call that another node has not answered yet."""

    caller: User
    number: int
    text: str
    key: str
    inc: str = ""  # where it was sent, once that is known
    late: bool = False  # the caller was told that it takes long
    waiting: list[Deferred[None]] = field(default_factory=list)

    def let_go_on(self) -> None:
        """Let the caller's input go on."""
        waiting, self.waiting = self.waiting, []
        for answered in waiting:
            answered.callback(None)


class RemoteCalls:
    """Lets users here call those of other nodes, and those call users here."""

    def __init__(self, mesh: EngineMesh, exchange: Exchange, users: RemoteUsers) -> None:
        self._mesh = mesh
        self._exchange = exchange
        self._users = users
        self._refuse = exchange.calls.refuse
        self._numbers = count(1)
        self._pending: dict[User, Pending] = {}
        self._slow: Delay[Pending] = Delay(exchange.clock, CALL_SECONDS, self._takes_long)
        self._last_rings: WeakKeyDictionary[User, int] = WeakKeyDictionary()
        """The last call of a user here that rang at another node."""

    # Users here call

    def call(self, caller: User, text: str) -> Deferred[None] | None:
        """Ask the node of whoever has a name, unless the call can be decided here."""
        try:
            key = fold(text)
        except BadName:
            key = ""
        peer = self._exchange.pairs.peer_of(caller)
        if caller in self._pending:
            self._refuse(caller, _ON_ITS_WAY)
        elif peer is not None and peer.name.key == key:  # though another may have the name by now
            self._refuse(caller, already_paired(peer))
        elif not (text and key) or (key in self._exchange.users and self._mesh.holds_names):
            return None
        elif not self._mesh.ready:
            self._refuse(caller, not_ready("to"))
        else:
            pending = self._pending[caller] = Pending(caller, next(self._numbers), text, key)
            self._slow.start(pending)
            self.begin(pending)
        return self.call_under_way(caller)

    def call_under_way(self, caller: User) -> Deferred[None]:
        pending = self._pending.get(caller)
        if pending is None or pending.late:
            return succeed(None)
        answered: Deferred[None] = Deferred()
        pending.waiting.append(answered)
        return answered

    def is_calling(self, caller: User) -> bool:
        return caller in self._pending

    def begin(self, pending: Pending) -> None:
        """Ask whose the name is, and then that node."""
        calling = ensureDeferred(self._call(pending))
        calling.addErrback(lambda why: _log.failure("A call failed", failure=why))

    async def _call(self, pending: Pending) -> None:
        try:
            inc = await self._mesh.locate(pending.key)
        except Exception as why:
            if not isinstance(why, NotReady):
                _log.failure("Nobody can tell where a user is")
            self._fail(pending, not_ready("to"))
            return
        caller, clock = pending.caller, self._exchange.clock
        if self._pending.get(caller) is not pending or pending.inc:  # sent after a second asking
            return
        if inc in (None, self._mesh.me):
            self._end(pending)
            self._exchange.calls.call_here(caller, pending.text)
            pending.let_go_on()
        elif not self._mesh.ready:
            self._fail(pending, not_ready("to"))
        elif not self._mesh.is_full(inc):
            pending.inc = inc
            who = self._users.uid_of(caller), pending.number, caller.name, caller.inbox.host
            self._mesh.send(inc, frames.Call(*who, clock.seconds() - caller.since, pending.key))

    def ask_again(self) -> None:
        """Ask anew whom calls are for that no node was sent yet: there may be room on the way."""
        for pending in [one for one in self._pending.values() if not one.inc]:
            self.begin(pending)

    def _takes_long(self, pending: Pending) -> None:
        pending.late = True
        pending.caller.tell(_ON_ITS_WAY)
        pending.let_go_on()

    def _end(self, pending: Pending) -> None:
        """Let a call be under way no more; to let the caller go on is next."""
        del self._pending[pending.caller]
        self._slow.stop(pending)

    def _fail(self, pending: Pending, why: Error) -> None:
        if self._pending.get(pending.caller) is pending:
            self._end(pending)
            if not pending.late:
                self._refuse(pending.caller, why)
            pending.let_go_on()

    def take_back_call(self, caller: User) -> bool:
        """Let a user's call be under way at no node; return whether it was, or rang at another."""
        pending, rings_at = self._pending.get(caller), self._rings_at(caller)
        if pending is not None:
            self._end(pending)
            if pending.inc:
                self._cancel(pending.inc, caller, pending.number)
            pending.let_go_on()
        if rings_at is not None:
            self._cancel(rings_at.inc, caller, self._last_rings[caller])
        return not (pending is None and rings_at is None)

    def _cancel(self, inc: str, caller: User, call: int) -> None:
        self._mesh.send(inc, frames.Cancel(self._users.uid_of(caller), call))

    def _rings_at(self, caller: User) -> RemoteInbox | None:
        """Return the inbox of the user of another node at whom a call from here rings."""
        return self._users.inbox_of(self._exchange.ringing.callee_of(caller))

    # What comes of it

    def answered(self, inc: str, frame: frames.Answered) -> None:
        """Tell a caller what came of the call; if that was taken back, nothing comes of it."""
        caller = self._users.here(frame.to)
        pending = self._pending.get(caller) if caller is not None else None
        known = pending is not None and pending.number == frame.call
        match frame.event:
            case Unanswered():
                if caller is not None:
                    self._unanswered(caller, frame)
            case Error(_, code) as why if code != "ringing":
                if pending is not None and known:
                    unknown = no_such_user(pending.text)  # by the name as it was written
                    self._fail(pending, unknown if code == "unknown" else why)
            case event if pending is not None and known and frame.name is not None:
                callee, _ = self._users.add(inc, frame.by, frame.name, frame.host)
                self._end(pending)
                self._take(pending, callee, event)
                pending.let_go_on()
            case event:
                self._mesh.send(inc, frames.Cancel(frame.to, frame.call))
                remote = self._users.there(inc, frame.by)
                if isinstance(event, Paired) and remote is not None:
                    self._exchange.ringing.stop(remote)  # it was answered, though by that call

    def _take(self, pending: Pending, callee: User, event: Paired | Error) -> None:
        """Pair a caller with whom it called, or let the call ring."""
        caller = pending.caller
        if isinstance(event, Paired):
            self._exchange.calls.pair(caller, callee)
            self._exchange.pairs.has_room(callee)  # or not: its node is told how the peer is
        else:
            self._exchange.calls.take_back(caller)
            self._exchange.ringing[caller] = callee
            self._last_rings[caller] = pending.number
            self._refuse(caller, event)

    def _unanswered(self, caller: User, frame: frames.Answered) -> None:
        if self._rings_at(caller) is not None and self._last_rings[caller] == frame.call:
            self._exchange.ringing.stop(caller)
            caller.tell(frame.event)

    # Users of other nodes call

    def called(self, inc: str, frame: frames.Call) -> None:
        """Decide what a caller of another node is answered."""
        callee = self._exchange.users.get(frame.callee)
        if callee is None:
            why = no_such_user(frame.callee)
            self._mesh.send(inc, frames.Answered(frame.by, frame.call, why))
            return
        pending = self._pending.get(callee)
        if pending and not (pending.key == frame.name.key and pending.inc in ("", inc)):
            pending = None
        if pending and pending.inc and inc < self._mesh.me:
            return  # the calls cross: of the two nodes the first answers, and only that
        caller, inbox = self._users.add(inc, frame.by, frame.name, frame.host)
        caller.since = self._exchange.clock.seconds() - frame.age
        inbox.answering = frame.call, callee
        try:
            if pending:
                self._meet(caller, pending)
            else:
                self._exchange.calls.connect(caller, callee)
        finally:
            inbox.answering = None

    def _meet(self, caller: User, pending: Pending) -> None:
        """Pair two who call each other."""
        self._end(pending)
        self._exchange.activity.count("called", "paired")
        self._exchange.pairs.end(pending.caller, "switched")
        self._exchange.calls.pair(caller, pending.caller)
        pending.let_go_on()

    def cancelled(self, inc: str, frame: frames.Cancel) -> None:
        """Let a call from another node ring no more, or end the pair that it has made."""
        caller = self._users.there(inc, frame.by)
        inbox = self._users.inbox_of(caller)
        if caller is None or inbox is None:
            return
        if inbox.ring_call == frame.call:
            self._exchange.calls.take_back(caller)
        elif inbox.pair_call == frame.call:
            self._users.end_pair(caller, "bye")

    # The end

    def forget_node(self, inc: str) -> None:
        """Let no call be under way to a node that is dead."""
        for pending in [one for one in self._pending.values() if one.inc == inc]:
            self._fail(pending, no_such_user(pending.text))
        self.ask_again()

    def stop(self) -> None:
        """Take back all calls to other nodes, and answer no more that ring here from others."""
        ringing = list(self._exchange.ringing.items())
        for caller in [*self._pending, *(one for one, _ in ringing if self._rings_at(one))]:
            self._exchange.calls.take_back(caller)
        for caller, callee in ringing:
            if self._users.inbox_of(caller) is not None:
                caller.tell(Unanswered(callee.name.text))
