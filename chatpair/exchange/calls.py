"""Who may call whom, and what comes of it; and what users set for that."""

from dataclasses import dataclass

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from chatpair.exchange import messages
from chatpair.exchange.activity_log import ActivityLog
from chatpair.exchange.directory import Directory
from chatpair.exchange.messages import AnyEvent, Error, Free, Tried
from chatpair.exchange.names import BadName, Name, parse
from chatpair.exchange.pairs import NOBODY, Pairs
from chatpair.exchange.ringing import RingingCalls
from chatpair.exchange.user import Block, User
from chatpair.exchange.users import Users

SHOWN = 128
"""Characters that are shown of what somebody sent; no name is longer."""

MAX_BLOCKS = 100
"""Names that a user can block."""


@dataclass(eq=False, repr=False)
class Calls:
    """Makes pairs of those who call each other, as far as both want that."""

    _clock: IReactorTime
    _users: Users
    _pairs: Pairs
    _ringing: RingingCalls
    _directory: Directory
    _activity: ActivityLog

    def call(self, caller: User, text: str) -> Deferred[None]:
        """Pair a user with the one of a name, or let it ring there; else say why not.

        Fires when the caller's input may go on. To cancel that does not end the call.
        """
        elsewhere = self._directory.call(caller, text)
        if elsewhere is not None:
            return elsewhere
        self.call_here(caller, text)
        return succeed(None)

    def call_here(self, caller: User, text: str) -> None:
        """Do the same for who is here."""
        callee = self._users.find(text)
        if not text:
            self.refuse(caller, Error("to", "unknown", "Say who: To:bob"))
        elif callee is None:
            self.refuse(caller, no_such_user(text))
        elif callee is caller:
            self.refuse(caller, Error("to", "self", "Please don't try to talk with yourself."))
        else:
            self.connect(caller, callee)

    def connect(self, caller: User, callee: User) -> None:
        """Pair two users, or let the call ring; else tell the caller why not."""
        if self._pairs.peer_of(caller) is callee:
            self.refuse(caller, already_paired(callee))
        elif self._ringing.callee_of(callee) is caller:
            self._answer(caller, callee)
        elif self._users.is_blocked(caller, callee):
            self.refuse(caller, _busy(callee))
        elif callee.settings.dnd:
            self.refuse(caller, Error("to", "dnd", f"{callee} does not want to be disturbed."))
        elif callee in self._pairs or self._directory.is_calling(callee):
            self._call_in_vain(caller, callee)
        elif callee.full:
            self.refuse(caller, _not_reading(callee))
        elif callee.settings.rings:
            self._ring(caller, callee)
        else:
            self.pair(caller, callee)

    def _call_in_vain(self, caller: User, callee: User) -> None:
        self.refuse(caller, _busy(callee))
        callee.announce(Tried(caller.name.text), self._clock.seconds())

    def _answer(self, user: User, caller: User) -> None:
        """Pair a user with one whose call rings: that is what was called for, whatever it ends."""
        if self._directory.is_calling(caller):  # it has called another since
            self._call_in_vain(user, caller)
        elif caller.full:
            self.refuse(user, _not_reading(caller))
        else:
            self._pairs.end(caller, "switched")
            self.pair(user, caller)

    def _ring(self, caller: User, callee: User) -> None:
        if self._ringing.callee_of(caller) is not callee:
            if not self._ringing.announce(caller, callee):
                self.refuse(caller, _not_reading(callee))
                return
            self.take_back(caller)
            self._ringing.begin(caller, callee)
        self.refuse(caller, rings(callee))

    def refuse(self, caller: User, why: Error) -> None:
        """Tell a caller why there is no pair, or not yet."""
        self._count(caller, why.code)
        caller.tell(why)

    def _count(self, caller: User, outcome: str) -> None:
        if caller.inbox.is_here:
            self._activity.count("called", outcome)

    def pair(self, caller: User, callee: User) -> None:
        """Pair two, the second of whom is free; who called either is told."""
        self._count(caller, "paired")
        self._pairs.end(caller, "switched")
        for user, peer in ((caller, callee), (callee, caller)):
            if self._ringing.callee_of(user) is peer:
                self._ringing.stop(user)  # it is answered
            else:
                self.take_back(user)
        self._pairs.make(caller, callee)

    def take_back(self, caller: User) -> bool:
        """Let a user's call ring no more; return whether it did."""
        elsewhere = self._directory.take_back_call(caller)
        return self._ringing.take_back(caller) or elsewhere

    def hang_up(self, user: User) -> None:
        """End a user's call and pair; both stay."""
        if self.take_back(user) or user in self._pairs:
            self.part(user)
        else:
            user.tell(Error("bye", "nobody", NOBODY))

    def part(self, user: User, *more: AnyEvent) -> None:
        """End a user's pair, if there is one, and tell the user that and more; both stay."""
        self._pairs.end(user, "bye")
        user.can_call = False  # nobody else is to blame: so it is told how to call
        for event in (Free(), *more):
            user.tell(event)
        user.inbox.pair_changed()  # which is the end of one who only listened

    def went(self, user: User) -> None:
        """Let no call of or to a user ring who is gone."""
        self.take_back(user)
        self._ringing.went(user)

    # What a user sets

    def apply(self, user: User, setting: messages.Setting) -> Deferred[None]:
        """Set what a user wants for calls, and tell the user that it is so, or why not.

        Fires when the user's input may go on. To cancel that does not end what is to be found out.
        """
        match setting:
            case messages.SetDnd(on):
                user.settings = user.settings._replace(dnd=on)
                user.tell(messages.DndSet(on))
            case messages.SetRing(on):
                user.settings = user.settings._replace(rings=on)
                user.tell(messages.RingSet(on))
            case messages.Unblock(text):
                name = _parse("unblock", user, text)
                if name is not None:
                    self._unblock(user, name)
            case messages.Block(text):
                name = _parse("block", user, text)
                if name is not None and self._may_block(user, name):
                    return self._block(user, name)
        return succeed(None)

    def _may_block(self, user: User, name: Name) -> bool:
        settings = user.settings
        if name.is_same(user.name):
            user.tell(Error("block", "self", "You can't block yourself."))
        elif settings.block_of(name) is None and len(settings.blocks) >= MAX_BLOCKS:
            text = f"You have blocked {MAX_BLOCKS} names; unblock one of them first."
            user.tell(Error("block", "too-many", text))
        else:
            return True
        return False

    def _block(self, user: User, name: Name) -> Deferred[None]:
        other = self._users.get(name.key) or self._known(user, name)
        host = None
        if other is not None:
            name = other.name
            host = None if self._users.has_account(name) else other.inbox.host
        self._set(user, name, host)
        called, peer = self._ringing.callee_of(user), self._pairs.peer_of(user)
        if called is not None and called.name.is_same(name):
            self.take_back(user)
        if peer is not None and peer.name.is_same(name):
            self.part(user, messages.Blocked(name.text))
        else:
            user.tell(messages.Blocked(name.text))
        if name.key in self._users or self._users.has_account(name):
            return succeed(None)
        return self.find_host(user, name)

    def find_host(self, user: User, name: Name) -> Deferred[None]:
        """Block a name, which a user has blocked, where its user is too, if that can be told."""
        known: Deferred[None] = Deferred()
        asked = self._directory.host_of(name)
        asked.addCallback(self._host_known, user, name)
        asked.addBoth(lambda _: known.callback(None))  # if that fails it is by name alone
        return known

    def _known(self, user: User, name: Name) -> User | None:
        """Return whom a user means by a name that nobody here has: the peer, or who calls."""
        others = [self._pairs.peer_of(user), *self._ringing.callers_of(user)]
        return next((one for one in others if one is not None and one.name.is_same(name)), None)

    def _host_known(self, host: str | None, user: User, name: Name) -> None:
        block = user.settings.block_of(name)
        if block is not None:  # else it is unblocked by now
            self._set(user, block.name, host)

    def _set(self, user: User, name: Name, host: str | None) -> None:
        """Block a name, and who comes from a host, unless both are blocked already."""
        settings = user.settings
        old = settings.block_of(name)
        if old is not None:
            if host in (None, old.host):
                return
            settings = settings.without(old)
        block = Block(name, host, self._users.now())
        user.settings = settings._replace(blocks=(*settings.blocks, block))

    @staticmethod
    def _unblock(user: User, name: Name) -> None:
        block = user.settings.block_of(name)
        if block is None:
            user.tell(Error("unblock", "unknown", f"You have not blocked {name}."))
        else:
            user.settings = user.settings.without(block)
            user.tell(messages.Unblocked(block.name.text))


def no_such_user(text: str) -> Error:
    """Return the answer to a call for nobody."""
    return Error("to", "unknown", f"The user {text[:SHOWN]} does not exist.")


def already_paired(peer: User) -> Error:
    """Return the answer to a call for whom the caller talks with."""
    return Error("to", "already", f"You are already chatting with {peer}.")


def rings(callee: User) -> Error:
    """Return the answer to a call that rings."""
    return Error("to", "ringing", f"{callee}'s line is ringing.")


def _busy(callee: User) -> Error:
    return Error("to", "busy", f"{callee} is talking with someone else.")


def _not_reading(callee: User) -> Error:
    return Error("to", "busy", f"{callee} is not reading at the moment.")


def _parse(of: str, user: User, text: str) -> Name | None:
    """Return the name of a text, or tell the user that it is none."""
    try:
        return parse(text)
    except BadName as why:
        if text:
            user.tell(Error(of, "bad-name", str(why)))
        else:
            user.tell(Error(of, "unknown", f"Say who: /{of} bob"))
        return None
