"""The session of a person with nc or telnet, or a program of the original article's protocol."""

import re
from collections.abc import Iterable, Iterator

from chatpair.codecs import plain
from chatpair.codecs.cleaning import clean, erase
from chatpair.exchange.messages import (
    AnyEvent,
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
from chatpair.exchange.user import User
from chatpair.exchange.users import WRONG_PASSWORD
from chatpair.sessions.password import PERHAPS_A_PASSWORD
from chatpair.sessions.session import Session, Speaker

_HTTP_REQUEST = re.compile(r"[A-Z]+ \S+ HTTP/[0-9]")
_NO_HTTP = Notice("This is not a web server: talk to it with telnet, nc or the chatpair client.")
_CUT = Error("say", "bad-line", "That line was not sent: it has no end.")


class PlainSession(Session):
    """Has a line handler for each state: unnamed, idle and paired; and for a password."""

    __slots__ = ("_asked", "_line_was_cut")

    def __init__(self, connection: Speaker) -> None:
        super().__init__(connection)
        self._asked = ""  # the name whose password the next line is
        self._line_was_cut = False  # the last one

    # The states

    def unnamed(self, line: bytes) -> None:
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

    def password_line(self, line: bytes) -> None:
        """Take the password that was asked for."""
        name, self._asked = self._asked, ""
        self.connection.handle_line = self.unnamed
        typed = erase(line.decode(errors="surrogateescape"))
        self.password.begin(name, typed.encode(errors="surrogateescape"))

    def idle(self, line: bytes) -> None:
        """Take a text for the peer, if there is one, or a command."""
        command = plain.parse(clean(line))
        # When the input has ended nothing can wait any more: who does not read is not answered.
        if self.connection.full and not isinstance(command, Say | Quit | EndInput | Call | HangUp):
            return
        self.obey(command)

    paired = idle

    # What the dialect decides

    @property
    def takes_chunks(self) -> bool:  # type: ignore[override]
        return not self.exchange.settings.rate

    def must_wait(self) -> bool:
        peer = self.connection.peer
        return super().must_wait() or (peer is not None and peer.full)

    def render_parts(self, events: Iterable[AnyEvent]) -> Iterator[bytes]:
        return plain.render_parts(events)

    def say(self, user: User, say: Say) -> None:
        super().say(user, say)
        if self.connection.peer is not None and self.connection.peer.full:
            self.connection.flow_changed()

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
            self.connection.tell(WRONG_PASSWORD)
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
            self.connection.handle_rest(LastLines)


class LastLines(Session):
    """Takes the lines of a connection that is over: nobody waits for the answers to commands."""

    def __init__(self, before: Session) -> None:
        """Take the place of a session."""
        super().__init__(before.connection)

    def unnamed(self, line: bytes) -> None:
        """Take what is said, if that is not too much, and that somebody leaves."""
        command = plain.parse(clean(line))
        user = self.connection.user
        if isinstance(command, Say) and user is not None and self.exchange.paces.owes_much(user):
            return
        if isinstance(command, Say | Quit | EndInput):
            self.obey(command)

    idle = paired = unnamed
