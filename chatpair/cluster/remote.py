"""A stand-in: a user of another node, as the exchange here sees it."""

from typing import Protocol

from chatpair.cluster import frames
from chatpair.cluster.mesh import Mesh
from chatpair.exchange.messages import (
    AnyEvent,
    Back,
    Error,
    Failing,
    Held,
    Left,
    Message,
    Outcome,
    Paired,
    PeerTyping,
    Unanswered,
)
from chatpair.exchange.names import Name
from chatpair.exchange.receipts import Says
from chatpair.exchange.user import CountingUser, Receipt, User


class Home(Protocol):
    """What a stand-in needs of the exchange that it is in."""

    mesh: Mesh
    pairs: dict[User, User]

    def uid_of(self, user: User) -> int:
        """Return the number by which other nodes know a user of this one."""

    def expect(self, inc: str, receipt: Receipt) -> None:
        """Keep the receipt of what was said to a user of a node until the node settles it."""

    def await_room(self, remote: "RemoteUser") -> None:
        """Let whoever speaks to a stand-in go on once its link is not full any more."""


class _Outcomes(Says):
    """What became of what a user of another node said here, until its node is told."""

    __slots__ = ("settled",)

    def __init__(self) -> None:
        self.settled: list[tuple[int, Outcome, Failing | None]] = []

    def settle(self, say: int, outcome: Outcome, why: Failing | None = None) -> None:
        """Note what became of one."""
        self.settled.append((say, outcome, why))


class RemoteUser(CountingUser):
    """Passes on what its user is told. It keeps nothing: that is at the user's node.

    There is one for a user as long as anything here refers to it.
    """

    __slots__ = (
        "__weakref__",
        "_far_full",
        "_home",
        "_peer",
        "_told_full",
        "answers",
        "came",
        "inc",
        "pair_call",
        "ring_call",
        "says",
        "uid",
    )

    says: _Outcomes

    def __init__(self, home: Home, inc: str, uid: int, name: Name) -> None:
        # All else that a user has is at its own node.
        self._home = home
        self.inc = inc
        self.uid = uid
        self.name = name
        self.host: str | None = None
        self.came = 0.0  # in seconds since the epoch
        self.connection = None
        self.recall = None
        self.away_told = False
        self.says = _Outcomes()
        self.answers: tuple[int, User] | None = None  # the call that is decided, and for whom
        self.ring_call = 0  # its last call that rang here
        self.pair_call = 0  # its call that made the pair
        self._peer = 0
        self._far_full = self._told_full = False

    @property
    def full(self) -> bool:
        """Whether whoever speaks to this user must wait."""
        if self._home.mesh.is_full(self.inc):
            self._home.await_room(self)
            return True
        return self._far_full

    def set_full(self, full: bool) -> None:
        """Take the word of its node that there is no more room for this user, or room again."""
        self._far_full = full

    def host_now(self) -> str | None:
        """Return the address that the user was at when it called or was called, if known."""
        return self.host

    def tell(self, event: AnyEvent, receipt: Receipt | None = None) -> None:
        """Pass an event on to the user's node."""
        frame = self._frame(event, receipt)
        if frame is not None:
            self._send(frame)

    def _send(self, frame: frames.Frame) -> None:
        self._home.mesh.send(self.inc, frame)

    def _frame(self, event: AnyEvent, receipt: Receipt | None) -> frames.Frame | None:
        match event:
            case Message(text=text, time=seconds):
                say = 0
                if receipt is not None:
                    self._home.expect(self.inc, receipt)
                    say = receipt.say
                return frames.Said(self.uid, self._peer, float(seconds), text, say)
            case Left(why=why):
                return frames.Left(self.uid, self._peer, why)
            case Held() | Back():
                return frames.Away(self.uid, self._peer, isinstance(event, Held))
            case PeerTyping():
                return frames.Typing(self.uid, self._peer)
            case Unanswered():
                return frames.Unanswered(self.uid, self.ring_call)
            case Paired() | Error():
                return self._answer(event)
        return None  # it is for users of this node alone

    def _answer(self, event: Paired | Error) -> frames.Frame | None:
        """Return the answer to the user's call, if one is decided."""
        if isinstance(event, Paired):
            self.pair_call = self.answers[0] if self.answers is not None else 0
        if self.answers is None:
            return None
        call, callee = self.answers
        if isinstance(event, Error) and event.code != "ringing":
            return frames.Refused(self.uid, call, event.code, event.text)
        uid, host = self._home.uid_of(callee), callee.host_now()
        if isinstance(event, Paired):
            return frames.Accepted(self.uid, call, uid, callee.name, host)
        self.ring_call = call
        return frames.Rings(self.uid, call, uid, callee.name, host)

    def tell_lines(self, sender: str, lines: bytes, seconds: float) -> bool:
        """Pass on many lines of the peer's at once; return whether there is room for no more."""
        self._send(frames.Lines(self.uid, self._peer, seconds, lines))
        return self.full

    def tell_statuses(self, *, at_last: bool = False) -> None:
        """Tell what became of what the user said."""
        settled, self.says.settled = self.says.settled, []
        says: list[int] = []
        for number, (say, outcome, why) in enumerate(settled, start=1):
            says.append(say)
            if settled[number : number + 1] and settled[number][1:] == (outcome, why):
                continue
            self._send(frames.Settled(self.uid, says, outcome, why))
            says = []

    def pair_changed(self) -> None:
        """Take note of a new pair, or that there is none."""
        peer = self._home.pairs.get(self)
        self._peer = self._home.uid_of(peer) if peer is not None else 0
        self._far_full = self._told_full = False

    def flow_changed(self) -> None:
        """Tell the user's node if its peer can take no more, or again."""
        peer = self._home.pairs.get(self)
        if peer is not None and peer.full != self._told_full:
            self._told_full = not self._told_full
            self._send(frames.Flow(self.uid, self._peer, self._told_full))

    def unsettled(self, sender: User) -> "list[Receipt]":  # type: ignore[override]
        """Return nothing: its node settles what was said to it, or is dead."""
        return []
