"""The promises to the users of a cluster, checked in a history of what they saw."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain, combinations
from math import inf
from typing import NamedTuple

from msgspec import UNSET

from chatpair.exchange.messages import Error, Left, Message, Resume, Resumed, Say, Status
from tests.support.history import Fault, History, Lines, Said, Session, event_faults
from tests.support.history_pairs import Pairs


def faults(history: History) -> list[Fault]:
    """Return every promise that a finished history breaks.

    It is finished when all that was still to be told has been told.
    """
    lines = Lines(history)
    pairs = Pairs(history, lines)
    found = [fault for session in history.sessions for fault in event_faults(session)]
    found += pairs.faults
    found += _owner_faults(history, lines, pairs)
    found += _heard_faults(lines, pairs)
    for session in history.sessions:
        found += _status_faults(session, lines)
    found += _untold_faults(history, lines, pairs)
    return found


# Owners


class _Proof(NamedTuple):
    """A session had its name at some moment between these."""

    begin: float
    end: float
    in_pair: bool = False
    """Whether it could be so on a node that is cut off."""


class _Tenure(NamedTuple):
    """Surely the owner from one moment to another; or if that is later, once between them."""

    session: Session
    begin: float
    end: float

    def __str__(self) -> str:
        return f"{self.session} ({self.begin:.3f} to {self.end:.3f})"

    def excludes(self, other: "_Tenure") -> bool:
        """Tell whether both can't be true of one name."""
        if self.begin <= self.end and other.begin <= other.end:
            return self.begin <= other.end and other.begin <= self.end
        sure, unsure = (self, other) if self.begin <= self.end else (other, self)
        return sure.begin <= unsure.end and unsure.begin <= sure.end


def _proofs(session: Session, lines: Lines, pairs: Pairs) -> Iterator[_Proof]:
    yield _Proof(session.asked, session.granted)
    stream = pairs.streams[session]
    for call in stream.calls:
        if call.outcome in ("refused", "paired"):
            yield _Proof(call.at, min(call.answered, call.over))
    for pair in stream.pairs:
        if pair.how != "unseen":
            yield _Proof(pair.cause, pair.began)
    returned = 0.0
    for at, what in session.moments:
        match what:
            case Resume():
                returned = at
            case Resumed():
                yield _Proof(returned, at, True)
            case Message(text=text) if text in lines.said:
                yield _Proof(lines.said[text].at, at, True)
    for said in lines.said.values():
        if said.session is session:
            for heard in lines.heard[said.say.text]:
                yield _Proof(said.at, heard.at, True)


def _tenures(history: History, session: Session, proofs: Iterator[_Proof]) -> Iterator[_Tenure]:
    """Yield when a session was the owner: once, and once more after each cut of its node.

    Within a cut the node may have lost and regained the name any number of times.
    """
    cuts = sorted(cut for cut in history.cuts if cut.node == session.node)
    parts: defaultdict[int, list[_Proof]] = defaultdict(list)
    for proof in proofs:
        if proof.in_pair and any(cut.begin <= proof.begin < cut.end for cut in cuts):
            continue
        if any(proof.begin < cut.end and cut.begin < proof.end < inf for cut in cuts):
            yield _Tenure(session, proof.end, proof.begin)
            continue
        parts[sum(cut.end <= proof.begin for cut in cuts)].append(proof)
    for number, part in parts.items():
        if number and session.granted < cuts[number - 1].end:  # else it could not have it any more
            part.append(_Proof(cuts[number - 1].end, cuts[number - 1].end))
        yield _Tenure(session, min(one.end for one in part), max(one.begin for one in part))


def _owner_faults(history: History, lines: Lines, pairs: Pairs) -> Iterator[Fault]:
    by_name: defaultdict[str, list[_Tenure]] = defaultdict(list)
    times = ((one.granted, *(at for at, _ in one.moments)) for one in history.sessions)
    end = max(chain.from_iterable(times), default=0.0)
    for session in history.sessions:
        proofs = _proofs(session, lines, pairs)
        at_end = () if session.ending else (_Proof(end, inf),)
        by_name[session.key] += _tenures(history, session, chain(proofs, at_end))
    for tenures in by_name.values():
        for one, other in combinations(tenures, 2):
            if one.session is not other.session and one.excludes(other):
                yield Fault("owners", f"{one} and {other}")


# Lines


def _heard_faults(lines: Lines, pairs: Pairs) -> Iterator[Fault]:
    """Check that what arrived was said so, to whom it arrived at, and came once and in order."""
    last: dict[tuple[str, Session], Said] = {}
    arrived: dict[str, Session] = {}
    for hearer, at, message, again in lines.arrivals:
        text = message.text
        said = lines.said.get(text)
        if said is None or said.session.key != message.sender.casefold():
            yield Fault("lines", f"{hearer} hears {text!r}, which {message.sender} did not say")
        elif text in arrived:
            if not again or arrived[text] is not hearer:
                yield Fault("lines", f"{hearer} hears {text!r}, which has arrived already")
        else:
            arrived[text] = hearer
            if said.at > at:
                yield Fault("lines", f"{hearer} hears {text!r} before it is said")
            if hearer.key not in _meant_for(said, hearer, pairs):
                yield Fault("lines", f"{hearer} hears {text!r}, which was for another")
            before = last.get((said.session.key, hearer))
            if before is not None and said.precedes(before):
                yield Fault("lines", f"{hearer} hears {text!r} after what was said later")
            last[said.session.key, hearer] = said


