"""Who may call whom, and how pairs begin and end: the rules that users set for calls to them."""

from collections import Counter
from itertools import count
from typing import Literal, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from chatpair.exchange.delay import Delay
from chatpair.exchange.held_lines import HeldLines
from chatpair.exchange.messages import (
    AnyEvent,
    Block,
    Blocked,
    DndSet,
    Ending,
    Error,
    ErrorCode,
    Free,
    Left,
    Paired,
    Ringing,
    RingSet,
    SetDnd,
    SetRing,
    Setting,
    Tried,
    Unanswered,
    Unblock,
    Unblocked,
)
from chatpair.exchange.names import BadName, Name, fold, parse
from chatpair.exchange.user import User

SHOWN = 128
"""Characters that are shown of what somebody sent; no name is longer."""

MAX_TRIED = 5
"""Calls in a second that somebody who does not take them is told of."""

RING_SECONDS = 30.0
"""How long a call rings."""

MAX_BLOCKS = 100
"""Names that a user can block."""


class Blocking(NamedTuple):
    """Somebody whom a user never hears of."""

    name: Name
    host: str | None
    """From where nobody who came later is heard of either, if it is known."""
    moment: int
    """When that began, among all that somebody did."""
    began: float
    """When that began, in seconds since the epoch."""


class Rules:
    """What a user has set for calls, and who is waiting for an answer."""

    __slots__ = ("blocks", "callers", "dnd", "rings")

    def __init__(self) -> None:
        self.dnd = self.rings = False
        self.blocks: list[Blocking] = []
        self.callers: dict[User, None] = {}  # whose calls ring

    def block_of(self, name: Name) -> Blocking | None:
        """Return what blocks whoever has a name, if anything does."""
        return next((block for block in self.blocks if block.name.is_same(name)), None)


_NO_RULES = Rules()


