"""Whether this node is a member, and who the others are.

A member sends heartbeats. Whoever has seen for SILENCE of a lease that a member sent none, on
its own clock and with the engine there all that time, declares it dead; its names are then free.
A member itself counts on its names for VALID of a lease after it sent a heartbeat that was
answered, so it stops well before anybody else may have them. No clock but the nodes' own matters,
and of those only that they run about equally fast.

At that moment a node is either *cut off*, if it is awake to notice: its pairs stay, but it claims
and calls nobody until the engine tells whether it is a member still. Or it was *frozen*, if it
notices only when its names may be others': SILENCE after the heartbeat. It then ends its users
before it does anything else. What is late by less is a slow machine, not a frozen one.
"""

import secrets
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from txredisapi import ResponseError

from chatpair.cluster.directory import Directory, Outcome, Stay
from chatpair.cluster.engine import Engine, EngineAway, EngineRefuses
from chatpair.cluster.lease_listener import LeaseListener
from chatpair.cluster.members import Members, OtherLease, Rival
from chatpair.cluster.mesh_types import NotReady
from chatpair.cluster.scripts import HEARTBEAT, JOIN, KEYS, LEAVE
from chatpair.cluster.waiting import Waiting
from chatpair.exchange.names import Name

VALID = 0.7
"""How much of a lease a node counts on its names after it sent a heartbeat."""

SILENCE = 0.8
"""How much of a lease others wait for a heartbeat."""

INTERVAL = 0.1
"""How much of a lease is between heartbeats."""

PATIENCE = 1.2
"""How much of a lease a claim waits until names can be claimed, as long as the engine is there:
enough for a settling, as at the very first start.
"""

_NEVER = float("inf")

_log = Logger()


