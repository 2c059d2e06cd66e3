"""Calls and pairs between users of different nodes: the callee's node decides.

A pair across is known at both nodes. What one node tells another arrives once and in order, so that
what belongs to an old pair is there before what makes the next one.
"""

from collections import defaultdict
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatpair.cluster import frames
from chatpair.cluster.mesh import Mesh, NotReady
from chatpair.cluster.remote import RemoteUser
from chatpair.exchange.calls import already_paired, busy, no_such_user, rings
from chatpair.exchange.delay import Delay
from chatpair.exchange.messages import Ending, Error, Tried, Unanswered
from chatpair.exchange.names import BadName, Name, fold
from chatpair.exchange.user import Receipt, User
from chatpair.factory import ChatFactory

CALL_SECONDS = 5.0
"""How long a caller waits for the answer of another node before going on without it."""

_log = Logger()

_ON_ITS_WAY = Error("to", "try-later", "The last call is still on its way.")


def not_ready(of: str) -> Error:
    """Return the answer to what can't be done without the other nodes now."""
    return Error(of, "try-later", "The switchboard is not ready.")


class _Pending:
    """A call that another node has not answered yet."""

    __slots__ = ("call", "caller", "inc", "key", "late", "text", "waiting")

    def __init__(self, caller: User, call: int, text: str, key: str) -> None:
        self.caller = caller
        self.call = call
        self.text = text
        self.key = key
        self.inc = ""  # where it was sent, once that is known
        self.late = False  # the caller was told that it takes long
        self.waiting: list[Deferred[None]] = []

    def let_go_on(self) -> None:
        """Let the caller's input go on."""
        waiting, self.waiting = self.waiting, []
        for answered in waiting:
            answered.callback(None)


