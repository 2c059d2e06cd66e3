"""The proof that a name is its claimer's own: a password, asked for and checked."""

from __future__ import annotations

from msgspec import UNSET

from chatpair.commands import CommandConnection
from chatpair.exchange.messages import AskPassword, Claim, Error
from chatpair.exchange.names import LENGTHS, BadName, parse
from chatpair.wire.privacy import NEEDS_TLS, is_private

PERHAPS_A_PASSWORD = "if that is a password, say your name first; else say it again"
_WRONG = Error("name", "password", "Wrong password.")


class LoginConnection(CommandConnection):
    """Asks for passwords, and does nothing else while one is checked."""

    is_checked = False
    """Whether a password is being checked, for which nobody has to wait who wants to leave."""

    _doubted: str | None = None  # a name if it is said again; empty before any is in doubt
    _asked = ""  # the name whose password the next line is

    # What a subclass adds

    def unnamed(self, line: bytes) -> bool:
        """Override this to handle a line of somebody who has no name."""
        raise NotImplementedError

    # The question

    def _claim(self, claim: Claim) -> None:
        if self._queue is None and self._may_be_password(claim.name):
            self.tell(Error("name", "bad-name", PERHAPS_A_PASSWORD))
        else:
            super()._claim(claim)

    def _may_be_password(self, text: str) -> bool:
        """Tell whether a name is said too early after one that has a password.

        Whoever did not wait for the answer, or takes the question for open still, says a
        password there. A name is seen by all.
        """
        if self.factory.accounts is None:
            return False
        try:
            name = parse(text)
        except BadName:
            return False
        if self.factory.has_account(name):
            self._doubted = ""
            return False
        doubtful = self._doubted not in (None, text)
        if doubtful:
            self._doubted = text
        return doubtful

    def prove(self, claim: Claim, why: Error) -> None:
        """Have a password checked, or ask for it, if nobody on the way can read it."""
        if not is_private(self.transport):
            self.tell(Error("name", "password", NEEDS_TLS))
        elif claim.password is not UNSET:
            self._begin_check(claim.name, claim.password.encode())
        elif self._queue is not None:
            self.tell(why)
        else:
            self._asked = claim.name
            self._handle_line = self._password
            self.tell(AskPassword())

    def _password(self, line: bytes) -> bool:
        self._handle_line = self.unnamed
        if not self.draining:
            self._begin_check(self._asked, line)
        return False

    def refuse_long(self) -> None:
        """Refuse a line that is too long, whether it was to be a name or a password."""
        if self._handle_line == self._password:
            self._handle_line = self.unnamed
            self.tell(_WRONG)
        else:
            self.tell(Error("name", "bad-name", LENGTHS))

    # The answer

    def _begin_check(self, name: str, password: bytes) -> None:
        self.is_checked = True
        check = self.factory.check_password(name, password, self._host)
        self.await_answer(check, self._checked)

    def _checked(self, answer: str | Error) -> None:
        self.is_checked = False
        if not isinstance(answer, Error):
            self._try_name(Claim(answer), proven=True)
            return
        self.tell(answer)
        if answer.code == "password":
            self.factory.activity.refused("wrong password")