def monotonic() -> float:
    """Return seconds that go on while the machine sleeps, where the system can tell them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lease:
    """This node's membership."""

    ready = False
    """Whether names can be claimed."""

    def __init__(
        self,
        clock: IReactorTime,
        engine: Engine,
        directory: Directory,
        listener: LeaseListener,
        node_id: str,
        seconds: float,
        monotonic: Callable[[], float] = monotonic,
    ) -> None:
        """Take the seconds of a lease, and what tells whether this process was frozen."""
        self._clock = clock
        self._engine = engine
        self._directory = directory
        self._listener = listener
        self._id = node_id
        self._seconds = seconds
        self._monotonic = monotonic
        self._members = Members(seconds * SILENCE, seconds * INTERVAL * 4)
        self.me = self._new_inc()
        self._former: list[str] = []  # my incarnations that may be members still
        self._stay: Stay | None = None
        self._joins = 0
        self._valid_until = _NEVER  # or never: there is nothing to lose, or it is known
        self._expiry: IDelayedCall | None = None
        self._heartbeat: IDelayedCall | None = None
        self._asking = self._ask_again = self._complained = False
        self._rival = Rival(seconds, seconds * SILENCE)
        self._other_lease = OtherLease(SILENCE)
        # What is missing until names can be claimed:
        self._open = False  # the engine has answered on this connection
        self._opened: Stay | None = None  # as what it answered last
        self._asserted = self._asserting = False  # our names are claimed
        self._is_old = False  # the engine may believe that we have others
        self._settling_since: float | None = None
        self._cut_off = self._tried = self._stopped = False
        self._waiting = Waiting(clock, PATIENCE * seconds)

    @property
    def members(self) -> frozenset[str]:
        """The others that are alive."""
        return self._members.alive

    @property
    def holds_names(self) -> bool:
        """Whether no other node can have the names of the users here."""
        return (
            self._stay is not None
            and self._asserted
            and not self._cut_off
            and self._monotonic() < self._valid_until
        )

    @property
    def entitled(self) -> bool:
        """Whether the names of the users here are theirs, for all the other nodes know."""
        return self.holds_names and self._settling_since is None

    def check(self) -> bool:
        """Notice at once if this process was frozen, before any input is handled.

        False if it was: all its users have been ended.
        """
        return self._monotonic() < self._valid_until or self._overdue()

    # The engine tells:

    def connected(self) -> None:
        """Ask the engine at once what it knows of this node."""
        self._tried = True
        self._members.watch_anew()
        self._rival.forget()
        if self._settling_since is not None:  # so that everybody has time to come back
            self._settling_since = self._monotonic()
        self._ask()

    def lost(self) -> None:
        """Wait for the engine to come back."""
        self._tried = True
        self._open = False
        self._directory.closed()
        self._update()
        self._waiting.end()

    # The node asks:

    def heartbeat_soon(self) -> None:
        """Ask who the members are."""
        self._ask()

    def claim(self, name: Name) -> "Deferred[Outcome]":
        """Ask for a name; "later" if it can't be claimed in time.

        It may be cancelled if nobody wants the name any more.
        """
        if self.ready:
            return self._claim(name)
        if self._stopped or (self._tried and not self._engine.connected):
            return succeed("later")

        def waited(_: None) -> "Outcome | Deferred[Outcome]":
            return self._claim(name) if self.ready else "later"

        return self._waiting.wait().addCallback(waited)

    def release(self, name: Name) -> None:
        """Let a name be free."""
        self._directory.release(name)

    def locate(self, key: str) -> "Deferred[str | None]":
        """Return the member that has a name with this key; errback NotReady."""
        return self._directory.locate(key) if self.ready else fail(NotReady())

    def leave(self) -> "Deferred[None]":
        """Be no member any more, if the engine can be told: the names are then free at once."""
        stay, self._stay = self._stay, None
        self._stopped = True
        self._valid_until = _NEVER
        _cancel(self._heartbeat)
        _cancel(self._expiry)
        self._directory.forget()
        self._update()
        self._waiting.end()
        if stay is None:
            return succeed(None)
        left = self._engine.script(LEAVE, KEYS, [*stay])
        return left.addBoth(lambda _: None)

    def _claim(self, name: Name) -> "Deferred[Outcome]":
        stay = self._stay

        def claimed(outcome: Outcome) -> Outcome:
            alive = self.check()
            if outcome == "yours" and not (alive and stay is self._stay and self.entitled):
                self._directory.release(name)
                return "later"
            return outcome

        return self._directory.claim(name).addCallback(claimed)

    def _update(self) -> None:
        ready = self.entitled and self._open
        if ready != self.ready:
            self.ready = ready
            self._listener.ready_changed()
        if self.ready:
            self._waiting.end()

    # Heartbeats

    def _ask(self) -> None:
        """Join, or send a heartbeat; one at a time."""
        if self._asking:
            self._ask_again = True
        if self._asking or self._stopped or not self._engine.connected:
            return
        _cancel(self._heartbeat)
        if self._stay and not self._stay.epoch.startswith(f"{self._engine.run_id}."):
            self._lose_data()
        self._asking, self._ask_again = True, False
        now = self._monotonic()
        asked = self._send_heartbeat(self._stay, now) if self._stay else self._send_join(now)
        asked.addCallback(self._answered, self._stay, self.me, now)
        asked.addErrback(self._unanswered).addBoth(lambda _: self._next())

    def _send_join(self, now: float) -> "Deferred[Any]":
        self._joins += 1
        who = self.me, str(self._joins), self._engine.run_id
        left = f"{self._seconds:g}", self._other_lease.if_dead(now), *self._former
        arguments = [*who, secrets.token_hex(8), *self._rival.if_dead(now), *left]
        return self._engine.script(JOIN, KEYS, arguments)

    def _send_heartbeat(self, stay: Stay, now: float) -> "Deferred[Any]":
        since = self._settling_since
        settled = since is not None and now - since >= SILENCE * self._seconds
        silent = self._members.silent(now)
        pairs = [text for pair in silent for text in pair]
        counts = [str(int(settled)), str(len(silent))]
        arguments = [*map(str, stay), *counts, *pairs, *self._members.risen]
        return self._engine.script(HEARTBEAT, KEYS, arguments)

    def _answered(self, reply: list[Any], stay: Stay | None, me: str, sent: float) -> None:
        self._asking = self._complained = False
        self.check()
        if self._stopped or (self._stay, self.me) != (stay, me):
            return
        kind, *rest = [item.decode() if isinstance(item, bytes) else item for item in reply]
        if kind == "MEMBER":
            if stay is None:
                self._stay = Stay(me, self._joins, rest.pop(0))
                self._rival.forget()
                self._other_lease.forget()
                self._former.clear()
            self._extend(sent)
            self._hear(rest, sent)
        elif kind == "RESET":
            self._lose_data()
        elif kind == "DEAD":
            self._be_reborn()
        elif kind == "RIVAL" and self._rival.meet(rest[0], rest[1], self._monotonic()):
            self._refuse(f"Another node has the id {self._id}.")
        elif kind == "LEASE" and self._other_lease.meet(float(rest[0]), rest[1], sent):
            self._refuse(f"The other nodes have --lease {rest[0]}, which must be the same for all.")

    def _refuse(self, why: str) -> None:
        self._stopped = True
        self._listener.refused(EngineRefuses(why))

    def _hear(self, reply: list[Any], sent: float) -> None:
        """Take what an answer tells a member."""
        assert self._stay is not None
        settling, dead, *nodes = reply
        now = self._monotonic()
        was_open = self._open
        joined = not self._open_as(self._stay)
        if not settling:
            self._settling_since = None
        elif self._settling_since is None:
            self._settling_since = now
        values = dict(zip(nodes[::2], nodes[1::2], strict=True))
        changed = self._members.heard(values, self.me, sent, now, bool(settling))
        if joined:
            self._listener.joined()
        elif self._open and not was_open:
            self._listener.returned()
        if changed:
            self._listener.members_changed(self._members.alive)
        self._assert()
        self._update()
        if dead:
            self._directory.sweep()

    def _open_as(self, stay: Stay) -> bool:
        """Let the directory ask, as this; tell whether it did so before."""
        before, self._opened = self._opened, stay
        self._open = self._engine.connected
        if self._open:
            self._directory.opened(stay)
        return before == stay

    def _unanswered(self, why: Failure) -> None:
        self._asking = False
        if why.check(ResponseError):
            if not self._complained:
                _log.error("The engine can't do what the cluster asks: {why}", why=why.value)
            self._complained = True
        elif not why.check(EngineAway):
            _unexpected(why)

    def _next(self) -> None:
        """Ask again in time."""
        if self._asking or self._stopped or not self._engine.connected:
            return
        delay = INTERVAL * self._seconds
        if self._ask_again:
            delay = 0.0
        elif self._stay is not None:
            silence = self._members.next_silence - self._monotonic()
            delay = min(delay, max(silence, delay / 10))
        _cancel(self._heartbeat)
        self._heartbeat = self._clock.callLater(delay, self._ask)

    # Validity

    def _extend(self, sent: float) -> None:
        """Count on the names from when an answered request was sent."""
        until = sent + VALID * self._seconds
        now = self._monotonic()
        self._cut_off = now >= until  # too old an answer: the next one tells
        self._valid_until = _NEVER if self._cut_off else until
        _cancel(self._expiry)
        if not self._cut_off:
            self._expiry = self._clock.callLater(until - now, self._expire)

    def _expire(self) -> None:
        now = self._monotonic()
        if now < self._valid_until < _NEVER:
            self._expiry = self._clock.callLater(self._valid_until - now, self._expire)
        else:
            self.check()

    def _overdue(self) -> bool:
        slack = (SILENCE - VALID) * self._seconds
        if self._monotonic() < self._valid_until + slack:
            _log.warn("Cut off: no answer from the engine for most of a lease")
            self._valid_until = _NEVER
            self._cut_off = True
            self._update()
            return True
        _log.warn("This process stood still for so long that all its users are ended")
        self._lose_membership()
        self._listener.frozen()
        self._be_reborn()
        self._ask()
        return False

    def _lose_membership(self) -> None:
        self._stay = None
        self._valid_until = _NEVER
        self._asserted = self._cut_off = False
        self._settling_since = None
        self._ask_again = True
        self._directory.closed()
        self._update()

    def _lose_data(self) -> None:
        """Join again as the same: the engine was restarted or emptied, or is another."""
        _log.warn("The engine has lost data: joining again")
        self._is_old = True
        self._lose_membership()
        self._members.watch_anew()

    def _be_reborn(self) -> None:
        """Join as another: this node was declared dead, or has to take itself for dead."""
        self._former.append(self.me)
        self.me = self._new_inc()
        self._is_old = False
        self._lose_membership()
        self._directory.forget()
        self._listener.reborn()

    def _assert(self) -> None:
        """Claim our names again, after joining."""
        if self._asserted or self._asserting or self._stay is None or not self._open:
            return
        names = self._listener.names()
        stay = self._stay

        def answered(taken: list[Name] | None) -> None:
            self._asserting = False
            if stay is not self._stay:
                self._assert()
            elif taken is not None:  # else the next answer to a heartbeat tries again
                for name in taken:
                    self._listener.expelled(name)
                self._asserted = True
                if self._is_old:
                    self._is_old = False
                    self._directory.release_others().addErrback(lambda _: None)
                self._update()

        self._asserting = True
        self._directory.claim_again(names).addCallback(answered).addErrback(_unexpected)

    def _new_inc(self) -> str:
        return f"{self._id}.{secrets.token_hex(4)}"


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()


def _unexpected(why: Failure) -> None:
    _log.failure("A lease could not be told what it asked", why)
