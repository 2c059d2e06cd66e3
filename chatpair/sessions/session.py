"""What the commands of a connection do, in whichever dialect they came."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from msgspec import UNSET
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatpair.codecs import json, plain
from chatpair.exchange import messages
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.messages import AnyCommand, AnyEvent, Error, Notice
from chatpair.exchange.user import Connection, Inbox, User
from chatpair.exchange.visitors import Visitor
from chatpair.sessions.password import PasswordCheck
from chatpair.sessions.under_way import UnderWay

FULL = Error("name", "try-later", plain.FULL)

_log = Logger()

Answer = TypeVar("Answer")


class Speaker(Connection, Visitor, Protocol):
    """What a session needs of its connection; ChatProtocol says what each is."""

    factory: Exchange
    transport: Any
    user: User | None
    peer: User | None
    handle_line: Callable[[bytes], object]
    turn: int

    @property
    def closed(self) -> bool: ...
    @property
    def input_state(self) -> str: ...
    @property
    def input_ended(self) -> bool: ...
    def bind(self) -> None: ...
    def check_flow(self) -> None: ...
    def end(self, reason: str) -> None: ...
    def handle_rest(self, others: Callable[[Any], Any]) -> None: ...
    def ignore_input(self) -> None: ...
    def listen_on(self) -> None: ...
    def quit(self, reason: str = "quit") -> None: ...
    def read_on_later(self) -> None: ...
    def readConnectionLost(self) -> None: ...
    def refuse(self, answer: Notice | Error, reason: str) -> None: ...
    def speak_json(self) -> None: ...


class Session:
    """Obeys what is said on a connection, one thing after another.

    What comes while an answer is under way waits for it; what the user is told meanwhile goes out.
    """

    __slots__ = ("_password", "_under_way", "connection", "exchange", "said_all")

    counting = False  # what the client says, and acknowledging what it is told
    listening: AnyEvent = messages.Listening()  # to whoever has said all and may listen on
    takes_chunks = False  # many lines as one, if each is said to the peer

    def __init__(self, connection: Speaker) -> None:
        self.connection = connection
        self.exchange = connection.factory
        self.said_all = False  # by a command
        self._under_way: UnderWay | None = None
        self._password: PasswordCheck | None = None

    @property
    def password(self) -> PasswordCheck:
        """What has passwords checked."""
        if self._password is None:
            self._password = PasswordCheck(self)
        return self._password

    # Waiting for an answer

    @property
    def awaits_answer(self) -> bool:
        """Whether all that has come since must wait for an answer."""
        return self._under_way is not None

    def await_answer(
        self,
        answer: Deferred[Answer],
        use: Callable[[Answer], object],
        asked: AnyCommand | None = None,
        *,
        proven: bool = False,
    ) -> None:
        """Obey nothing until an answer comes and is used; it is cancelled if this ends before."""
        if answer.called and not (answer.paused or isinstance(answer.result, Failure)):
            use(cast(Answer, answer.result))  # it is there already
            return
        self.exchange.visitors.unnamed.stop(self.connection)
        self._under_way = UnderWay(answer, asked, proven)
        answer.addCallback(self._answered, use).addErrback(self._failed)
        if self.connection.input_state == "ending":
            self.connection.paused = True
        self.connection.flow_changed()

    def _answered(self, answer: Answer, use: Callable[[Answer], object]) -> None:
        self._under_way = None
        if self.connection.user is None:
            self.wait_for_name()
        use(answer)
        state = self.connection.input_state
        if state == "answering":
            self.last_handled()
        if self.awaits_answer:
            return
        if state == "answering":
            self.connection.readConnectionLost()
        elif state == "ending":
            self.connection.read_on_later()
        elif self.said_all or state == "ended":
            self.all_obeyed()
        self.connection.flow_changed()

    def _failed(self, why: Failure) -> None:
        if not why.check(CancelledError):
            _log.failure("What follows an answer failed", failure=why)
            self.connection.ignore_input()
            self.connection.abort()

    def new_inbox(self) -> Inbox:
        """Return the inbox of a user who comes by this session."""
        return Inbox(self.connection)

    def entered(self, user: User) -> None:
        """Do what is to be done for a new user, before it is told so."""

    def wait_for_name(self) -> None:
        """Let no more than a while pass until a name comes."""
        self.exchange.visitors.unnamed.start(self.connection)

    def refuse_full(self) -> None:
        """Say that the server is full."""
        self.connection.refuse(FULL, "full")

    def ask_password(self, name: str, needed: Error) -> None:
        """Have the password of a name said."""
        self.connection.tell(needed)

    def all_obeyed(self) -> None:
        """Leave, if all is said and there is nothing to listen to."""
        if self.may_go():
            self.stop_listening("closed")

    def may_go(self) -> bool:
        """Tell whether there is nothing to listen to once the input has ended."""
        connection = self.connection
        if connection.peer is not None or self.awaits_answer:
            return False
        # The last lines may still be a call.
        return connection.input_state != "ending" or connection.full or self.said_all

    def stop_listening(self, reason: str) -> None:
        """Leave when there is nothing more to listen to."""
        self.connection.end(reason)

    # What commands do

    def obey(self, command: AnyCommand) -> None:
        """Do what a command asks for."""
        user = self.connection.user
        if not self.exchange.directory.check() and user is not None:
            return  # it has been ended
        match command:
            case messages.Say() if user is not None:
                self.say(user, command)
            case messages.Say():
                self._obey_unnamed(command)
            case messages.Quit():
                self.connection.quit()
            case _:
                self.connection.turn = 0  # it may cost as much as many lines
                self._obey_other(command, user)

    def _obey_other(self, command: AnyCommand, user: User | None) -> None:
        if user is not None and not isinstance(command, messages.Ping):
            self._spend(1)
        match command:
            case messages.EndInput():
                self.end_input()
            case messages.Invalid(error):
                self.answer(error)
            case messages.Ping():
                self.connection.tell(messages.Pong())
            case messages.AskHelp():
                self.connection.tell(messages.Help())
            case messages.AskWho():
                self.list_all(command)
            case _ if user is None:
                self._obey_unnamed(command)
            case _:
                self._obey_named(command, user)

    def list_all(self, asked: messages.AskWho) -> None:
        """Tell who is here."""
        self.await_answer(self.exchange.who(), self.connection.tell, asked)

    def _obey_unnamed(self, command: AnyCommand) -> None:
        match command:
            case messages.Claim():
                self.claim(command)
            case messages.Resume():
                self.resume(command)
            case messages.SpeakJson():
                self.connection.speak_json()
            case _:
                self.connection.tell(Error(json.word(command), "bad-name", "Say a name first."))

    def _obey_named(self, command: AnyCommand, user: User) -> None:
        match command:
            case messages.Call(name):
                self.await_told(self.exchange.calls.call(user, name), command)
            case messages.HangUp():
                self.exchange.calls.hang_up(user)
            case messages.SetDnd() | messages.SetRing() | messages.Block() | messages.Unblock():
                self.await_told(self.exchange.calls.apply(user, command), command)
            case messages.StartTyping():
                self.exchange.pairs.types(user)
            case messages.AskKey() if self.exchange.settings.hold:
                self.exchange.held.give_words(user)
            case messages.AskKey():
                self.connection.tell(Notice("Lines are not held here."))
            case messages.Claim() | messages.Resume():
                self.answer(Error(json.word(command), "already", f"You are {user}."))

    def await_told(self, answered: Deferred[None], asked: AnyCommand) -> None:
        """Let what follows wait: a call's answer decides who is meant by it."""
        if self.connection.user is not None:  # else that was the end
            self.await_answer(answered, lambda _: None, asked)

    def say(self, user: User, say: messages.Say) -> None:
        """Say a text to the peer."""
        self.exchange.pairs.say(user, say)
        if user.pace is not None:
            self._spend(say.text.count("\n") + 1)

    def _spend(self, lines: int) -> None:
        """Count lines that the user has said."""
        user = self.connection.user
        if user is not None and user.pace is not None:
            user.pace.spend(lines)

    def too_fast(self, lines: int = 1) -> bool:
        """Tell whether the user may not say so many lines yet; this goes on as soon as it may."""
        user, go_on = self.connection.user, self.connection.flow_changed
        return user is not None and self.exchange.paces.must_wait(user, lines, go_on)

    def end_input(self) -> None:
        """Say no more, and listen on."""
        self.said_all = True
        self.connection.ignore_input()
        if not self.connection.closed:
            self.all_said()

    def answer(self, event: AnyEvent) -> None:
        """Tell what is to be told again after a drop, if there is a user who may come back."""
        if self.connection.user is not None:
            self.connection.user.tell(event)
        else:
            self.connection.tell(event)

    def claim(self, claim: messages.Claim, *, proven: bool = False) -> None:
        """Enter, if the name can be claimed, or say why not."""
        if self.exchange.full:
            self.refuse_full()
            return
        asked = self.exchange.users.claim(claim.name, self.new_inbox(), proven=proven)
        self.await_answer(asked, partial(self._claimed, claim), claim, proven=proven)

    def _claimed(self, claim: messages.Claim, answer: User | Error) -> None:
        if not isinstance(answer, Error):
            self._enter(answer)
            self.entered(answer)
            motd = self.exchange.settings.motd or UNSET
            answer.tell(messages.Named(answer.name.text, answer.key, motd))
        elif answer.code == "password":
            self.password.prove(claim, answer)
        else:
            self.connection.tell(answer)

    def _enter(self, user: User) -> None:
        self.connection.user = user
        self.exchange.visitors.unnamed.stop(self.connection)
        if self.exchange.settings.rate:
            self.exchange.paces.begin(user)
        self.connection.bind()

    def resume(self, resume: messages.Resume) -> None:
        """Take a line over, if the key is right, here or at another node."""
        asked = self.exchange.held.resume(
            resume.key, resume.seen, self.connection, counting=self.counting
        )
        self.await_answer(asked, partial(self.resumed, resume), resume)

    def resumed(self, resume: messages.Resume, answer: User | str | Error) -> None:
        """Go on here, or let another node go on."""
        if isinstance(answer, Error):
            self.exchange.users.key_refused(answer, self.connection.host)
            self.connection.tell(answer)
        elif isinstance(answer, str):
            self.exchange.directory.carry(self.connection, answer, self.unobeyed(resume))
        else:
            self._enter(answer)
            self.exchange.held.welcome(answer)
            self.await_told(self.exchange.directory.call_under_way(answer), resume)
            self.connection.flow_changed()

    def unobeyed(self, resume: messages.Resume) -> bytes:
        """Return the lines that another node is to obey, which has the user who comes back."""
        return f"Back:{resume.key}\n".encode()

    # What the connection tells

    def unnamed(self, line: bytes) -> None:
        """Take a line of whoever has no name: of no interest here."""

    idle = paired = unnamed

    def line_too_long(self, text: str) -> None:
        """Tell that a line is dropped."""
        self.answer(Error("say", "too-long", text))

    def last_line(self, line: bytes, *, was_cut: bool) -> bytes:
        """Return what is to be handled of a line that has no end."""
        return line

    def last_handled(self) -> None:
        """Do what is to be done once the last line is handled."""

    def data_received(self, data: bytes) -> None:
        """Take bytes of raw mode, which this has none of."""

    def render(self, event: AnyEvent) -> bytes:
        """Return what tells of an event."""
        return plain.render(event)

    def render_parts(self, events: Iterable[AnyEvent]) -> Iterator[bytes]:
        return map(self.render, events)

    def must_wait(self) -> bool:
        """Tell whether no more should be read: who does not read is not read."""
        return self.connection.full or self.last_must_wait()

    def last_must_wait(self) -> bool:
        """Tell whether no more should be handled, though nothing else will come."""
        return self.awaits_answer

    def wake(self) -> None:
        """Let what waits go on, if it can."""

    def all_said(self) -> None:
        """Stay while there is somebody to listen to; else close."""
        if self.may_go():
            self.stop_listening("closed")
        else:
            # From a program that is gone, whatever it is told comes back as a reset.
            self.connection.tell(self.listening)
            self.connection.listen_on()

    def handed(self) -> None:
        """Note that the kernel has all that the user was told."""
        if self.connection.user is not None:
            self.exchange.receipts.handed(self.connection.user)

    def handle_rest(self) -> None:
        """Handle what has come, for there will be no later, unless its sender will say it again."""

    def drain(self) -> None:
        """Handle what has come, as the server stops."""
        self.handle_rest()

    def stopping(self) -> None:
        """Tell that the server is stopping."""
        self.answer(Error(None, "try-later", "The server is stopping."))

    def stop(self, reason: str) -> None:
        """Wait for nothing any more, as the connection ends for a reason."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.answer.cancel()
        self.exchange.visitors.unnamed.stop(self.connection)
        user = self.connection.user
        if user is not None and user.pace is not None:
            self.exchange.paces.leave(user)

    def forget(self) -> None:
        """Hold nothing any more that holds this: nobody uses it again."""
        self._password = None
