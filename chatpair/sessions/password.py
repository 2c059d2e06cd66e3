"""The proof that a name is its claimer's own: a password, asked for and checked."""

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import UNSET
from twisted.internet.defer import Deferred

from chatpair.exchange.messages import Claim, Error
from chatpair.exchange.names import BadName, parse
from chatpair.wire.privacy import NEEDS_TLS, is_private

PERHAPS_A_PASSWORD = "if that is a password, say your name first; else say it again"


class Claimer(Protocol):
    """The session of whoever claims a name, as far as a password concerns it."""

    connection: Any

    @property
    def exchange(self) -> Any: ...
    def await_answer(self, answer: Deferred[Any], use: Callable[[Any], object]) -> None: ...
    def wait_for_name(self) -> None: ...
    def ask_password(self, name: str, needed: Error) -> None: ...
    def claim(self, claim: Claim, *, proven: bool = False) -> None: ...


class PasswordCheck:
    """Has passwords checked for one session."""

    __slots__ = ("_claimer", "_doubted", "checks")

    def __init__(self, claimer: Claimer) -> None:
        self._claimer = claimer
        self._doubted: str | None = None  # a name if it is said again; empty before any is in doubt
        self.checks: tuple[str, bytes] | None = None
        """The name and the password that are checked: who wants to leave need not wait for it."""

    def may_be_password(self, text: str) -> bool:
        """Tell whether a name is said too early after one that has a password.

        Whoever did not wait for the answer, or takes the question for open still, says a
        password there. A name is seen by all.
        """
        try:
            name = parse(text)
        except BadName:
            return False
        if self._claimer.exchange.users.has_account(name):
            self._doubted = ""
            return False
        doubtful = self._doubted not in (None, text)
        if doubtful:
            self._doubted = text
        return doubtful

    def prove(self, claim: Claim, needed: Error) -> None:
        """Have a password checked, or ask for it, if nobody on the way can read it."""
        connection = self._claimer.connection
        if not is_private(connection.transport):
            connection.tell(Error("name", "password", NEEDS_TLS))
        elif claim.password is not UNSET:
            self.begin(claim.name, claim.password.encode())
        else:
            self._claimer.ask_password(claim.name, needed)

    def begin(self, name: str, password: bytes) -> None:
        """Have a password checked for a name."""
        self.checks = name, password
        check = self._claimer.exchange.users.check_password(
            name, password, self._claimer.connection.host
        )
        self._claimer.await_answer(check, self._checked)

    def _checked(self, answer: str | Error) -> None:
        self.checks = None
        self._claimer.wait_for_name()  # the time for it begins anew
        if not isinstance(answer, Error):
            self._claimer.claim(Claim(answer), proven=True)
            return
        self._claimer.connection.tell(answer)
        if answer.code == "password":
            self._claimer.exchange.activity.refused("wrong password")