class CallsAcross(ChatFactory):
    """The part of a node's exchange that lets its users call those of other nodes."""

    mesh: Mesh

    def __init__(self, clock: Any, **options: Any) -> None:
        """Take what a ChatFactory takes."""
        super().__init__(clock, **options)
        self._by_uid: dict[int, User] = {}
        self._here: dict[User, tuple[int, float]] = {}  # the uid, and since when
        self._stand_ins: defaultdict[str, WeakValueDictionary[int, RemoteUser]]
        self._stand_ins = defaultdict(WeakValueDictionary)
        self._calls = count(1)
        self._pending: dict[User, _Pending] = {}
        self._slow: Delay[_Pending] = Delay(clock, CALL_SECONDS, self._takes_long)
        self._ring_calls: dict[User, int] = {}  # of those whose calls ring at other nodes
        # What was said to users of other nodes, by the speaker's uid and number.
        self._open: defaultdict[str, dict[tuple[int, int], Receipt]] = defaultdict(dict)
        self._awaiting_room: defaultdict[str, set[RemoteUser]] = defaultdict(set)

    # Stand-ins

    def uid_of(self, user: User) -> int:
        """Return the number by which other nodes know a user of this one."""
        return self._here[user][0]

    def expect(self, inc: str, receipt: Receipt) -> None:
        """Keep the receipt of what was said to a user of a node until the node settles it."""
        self._open[inc][self.uid_of(receipt.sender), receipt.say] = receipt

    def await_room(self, remote: RemoteUser) -> None:
        """Let whoever speaks to a stand-in go on once its link is not full any more."""
        self._awaiting_room[remote.inc].add(remote)

    def _stand_in(self, inc: str, uid: int, name: Name, host: str | None) -> RemoteUser:
        remote = self._stand_ins[inc].get(uid)
        if remote is None:
            remote = self._stand_ins[inc][uid] = RemoteUser(self, inc, uid, name)
        remote.host = host
        return remote

    def _peer_across(self, inc: str, frame: Any) -> tuple[User, RemoteUser] | None:
        """Return a user here and its peer, if those whom a frame is of are a pair still."""
        user = self._by_uid.get(frame.to)
        peer = self.pairs.get(user) if user is not None else None
        if user is None or not isinstance(peer, RemoteUser):
            return None
        return (user, peer) if (peer.inc, peer.uid) == (inc, frame.by) else None

    # Calling

    def call(self, caller: User, text: str) -> Deferred[None] | None:
        """Do what one node does; if nobody here has the name, ask the node of who has it."""
        if caller in self._pending:
            caller.tell(_ON_ITS_WAY)
            return None
        try:
            key = fold(text)
        except BadName:
            key = ""
        peer = self.pairs.get(caller)
        if peer is not None and peer.name.key == key:  # though another may have the name by now
            caller.tell(already_paired(peer))
        elif not (text and key) or (key in self.users and self.mesh.holds_names):
            return super().call(caller, text)
        elif not self.mesh.ready:
            caller.tell(not_ready("to"))
        else:
            return self._call_across(caller, text, key)
        return None

    def _call_across(self, caller: User, text: str, key: str) -> Deferred[None] | None:
        pending = self._pending[caller] = _Pending(caller, next(self._calls), text, key)
        self._slow.start(pending)
        located = self.mesh.locate(key)
        located.addCallbacks(
            self._located, self._not_located, callbackArgs=(pending,), errbackArgs=(pending,)
        )
        located.addErrback(lambda why: _log.failure("A call failed", failure=why))
        return self.call_under_way(caller)

    def call_under_way(self, caller: User) -> Deferred[None] | None:
        """Return what fires when a caller's input may go on, if it is to wait for a call."""
        pending = self._pending.get(caller)
        if pending is None or pending.late:
            return None
        answered: Deferred[None] = Deferred()
        pending.waiting.append(answered)
        return answered

    def _located(self, inc: str | None, pending: _Pending) -> None:
        caller = pending.caller
        if self._pending.get(caller) is not pending:
            return
        if inc is None or inc == self.mesh.me or pending.key in self.users:
            self._end_call(pending)
            super().call(caller, pending.text)  # who is here now
        elif self.mesh.is_full(inc) or not self.mesh.ready:
            self._end_call(pending)
            caller.tell(not_ready("to"))
        else:
            pending.inc = inc
            uid, since = self._here[caller]
            age, host = self.clock.seconds() - since, caller.host_now()
            self.mesh.send(inc, frames.Call(uid, pending.call, caller.name, host, age, pending.key))
            return
        pending.let_go_on()

    def _not_located(self, why: Failure, pending: _Pending) -> None:
        if not why.check(NotReady):
            _log.failure("Nobody can tell where a user is", failure=why)
        self._fail_call(pending, not_ready("to"))

    def _takes_long(self, pending: _Pending) -> None:
        if pending.inc and pending.inc not in self.mesh.members:
            self._fail_call(pending, no_such_user(pending.text))  # it died before it was known
            return
        pending.late = True
        pending.caller.tell(_ON_ITS_WAY)
        pending.let_go_on()

    def _end_call(self, pending: _Pending) -> None:
        """Let a call be under way no more; let the caller go on next."""
        del self._pending[pending.caller]
        self._slow.stop(pending)

    def _fail_call(self, pending: _Pending, why: Error) -> None:
        if self._pending.get(pending.caller) is pending:
            self._end_call(pending)
            if not pending.late:
                pending.caller.tell(why)
            pending.let_go_on()

    def _answered(self, inc: str, frame: Any) -> _Pending | None:
        """Return the call that a frame answers; if there is none, its node is to end it."""
        caller = self._by_uid.get(frame.to)
        pending = self._pending.get(caller) if caller is not None else None
        if pending is None or (pending.inc, pending.call) != (inc, frame.call):
            return None
        return pending

    def is_engaged(self, callee: User) -> bool:
        """Tell whether a user can be paired with nobody else now: talks or calls."""
        return callee in self._pending or super().is_engaged(callee)

    def _answer(self, user: User, caller: User) -> None:
        if caller in self._pending:  # it has called another since
            user.tell(busy(caller))
            self._announce(caller, Tried(user.name.text))
        else:
            super()._answer(user, caller)

    # Answers

    def call_came(self, inc: str, frame: frames.Call) -> None:
        """Decide what a caller of another node is answered."""
        caller = self._stand_in(inc, frame.by, frame.name, frame.host)
        caller.came = self.clock.seconds() - frame.age
        callee = self.users.get(frame.callee)
        if callee is None:
            self.mesh.send(inc, frames.Refused(frame.by, frame.call))
            return
        pending = self._pending.get(callee)
        caller.answers = frame.call, callee
        try:
            if pending is not None and self._is_for(pending, caller):
                self._meet(caller, callee, pending)
                caller.pair_call = frame.call
            else:
                self.connect(caller, callee)
        finally:
            caller.answers = None
        self._begin(caller)

    @staticmethod
    def _is_for(pending: _Pending, remote: RemoteUser) -> bool:
        return pending.key == remote.name.key and pending.inc in ("", remote.inc)

    def _meet(self, caller: RemoteUser, callee: User, pending: _Pending) -> None:
        """Pair two who call each other; the other node does, once it has the call from here."""
        if pending.inc:
            caller.answers = None
        self._end_call(pending)
        self._end_pair(callee, "switched")
        self._make_pair(caller, callee)
        pending.let_go_on()

    def _begin(self, remote: RemoteUser) -> None:
        """Let the node of a new peer know how its peer here is."""
        if remote in self.pairs:
            self.tell_whether_away(remote)
            remote.flow_changed()

    def accepted(self, inc: str, frame: frames.Accepted) -> None:
        """Pair a caller with whom it called."""
        pending = self._answered(inc, frame)
        if pending is None:
            self.mesh.send(inc, frames.Cancel(frame.to, frame.call))
            return
        callee = self._stand_in(inc, frame.by, frame.name, frame.host)
        self._end_call(pending)
        self._end_pair(callee, "switched")
        self._make_pair(pending.caller, callee)
        self._begin(callee)
        pending.let_go_on()

    def rings_there(self, inc: str, frame: frames.Rings) -> None:
        """Tell a caller that the call rings."""
        pending = self._answered(inc, frame)
        if pending is None:
            self.mesh.send(inc, frames.Cancel(frame.to, frame.call))
            return
        callee = self._stand_in(inc, frame.by, frame.name, frame.host)
        caller = pending.caller
        self._end_call(pending)
        self.take_back_call(caller)
        self._called[caller] = callee
        self._ring_calls[caller] = frame.call
        caller.tell(rings(callee))
        pending.let_go_on()

    def refused(self, inc: str, frame: frames.Refused) -> None:
        """Tell a caller why the call has failed, unless that comes too late."""
        pending = self._answered(inc, frame)
        if pending is not None:
            unknown = not frame.text
            self._fail_call(
                pending,
                no_such_user(pending.text) if unknown else Error("to", frame.code, frame.text),
            )

    def unanswered(self, inc: str, frame: frames.Unanswered) -> None:
        """Tell a caller that a call rings no more."""
        caller = self._by_uid.get(frame.to)
        if caller is not None and self._ring_calls.get(caller) == frame.call:
            callee = self._called[caller]
            if isinstance(callee, RemoteUser) and callee.inc == inc:
                self._stop_ringing(caller)
                caller.tell(Unanswered(callee.name.text))

    def cancelled(self, inc: str, frame: frames.Cancel) -> None:
        """Let a call from another node ring no more, or end the pair that it has made."""
        caller = self._stand_ins[inc].get(frame.by)
        if caller is None:
            return
        if caller in self._called and caller.ring_call == frame.call:
            self.take_back_call(caller)
        elif caller in self.pairs and caller.pair_call == frame.call:
            self._end_pair(caller, "bye")

    # Taking back

    def _stop_ringing(self, caller: User) -> User | None:
        if self._ring_calls.pop(caller, None) is None:
            return super()._stop_ringing(caller)
        return self._called.pop(caller)

    def take_back_call(self, caller: User) -> bool:
        """Let a user's call be under way or ring no more; return whether it did."""
        pending = self._pending.get(caller)
        if pending is not None:
            self._end_call(pending)
            if pending.inc:
                self.mesh.send(pending.inc, frames.Cancel(self.uid_of(caller), pending.call))
            pending.let_go_on()
        call, callee = self._ring_calls.get(caller), self._called.get(caller)
        if call is None or not isinstance(callee, RemoteUser):
            return super().take_back_call(caller) or pending is not None
        self._stop_ringing(caller)
        self.mesh.send(callee.inc, frames.Cancel(self.uid_of(caller), call))
        return True

    def stop_calls(self) -> None:
        """Let nothing ring any more; other nodes are told."""
        for caller in [*self._pending, *self._ring_calls]:
            self.take_back_call(caller)
        for caller, callee in self._called.items():
            if isinstance(caller, RemoteUser):
                caller.tell(Unanswered(callee.name.text))
        super().stop_calls()

    # Pairs

    def _end_pair(self, user: User, why: Ending) -> None:
        super()._end_pair(user, why)
        if isinstance(user, RemoteUser):
            user.pair_changed()

    def tell_whether_away(self, user: User) -> None:
        """Tell a user if the peer here has gone or come back; another node tells of its own."""
        if not isinstance(self.pairs.get(user), RemoteUser):
            super().tell_whether_away(user)

    def is_here(self, sender: User) -> bool:
        """Tell whether somebody who said something is still to be told what became of it."""
        return isinstance(sender, RemoteUser) or super().is_here(sender)

    # Other nodes are gone

    def forget_node(self, inc: str) -> None:
        """End all that users here have with those of a node that is dead."""
        for pending in [one for one in self._pending.values() if one.inc == inc]:
            self._fail_call(pending, no_such_user(pending.text))
        open_there = self._open.pop(inc, {})
        self.settle(open_there.values(), "failed", "lost")
        for caller, callee in list(self._called.items()):
            if isinstance(callee, RemoteUser) and callee.inc == inc:
                self._stop_ringing(caller)
                caller.tell(Unanswered(callee.name.text))
        for remote in list(self._stand_ins.pop(inc, {}).values()):
            self.take_back_call(remote)
            self._end_pair(remote, "lost")
        self._awaiting_room.pop(inc, None)

    def known_nodes(self) -> set[str]:
        """Return the incs of the nodes with which users here have something."""
        return {
            *self._stand_ins,
            *self._open,
            *(pending.inc for pending in self._pending.values() if pending.inc),
        }
