"""Users of other nodes, as the exchange here sees them, and what those of a pair tell each other.

What one node tells another arrives once and in order, so that what belongs to an old pair is there
before what makes the next one. What comes for a user who does not talk with its sender any more is
dropped: the sender will be told, or has been, that the pair has ended.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from typing import cast
from weakref import WeakKeyDictionary, WeakValueDictionary

from chatpair.cluster import frames
from chatpair.cluster.engine_mesh import EngineMesh
from chatpair.exchange import messages
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.messages import AnyEvent, Ending, Failing, Outcome
from chatpair.exchange.names import Name
from chatpair.exchange.user import LOST, Inbox, Listener, Receipt, User


class RemoteInbox(Inbox):
    """Passes on what its user is told to the user's node, where all is kept that is to be."""

    is_here = False

    def __init__(self, home: "RemoteUsers", inc: str, uid: int) -> None:
        """Take the node, and the number that the user has there."""
        super().__init__(LOST)
        self._home = home
        self.inc = inc
        self.uid = uid
        self.answering: tuple[int, User] | None = None  # the call that is decided, and for whom
        self.ring_call = 0  # its last call that rang here
        self.pair_call = 0  # its call that made the pair
        self._peer: User | None = None
        self._peer_uid = 0
        self.far_full = self.far_away = False
        """Whether there is no more room for the user, and whether it is away, as its node says."""
        self._told_full = False

    def _send(self, frame: frames.Frame) -> None:
        self._home.mesh.send(self.inc, frame)

    @property
    def away(self) -> bool:
        return self.far_away or self._home.mesh.is_slow(self.inc)

    @property
    def full(self) -> bool:
        return self.far_full or self._home.mesh.is_full(self.inc)

    def tell(self, event: AnyEvent, receipt: Receipt | None = None) -> None:
        """Pass an event on, unless it is for users of this node alone."""
        match event:
            case messages.Paired() | messages.Error():
                self._answer(event)
            case messages.Unanswered():
                self._send(frames.Answered(self.uid, self.ring_call, event))
            case messages.Message() if receipt is not None:
                self._home.unsettled[self.inc][self._peer_uid, receipt.say] = receipt
                self._send(frames.Told(self.uid, self._peer_uid, event, receipt.say))
            case messages.Message() | messages.Left() | messages.Held() | messages.Back():
                self._send(frames.Told(self.uid, self._peer_uid, event))

    def _answer(self, event: messages.Paired | messages.Error) -> None:
        """Answer the user's call, if one is decided."""
        call, callee = self.answering or (0, None)
        if isinstance(event, messages.Paired):
            self.pair_call = call
        elif event.code == "ringing":
            self.ring_call = call
        if callee is not None:
            who = self._home.uid_of(callee), callee.name, callee.inbox.host
            self._send(frames.Answered(self.uid, call, event, *who))

    @property
    def listener(self) -> Listener:
        return self

    def tell_lines(self, sender: str, lines: bytes, seconds: float) -> int:
        self._send(frames.Lines(self.uid, self._peer_uid, seconds, lines))
        return self.counted(lines.count(b"\n"))

    def peer_types(self, peer: str) -> None:
        if not self.full:
            self._send(frames.Told(self.uid, self._peer_uid, messages.PeerTyping(peer)))

    def settle(self, says: Sequence[int], outcome: Outcome, why: Failing | None) -> None:
        self._send(frames.Settled(self.uid, [*says], outcome, why))

    def pair_changed(self) -> None:
        self._peer = self._home.peer_of(self)
        self._peer_uid = self._home.uid_of(self._peer) if self._peer is not None else 0
        self.far_full = self.far_away = self._told_full = False

    def flow_changed(self) -> None:
        """Tell the user's node if its peer can take no more, or again."""
        if self._peer is not None and self._peer.full != self._told_full:
            self._told_full = not self._told_full
            self._send(frames.Flow(self.uid, self._peer_uid, self._told_full))


