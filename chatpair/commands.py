"""What the commands of a connection do, in the order that they came."""

from __future__ import annotations

from msgspec import UNSET
from twisted.internet.defer import Deferred

from chatpair.answers import AnsweredConnection
from chatpair.codecs import json, plain
from chatpair.exchange.held_lines import Carry
from chatpair.exchange.limits import Pace
from chatpair.exchange.messages import (
    Acknowledge,
    AnyCommand,
    AnyEvent,
    AskHelp,
    AskKey,
    AskWho,
    Block,
    Call,
    Claim,
    Ending,
    EndInput,
    Error,
    Goodbye,
    HangUp,
    Help,
    Invalid,
    Message,
    Mode,
    Named,
    Notice,
    Ping,
    Pong,
    Quit,
    Resume,
    Say,
    SetDnd,
    SetRing,
    SpeakJson,
    StartTyping,
    Unblock,
)
from chatpair.exchange.user import CountingUser, User
from chatpair.factory import UNNAMED_SECONDS
from chatpair.sessions.command_queue import CommandQueue

BAD_LINES = 3
"""Lines that are no JSON objects, after which the connection is closed."""

FULL = Error("name", "try-later", "The server is full.")
_NOT_HELD = Notice("Lines are not held here.")
_ONLY_LISTENS = "You have said all, and only listen."


