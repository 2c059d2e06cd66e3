"""Who talks with whom: how pairs begin and end, and what the two are told of each other."""

from collections.abc import Callable

from msgspec import UNSET

from chatpair.exchange import messages
from chatpair.exchange.activity_log import ActivityLog
from chatpair.exchange.messages import Ending, Error, Say
from chatpair.exchange.names import is_key_of
from chatpair.exchange.receipts import Receipts
from chatpair.exchange.user import Receipt, User

FIRST_CALL = "Nobody is chatting with you. To:bob calls bob; /who tells who is here."
NOBODY = "Nobody is chatting with you. Maybe the one you talked with is talking with someone else."


class Pairs(dict[User, User]):
    """The users who talk, each with its peer."""

    def __init__(
        self, time_of_day: Callable[[], float], receipts: Receipts, activity: ActivityLog
    ) -> None:
        super().__init__()
        self._activity = activity
        self._time_of_day = time_of_day
        self._receipts = receipts
        self.peer_of = self.get
        """Returns whom a user talks with, or None."""

    def make(self, caller: User, callee: User) -> None:
        """Make a pair of two who are free."""
        self[caller], self[callee] = callee, caller
        for user, peer in ((caller, callee), (callee, caller)):
            user.away_told, user.can_call = False, True
            user.inbox.pair_changed()
            user.tell(messages.Paired(peer.name.text))
        self.tell_whether_away(caller)

    def end(self, user: User, why: Ending) -> None:
        """Free the peer of a user, if there is one; whoever calls this tells the user."""
        peer = self.pop(user, None)
        if peer is not None:
            del self[peer]
            self._receipts.pair_ended(peer, user)
            peer.tell(messages.Left(user.name.text, why))
            peer.inbox.pair_changed()

    # Within a pair

    def say(self, user: User, say: Say) -> None:
        """Pass a text on to the peer; from a client that counts, once."""
        if not user.inbox.takes(say.id):
            user.inbox.tell_status_of(say.id)
            return
        user.inbox.tell_statuses()
        receipt = Receipt(user, say.id) if say.id else None
        peer = self.peer_of(user)
        is_over = say.pair is not UNSET and say.pair != user.inbox.pair
        if peer is not None and not is_over and (say.to is UNSET or is_key_of(say.to, peer.name)):
            self._activity.lines += say.text.count("\n") + 1
            self._activity.line_bytes += len(say.text.encode()) + 1
            now = messages.Timestamp(self._time_of_day())
            peer.inbox.tell(messages.Message(user.name.text, say.text, now), receipt)
            return
        if peer is None:
            text, user.can_call = NOBODY if user.can_call else FIRST_CALL, True
        else:
            text = "That pair is over." if is_over else f"You talk with {peer}."
        user.tell(Error("say", "nobody", text))
        if receipt is not None:
            self._receipts.settle([receipt], "failed", "nobody")
        else:
            self._activity.count("failed", "nobody")

    def types(self, user: User) -> None:
        """Let the peer's client show that a user is typing, if it can."""
        peer = self.peer_of(user)
        if peer is not None:
            peer.inbox.peer_types(user.name.text)

    def tell_whether_away(self, user: User) -> None:
        """Tell a user if the peer's connection has gone or come back; a slow one, later."""
        peer = self.peer_of(user)
        if peer is None or user.full:
            return
        away = peer.inbox.away
        if away != user.away_told:
            user.away_told = away
            event = messages.Held if away else messages.Back
            user.tell(event(peer.name.text))

    def has_room(self, user: User) -> None:
        """Let a user, and whoever speaks to it, go on if that is possible."""
        user.inbox.flow_changed()
        peer = self.peer_of(user)
        if peer is not None:
            self.tell_whether_away(user)
            peer.inbox.flow_changed()
