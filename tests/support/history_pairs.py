"""Pairs as each client saw them: calls, what came of them, and whether two tell the same."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Literal, TypeAlias

from chatpair.exchange import messages
from tests.support.history import End, Fault, History, Lines, Over, Session

_REFUSALS = frozenset(("unknown", "busy", "dnd", "self"))
_PENDING = frozenset(("try-later", "ringing"))  # a pair may come of it yet

How: TypeAlias = Literal["", "left", "free", "switched", "end", "unseen"]
"""How a pair ended, if it has."""


@dataclass
class Called:
    """A call, and how it was answered."""

    to: str
    at: float
    outcome: Literal["", "refused", "already", "pending", "paired", "taken back"] = ""
    over: float = inf
    answered: float = inf
    is_unknown: bool = False
    """Whether it was refused as nobody has the name, or only a node that is dead."""

    @property
    def may_pair(self) -> bool:
        """Whether a pair may yet come of it, as far as the client has read."""
        return self.over == inf or self.outcome == "pending"


@dataclass
class Pair:
    """A pair as one of its two saw it."""

    session: Session
    peer: str
    index: int
    began: float
    after: float
    """When what came of something begun then had been told of already."""
    own_call: Called | None
    """The call of its own that may have made it."""
    cause: float = 0.0
    """The earliest begin of what may have made it."""
    end_index: int = 2**62
    ended: float = inf
    how: How = ""


class Stream:
    """What one session was told, in order."""

    def __init__(self, session: Session, lines: Lines) -> None:
        self.session = session
        self.calls: list[Called] = []
        self.pairs: list[Pair] = []
        self.faults: list[Fault] = []
        self.new_rings: list[Called] = []
        """Calls that began to ring, as far as the client can tell."""
        self.rung: list[tuple[str, float]] = []
        """Who called it so, and when it had read that."""
        self._lines = lines
        self._rings: Called | None = None
        self._now: Pair | None = None
        self._hung_up: deque[float] = deque()
        self.after = session.asked
        """The begin of the last thing of which it was told what came of it."""
        self.read_until = session.asked
        """The same, of more things: all that it was told before that began it has surely read."""
        self._said: dict[int, float] = {}
        for index, (at, what) in enumerate(session.moments):
            self._take(index, at, what)

    def peer_at(self, index: int) -> str | None:
        """Return whom the client took for its peer at one of its moments."""
        for pair in self.pairs:
            if pair.index < index <= pair.end_index:
                return pair.peer
        return None

    def _take(self, index: int, at: float, what: object) -> None:
        match what:
            case messages.Call(name):
                self.calls.append(Called(name.casefold(), at))
            case messages.Error(of, code) if of in (None, "to") and self.calls:
                self._refused(at, code)
            case Over(lost):
                self._over(at, lost)
            case messages.HangUp():
                self._hung_up.append(at)
            case messages.Message(sender, text):
                if self._now is None or sender.casefold() != self._now.peer:
                    self._fault(f"hears {text!r} of {sender}, and is not paired so")
                if text in self._lines.said:
                    self.after = max(self.after, self._lines.said[text].at)
            case messages.Paired(peer):
                self._paired(index, at, peer.casefold())
            case messages.Left() | messages.Free() | End() | messages.Resumed():
                self._free(index, at, what)
            case messages.Say(number):
                self._said[number] = at
            case messages.Status(number) if number in self._said:
                self.read_until = max(self.read_until, self._said[number])
            case messages.Ringing(caller):
                self.rung.append((caller.casefold(), at))
            case messages.Unanswered():
                self._rings = None

    def _free(
        self, index: int, at: float, what: messages.Left | messages.Free | End | messages.Resumed
    ) -> None:
        match what:
            case messages.Left(peer):
                if self._now is None or peer.casefold() not in ("", self._now.peer):
                    self._fault(f"is told at {at:.3f} that {peer} left, and was not paired so")
                self._end(index, at, "left")
            case messages.Free():
                if self._now is None and not any(call.outcome == "pending" for call in self.calls):
                    self._fault(f"is free at {at:.3f}, and was not paired")
                self._end(index, at, "free")
                self._take_back()
            case messages.Resumed(_, peer) if not self.session.counts:
                self._recalled(index, at, peer.casefold() if peer else None)
            case End():
                self._end(index, at, "end")

    def _fault(self, text: str) -> None:
        self.faults.append(Fault("pairs", f"{self.session} {text}"))

    def _refused(self, at: float, code: str) -> None:
        call = self.calls[-1]
        if code == "already" and call.over == inf:
            call.outcome = "already"  # which is said of names that are not sure any more, too
            if self._now is None or self._now.peer != call.to:
                self._fault(f"is told that it is paired with {call.to}, which it is not")
        elif code in _REFUSALS | _PENDING and call.over == inf:
            call.outcome = "pending" if code in _PENDING else "refused"
            if code == "ringing":
                self._ringing(call)
            call.answered = at
            call.is_unknown = code == "unknown"
            self.after = max(self.after, call.at)

    def _ringing(self, call: Called) -> None:
        is_new = self._rings is None or self._rings.to != call.to
        if is_new and not self.session.has_come_back_plain:
            self.new_rings.append(call)
        self._rings = call

    def _take_back(self) -> None:
        if self._rings is not None:
            self._rings.outcome = "taken back"
        self._rings = None

    def _over(self, at: float, lost: bool) -> None:
        call = self.calls[-1]
        call.over = at
        if not lost:
            self.read_until = max(self.read_until, call.at)
        if not call.outcome:
            told = any(pair.peer == call.to and pair.ended > call.at for pair in self.pairs)
            call.outcome = "paired" if told or not lost else "pending"
            if not told and not lost:
                self._fault(f"has no answer to its call of {call.to} at {call.at:.3f}")

    def _own_call(self, peer: str) -> Called | None:
        """Return the first call of a peer that a pair may come of, and that none has come of."""
        used = [pair.own_call for pair in self.pairs if pair.how == "switched"]
        calls = (call for call in self.calls if call.to == peer and call.may_pair)
        return next((call for call in calls if call not in used), None)

    def _paired(self, index: int, at: float, peer: str) -> None:
        call = self._own_call(peer)
        if self._now is not None and self._now.peer == peer:
            self._fault(f"is paired at {at:.3f} with {peer}, which it is already")
        elif self._now is not None and call is None:
            self._fault(f"is paired at {at:.3f} with {peer}, beside {self._now.peer}")
        self._end(index, at, "switched")
        self._begin(index, at, peer, call)
        self._take_back()

    def _begin(self, index: int, at: float, peer: str, call: Called | None) -> None:
        self._now = Pair(self.session, peer, index, at, self.after, call)
        self.pairs.append(self._now)

    def _end(self, index: int, at: float, how: How) -> None:
        if how == "free" and self._hung_up:
            self.after = max(self.after, self._hung_up.popleft())
        if self._now is not None:
            self._now.end_index, self._now.ended, self._now.how = index, at, how
            self._now = None

    def _recalled(self, index: int, at: float, peer: str | None) -> None:
        """Heed how things stood when the connection was lost: what it told last may be lost."""
        if self._now is not None and self._now.peer != peer:
            self._end(index, at, "unseen")
        if self._now is None and peer is not None:
            self._begin(index, at, peer, self._own_call(peer))


class Pairs:
    """The streams of all sessions, and what made each pair."""

    def __init__(self, history: History, lines: Lines) -> None:
        self.history = history
        self.streams = {session: Stream(session, lines) for session in history.sessions}
        self.faults = [fault for stream in self.streams.values() for fault in stream.faults]
        self._of: defaultdict[tuple[str, str], list[Pair]] = defaultdict(list)
        for stream in self.streams.values():
            for pair in stream.pairs:
                self._of[pair.session.key, pair.peer].append(pair)
                self._find_cause(pair)
        self.faults += self._unlike_at_the_end()
        for (name, peer), pairs in self._of.items():
            self.faults += self._unmatched(pairs, self._of.get((peer, name), []))
        self.faults += self._unheard_calls()

    def _find_cause(self, pair: Pair) -> None:
        """Find the first call that may have made a pair: after what was told before it."""
        calls = [
            call.at
            for session in self.history.of_name(pair.peer)
            for call in self.streams[session].calls
            if call.to == pair.session.key
            and (call.outcome != "refused" or self._may_be_wrong(call, session, pair.session))
            and (call.may_pair or call.over > pair.after)
        ]
        begin = min([pair.own_call.at if pair.own_call else inf, *calls])
        if begin < pair.began:
            pair.cause = max(begin, pair.after)
        else:
            text = f"{pair.session} is paired at {pair.began:.3f} with {pair.peer}, uncalled"
            self.faults.append(Fault("pairs", text))

    def _unlike_at_the_end(self) -> Iterator[Fault]:
        """Check that whoever is in a pair at the end is so with one who says the same."""
        open_pairs = Counter(
            names for names, pairs in self._of.items() for pair in pairs if pair.how == ""
        )
        for (name, peer), number in open_pairs.items():
            if open_pairs[peer, name] != number:
                yield Fault("mutual", f"{name} is paired with {peer} at the end, not so {peer}")

    def _unmatched(self, pairs: list[Pair], others: list[Pair]) -> Iterator[Fault]:
        """Check that a pair which the session itself ended was one for the other too.

        One that ended otherwise may have been told of after the other had gone. So may any, if
        the other's session ended before all that was told had been read.
        """
        others = sorted(others, key=lambda pair: pair.ended)
        for pair in pairs:
            if pair.how not in ("free", "switched"):
                continue
            for number, other in enumerate(others):
                if other.cause <= pair.ended and pair.cause <= other.ended:
                    del others[number]
                    break
            else:
                peers = self.history.of_name(pair.peer)
                if not any(self.may_not_know(session, pair.session) for session in peers):
                    text = f"{pair.session} was paired with {pair.peer}, who knows nothing of it"
                    yield Fault("mutual", text)

    def may_not_know(self, session: Session, peer: Session) -> bool:
        """Tell whether a pair that the peer saw may have been none for a session."""
        calls = (call for call in self.streams[session].calls if call.to == peer.key)
        return session.may_have_missed or any(
            call.outcome == "pending" or self._may_be_wrong(call, session, peer) for call in calls
        )

    def _may_be_wrong(self, call: Called, caller: Session, callee: Session) -> bool:
        """Tell whether a pair may have come of a call that was refused.

        The node of the callee may have made it, and then have been taken for dead.
        """
        return call.is_unknown and (
            callee.may_have_missed
            or any(
                cut.node in (caller.node, callee.node)
                and cut.begin <= call.over
                and call.at <= cut.end
                for cut in self.history.cuts
            )
        )

    def _unheard_calls(self) -> Iterator[Fault]:
        """Check that each call which began to ring was told of: anew, if one was taken back."""
        rung: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        for stream in self.streams.values():
            for caller, at in stream.rung:
                rung[caller, stream.session.key].append(at)
        calls = ((call, one) for one in self.streams.values() for call in one.new_rings)
        for call, stream in sorted(calls, key=lambda each: each[0].at):
            times = sorted(rung[stream.session.key, call.to])
            told = next((at for at in times if at >= call.at), None)
            if told is not None:
                rung[stream.session.key, call.to].remove(told)
            elif all(self._has_read(one, call) for one in self.history.of_name(call.to)):
                text = f"{call.to} is not told that {stream.session} calls at {call.at:.3f}"
                yield Fault("rung", text)

    def _has_read(self, session: Session, call: Called) -> bool:
        """Tell whether a session surely has read all that it was told when a call was answered."""
        if session.has_come_back_plain:
            return False
        if session.asked > call.answered or not session.may_have_missed:
            return True
        stream = self.streams[session]
        return max(stream.after, stream.read_until) > call.answered