def _meant_for(said: Said, hearer: Session, pairs: Pairs) -> set[str]:
    """Return whom a text may reach: the peer that it is for, or any from that moment on."""
    if said.say.to is not UNSET:
        return {said.say.to.casefold()}
    if said.session.may_have_missed:
        return {hearer.key}
    stream = pairs.streams[said.session]
    now = stream.peer_at(said.place)
    return {*([now] if now else ()), *(p.peer for p in stream.pairs if p.index > said.place)}


def _status_faults(session: Session, lines: Lines) -> Iterator[Fault]:
    """Check that a program is told of each text once what became of it, and that it is so."""
    if not session.counts:
        return
    says: dict[int, str] = {}
    outcomes: dict[int, Status] = {}
    told = 0
    for at, what in session.moments:
        if isinstance(what, Say):
            says[what.id] = what.text
        if not isinstance(what, Status):
            continue
        if what.id <= told and outcomes.get(what.id, what).status != what.status:
            yield Fault("told", f"{session} is told of {what.id} once more, otherwise")
        for number in range(told + 1, what.id + 1):
            outcomes[number] = what
            if number not in says:
                yield Fault("told", f"{session} is told of {number}, which it has not said yet")
            else:
                yield from _outcome_faults(session, at, says[number], what, lines)
        told = max(told, what.id)
    if not session.ending:
        for number in says.keys() - outcomes.keys():
            yield Fault("told", f"{session} is not told what became of {says[number]!r}")


def _outcome_faults(
    session: Session, at: float, text: str, status: Status, lines: Lines
) -> Iterator[Fault]:
    heard = [one for one in lines.heard[text] if one.at <= at]
    match status.status, status.why:
        case "confirmed", _ if not any(one.session.counts for one in heard):
            yield Fault("told", f"{session} has {text!r} confirmed, which has not arrived")
        case "failed", "nobody" | "missing" if lines.heard[text]:
            yield Fault("told", f"{session} said {text!r} to nobody, but it has arrived")
        case "handed", _ if any(one.session.counts for one in lines.heard[text]):
            yield Fault("told", f"{session} has {text!r} handed, to a program")


def _untold_faults(history: History, lines: Lines, pairs: Pairs) -> Iterator[Fault]:
    """Check that the sender of each text that did not arrive is told."""
    for text, said in lines.said.items():
        if lines.heard[text] or said.session.ending:
            continue
        if said.session.counts:
            later = [what for _, what in said.session.moments[said.place :]]
            statuses = [
                what for what in later if isinstance(what, Status) and what.id >= said.say.id
            ]
            if not statuses or statuses[0].status != "handed":
                continue  # it has failed, or there is a fault already
        elif _has_heard_of_an_end(said):
            continue
        if not _reader_is_gone(history, said, pairs):
            yield Fault("told", f"{said.session} is not told that {text!r} did not arrive")


def _has_heard_of_an_end(said: Said) -> bool:
    """Tell whether a plain user was told, after speaking, that nobody listens.

    One that comes back knows that the connection was lost, and what it had just said with it.
    """
    return any(
        isinstance(what, Left | Resume) or (isinstance(what, Error) and what.code == "nobody")
        for _, what in said.session.moments[said.place :]
    )


def _reader_is_gone(history: History, said: Said, pairs: Pairs) -> bool:
    """Tell whether whoever a text was for went without reading to the end.

    That is all that a kernel which took it can tell. So it is for a plain speaker who has ended
    the pair since, and hears no more of it; to whom a node that is cut off is as one that is gone,
    and so is whoever has ended it at the same moment, or taken back the call that it came of.
    """
    stream, speaker = pairs.streams[said.session], said.session
    now = [pair for pair in stream.pairs if pair.index < said.place <= pair.end_index]
    has_ended_it = not speaker.counts and any(pair.how in ("free", "switched") for pair in now)
    crossed = {
        pair.session
        for reader in history.sessions
        for pair in pairs.streams[reader].pairs
        if pair.peer == speaker.key and pair.how in ("free", "switched", "end")
    }
    peers = [stream.peer_at(said.place), *(p.peer for p in stream.pairs if p.index > said.place)]
    readers = [one for peer in peers if peer for one in history.of_name(peer)]
    nodes = {cut.node for cut in history.cuts if cut.end > said.at}
    return any(
        one.may_have_missed
        or (not speaker.counts and {one.node, speaker.node} & nodes)
        or (has_ended_it and (one in crossed or pairs.may_not_know(one, speaker)))
        for one in readers
    )
