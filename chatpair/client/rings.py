"""Calls that ring: who waits for the answer to one, or for anybody's call."""

from twisted.internet.defer import Deferred, fail

from chatpair.client.errors import LineError, Refused
from chatpair.client.session import is_same_name
from chatpair.client.waiters import Waiters
from chatpair.exchange import messages


class Rings:
    """Tells how calls come out, by the events that the server tells."""

    def __init__(self) -> None:
        self._callees: dict[Deferred[str], str] = {}
        self._over: LineError | None = None
        self._called: Waiters[messages.Paired | messages.Ringing] = Waiters()

    def answer(self, name: str) -> Deferred[str]:
        """Wait for the answer of who was called; fires with the name as its owner writes it."""
        if self._over is not None:
            return fail(self._over)
        answer: Deferred[str] = Deferred(self._callees.__delitem__)
        self._callees[answer] = name
        return answer

    def call(self) -> Deferred[messages.Paired | messages.Ringing]:
        """Wait for a call: it rings, or has made a pair."""
        return self._called.wait() if self._over is None else fail(self._over)

    def hear(self, event: messages.JsonEvent) -> None:
        """Tell who waits for such an event."""
        match event:
            case messages.Paired(peer):
                self._answered(peer)
                self._fail(Refused("switched", f"You are chatting with {peer} instead."))
                self._called.fire(event)
            case messages.Ringing():
                self._called.fire(event)
            case messages.Unanswered(name):
                self._fail(Refused("unanswered", f"{name} does not answer."), name)
            case messages.Free():
                self._fail(Refused("bye", "The call was taken back."))

    def _answered(self, peer: str) -> None:
        for answer in self._of(peer):
            answer.callback(peer)

    def _fail(self, why: LineError, name: str | None = None) -> None:
        for answer in self._of(name):
            answer.errback(why)

    def _of(self, name: str | None) -> list[Deferred[str]]:
        """Take out those who wait for somebody, or all."""
        found = [
            answer
            for answer, callee in self._callees.items()
            if name is None or is_same_name(callee, name)
        ]
        for answer in found:
            del self._callees[answer]
        return found

    def lost(self) -> None:
        """Expect no answer any more: the server knows of no call."""
        self._fail(Refused("lost", "The server has forgotten the call."))

    def drop(self, why: LineError) -> None:
        """Give up everything, for good."""
        self._over = why
        self._fail(why)
        self._called.fail(why)
