"""A user's talk with a server over a line: what is said on it, and what is shown of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from signal import SIGPIPE
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure

from chatpair.client import plain_codec
from chatpair.client.conversation import Conversation
from chatpair.client.ending import (
    CONNECTION_LOST,
    DONE,
    Ending,
    ExitStatus,
    interrupted,
    refusal,
    unanswered,
    unwritten,
)
from chatpair.client.errors import Ended, NotDelivered, NotJson, Refused
from chatpair.client.plain_line import PlainLine, Sent
from chatpair.client.screen import LINK_LOST, NO_JSON, TOO_LONG, Screen, Standing
from chatpair.client.waiters import Load, Room
from chatpair.client.waiting import AnyLine, call_when_free
from chatpair.codecs import plain
from chatpair.codecs.cleaning import clean_line
from chatpair.exchange import messages, names
from chatpair.wire.privacy import NEEDS_TLS

T = TypeVar("T")


class Talk(ABC):
    """What a person's talk and a pipe's have in common, from the name to the end.

    It lasts over as many connections as it takes, but for the first, which must be made at once.
    """

    _line: AnyLine
    _many_lines = False  # what is typed may come as several lines at once
    _may_ask_name = True  # when one is refused
    _if_lost = CONNECTION_LOST  # for good

    def __init__(
        self,
        screen: Screen,
        endpoint: IStreamClientEndpoint,
        *,
        name: str,
        to: str,
        wait: bool,
        password: str = "",
        clock: IReactorTime,
    ) -> None:
        """Take where the server is, the name to claim and whom to call; both may be empty.

        The password is for a name that asks for one. Who waits calls again until the other is
        there and free.
        """
        self.finished: Deferred[Ending] = Deferred()
        """Fires when all is over; fails with why there was no connection."""
        self._name = name
        self._password = password
        self._screen = screen
        self._endpoint = endpoint
        self._clock = clock
        self._to = to  # empty again when nobody is waited for any more
        self._wait = wait
        self._kind: type[AnyLine] = Conversation
        self._room = Room()  # in the output
        self._standing = Standing()
        self._has_line = False
        self._next_line: Callable[[str], None] | None = None  # what alone takes it, if asked for
        self.is_named = False  # so that what is typed is text or a command
        self._link_lost = False
        self._takes_lines = False
        self._asked = 0  # commands without an answer
        self._load = Load()  # says without a status
        self._quitting = False
        self._ending: Ending | None = None

    # What differs

    @abstractmethod
    def input_ended(self) -> None:
        """Quit, once what the user has said is said."""

    @abstractmethod
    def _needs_password(self, text: str, tried: bool) -> None:
        """Ask for the password of the name, unless it can't be; one was tried already, or not."""

    @abstractmethod
    def _no_name_came(self) -> None:
        """Leave: the user gives no name."""

    @abstractmethod
    def _welcomed(self) -> None:
        """Begin: the name is the user's."""

    @abstractmethod
    def _said(self, text: str) -> None:
        """Take a line that is no name, or several."""

    @abstractmethod
    def _called(self, peer: str) -> None:
        """Take the answer to a call."""

    @abstractmethod
    def _complain(self, why: Refused) -> None:
        """Tell why what the user asked for was not done."""

    @abstractmethod
    def _not_delivered(self, text: str, why: str) -> None:
        """Tell that a text has not arrived, for a reason that NotDelivered has."""

    # From the user

    def start(self) -> None:
        """Say the name, if there is one."""
        if self._name:
            self._claim(self._name)
        else:
            self._open("")  # nobody can be that: it tells whether the server is for programs

    def typed(self, text: str) -> None:
        """Take a line, or several with newlines between them."""
        if self._quitting:
            return
        answer, self._next_line = self._next_line, None
        if answer is None:
            self._said(text)
        else:
            self._takes_lines = False
            self._flow()
            answer(text)

    def quit(self) -> None:
        """Leave, once all is sent that the user has said."""
        if self._quitting:
            return
        self._quitting = True
        self._stands(leaving=True)
        self._flow()
        if self._has_line:
            self._line.quit()
        else:
            self._finish()

    def interrupt(self, number: int) -> None:
        """Quit because of a signal, or if that was asked for already, end at once."""
        if self._ending == interrupted(SIGPIPE):  # Ctrl-C has ended who reads this, too
            self._ending = interrupted(number)
        elif self._quitting:
            self._end_with(unanswered(number, self._standing.waiting))
        else:
            self.fail(interrupted(number))

    def fail(self, ending: Ending) -> None:
        """Quit because of a problem; the first one counts."""
        self._ending = self._ending or ending
        self.quit()

    # The producer of the output: until that takes more, the server keeps what it has

    def pauseProducing(self) -> None:
        self._room.pauseProducing()

    def resumeProducing(self) -> None:
        self._room.resumeProducing()
        self._went_on()

    def stopProducing(self) -> None:
        self.fail(interrupted(SIGPIPE))

    def output_failed(self, why: str) -> None:
        self.fail(unwritten(why))

    # The name

    def _ask_name(self) -> None:
        self._ask_for(self._screen.ask_name, self._claim)

    def _ask_for(self, ask: Callable[[], None], answer: Callable[[str], None]) -> None:
        self._next_line = answer
        self._takes_lines = True
        self._stands(name="", last=None)
        ask()
        self._flow()

    def _claim(self, name: str) -> None:
        if not name or isinstance(plain.parse_unnamed(name), messages.Quit):
            self._no_name_came()
            return
        try:
            names.parse(name)
        except names.BadName as why:
            self._refused("bad-name", str(why))
        else:
            self._open(name)

    def _refused(self, code: str, text: str) -> None:
        why = f"Bad name: {text}" if code == "bad-name" else text
        if self._may_ask_name:
            self._password = ""  # it was for this name
            self._screen.notice(why)
            self._ask_name()
        else:
            self.fail(refusal(code, why))

    def _open(self, name: str) -> None:
        self._name = name
        self.is_named = self._link_lost = False
        self._has_line = True
        self._line = self._kind(
            self._endpoint,
            name,
            self._told,
            self._linked,
            password=self._password,
            clock=self._clock,
        )
        self._line.finished.addCallback(self._line_ended)  # start fails for the same reason
        self._line.start(patient=False).addErrback(lambda _: None)

    def _welcome(self, motd: str) -> None:
        if self.is_named:
            return  # the server had forgotten the name
        self.is_named = True
        self._stands(name=self._name)
        self._screen.notice(f"Welcome, {self._name}.")
        if motd:
            self._screen.show(messages.Notice(motd))
        self._welcomed()

    # From the line

    def _linked(self, up: bool) -> None:
        self._stands(connected=up)
        if not up:
            self._screen.notice(LINK_LOST)
        elif self._link_lost:
            self._screen.notice("Connected again.")
        self._link_lost = not up

    def _told(self, event: messages.AnyEvent) -> Deferred[None]:
        match event:
            case messages.Status() | messages.Error(of=None, code="bad-line"):
                pass  # a bad line is one that a drop cut in two, and that has been said again
            case messages.Named(name=name, motd=motd):
                self._name = name  # which may be written otherwise where it has a password
                self._welcome(motd or "")
            case _:
                self._stands_as(self._standing.after(event))
                self._heard(event)
        return self._room.wait()

    def _heard(self, event: messages.AnyEvent) -> None:
        """Act upon an event that tells of others, and show it."""
        if not isinstance(event, messages.PeerTyping):
            self._screen.show(event)

    def _line_ended(self, why: BaseException | None) -> None:
        self._has_line = False
        self._stands(connected=False, peer=None)
        match why:
            case ConnectionLost():
                self._end_with(self._if_lost)
            case _ if why is None or self._quitting:
                self._finish()
            case Refused(code="bad-name") if not self._name:
                self._ask_name()
            case Refused(code="password", text=text) if text != NEEDS_TLS:
                tried, self._password = bool(self._password), ""
                self._needs_password(text, tried)
            case Refused(code="bad-name" | "reuse" | "password" as code, text=text):
                self._refused(code, text)
            case Refused(code=code, text=text):
                self._end_with(refusal(code, text))
            case NotJson() if isinstance(plain_codec.parse_event(str(why)), messages.Notice):
                # That is no answer to a name: the server is full, or another kind of thing.
                text = str(why) or "The server says nothing."
                self._end_with(Ending(ExitStatus.NO_CONNECTION, text))
            case NotJson():
                self._fall_back()
            case _:
                self.finished.errback(why)

    def _fall_back(self) -> None:
        self._screen.notice(NO_JSON)
        self._kind = PlainLine
        if self._name:
            self._open(self._name)
        else:
            self._ask_name()

    # What the user asks for, and what becomes of it

    def _call(self, name: str) -> None:
        self._ask(self._line.call(name), self._called)

    def _call_first(self) -> None:
        """Call the one who was to be called from the start."""
        if self._wait:
            tell = self._screen.notice
            calling = call_when_free(
                self._line, self._to, self._clock, self._still_waits, tell, self._called
            )
            Deferred.fromCoroutine(calling).addErrback(self._not_done)
        else:
            self._call(self._to)

    def _still_waits(self) -> bool:
        return bool(self._to) and not self._quitting

    def _ask(self, asked: Deferred[T], answered: Callable[[T], object]) -> None:
        self._asked += 1  # what is said next is meant for whoever the answer leads to
        self._flow()
        asked.addCallbacks(answered, self._not_done).addBoth(self._answered)

    def _not_done(self, failure: Failure) -> None:
        match failure.value:
            case Refused() as why:
                self._complain(why)
            case Ended():
                pass  # the line tells why
            case _:
                self._complain(Refused("too-long", TOO_LONG))

    def _answered(self, _: object) -> None:
        self._asked -= 1
        self._went_on()

    def _say(self, text: str) -> None:
        size = len(text.encode())
        self._load.add(size)
        self._stands(waiting=self._standing.waiting + 1, last="waiting")
        said: Deferred[Any] = self._line.say(text)
        said.addCallbacks(self._arrived, self._not_said, (size,), errbackArgs=(text,))
        said.addBoth(self._settled, size)
        self._flow()

    def _arrived(self, outcome: messages.Outcome | Sent, size: int) -> None:
        self._screen.arrived(size)
        if self._standing.waiting == 1:
            self._stands(last=outcome)

    def _not_said(self, failure: Failure, text: str) -> None:
        if self._standing.waiting == 1:
            self._stands(last="failed")
        if isinstance(failure.value, NotDelivered):
            self._not_delivered(text, failure.value.why)
        else:
            self._not_done(failure)

    def _settled(self, _: object, size: int) -> None:
        self._load.remove(size)
        self._stands(waiting=self._standing.waiting - 1)
        self._went_on()

    def _went_on(self) -> None:
        """Act upon an answer, a status or room in the output."""
        self._flow()

    @property
    def _waits(self) -> bool:
        """Whether what is said next must wait for answers."""
        return bool(self._asked) or self._load.is_full

    def _flow(self) -> None:
        """Read on, or wait."""
        takes = self._takes_lines and not (self._waits or self._quitting)
        self._screen.take_lines(takes, self._many_lines)

    def _stands(self, **changes: object) -> None:
        self._stands_as(replace(self._standing, **changes))  # type: ignore[arg-type]

    def _stands_as(self, standing: Standing) -> None:
        if standing != self._standing:
            self._standing = standing
            self._screen.stands(standing)

    # The end

    def _end_with(self, ending: Ending) -> None:
        self._ending = self._ending or ending
        self._finish()

    def _finish(self) -> None:
        if self.finished.called:
            return
        self._quitting = True
        self._flow()
        status, text = self._ending or DONE
        self.finished.callback(Ending(status, clean_line(text)))
