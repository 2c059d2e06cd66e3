"""What users can set for calls to them: not to be disturbed, to let ring, to block somebody."""

from dataclasses import dataclass

from twisted.internet.defer import Deferred, succeed

from chatpair.exchange import messages
from chatpair.exchange.calls import Calls
from chatpair.exchange.directory import Directory
from chatpair.exchange.messages import Error
from chatpair.exchange.names import BadName, Name, parse
from chatpair.exchange.pairs import Pairs
from chatpair.exchange.ringing import RingingCalls
from chatpair.exchange.user import Block, User
from chatpair.exchange.users import Users

MAX_BLOCKS = 100
"""Names that a user can block."""


@dataclass(eq=False, repr=False)
class SettingCalls:
    """Sets what a user wants for calls."""

    _users: Users
    _pairs: Pairs
    _ringing: RingingCalls
    _calls: Calls
    _directory: Directory

    def apply(self, user: User, setting: messages.Setting) -> Deferred[None]:
        """Set something, and tell the user that it is so, or why not.

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
            self._calls.take_back(user)
        if peer is not None and peer.name.is_same(name):
            self._calls.part(user, messages.Blocked(name.text))
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
