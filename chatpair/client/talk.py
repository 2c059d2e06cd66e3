"""A user's talk with a server over a line: what is said on it, and what is shown of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure

from chatpair import names
from chatpair.client.conversation import Screen
from chatpair.client.line import Line
from chatpair.client.session import (
    MAX_LINE,
    UNSETTLED_BYTES,
    UNSETTLED_SAYS,
    Ended,
    NotDelivered,
    NotJson,
    Refused,
)
from chatpair.codecs import plain
from chatpair.messages import (
    AnyEvent,
    Error,
    JsonEvent,
    Left,
    Message,
    Named,
    Notice,
    PeerTyping,
    Quit,
    Status,
)
from chatpair.text import clean

T = TypeVar("T")

TOO_LONG = f"That line was not sent: it has over {MAX_LINE} bytes in JSON."


def _lines(event: AnyEvent) -> list[str]:
    """Return the lines that show an event, clean whatever the server says."""
    return [clean(line) for line in plain.render(event).removesuffix(b"\r\n").split(b"\r\n")]


class Talk(ABC):
    """What a person's talk and a pipe's have in common, from the name to the end.

    It lasts over as many connections as it takes, but for the first, which must be made at once.
    """

    _room: Deferred[None] | None = None  # fires when more output is taken; none if it is
    _line: Line

    def __init__(
        self,
        screen: Screen,
        endpoint: IStreamClientEndpoint,
        *,
        name: str,
        to: str,
        clock: IReactorTime | None = None,
    ) -> None:
        """Take where the server is, the name to claim and whom to call; both may be empty."""
        self.name = name
        self.finished: Deferred[str] = Deferred()
        """Fires when all is over, with what went wrong or nothing.

        Fails with why there was no connection, or with NotJson if the server is a plain one.
        """
        self._screen = screen
        self._endpoint = endpoint
        self._clock = clock
        self._to = to
        self._has_line = False
        self._asking_name = False  # the next line is a name
        self._named = False
        self._link_lost = False
        self._takes_lines = False
        self._asked = 0  # commands without an answer
        self._unsettled = self._unsettled_bytes = 0  # says without a status
        self._full = False  # there are too many of those
        self._quitting = False
        self._problem = ""

    # What differs

    @abstractmethod
    def input_ended(self) -> None:
        """Quit, once what the user has said is said."""

    @abstractmethod
    def _may_ask_name(self) -> bool:
        """Tell whether another name may be asked for when one is refused."""

    @abstractmethod
    def _no_name_came(self) -> None:
        """Leave: the user gives no name."""

    @abstractmethod
    def _welcomed(self) -> None:
        """Begin: the name is the user's."""

    @abstractmethod
    def _said(self, line: str) -> None:
        """Take a line that is no name."""

    @abstractmethod
    def _called(self, peer: str) -> None:
        """Take the answer to a call."""

    @abstractmethod
    def _complain(self, text: str) -> None:
        """Tell why what the user asked for was not done."""

    @abstractmethod
    def _not_delivered(self, text: str, why: str) -> None:
        """Tell that a text has not arrived, for a reason that NotDelivered has."""

    @abstractmethod
    def _interrupted(self) -> None:
        """Quit."""

    # From the user

    def start(self) -> None:
        """Say the name, if there is one."""
        if self.name:
            self._claim(self.name)
        else:
            # Nobody can be that. So the answer tells whether there is a server for programs,
            # before anybody is asked for a name.
            self._open("")

    def typed(self, line: str) -> None:
        """Take a line that the user typed, or that a pipe had."""
        if self._quitting:
            return
        if self._asking_name:
            self._asking_name = False
            self._claim(line)
        else:
            self._said(line)

    def quit(self) -> None:
        """Leave, once all is sent that the user has said."""
        if self._quitting:
            return
        self._quitting = True
        self._flow()
        if self._has_line:
            self._line.quit()
        else:
            self._finish()

    def interrupt(self) -> None:
        """Quit, or if that has been said already, end at once."""
        if self._quitting:
            self._problem = self._problem or "The server did not answer."
            self._finish()
        else:
            self._interrupted()

    def fail(self, problem: str) -> None:
        """Quit because of a problem; the first one counts."""
        self._problem = self._problem or problem
        self.quit()

    # The producer of the output

    def pauseProducing(self) -> None:
        """Let the server keep what it has, until the output takes more."""
        self._room = Deferred()

    def resumeProducing(self) -> None:
        """Go on."""
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)
        self._went_on()

    def stopProducing(self) -> None:
        """Quit: nobody reads the output any more."""
        self.fail("The output was closed.")

    # The name

    def _ask_name(self) -> None:
        self._asking_name = self._takes_lines = True
        self._screen.ask_name()
        self._flow()

    def _claim(self, name: str) -> None:
        self._takes_lines = False
        self._flow()
        if isinstance(plain.parse_unnamed(name), Quit):
            self._no_name_came()
            return
        try:
            names.parse(name)
        except names.BadName as why:
            self._refused(f"Bad name: {why}")
        else:
            self._open(name)

    def _refused(self, why: str) -> None:
        if self._may_ask_name():
            self._notice(why)
            self._ask_name()
        else:
            self.fail(why)

    def _open(self, name: str) -> None:
        self.name = name
        self._named = self._link_lost = False
        self._has_line = True
        self._line = Line(self._endpoint, name, self._told, self._linked, clock=self._clock)
        self._line.finished.addCallback(self._line_ended)
        # It fails for the same reason as the line ends.
        self._line.start(patient=False).addErrback(lambda _: None)

    def _welcome(self, motd: str) -> None:
        if self._named:
            return  # the server had forgotten the name
        self._named = True
        self._notice(f"Welcome, {self.name}.")
        if motd:
            self._notice(motd)
        self._welcomed()

    # From the line

    def _linked(self, up: bool) -> None:
        if not up:
            self._notice("The connection is lost. Trying again ...")
        elif self._link_lost:
            self._notice("Connected again.")
        self._link_lost = not up

    def _told(self, event: JsonEvent) -> Deferred[None] | None:
        match event:
            case Message():
                for line in _lines(event):
                    self._screen.show(line)
            case Status() | PeerTyping():
                pass
            case Error(of=None, code="bad-line"):
                pass  # a line that a drop cut in two, and that has been said again
            case Named(motd=motd):
                self._welcome(motd or "")
            case _:
                self._heard(event)
        return self._room

    def _heard(self, event: JsonEvent) -> None:
        """Act upon an event that is no text, and show it."""
        match event:
            case Left(why="stopped"):
                pass  # the server says so next
            case Left(peer):
                self._show(Notice(f"{peer} has left."))
            case _:
                self._show(event)

    def _line_ended(self, why: Exception | None) -> None:
        self._has_line = False
        match why:
            case _ if why is None or self._quitting:
                self._finish()
            case Refused(code="bad-name") if not self.name:
                self._ask_name()
            case Refused(code="bad-name", text=text):
                self._refused(f"Bad name: {text}")
            case Refused(code="reuse", text=text):
                self._refused(text)
            case Refused(text=text):
                self._end_with(text)
            case ConnectionLost():
                self._end_with("The connection to the server was lost.")
            case NotJson() if isinstance(plain.parse_event(str(why)), Notice):
                # That is no answer to a name: the server is full, or another kind of thing.
                self._end_with(str(why) or "The server says nothing.")
            case _:
                self.finished.errback(why)

    # What the user asks for, and what becomes of it

    def _call(self, name: str) -> None:
        self._ask(self._line.call(name), self._called)

    def _ask(self, asked: Deferred[T], answered: Callable[[T], object]) -> None:
        # What is said next is meant for whoever the answer leads to. So no more is read.
        self._asked += 1
        self._flow()
        asked.addCallbacks(answered, self._not_done).addBoth(self._answered)

    def _not_done(self, failure: Failure) -> None:
        match failure.value:
            case Refused(text=text):
                self._complain(text)
            case Ended():
                pass  # the line tells why
            case _:
                self._complain(TOO_LONG)

    def _answered(self, _: object) -> None:
        self._asked -= 1
        self._went_on()

    def _say(self, text: str) -> None:
        size = len(text.encode())
        self._unsettled += 1
        self._unsettled_bytes += size
        said = self._line.say(text)
        said.addErrback(self._not_said, text).addBoth(self._settled, size)
        self._flow()

    def _not_said(self, failure: Failure, text: str) -> None:
        if isinstance(failure.value, NotDelivered):
            self._not_delivered(text, failure.value.why)
        else:
            self._complain(TOO_LONG)

    def _settled(self, _: object, size: int) -> None:
        self._unsettled -= 1
        self._unsettled_bytes -= size
        self._went_on()

    def _went_on(self) -> None:
        """Act upon an answer, a status or room in the output."""
        self._flow()

    def _flow(self) -> None:
        """Read on, or wait: no more may be unsettled than the line lets go at once."""
        share = max(self._unsettled / UNSETTLED_SAYS, self._unsettled_bytes / UNSETTLED_BYTES)
        self._full = share >= 1 or (self._full and share > 0.5)
        waits = self._asked or self._full or self._quitting
        self._screen.take_lines(self._takes_lines and not waits)

    # The screen

    def _notice(self, text: str) -> None:
        self._show(Notice(text))

    def _show(self, event: AnyEvent) -> None:
        for line in _lines(event):
            self._screen.notice(line)

    # The end

    def _end_with(self, problem: str) -> None:
        self._problem = self._problem or problem
        self._finish()

    def _finish(self) -> None:
        if not self.finished.called:
            self._quitting = True
            self._flow()
            self.finished.callback(clean(self._problem.encode()))
