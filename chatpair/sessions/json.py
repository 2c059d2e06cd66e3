"""The session of a program that speaks JSON: it counts, acknowledges, and may resume."""

from twisted.internet.interfaces import IDelayedCall

from chatpair.codecs import json
from chatpair.exchange import messages
from chatpair.exchange.counted_inbox import CountedInbox
from chatpair.exchange.kept_events import Kept, all_bytes
from chatpair.exchange.messages import AnyCommand, AnyEvent, Error, Say
from chatpair.exchange.user import Inbox, User
from chatpair.exchange.visitors import SILENT_SECONDS
from chatpair.sessions.session import FULL, Session, Speaker

BAD_LINES = 3
"""Lines that are no JSON objects, after which the connection is closed."""

COMMANDS_A_TURN = 25
"""Commands that have waited and are obeyed before others have their turn."""

_SILENT = Error(None, "try-later", f"Nothing came for {SILENT_SECONDS:.0f} seconds.")
_ONLY_LISTENS = "You have said all, and only listen."


class JsonSession(Session):
    """Obeys commands in their order, as soon as there is room for what each causes.

    Those that must wait are read all the same. The acknowledgements that make room may be behind
    them: two who say much to each other at the same time would wait for each other for ever.
    """

    __slots__ = ("_bad_lines", "_may_move", "_soon", "_waiting")

    counting = True
    listening: AnyEvent = messages.Pong()

    def __init__(self, connection: Speaker) -> None:
        super().__init__(connection)
        self._bad_lines = 0
        self._may_move = False  # to another node, and what comes with it
        self._waiting: Kept[AnyCommand] = Kept()
        self._soon: IDelayedCall | None = None  # when some of those are obeyed
        self.exchange.visitors.silent.start(self)

    def unnamed(self, line: bytes) -> None:
        """Take a command, whatever the state is."""
        self.exchange.visitors.silent.start(self)
        self._take(json.parse(line))

    idle = paired = unnamed

    def _take(self, command: AnyCommand) -> None:
        """Obey a command once there is room for what it causes, but acknowledgements at once."""
        user = self.connection.user
        if type(command) is messages.Acknowledge:  # isinstance takes longer, for a Struct
            may_go_past = user is not None and user.inbox.is_told(command.seq)
        else:
            may_go_past = type(command) is messages.Ping and not self.connection.full
        if may_go_past or not (self._waiting.entries or self._is_blocked(command)):
            self.obey(command)
            return
        self._waiting.append(command, all_bytes(command))
        if self._waiting.full:
            self.connection.check_flow()

    def _is_blocked(self, command: AnyCommand) -> bool:
        """Tell whether there is no room for what a command causes."""
        if type(command) is messages.Quit:
            return self.awaits_answer and self.password.checks is None
        if self._under_way is not None:
            return True
        user, peer = self.connection.user, self.connection.peer
        if user is None:
            return self.connection.full
        if user.pace is not None:
            lines = command.text.count("\n") + 1 if isinstance(command, Say) else 1
            if self.too_fast(lines):
                return True
        if user.inbox.full:
            return True
        if type(command) is not Say:
            return False
        return user.inbox.says_too_much or (peer is not None and peer.inbox.full)

    def wake(self) -> None:
        """Obey those that wait, in a turn of its own, if there is room for the first by now."""
        if self._soon is None and self._may_obey():
            self._soon = self.exchange.clock.callLater(0, self._obey_some)

    def _may_obey(self) -> bool:
        return bool(self._waiting.entries) and not self._is_blocked(self._waiting.oldest())

    def _obey_some(self) -> None:
        self._soon = None
        turn = COMMANDS_A_TURN
        while turn and self._may_obey():
            self.obey(self._waiting.popleft())
            turn -= 1
        self.wake()
        self.all_obeyed()

    def _forget_waiting(self) -> list[AnyCommand]:
        """Forget the commands that wait; return them."""
        commands, self._waiting = list(self._waiting), Kept()
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        return commands

    # What commands do

    def obey(self, command: AnyCommand) -> None:
        user = self.connection.user
        if type(command) is Say and user is not None and not self.said_all:  # the most frequent
            if self.exchange.directory.check():
                self.say(user, command)
            return
        match command:
            case messages.Acknowledge(seq) if user is not None:
                if self.exchange.directory.check():
                    self._acknowledge(user, seq)
            case messages.Invalid(_, is_object):
                super().obey(command)
                self._bad_lines += not is_object
                if self._bad_lines >= BAD_LINES:
                    self.connection.end("no JSON")
            case messages.Ping() | messages.Quit():
                super().obey(command)
            case _ if self.said_all and not isinstance(command, messages.Acknowledge):
                self._refuse_late(command)
            case _:
                super().obey(command)

    def _refuse_late(self, command: AnyCommand) -> None:
        self.answer(Error(json.word(command), "already", _ONLY_LISTENS))
        if isinstance(command, Say) and self.connection.user is not None:
            self.exchange.receipts.fail(self.connection.user, command.id, "nobody")

    def _acknowledge(self, user: User, seq: int) -> None:
        if not self.exchange.receipts.acknowledge(user, seq):
            self.answer(Error("ack", "bad-line", f"There is no event {seq}."))
            return
        self.exchange.pairs.has_room(user)
        if self.said_all:
            self.all_obeyed()

    def end_input(self) -> None:
        """Say no more; what is still to be acknowledged may be."""
        self.said_all = True
        self.all_said()

    # What the dialect decides

    def new_inbox(self) -> Inbox:
        return CountedInbox(self.connection)

    def entered(self, user: User) -> None:
        """Give a new user's client a key."""
        self.exchange.held.give_token(user)

    def wait_for_name(self) -> None:
        """Let a program take its time: it pings."""

    def refuse_full(self) -> None:
        """Say that the server is full; the program may try again."""
        self.connection.tell(FULL)

    def resume(self, resume: messages.Resume) -> None:
        """Come back; until it is known where the line is, what comes may be for another node."""
        self._may_move = True
        super().resume(resume)

    def resumed(self, resume: messages.Resume, answer: User | str | Error) -> None:
        self._may_move = False
        super().resumed(resume, answer)

    def unobeyed(self, resume: messages.Resume) -> bytes:
        commands = [resume, *self._forget_waiting()]
        return b"".join(json.render_any(command) for command in commands)

    def render(self, event: AnyEvent) -> bytes:
        return json.render(event)  # type: ignore[arg-type]  # the others are for plain users

    def must_wait(self) -> bool:
        if self._waiting.full or self._may_move:
            return True
        return self.connection.full and self.connection.user is None  # who acknowledges nothing

    def all_obeyed(self) -> None:
        """Read on after commands have waited, or close."""
        ended = self.said_all or self.connection.input_ended
        if ended and self.may_go():
            self.stop_listening("closed")
        else:
            self.connection.check_flow()

    def may_go(self) -> bool:
        """Tell whether there is nothing to listen to once the input has ended.

        As long as it can, a program may still acknowledge what others wait to know.
        """
        user = self.connection.user
        if self._waiting.entries or not super().may_go():
            return False
        return self.connection.input_ended or user is None or not user.inbox.owes_receipts

    def stop_listening(self, reason: str) -> None:
        """Leave, and for good if the program has said by a command that it would."""
        if self.connection.input_ended:
            self.connection.end(reason)
        else:
            self.connection.quit(reason)

    # What the connection tells

    def line_too_long(self, text: str) -> None:
        """Tell that a line is dropped, after what those before it cause."""
        self._take(messages.Invalid(Error(None, "too-long", text)))

    def last_line(self, line: bytes, *, was_cut: bool) -> bytes:
        """Return a line that has no end if it is a whole object; else it was cut in the middle."""
        command = json.parse(line)
        is_object = not isinstance(command, messages.Invalid) or command.is_object
        return line if is_object and not was_cut else b""

    def last_handled(self) -> None:
        while self._may_obey():
            self.obey(self._waiting.popleft())

    def all_said(self) -> None:
        if self.connection.input_ended:
            self.exchange.visitors.silent.stop(self)
        super().all_said()

    def no_line_came(self) -> None:
        """End a connection that is silent, if it is not just not read.

        One that is not read because it does not acknowledge can't do so: the acknowledgements
        are behind commands that wait for them. To resume on another connection helps then.
        """
        if self.connection.paused and not (self.connection.user or self.connection).full:
            self.exchange.visitors.silent.start(self)
        else:
            self.answer(_SILENT)
            self.connection.end("silent")

    def drain(self) -> None:
        """Tell that what waits has failed, as the server stops."""
        user = self.connection.user
        if user is not None:
            for command in self._forget_waiting():
                if isinstance(command, Say):
                    self.exchange.receipts.fail(user, command.id, "stopped")

    def stopping(self) -> None:
        """Tell that the server is stopping, which is the end of a pair."""
        if self.connection.peer is not None:
            self.answer(messages.Left(self.connection.peer.name.text, "stopped"))
        super().stopping()

    def stop(self, reason: str) -> None:
        super().stop(reason)
        self.exchange.visitors.silent.stop(self)
        self._forget_waiting()