class RemoteUsers:
    """The users of other nodes who have to do with those of this one.

    There is one User for each as long as anything here refers to it.
    """

    def __init__(self, mesh: EngineMesh, exchange: Exchange) -> None:
        self.mesh = mesh
        self._exchange = exchange
        self._uids = count(1)
        self._uid_of: WeakKeyDictionary[User, int] = WeakKeyDictionary()  # of users here
        self._by_uid: WeakValueDictionary[int, User] = WeakValueDictionary()
        self._by_node: defaultdict[str, WeakValueDictionary[int, User]]
        self._by_node = defaultdict(WeakValueDictionary)
        self.unsettled: defaultdict[str, dict[tuple[int, int], Receipt]] = defaultdict(dict)
        """What users of a node have not settled yet, by the speaker's uid and number of it."""
        self.here = self._by_uid.get
        """Returns the user here of a number, also one who is gone, or None."""

    # Who is who

    def uid_of(self, user: User) -> int:
        """Return the number by which other nodes know a user of this one."""
        uid = self._uid_of.get(user)
        if uid is None:
            uid = self._uid_of[user] = next(self._uids)
            self._by_uid[uid] = user
        return uid

    def there(self, inc: str, uid: int) -> User | None:
        """Return the user of another node by the number there, if anything here refers to it."""
        return self._by_node[inc].get(uid)

    def add(self, inc: str, uid: int, name: Name, host: str | None) -> tuple[User, RemoteInbox]:
        """Return the same, or a new one, who is at a host now; and the inbox."""
        user = self.there(inc, uid)
        if user is None:
            user = self._by_node[inc][uid] = User(name, RemoteInbox(self, inc, uid), 0.0)
        user.inbox.host = user.came_from = host
        return user, cast(RemoteInbox, user.inbox)

    def inbox_of(self, user: User | None) -> RemoteInbox | None:
        """Return the inbox of a user of another node; of one who is here, nothing."""
        return None if user is None or user.inbox.is_here else cast(RemoteInbox, user.inbox)

    def peer_of(self, inbox: RemoteInbox) -> User | None:
        """Return with whom a user of another node talks here."""
        user = self.there(inbox.inc, inbox.uid)
        return self._exchange.pairs.peer_of(user) if user is not None else None

    # What they tell

    def _pair_of(
        self, inc: str, frame: frames.Told | frames.Lines | frames.Flow
    ) -> tuple[User, User, RemoteInbox] | None:
        """Return a user, its peer and that one's inbox, if those of a frame are a pair still."""
        user = self.here(frame.to)
        peer = self._exchange.pairs.peer_of(user) if user is not None else None
        inbox = self.inbox_of(peer)
        if user is None or peer is None or inbox is None:
            return None
        return (user, peer, inbox) if (inbox.inc, inbox.uid) == (inc, frame.by) else None

    def told(self, inc: str, frame: frames.Told) -> None:
        """Tell a user what the peer's node tells; keep whose a text is until it has arrived."""
        pair = self._pair_of(inc, frame)
        if pair is None:
            if frame.say:
                self.mesh.send(inc, frames.Settled(frame.by, [frame.say], "failed", "nobody"))
            return
        user, peer, inbox = pair
        match frame.event:
            case messages.Left(_, why):
                self.end_pair(peer, why)
            case messages.PeerTyping():
                self._exchange.pairs.types(peer)
            case messages.Held() | messages.Back():
                inbox.far_away = isinstance(frame.event, messages.Held)
                self._exchange.pairs.tell_whether_away(user)
            case event:
                user.tell(event, Receipt(peer, frame.say) if frame.say else None)
                inbox.flow_changed()

    def lines_came(self, inc: str, frame: frames.Lines) -> None:
        """Pass lines on."""
        if pair := self._pair_of(inc, frame):
            user, peer, inbox = pair
            user.inbox.listener.tell_lines(peer.name.text, frame.lines, frame.seconds)
            inbox.flow_changed()

    def flow_changed(self, inc: str, frame: frames.Flow) -> None:
        """Let a user wait until the peer can take more, or go on."""
        if pair := self._pair_of(inc, frame):
            _, peer, inbox = pair
            inbox.far_full = frame.full
            self._exchange.pairs.has_room(peer)

    def settled(self, inc: str, frame: frames.Settled) -> None:
        """Tell a user what became of some of what it said."""
        receipts = [self.unsettled[inc].pop((frame.to, say), None) for say in frame.says]
        known = [receipt for receipt in receipts if receipt is not None]
        self._exchange.receipts.settle(known, frame.outcome, frame.why)

    def end_pair(self, user: User, why: Ending) -> None:
        """End the pair of a user of another node, if there is one, as its node knows."""
        self._exchange.pairs.end(user, why)
        user.inbox.pair_changed()

    def part(self, inc: str, there: int, here: int) -> None:
        """End the pair of a user of another node and one here, for both."""
        remote, user = self.there(inc, there), self.here(here)
        if remote is not None and self._exchange.pairs.peer_of(remote) is user:
            self.end_pair(remote, "lost")
        self.mesh.send(inc, frames.Told(there, here, messages.Left("", "lost")))

    def room_changed(self, inc: str) -> None:
        """Let those go on who have waited for room on the way to a node; tell whether it is slow.

        That there is no room they find out when they speak.
        """
        for user in list(self._by_node[inc].values()):
            peer = self._exchange.pairs.peer_of(user)
            if peer is not None:
                self._exchange.pairs.tell_whether_away(peer)
                if not self.mesh.is_full(inc):
                    self._exchange.pairs.has_room(user)

    # The end

    def forget_node(self, inc: str) -> None:
        """End all that users here have with those of a node that is dead."""
        self._exchange.receipts.settle(self.unsettled.pop(inc, {}).values(), "failed", "lost")
        for user in list(self._by_node[inc].values()):
            self._exchange.calls.went(user)
            self.end_pair(user, "lost")
        self._by_node.pop(inc, None)

    def stop(self) -> None:
        """Tell other nodes that all users here are gone."""
        for user, peer in self._exchange.pairs.items():
            if self.inbox_of(peer) is not None:
                peer.tell(messages.Left(user.name.text, "stopped"))
        self._by_uid.clear()
