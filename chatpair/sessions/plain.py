"""The session of a person with nc or telnet, or a program of the original article's protocol."""

import re

from chatpair.codecs import plain
from chatpair.codecs.cleaning import clean, erase
from chatpair.exchange.messages import (
    AskPassword,
    Call,
    Claim,
    EndInput,
    Error,
    HangUp,
    Notice,
    Quit,
    Say,
)
from chatpair.exchange.names import LENGTHS
from chatpair.sessions.password import PERHAPS_A_PASSWORD, WRONG
from chatpair.sessions.session import Session, Speaker

_HTTP_REQUEST = re.compile(r"[A-Z]+ \S+ HTTP/[0-9]")
_NO_HTTP = Notice("This is not a web server: talk to it with telnet, nc or the chatpair client.")
_CUT = Error("say", "bad-line", "That line was not sent: it has no end.")


class PlainSession(Session):
    """Has a line handler for each state: unnamed, idle and paired; and for a password."""

    __slots__ = ("_asked", "_command_waits", "_line_was_cut")

    def __init__(self, connection: Speaker) -> None:
        super().__init__(connection)
        self._asked = ""  # the name whose password the next line is
        self._command_waits = False  # until what was told before is taken
        self._line_was_cut = False  # the last one

    # The states

    def unnamed(self, line: bytes) -> bool:
        """Take a name, or a command that needs none."""
        text = clean(line)
        command = plain.parse_unnamed(text)
        if _HTTP_REQUEST.match(text):
            self.connection.refuse(_NO_HTTP, "HTTP")
        elif not isinstance(command, Claim):
            self.obey(command)
        elif self.exchange.users.any_accounts and self.password.may_be_password(command.name):
            self.connection.tell(Error("name", "bad-name", PERHAPS_A_PASSWORD))
        else:
            self.obey(command)
        return False

    def password_line(self, line: bytes) -> bool:
        """Take the password that was asked for."""
        name, self._asked = self._asked, ""
        self.connection.handle_line = self.unnamed
        typed = erase(line.decode(errors="surrogateescape"))
        self.password.begin(name, typed.encode(errors="surrogateescape"))
        return False

    def idle(self, line: bytes) -> bool:
        """Take a command; there is nobody to talk to."""
        self.obey(plain.parse(clean(line)))
        return False

    def paired(self, line: bytes) -> bool:
        """Take a text for the peer, or a command.

        Whoever does not read may go on speaking, but asks for no more answers.
        """
        command = plain.parse(clean(line))
        waits = self.connection.full and not isinstance(command, Say | Quit | EndInput)
        if waits and self.connection.input_state == "ending":  # nothing can wait any more
            waits = False
            if not isinstance(command, Call | HangUp):
                return False
        self._command_waits = waits
        if waits:
            self.connection.flow_changed()
            return True
        self.obey(command)
        return False

    # What the dialect decides

    @property
    def takes_chunks(self) -> bool:  # type: ignore[override]
        return not self.exchange.settings.rate

    def must_wait(self) -> bool:
        connection = self.connection
        if self.last_must_wait():
            return True
        if connection.peer is None:
            return connection.full
        return connection.peer.full or (connection.full and self._command_waits)

    def last_must_wait(self) -> bool:
        return self.awaits_answer or self.too_fast()

    def _spend(self, lines: int) -> None:
        super()._spend(lines)
        if self.too_fast():
            if self.connection.input_state == "ending":
                self.connection.paused = True
            else:
                self.connection.check_flow()

    def ask_password(self, name: str, needed: Error) -> None:
        """Take the next line for the password of a name."""
        self._asked = name
        self.connection.handle_line = self.password_line
        self.connection.tell(AskPassword())

    def line_too_long(self, text: str) -> None:
        """Tell that a line is dropped, whether it was to be said, a name or a password."""
        if self.connection.user is not None:
            self.connection.user.tell(Error("say", "too-long", text))
        elif self._asked:
            self._asked = ""
            self.connection.handle_line = self.unnamed
            self.connection.tell(WRONG)
        else:
            self.connection.tell(Error("name", "bad-name", LENGTHS))

    def last_line(self, line: bytes, *, was_cut: bool) -> bytes:
        """Return what is to be handled of a line that has no end.

        Under TLS anybody on the way could have cut it: it is not said, and its sender told.
        """
        if line and was_cut:
            self._line_was_cut = True
            return b""
        return line

    def last_handled(self) -> None:
        """Tell that the last line was cut, once those before are handled."""
        user = self.connection.user
        if self._line_was_cut and not self.connection.paused and user is not None:
            user.tell(_CUT)

    def handle_rest(self) -> None:
        """Handle what has come, for there will be no later."""
        # Without a name there is nobody to say it to, and an answer may change what it means.
        if self.connection.user is not None and not self.awaits_answer:
            self.connection.handle_rest(LastLines(self))


class LastLines(Session):
    """Takes the lines of a connection that is over: nobody waits for the answers to commands."""

    def __init__(self, before: Session) -> None:
        """Take the place of a session."""
        super().__init__(before.connection)

    def unnamed(self, line: bytes) -> bool:
        """Take what is said, if that is not too much, and that somebody leaves."""
        command = plain.parse(clean(line))
        user = self.connection.user
        if isinstance(command, Say) and user is not None and self.exchange.paces.owes_much(user):
            return False
        if isinstance(command, Say | Quit | EndInput):
            self.obey(command)
        return False

    idle = paired = unnamed