class Calls(HeldLines):
    """The part of the exchange that lets users call each other, and makes and ends pairs."""

    def __init__(self, clock: IReactorTime, hold: int) -> None:
        """Start with nobody who has set anything."""
        super().__init__(clock, hold)
        self._rules: dict[User, Rules] = {}
        self._called: dict[User, User] = {}  # by those whose calls ring
        self._ringing: Delay[User] = Delay(clock, RING_SECONDS, self._give_up)
        self._blocked_hosts: Counter[str] = Counter()
        self._moments = count()
        # Who came from a host that somebody blocks, and when: only they can be one who is blocked
        # and has come back. Many people may share a host.
        self._newcomers: dict[User, tuple[str, int]] = {}

    def has_account(self, name: Name) -> bool:
        """Override this: whether nobody but its owner can have a name; until then, anybody can."""
        return False

    def _find(self, text: str) -> User | None:
        try:
            return self.users.get(fold(text))
        except BadName:
            return None

    # Calls

    def call(self, caller: User, text: str) -> Deferred[None] | None:
        """Pair a user with the one of a name, or let it ring there; else say why not.

        If that takes a while, return what fires when the caller has been told. To cancel that
        does not end the call.
        """
        callee = self._find(text)
        if not text:
            caller.tell(Error("to", "unknown", "Say who: To:bob"))
        elif callee is None:
            caller.tell(no_such_user(text))
        elif callee is caller:
            caller.tell(Error("to", "self", "Please don't try to talk with yourself."))
        else:
            self.connect(caller, callee)
        return None

    def call_under_way(self, caller: User) -> Deferred[None] | None:
        """Return what fires when a user has been told what came of a call, if that is not yet."""
        return None

    def connect(self, caller: User, callee: User) -> None:
        """Pair two users, or let the call ring; else tell the caller why not."""
        if self.pairs.get(caller) is callee:
            caller.tell(already_paired(callee))
        elif self._called.get(callee) is caller:
            self._answer(caller, callee)
        else:
            self._call(caller, callee, self._rules.get(callee, _NO_RULES))

    def _answer(self, user: User, caller: User) -> None:
        """Pair a user with one whose call rings: that is what was called for, whatever it ends."""
        if caller.full:
            user.tell(_not_reading(caller))
        else:
            self._end_pair(caller, "switched")
            self._make_pair(user, caller)

    def _call(self, caller: User, callee: User, rules: Rules) -> None:
        if self._is_blocked(caller, rules):
            caller.tell(busy(callee))
        elif rules.dnd:
            text = f"{callee} does not want to be disturbed."
            caller.tell(Error("to", "dnd", text))
        elif self.is_engaged(callee):
            caller.tell(busy(callee))
            self._announce(callee, Tried(caller.name.text))
        elif callee.full:
            caller.tell(_not_reading(callee))
        elif rules.rings:
            self._ring(caller, callee, rules)
        else:
            self._make_pair(caller, callee)

    def is_engaged(self, callee: User) -> bool:
        """Tell whether a user can be paired with nobody else now."""
        return callee in self.pairs

    def _announce(self, callee: User, event: Tried | Ringing) -> bool:
        """Tell somebody of a call, unless that is more than a person reads; return whether."""
        second = int(self.clock.seconds())
        if callee.tries_at != second:
            callee.tries_at, callee.tries = second, 0
        callee.tries += 1
        if callee.tries > MAX_TRIED or callee.full:
            return False
        callee.tell(event)
        return True

    # Calls that ring

    def _ring(self, caller: User, callee: User, rules: Rules) -> None:
        if caller not in rules.callers:
            if not self._announce(callee, Ringing(caller.name.text)):
                caller.tell(_not_reading(callee))
                return
            self.take_back_call(caller)
            rules.callers[caller] = None
            self._called[caller] = callee
            self._ringing.start(caller)
        caller.tell(rings(callee))

    def _stop_ringing(self, caller: User) -> User | None:
        """Let a user's call ring no more, if it does; return who was called."""
        callee = self._called.pop(caller, None)
        if callee is not None:
            self._ringing.stop(caller)
            del self._rules[callee].callers[caller]
        return callee

    def take_back_call(self, caller: User) -> bool:
        """Let a user's call ring no more; return whether it did."""
        callee = self._stop_ringing(caller)
        if callee is None:
            return False
        rules = self._rules[callee]
        if not rules.dnd and not self._is_blocked(caller, rules):
            self._announce(callee, Tried(caller.name.text))
        return True

    def _give_up(self, caller: User) -> None:
        callee = self._called[caller]
        self.take_back_call(caller)
        caller.tell(Unanswered(callee.name.text))

    def stop_calls(self) -> None:
        """Let nothing ring any more; nobody is told."""
        for caller in list(self._called):
            self._stop_ringing(caller)

    # Pairs

    def _make_pair(self, caller: User, callee: User) -> None:
        self._end_pair(caller, "switched")
        self.pairs[caller] = callee
        self.pairs[callee] = caller
        for user, peer in ((caller, callee), (callee, caller)):
            if self._called.get(user) is peer:
                self._stop_ringing(user)  # it is answered
            else:
                self.take_back_call(user)
            user.away_told = False
            user.pair_changed()
            user.tell(Paired(peer.name.text))
        self.tell_whether_away(caller)

    def _end_pair(self, user: User, why: Ending) -> None:
        """Free the peer of a user, who is told by whoever called this what comes next."""
        peer = self.pairs.pop(user, None)
        if peer is not None:
            del self.pairs[peer]
            for listener, sender in ((peer, user), (user, peer)):
                unsettled = tuple(listener.unsettled(sender))
                if unsettled:
                    self.late.start(unsettled)
            peer.tell(Left(user.name.text, why))
            peer.pair_changed()

    def part(self, user: User, *more: AnyEvent) -> None:
        """End a user's pair, if there is one, and tell the user that and more; both stay."""
        self._end_pair(user, "bye")
        for event in (Free(), *more):
            user.tell(event)
        user.pair_changed()  # which is the end of one who only listened

    # What users set

    def apply(self, user: User, setting: Setting) -> Deferred[None] | None:
        """Set something for calls to a user, and tell the user that it is so, or why not.

        If there is more to find out, return what fires when that is done. To cancel that does not
        end it.
        """
        match setting:
            case SetDnd(on):
                self._rules_of(user).dnd = on
                user.tell(DndSet(on))
            case SetRing(on):
                self._rules_of(user).rings = on
                user.tell(RingSet(on))
            case Block(text):
                return self._block_or_not("block", user, text)
            case Unblock(text):
                self._block_or_not("unblock", user, text)
        return None

    def _rules_of(self, user: User) -> Rules:
        return self._rules.setdefault(user, Rules())

    def _block_or_not(
        self, of: Literal["block", "unblock"], user: User, text: str
    ) -> Deferred[None] | None:
        try:
            name = parse(text)
        except BadName as why:
            code: ErrorCode = "bad-name" if text else "unknown"
            user.tell(Error(of, code, str(why) if text else f"Say who: /{of} bob"))
            return None
        if of == "block":
            return self._block(user, name)
        self._unblock(user, name)
        return None

    def _block(self, user: User, name: Name) -> Deferred[None] | None:
        if name.is_same(user.name):
            user.tell(Error("block", "self", "You can't block yourself."))
            return None
        rules = self._rules_of(user)
        old = rules.block_of(name)
        if old is None and len(rules.blocks) >= MAX_BLOCKS:
            text = f"You have blocked {MAX_BLOCKS} names; unblock one of them first."
            user.tell(Error("block", "too-many", text))
            return None
        other = self.known(user, name)
        host = None
        if other is not None:
            name = other.name
            host = None if self.has_account(name) else other.host_now()
        if old is None or host not in (None, old.host):
            self._replace(rules, old, name, host)
        called, peer = self._called.get(user), self.pairs.get(user)
        if called is not None and called.name.is_same(name):
            self.take_back_call(user)
        if peer is not None and peer.name.is_same(name):
            self.part(user, Blocked(name.text))
        else:
            user.tell(Blocked(name.text))
        return None

    def callers_of(self, user: User) -> list[User]:
        """Return those whose calls ring at a user."""
        return list(self._rules.get(user, _NO_RULES).callers)

    def known(self, user: User, name: Name) -> User | None:
        """Return whom a user means by a name, if that one is here."""
        return self.users.get(name.key)

    def _replace(self, rules: Rules, old: Blocking | None, name: Name, host: str | None) -> None:
        if old is not None:
            self._forget(rules, old)
        if host is not None:
            self._blocked_hosts[host] += 1
        began = self.clock.seconds()
        rules.blocks.append(Blocking(name, host, next(self._moments), began))

    def _unblock(self, user: User, name: Name) -> None:
        rules = self._rules.get(user, _NO_RULES)
        block = rules.block_of(name)
        if block is None:
            user.tell(Error("unblock", "unknown", f"You have not blocked {name}."))
        else:
            self._forget(rules, block)
            user.tell(Unblocked(block.name.text))

    def _forget(self, rules: Rules, block: Blocking) -> None:
        rules.blocks.remove(block)
        if block.host is not None:
            self._blocked_hosts[block.host] -= 1
            if not self._blocked_hosts[block.host]:
                del self._blocked_hosts[block.host]

    def _is_blocked(self, caller: User, rules: Rules) -> bool:
        """Tell whether a caller is blocked, by name or as one who has come back under another."""
        came = self._newcomers.get(caller)
        if came is not None and not self.has_account(caller.name):
            host, moment = came
            if any(block.host == host and block.moment < moment for block in rules.blocks):
                return True
        return rules.block_of(caller.name) is not None

    # Coming and going

    def came(self, user: User, host: str | None) -> None:
        """Note where a new user comes from, if that may matter."""
        if host is not None and host in self._blocked_hosts:
            self._newcomers[user] = host, next(self._moments)

    def went(self, user: User) -> None:
        """Forget what a user has set, and let none of its calls ring."""
        self.take_back_call(user)
        self._newcomers.pop(user, None)
        rules = self._rules.get(user)
        if rules is not None:
            for caller in list(rules.callers):
                self._stop_ringing(caller)
                caller.tell(Unanswered(user.name.text))
            for block in list(rules.blocks):
                self._forget(rules, block)
            del self._rules[user]


def no_such_user(text: str) -> Error:
    """Return the answer to a call for nobody."""
    return Error("to", "unknown", f"The user {text[:SHOWN]} does not exist.")


def already_paired(peer: User) -> Error:
    """Return the answer to a call for whom the caller talks with."""
    return Error("to", "already", f"You are already chatting with {peer}.")


def rings(callee: User) -> Error:
    """Return the answer to a call that rings."""
    return Error("to", "ringing", f"{callee}'s line is ringing.")


def busy(callee: User) -> Error:
    """Return the answer to a call for who talks with somebody else, or is to seem so."""
    return Error("to", "busy", f"{callee} is talking with someone else.")


def _not_reading(callee: User) -> Error:
    return Error("to", "busy", f"{callee} is not reading at the moment.")
