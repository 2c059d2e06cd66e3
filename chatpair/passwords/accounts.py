"""Which names have a password, and whether it is the right one."""

from functools import partial
from typing import Any

from twisted.cred.checkers import ANONYMOUS, ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import LoginFailed
from twisted.internet import defer
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.plugins.cred_unix import UNIXChecker

from chatpair.exchange.messages import Error
from chatpair.exchange.names import Name
from chatpair.passwords.hashing_thread import HashingThread
from chatpair.passwords.known_names import written_by
from chatpair.passwords.wrong_passwords import WrongPasswords

CHECK_SECONDS = 60.0
"""How long a checker may take, with what it has to do for others before."""

MAX_HOSTS = 50
"""Hosts of which a password is checked, or waits for that, at a time; each has one in turn."""

WRONG = Error("name", "password", "Wrong password.")
BUSY = Error("name", "try-later", "There are too many passwords to check. Try later.")
FAILED = Error("name", "try-later", "That password can't be checked now. Try later.")

Owners = list[tuple[str, ICredentialsChecker]]
"""How each checker that has a name writes it, and the checker."""

_log = Logger()


class _InThread:
    """What unix: checks with, but in a thread: it makes a hash of the password at once."""

    def __init__(self, checker: UNIXChecker) -> None:
        self._checker = checker
        self._thread = HashingThread("unix")

    def requestAvatarId(self, credentials: UsernamePassword) -> Deferred[Any]:
        return self._thread.run(partial(self._check, credentials))

    def _check(self, credentials: UsernamePassword) -> Any:
        results: list[Any] = []
        self._checker.requestAvatarId(credentials).addBoth(results.append)
        return results[0]


class Source:
    """A checker, and which names it has."""

    def __init__(self, checker: ICredentialsChecker) -> None:
        """Take a checker; raises OSError if its file can't be read."""
        self.written = written_by(checker)
        self.checker: Any = _InThread(checker) if isinstance(checker, UNIXChecker) else checker


class Accounts:
    """The names that have a password, in one or more checkers, of which any may accept it."""

    def __init__(self, sources: list[Source], clock: IReactorTime) -> None:
        self._sources = sources
        self._clock = clock
        self._wrong = WrongPasswords(clock)
        self._turns: dict[str | None, DeferredLock] = {}  # of hosts that have one to check

    def has(self, name: Name) -> bool:
        """Tell whether a name, or one that it counts as, has a password."""
        return any(source.written(name) is not None for source in self._sources)

    def check(self, name: Name, password: bytes, host: str | None) -> Deferred[str | Error]:
        """Fire with the name as its owner has it if the password is right, or with why not.

        A host that has said wrong ones waits, and has one checked at a time. Cancel it if nobody
        waits for the answer any more; a check that has begun counts all the same.
        """
        found = ((source.written(name), source.checker) for source in self._sources)
        owners = [(written, checker) for written, checker in found if written is not None]
        return Deferred.fromCoroutine(self._check(owners, password, host))

    async def _check(self, owners: Owners, password: bytes, host: str | None) -> str | Error:
        if not (owners and password):
            return WRONG
        wait = self._wrong.wait(owners[0][0], host)
        if wait:
            await deferLater(self._clock, wait)
        if host not in self._turns and len(self._turns) >= MAX_HOSTS:
            return BUSY
        turn = self._turns.setdefault(host, DeferredLock())
        await turn.acquire()
        # Whoever cancels may not begin another check as long as this one runs.
        answer: Deferred[str | Error] = Deferred()
        Deferred.fromCoroutine(self._ask(owners, password, host)).chainDeferred(answer)
        return await answer

    async def _ask(self, owners: Owners, password: bytes, host: str | None) -> str | Error:
        """Ask the checkers in turn, and let the host's next one have its turn."""
        answer: str | Error = WRONG
        try:
            for written, checker in owners:
                credentials = UsernamePassword(written.encode(), password)
                try:
                    asked = defer.maybeDeferred(checker.requestAvatarId, credentials)
                    asked.addTimeout(CHECK_SECONDS, self._clock)
                    if await asked != ANONYMOUS:
                        self._wrong.forgive(owners[0][0], host)
                        return written
                except LoginFailed:
                    pass
                except (defer.TimeoutError, defer.CancelledError):
                    answer = BUSY
                except Exception as why:
                    # No more of it: what a checker says may hold the password.
                    _log.error("A checker of passwords failed: {kind}", kind=type(why).__name__)
                    answer = FAILED
            if answer is WRONG:
                self._wrong.count(owners[0][0], host)
            return answer
        finally:
            turn = self._turns[host]
            if not turn.waiting:
                del self._turns[host]
            turn.release()
