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

from collections.abc import Callable, Coroutine
from dataclasses import InitVar, dataclass
from itertools import chain
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from txredisapi import ResponseError

from chatpair.cluster.engine import Engine, EngineAway
from chatpair.cluster.engine_names import EngineNames
from chatpair.cluster.joining import Joining
from chatpair.cluster.members import Members
from chatpair.cluster.mesh import MeshListener, Stay, node_of
from chatpair.cluster.scripts import HEARTBEAT, JOIN, LEAVE, SWEEP
from chatpair.cluster.validity import SILENCE, Validity
from chatpair.exchange.delay import Delay
from chatpair.exchange.directory import Claimed
from chatpair.exchange.names import Name

INTERVAL = 0.1
"""How much of a lease is between heartbeats."""

PATIENCE = 1.2
"""How much of a lease a claim waits, if the engine is there: enough for a settling."""

LEAVING_SECONDS = 2.0
"""How long the engine has for each thing that it is asked when this node leaves."""

_Does = Callable[[], Coroutine[Any, Any, None]]

_log = Logger()


@dataclass(eq=False, repr=False)
class Lease:
    """This node's membership."""

    _clock: IReactorTime  # which tells whether this process was frozen
    _engine: Engine
    _names: EngineNames
    _opened: Callable[[str], object]
    """Is called with what this is called, to read its inbox, when the engine is there again."""
    _met: Callable[[frozenset[str]], object]
    """Is called with the others that are alive, before the exchange is; whoever is missing is dead.
    """
    node_id: InitVar[str]
    _seconds: float

    def __post_init__(self, node_id: str) -> None:
        clock, seconds = self._clock, self._seconds
        self.exchange: MeshListener
        """Whose users have the names; it must be there before the engine is."""
        self.refused: Callable[[str], object]
        """Ends the process, as this node can't be a member; takes why, in a line. It must too."""
        self.ready = False
        """Whether names can be claimed."""
        self.validity = Validity(clock, seconds, self.check)
        self.members = Members(seconds * SILENCE, seconds * INTERVAL * 4)
        self._joining = Joining(node_id, seconds)
        self._stay: Stay | None = None  # if this node is a member
        self._owner: Stay | None = None  # as what it has claimed the names of its users
        self._settling_since: float | None = None
        self._heartbeat: IDelayedCall | None = None
        self._asking = self._ask_again = False
        self._tried = self._stopped = False
        self._under_way: set[_Does] = set()  # what takes a while, and is done once at a time
        self._waiting: Delay[Deferred[None]]
        self._waiting = Delay(clock, PATIENCE * seconds, lambda waiting: waiting.callback(None))

    @property
    def me(self) -> str:
        """As what this node is a member, or asks to be."""
        return self._joining.me

    @property
    def holds_names(self) -> bool:
        """Whether no other node can have the names of the users here."""
        owns = self._stay is not None and self._stay is self._owner
        return owns and not (self.validity.is_cut_off or self.validity.has_ended())

    @property
    def entitled(self) -> bool:
        """Whether the names of the users here are theirs, for all the other nodes know."""
        return self.holds_names and not self.settling

    @property
    def settling(self) -> bool:
        """Whether the engine has lost its data, and everybody has time to come back."""
        return self._settling_since is not None

    def check(self) -> bool:
        """Notice at once if this process was frozen, before any input is handled.

        False if it was: all its users have been ended.
        """
        return not self.validity.has_ended() or self._notice_end()

    # The engine tells:

    def connected(self) -> None:
        """Ask the engine at once what it knows of this node."""
        self._tried = True
        self.members.watch_anew()
        self._joining.watch_anew()
        if self._settling_since is not None:  # so that everybody has time to come back
            self._settling_since = self._clock.seconds()
        self.heartbeat_soon()

    def lost(self) -> None:
        """Wait for the engine to come back."""
        self._tried = True
        self._names.closed()
        self._update()
        self._let_go_on()

    # The node asks:

    def claim(self, name: Name) -> "Deferred[Claimed]":
        """Ask for a name, which may be cancelled; "later" if it can't be claimed in time."""
        return Deferred.fromCoroutine(self._claim(name))

    async def _claim(self, name: Name) -> Claimed:
        may_wait = not self._stopped and (self._engine.connected or not self._tried)
        if not self.ready and may_wait:
            await self.until_ready()
        if not self.ready:
            return "later"
        outcome = await self._names.claim(name)
        if outcome == "yours" and not self.entitled:
            self._names.release(name)
            return "later"
        return outcome

    def until_ready(self) -> "Deferred[None]":
        """Fire when names can be claimed, or not soon; it may be cancelled."""
        waiting: Deferred[None] = Deferred(self._waiting.stop)
        self._waiting.start(waiting)
        return waiting

    def leave(self) -> "Deferred[None]":
        """Be no member any more, if the engine can be told: the names are then free at once.

        Who is the last one waits until nothing is left of them, for as long as the engine goes on.
        """
        stay = self._stay
        self._stopped = True
        self._cancel_heartbeat()
        self._lose_membership()
        self._names.forget()
        self._let_go_on()
        return Deferred.fromCoroutine(self._leave(stay)).addErrback(lambda _: None)

    async def _leave(self, stay: Stay | None) -> None:
        script, left = LEAVE, True
        while stay is not None and left:
            asked = self._engine.script(script, *stay)
            left = await asked.addTimeout(LEAVING_SECONDS, self._clock)
            script = SWEEP

    def _update(self) -> None:
        ready = self.entitled and self._names.is_open
        if ready and not self.ready:
            _log.info("Names can be claimed", event="names_ready")
        elif self.ready and not (ready or self._stopped):  # else another process may go on as it
            _log.warn("No names can be claimed for now", event="names_not_ready")
        self.ready = ready
        if ready:
            self._let_go_on()

    def _let_go_on(self) -> None:
        """Let those go on who wait until names can be claimed."""
        for waiting in list(self._waiting):
            if not waiting.called:  # be it as one before it cancelled it
                self._waiting.stop(waiting)
                waiting.callback(None)

    # Heartbeats

    def meet(self, inc: str) -> bool:
        """Take it that the engine names another member; tell whether it is alive."""
        if self.members.meet(inc):
            self._members_changed()
        return inc in self.members.alive

    def _members_changed(self) -> None:
        members = self.members.alive
        ids = ", ".join(sorted(map(node_of, members))) or "none"
        _log.info("The other nodes are now: {ids}", event="nodes", ids=ids)
        self._met(members)
        self.exchange.members_changed(members)

    def heartbeat_soon(self) -> None:
        """Ask who the members are: send a heartbeat, or join; one at a time."""
        self._ask_again = True
        if not (self._asking or self._stopped) and self._engine.connected:
            asking = Deferred.fromCoroutine(self._ask())
            asking.addErrback(_unexpected).addBoth(lambda _: self._next())

    async def _ask(self) -> None:
        self._cancel_heartbeat()
        if self._stay and self._stay.epoch == self._engine.process.lost_epoch:
            self._lose_data()
        self._asking, self._ask_again = True, False
        stay, me, now = self._stay, self.me, self._clock.seconds()
        if stay is not None:
            asked = self._send_heartbeat(stay, now)
        else:
            asked = self._engine.script(JOIN, *self._joining.asks(self._engine.process, now))
        try:
            reply = await asked
        except ResponseError:
            self.members.watch_anew()  # the others may be answered no better
            return
        finally:
            self._asking = False
        self.check()
        if not self._stopped and (self._stay, self.me) == (stay, me):
            self._answered(reply, stay is None, now)

    def _send_heartbeat(self, stay: Stay, now: float) -> "Deferred[Any]":
        since = self._settling_since
        settled = since is not None and now - since >= SILENCE * self._seconds
        silent = self.members.silent(now)
        counts = int(settled), int(stay is self._owner), len(silent)
        others = (each.encode("latin-1") for each in (*chain(*silent), *self.members.risen))
        return self._engine.script(HEARTBEAT, *stay, *counts, *others)

    def _answered(self, reply: list[Any], joins: bool, sent: float) -> None:
        now = self._clock.seconds()
        epoch = reply.pop(1) if joins and reply[0] == b"MEMBER" else b""
        # Whatever somebody has written there, it is told again as it is.
        kind, *rest = [
            item.decode("latin-1") if isinstance(item, bytes) else item for item in reply
        ]
        if kind == "MEMBER":
            if joins:
                self._stay = Stay(self.me, self._joining.tries, epoch)
                self._joining.succeeded()
            self.validity.extend(sent)
            self._ask_again |= self.validity.is_cut_off
            self._hear(rest, sent, now, joined=joins)
        elif kind == "RESET":
            self._lose_data()
        elif kind == "DEAD":
            self._be_reborn()
        elif why := self._joining.refused(kind, rest, now):
            self._stopped = True
            self.refused(why)

    def _hear(self, reply: list[Any], sent: float, now: float, *, joined: bool) -> None:
        """Take what an answer tells a member."""
        assert self._stay is not None
        settling, dead, *nodes = reply
        was_open = self._names.is_open
        if self._engine.connected:
            self._names.opened(self._stay)
        if not settling:
            self._settling_since = None
        elif self._settling_since is None:
            # Who has not been a member yet has seen of no other engine that it lost anything.
            self._settling_since = (
                now - (self._joining.tries == 1) * self._engine.process.unused_for
            )
        values = dict(zip(nodes[::2], nodes[1::2], strict=True))
        changed = self.members.heard(values, self.me, sent, now, bool(settling))
        if joined or (self._names.is_open and not was_open):
            self._opened(self.me)
        if joined:
            where, text = self._engine.address, "Joined the cluster at {address} as node {id}"
            _log.info(text, event="joined", address=where, id=node_of(self.me))
        if changed:
            self._members_changed()
        self._once(self._claim_again)
        self._update()
        if dead:
            self._once(self._names.sweep)

    def _once(self, does: _Does) -> None:
        """Do something unless it is under way; if it fails, the next heartbeat tries it again."""
        if does not in self._under_way:
            self._under_way.add(does)
            doing = Deferred.fromCoroutine(does()).addErrback(_unexpected)
            doing.addCallback(lambda _: self._under_way.discard(does))

    def _next(self) -> None:
        """Ask again in time."""
        if self._asking or self._stopped or not self._engine.connected:
            return
        delay = INTERVAL * self._seconds
        if self._ask_again:
            delay = 0.0
        elif self._stay is not None:
            silence = self.members.next_silence - self._clock.seconds()
            delay = min(delay, max(silence, delay / 10))
        self._cancel_heartbeat()
        self._heartbeat = self._clock.callLater(delay, self.heartbeat_soon)

    def _cancel_heartbeat(self) -> None:
        if self._heartbeat is not None and self._heartbeat.active():
            self._heartbeat.cancel()

    # What may be lost

    def _notice_end(self) -> bool:
        """Be cut off, or if it is too late for that end all users; return False then."""
        if not self.validity.ended_in_others_eyes():
            _log.warn("Cut off: no answer from the engine for most of a lease", event="cut_off")
            self.validity.cut_off()
            self._update()
            self.heartbeat_soon()
            return True
        _log.warn("Stood still for so long that all users here are ended", event="stood_still")
        self._lose_membership()
        self.exchange.frozen()
        self._be_reborn()
        self.heartbeat_soon()
        return False

    def _lose_membership(self) -> None:
        self._stay = None
        self.validity.stop()
        self._settling_since = None
        self._ask_again = True
        self._names.closed()
        self._update()

    def _lose_data(self) -> None:
        """Join again as the same: the engine was restarted or emptied, or is another."""
        _log.warn("The engine has lost data: joining again", event="engine_data_lost")
        self._lose_membership()
        self.members.watch_anew()

    def _be_reborn(self) -> None:
        """Join as another: this node was declared dead, or has to take itself for dead."""
        self._joining.be_another()
        self._lose_membership()
        self._names.forget()
        self.exchange.reborn()

    async def _claim_again(self) -> None:
        """Claim the names of the users here after joining; then release those of nobody here."""
        while self._names.is_open and (stay := self._stay) is not self._owner:
            names = [user.name for user in self.exchange.here.values()]
            outcomes = await self._names.claim_again(names)
            if stay is self._stay:
                for name, outcome in zip(names, outcomes, strict=True):
                    if outcome == "taken":
                        self.exchange.expelled(name)
                if "later" not in outcomes:
                    self._owner = stay
                    self._update()
                    self.heartbeat_soon()  # all wait for that while the engine settles
        await self._names.release_others(self.exchange.here)


def _unexpected(why: Failure) -> None:
    if not why.check(EngineAway, ResponseError):
        _log.failure("What a member has to do failed", why)
