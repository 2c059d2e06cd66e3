"""What the two of a pair across tell each other, and what became of it."""

from chatpair.cluster import frames
from chatpair.cluster.across import CallsAcross
from chatpair.exchange.messages import Back, Held, Message, Timestamp
from chatpair.exchange.user import Receipt


class LinesAcross(CallsAcross):
    """The part of a node's exchange that carries what is said to other nodes.

    What comes for a user who does not talk with its sender any more is dropped: the sender will
    be told, or has been, that the pair has ended.
    """

    def left(self, inc: str, frame: frames.Left) -> None:
        """End a pair whose other one has left."""
        pair = self._peer_across(inc, frame)
        if pair is not None:
            self._end_pair(pair[1], frame.why)

    def is_away(self, inc: str, frame: frames.Away) -> None:
        """Tell a user that the peer has lost the connection, or is back."""
        pair = self._peer_across(inc, frame)
        if pair is not None:
            user, peer = pair
            user.tell(Held(peer.name.text) if frame.away else Back(peer.name.text))
            peer.flow_changed()

    def types(self, inc: str, frame: frames.Typing) -> None:
        """Let a user's client show that the peer is typing, if it can."""
        pair = self._peer_across(inc, frame)
        if pair is not None:
            self.type(pair[1])

    def flow_came(self, inc: str, frame: frames.Flow) -> None:
        """Let a user wait until the peer can take more, or go on."""
        pair = self._peer_across(inc, frame)
        if pair is not None:
            pair[1].set_full(frame.full)
            self.has_room(pair[1])

    def lines_came(self, inc: str, frame: frames.Lines) -> None:
        """Pass lines on."""
        pair = self._peer_across(inc, frame)
        if pair is not None:
            user, peer = pair
            user.tell_lines(peer.name.text, frame.lines, frame.seconds)
            peer.flow_changed()

    def said(self, inc: str, frame: frames.Said) -> None:
        """Pass a text on, and keep whose it is until it has arrived."""
        pair = self._peer_across(inc, frame)
        if pair is not None:
            user, peer = pair
            message = Message(peer.name.text, frame.text, Timestamp(frame.seconds))
            user.tell(message, Receipt(peer, frame.say) if frame.say else None)
            peer.flow_changed()
        elif frame.say:
            self.mesh.send(inc, frames.Settled(frame.by, [frame.say], "failed", "nobody"))

    def settled(self, inc: str, frame: frames.Settled) -> None:
        """Tell a user what became of some of what it said."""
        waiting = self._open.get(inc, {})
        receipts = [waiting.pop((frame.to, say), None) for say in frame.says]
        known = [receipt for receipt in receipts if receipt is not None]
        self.settle(known, frame.outcome, frame.why)

    def room_changed(self, inc: str) -> None:
        """Let those go on who have waited for room on the way to a node."""
        if self.mesh.is_full(inc):
            return  # they find that out when they speak
        for remote in self._awaiting_room.pop(inc, ()):
            if remote in self.pairs:
                self.has_room(remote)
