"""What may be wrong in a history, one thing at a time."""

from collections.abc import Callable, Iterator
from itertools import pairwise, permutations
from typing import Any, TypeAlias

from msgspec.structs import replace as altered

from chatpair.messages import Call, Error, Event, Free, Left, Message, Paired, Say, Status
from tests.support.history import End, History, Moment, Over, Session

Wrong: TypeAlias = Callable[[], None]
"""Makes a history wrong."""

NO_ZED = Error("to", "unknown", "The user zed does not exist.")


class Wrongs:
    """What may be done to a history so that it is wrong: each yields where it can be."""

    def __init__(self, history: History) -> None:
        self._sessions = history.sessions

    def _of(self, *kinds: type) -> Iterator[tuple[Session, int]]:
        """Yield where something of a kind is."""
        for session in self._sessions:
            for index, (_, what) in enumerate(session.moments):
                if isinstance(what, kinds):
                    yield session, index

    def _what(self, session: Session, index: int) -> Any:
        """Return what is there."""
        return session.moments[index].what

    def _put(self, session: Session, index: int, *moments: Moment, instead: int = 0) -> Wrong:
        """Return what puts things somewhere, in the place of so many."""

        def act() -> None:
            session.moments[index : index + instead] = moments

        return act

    def _after(self, session: Session, index: int, *kinds: type) -> Any:
        """Return the next thing of a kind."""
        later = (what for _, what in session.moments[index + 1 :] if isinstance(what, kinds))
        return next(later, None)

    def drop_a_confirmed_line(self) -> Iterator[Wrong]:
        confirmed = set()
        for session, index in self._of(Say):
            say = self._what(session, index)
            later = (what for _, what in session.moments[index:] if isinstance(what, Status))
            status = next((status for status in later if status.id >= say.id), None)
            if session.counts and status is not None and status.status == "confirmed":
                confirmed.add(say.text)
        for session, index in self._of(Message):
            if self._what(session, index).text in confirmed:
                yield self._put(session, index, instead=1)

    def drop_a_plain_line(self) -> Iterator[Wrong]:
        """Of which nothing is told that ends a pair, and whose readers all read on."""
        speakers = {self._what(*where).text: where for where in self._of(Say)}
        for session, index in self._of(Message):
            speaker, said = speakers[self._what(session, index).text]
            peers = {what.peer for _, what in speaker.moments if isinstance(what, Paired)}
            if (
                not speaker.counts
                and not speaker.ended
                and not self._after(speaker, said, Left, Error)
                and not any(one.may_have_missed for one in self._sessions if one.name in peers)
            ):
                yield self._put(session, index, instead=1)

    def tell_a_line_twice(self) -> Iterator[Wrong]:
        for session, index in self._of(Message):
            yield self._put(session, index, session.moments[index])

    def tell_a_line_to_another(self) -> Iterator[Wrong]:
        for session, index in self._of(Message):
            for other, where in self._of(Paired):
                if other is not session:
                    message = Moment(other.moments[where].at, self._what(session, index))
                    yield self._put(other, where + 1, message)

    def swap_two_lines(self) -> Iterator[Wrong]:
        for session in self._sessions:
            moments = enumerate(session.moments)
            lines = [index for index, (_, what) in moments if isinstance(what, Message)]
            for one, other in pairwise(lines):
                first, second = self._what(session, one), self._what(session, other)
                if first.sender == second.sender:
                    swapped = session.moments[one : other + 1]
                    swapped[0] = Moment(swapped[0].at, second)
                    swapped[-1] = Moment(swapped[-1].at, first)
                    yield self._put(session, one, *swapped, instead=len(swapped))

    def forge_a_line(self) -> Iterator[Wrong]:
        for session, index in self._of(Message):
            at, message = session.moments[index].at, self._what(session, index)
            yield self._put(session, index, Moment(at, altered(message, text="forged")))
            for name in {one.name for one in self._sessions} - {message.sender}:
                forged = Moment(at, altered(message, sender=name))
                yield self._put(session, index, forged, instead=1)

    def keep_a_name_that_another_has(self) -> Iterator[Wrong]:
        for one, other in permutations(self._sessions, 2):
            if one.name == other.name and one.granted < other.asked and one.ended:
                later = other.granted + 1
                act = (
                    Moment(later, Call("zed")),
                    Moment(later + 1, NO_ZED),
                    Moment(later + 1, Over()),
                )
                end = Moment(later + 2, one.moments[-1].what)
                yield self._put(one, len(one.moments) - 1, *act, end, instead=1)

    def leave_out_the_end_of_an_owner(self) -> Iterator[Wrong]:
        for one, other in permutations(self._sessions, 2):
            if one.name == other.name and one.granted < other.asked and one.ended:
                yield self._put(one, len(one.moments) - 1, instead=1)

    def leave_out_a_pair(self) -> Iterator[Wrong]:
        for session, index in self._of(Paired):
            following = self._after(session, index, Paired, Left, Free, Message, End)
            if isinstance(following, Left | Free | Message) or following is None:
                yield self._put(session, index, instead=1)

    def tell_of_a_pair_twice(self) -> Iterator[Wrong]:
        for session, index in self._of(Paired):
            yield self._put(session, index, session.moments[index])

    def make_a_second_pair(self) -> Iterator[Wrong]:
        for session, index in self._of(Paired):
            at = session.moments[index].at
            yield self._put(session, index + 1, Moment(at, Paired("zed")))

    def leave_out_the_end_of_a_pair(self) -> Iterator[Wrong]:
        for session, index in self._of(Left, Free):
            if self._after(session, index, Paired, End) is None:
                yield self._put(session, index, instead=1)

    def tell_twice_of_the_end_of_a_pair(self) -> Iterator[Wrong]:
        for session, index in self._of(Left, Free):
            yield self._put(session, index, session.moments[index])

    def leave_out_the_last_status(self) -> Iterator[Wrong]:
        for session, index in self._of(Status):
            if not session.ended and self._after(session, index, Status) is None:
                yield self._put(session, index, instead=1)

    def confirm_what_did_not_arrive(self) -> Iterator[Wrong]:
        arrived = {self._what(session, index).text for session, index in self._of(Message)}
        for session, index in self._of(Status):
            at, status = session.moments[index].at, self._what(session, index)
            says = (what for _, what in session.moments if isinstance(what, Say))
            texts = [say.text for say in says if say.id == status.id]
            if status.status == "failed" and arrived.isdisjoint(texts):
                confirmed = Moment(at, Status(status.id, "confirmed"))
                yield self._put(session, index, confirmed, instead=1)

    def tell_of_what_was_not_said(self) -> Iterator[Wrong]:
        for session, index in self._of(Status):
            at, status = session.moments[index].at, self._what(session, index)
            yield self._put(session, index, Moment(at, altered(status, id=status.id + 1_000)))

    def go_on_after_the_end(self) -> Iterator[Wrong]:
        for session, index in self._of(End):
            yield self._put(session, index + 1, Moment(session.moments[index].at, NO_ZED))

    def go_back_in_time(self) -> Iterator[Wrong]:
        for session, index in self._of(Event):
            yield self._put(session, index, Moment(0, self._what(session, index)), instead=1)


WRONGS = [name for name in vars(Wrongs) if not name.startswith("_")]