class CommandConnection(AnsweredConnection):
    """Obeys commands, and closes when they or their lack ask for that."""

    _peer: User | None = None
    _host: str | None = None
    _render = staticmethod(plain.render)
    _pace: Pace | None = None  # if there is a limit to how fast a user may speak
    _bad_lines = 0
    _said_all = False  # by a command

    holds_input = False
    """Whether what comes may be for another node."""

    @property
    def host(self) -> str | None:
        """The address of the other end, if it has one."""
        return self._host

    # What a subclass adds

    def bind(self, user: User) -> None:
        """Override this to bind the handler of the state that a user is in."""
        raise NotImplementedError

    def json_received(self, line: bytes) -> bool:
        """Override this to handle a line of a client that speaks JSON."""
        raise NotImplementedError

    def is_blocked(self, command: AnyCommand) -> bool:
        """Override this: whether there is no room for what a command causes."""
        raise NotImplementedError

    def prove(self, claim: Claim, why: Error) -> None:
        """Override this to see whether a name that has a password is the claimer's."""
        raise NotImplementedError

    # What commands do

    def _obey(self, command: AnyCommand) -> None:
        if self._said_all and not isinstance(command, Acknowledge | Ping | Quit | Invalid):
            self._refuse_late(command)
            return
        match command:
            case Say():
                self._say(command)
                return
            case Acknowledge(seq) if self.user is not None:
                self._acknowledge(self.user, seq)
                return
        self.turn = 0  # it may cost as much as many lines
        if self.draining and not isinstance(command, Quit | EndInput):
            return  # nobody waits for the answer
        if not isinstance(command, Ping | Quit):
            self._spend(1)
        match command:
            case Quit():
                self._quit()
            case EndInput():
                self._end_input()
            case Invalid(error, is_object):
                self._puzzled(error, is_object)
            case Ping():
                self.tell(Pong())
            case AskHelp():
                self.tell(Help())
            case _ if self.user is None:
                self._obey_unnamed(command)
            case _:
                self._obey_named(command, self.user)

    def _acknowledge(self, user: User, seq: int) -> None:
        if not self.factory.acknowledge(user, seq):
            self._answer(Error("ack", "bad-line", f"There is no event {seq}."))
        elif self._said_all:
            self.all_obeyed()

    def _puzzled(self, error: Error, is_object: bool) -> None:
        self._answer(error)
        self._bad_lines += not is_object
        if self._bad_lines >= BAD_LINES:
            self.end("no JSON")

    def _say(self, say: Say) -> None:
        if self.user is None:
            self._obey_unnamed(say)
            return
        self.factory.say(self.user, say)
        if self._pace is not None:
            self._spend(say.text.count("\n") + 1)
        if self._peer is not None and self._peer.full:
            self.flow_changed()

    def _end_input(self) -> None:
        self.input_ended = self._said_all = True
        self.deaf = self._queue is None  # nothing is to be acknowledged
        self.takes_chunks = False
        if not self.lost:
            self.all_said()

    def _refuse_late(self, command: AnyCommand) -> None:
        self._answer(Error(json.word(command), "already", _ONLY_LISTENS))
        if isinstance(command, Say) and isinstance(self.user, CountingUser):
            self.factory.fail(self.user, command, "nobody")

    def _spend(self, lines: int) -> None:
        """Count lines, and read no more if they are more than a user may say for now."""
        if self._pace is None or self.user is None:
            return
        slowed = self._pace.slowed
        self._pace.spend(lines)
        if self._pace.exhausted:
            if not slowed:
                self.factory.activity.slowed(self.user.name.text)
            self.flow_changed()

    def _obey_unnamed(self, command: AnyCommand) -> None:
        match command:
            case Claim():
                self._claim(command)
            case Resume():
                self._resume(command)
            case SpeakJson():
                self._speak_json()
            case _:
                self.tell(Error(json.word(command), "bad-name", "Say a name first."))

    def _resume(self, resume: Resume) -> None:
        counting = self._queue is not None
        answer = self.factory.resume(resume.key, resume.seen, self, self._host, counting=counting)
        if isinstance(answer, Deferred):
            self.holds_input = True
            self.await_answer(answer, lambda answer: self._found(resume, answer))
        elif isinstance(answer, Error):
            self.tell(answer)
        else:
            self._enter(answer)
            self.factory.welcome(answer)
            self._await_told(self.factory.call_under_way(answer))
            self.flow_changed()

    def _found(self, resume: Resume, answer: Error | Carry) -> None:
        """Go on here, or let another node go on from the resume."""
        self.holds_input = False
        if isinstance(answer, Error):
            self.tell(answer)
        elif self._queue is None:
            answer(f"Back:{resume.key}\n".encode())
        else:
            commands = [resume, *self._queue.clear()]
            answer(b"".join(json.render_any(command) for command in commands))

    def _await_told(self, answered: Deferred[None] | None) -> None:
        """Let what follows wait: a call's answer decides who is meant by it."""
        if answered is not None and self.user is not None:  # else that was the end
            self.await_answer(answered, lambda _: None)

    def _obey_named(self, command: AnyCommand, user: User) -> None:
        match command:
            case Call(name):
                self._await_told(self.factory.call(user, name))
            case HangUp():
                self.factory.hang_up(user)
            case SetDnd() | SetRing() | Block() | Unblock():
                self._await_told(self.factory.apply(user, command))
            case AskWho():
                here = self.factory.who()
                if isinstance(here, Deferred):
                    self.await_answer(here, self.tell)
                else:
                    self.tell(here)
            case StartTyping():
                self.factory.type(user)
            case AskKey() if self.factory.hold:
                self.factory.give_key(user)
            case AskKey():
                self.tell(_NOT_HELD)
            case Claim() | Resume():
                self._answer(Error(json.word(command), "already", f"You are {user}."))

    def _speak_json(self) -> None:
        clock = self.factory.clock
        self._queue = CommandQueue(clock, self._obey, self.is_blocked, self.all_obeyed)
        self._render = json.render  # type: ignore[assignment]
        self._handle_line = self.json_received
        self.factory.unnamed.stop(self)
        self.factory.silent.start(self)
        self.tell(Mode(hold=self.factory.hold))

    def _claim(self, claim: Claim) -> None:
        self.turn = 0
        if not self.draining:
            self._try_name(claim)

    def _try_name(self, claim: Claim, proven: bool = False) -> None:
        """Enter, if the name can be claimed, or say why not; refuse if the server is full."""
        if self.factory.is_full():
            if self._queue is not None:
                self.tell(FULL)
            else:
                self._refuse(FULL, "full")
            return
        counting = self._queue is not None
        answer = self.factory.claim(claim.name, self, self._host, counting=counting, proven=proven)
        if isinstance(answer, Deferred):
            self.await_answer(answer, lambda answer: self._claimed(claim, answer))
        else:
            self._claimed(claim, answer)

    def _claimed(self, claim: Claim, answer: User | Error) -> None:
        if not isinstance(answer, Error):
            self._enter(answer)
            answer.tell(Named(answer.name.text, answer.key, self.factory.motd or UNSET))
        elif answer.code == "password":
            self.prove(claim, answer)
        else:
            self.tell(answer)

    def _enter(self, user: User) -> None:
        self.user = user
        self.factory.unnamed.stop(self)
        if self.factory.rate:
            self._pace = Pace(self.factory.clock, self.factory.rate, self.flow_changed)
        self.bind(user)

    # Answers

    def _answer(self, event: AnyEvent) -> None:
        """Tell what is to be told again after a drop, if there is a user who may come back."""
        if self.user is not None:
            self.user.tell(event)
        else:
            self.tell(event)

    def tell(self, event: AnyEvent) -> None:
        """Write an event."""
        self.write(self._render(event))
        if self.input_ended and isinstance(event, Message):
            self.resetTimeout()

    # The end

    def end(self, reason: str) -> None:
        """Leave, or be held, and close the connection."""
        self._end("lost", reason)

    def _end(self, why: Ending, reason: str) -> None:
        self._leave(why, reason)
        self.hang_up()

    def _leave(self, why: Ending, reason: str) -> None:
        self.forget_answer()
        self.factory.unnamed.stop(self)
        self.factory.silent.stop(self)
        self.takes_chunks = False
        if self._pace is not None:
            self._pace.stop()
            self._pace = None
        if self._queue is not None:
            self._queue.clear()
        if self.user is not None:
            user, self.user, self._peer = self.user, None, None
            if why == "quit":
                self.factory.leave(user, why, reason)
            else:
                self.factory.lose(user, self._host, reason)

    def _quit(self, reason: str = "quit") -> None:
        self._answer(Goodbye())
        self._end("quit", reason)

    def _refuse(self, answer: Notice | Error, reason: str) -> None:
        self.tell(answer)
        self.factory.activity.refused(reason)
        self._leave("lost", reason)
        self.hang_up(UNNAMED_SECONDS)  # the answer may wait for a handshake that never ends
