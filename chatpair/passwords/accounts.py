"""Which names have a password, and whether it is the right one."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from twisted.cred import checkers
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import LoginFailed
from twisted.internet import defer
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.plugins.cred_unix import UNIXChecker

from chatpair.exchange.messages import Error
from chatpair.exchange.names import BadName, Name, NameIndex, parse
from chatpair.exchange.users import WRONG_PASSWORD
from chatpair.passwords.htpasswd import HtpasswdChecker
from chatpair.passwords.turns import in_turn
from chatpair.passwords.watched_file import WatchedFile
from chatpair.passwords.wrong_passwords import WrongPasswords

MAX_HOSTS = 50
"""Hosts of which a password is checked, or waits for that, at a time; each has one in turn."""

BUSY = Error("name", "try-later", "There are too many passwords to check. Try later.")
FAILED = Error("name", "try-later", "That password can't be checked now. Try later.")

T = TypeVar("T")

_log = Logger()


class Source:
    """A checker, and which names it has."""

    def __init__(self, checker: checkers.ICredentialsChecker) -> None:
        """Take a checker; raises OSError if its file can't be read."""
        self.file: WatchedFile[Any] | None = None
        """The file that it reads, if it is known."""
        self.written = self._written_by(checker)
        self.failing = False
        """Whether the last time it could not tell, of which the log has one line."""
        self.ask: Callable[[UsernamePassword], Any] = checker.requestAvatarId
        if isinstance(checker, UNIXChecker):  # which makes a hash of the password at once
            turns, answer = DeferredLock(), partial(_answer, checker)
            self.ask = lambda credentials: in_turn(
                turns, partial(deferToThread, answer, credentials)
            )

    def _written_by(self, checker: checkers.ICredentialsChecker) -> Callable[[Name], str | None]:
        """Return what tells how a checker writes a name, or the one it counts as, if it has it.

        One that can't tell has all names.
        """
        if isinstance(checker, HtpasswdChecker):
            self.file = checker.file
            return checker.written
        if isinstance(checker, checkers.InMemoryUsernamePasswordDatabaseDontUse):
            # memory: has them as text, though its checker wants bytes.
            checker.users = {_as_bytes(name): _as_bytes(of) for name, of in checker.users.items()}
            return _index(checker.users).find
        if isinstance(checker, checkers.FilePasswordDB):
            self.file = file = WatchedFile(Path(checker.filename), partial(_in_file, checker))
            return lambda name: file.read().find(name)
        return lambda name: name.text


def _answer(checker: UNIXChecker, credentials: UsernamePassword) -> Any:
    """Return what a Deferred has fired with, which a thread can't return itself."""
    answers: list[Any] = []
    checker.requestAvatarId(credentials).addBoth(answers.append)
    return answers[0]


def _as_bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _in_file(checker: checkers.FilePasswordDB, data: bytes) -> NameIndex:
    rows = (line.split(checker.delim) for line in data.splitlines())
    return _index(row[checker.ufield] for row in rows if len(row) > max(checker.ufield, 1))


def _index(names: Iterable[bytes]) -> NameIndex:
    index = NameIndex()
    for written in names:
        with suppress(BadName, UnicodeDecodeError):  # nobody can claim it
            name = parse(written.decode())
            if index.find(name) is None:
                index.add(name)
    return index


Owners = list[tuple[str, Source]]  # how each that has a name writes it


class Accounts:
    """The names that have a password, in one or more checkers, of which any may accept it."""

    def __init__(self, sources: list[Source], clock: IReactorTime) -> None:
        self._sources = sources
        self._clock = clock
        self._wrong = WrongPasswords(clock)
        self._waiting: dict[tuple[str, str | None], Deferred[bool]] = {}  # of a name and a host
        self._turns: dict[str | None, list[Deferred[None]]] = {}  # who waits while one is checked

    def has(self, name: Name) -> bool:
        """Tell whether a name, or one that it counts as, has a password."""
        return any(source.written(name) is not None for source in self._sources)

    def check(self, name: Name, password: bytes, host: str | None) -> Deferred[str | Error]:
        """Fire with the name as its owner has it if the password is right, or with why not.

        A host that has said wrong ones waits, and has one checked at a time. Cancel it if nobody
        waits for the answer any more; a check that has begun counts all the same.
        """
        found = ((source.written(name), source) for source in self._sources)
        owners = [(written, source) for written, source in found if written is not None]
        return Deferred.fromCoroutine(self._check(owners, password, host))

    async def _check(self, owners: Owners, password: bytes, host: str | None) -> str | Error:
        if not (owners and password):
            return WRONG_PASSWORD
        while True:  # what was true before a wait may not be so after it
            wait = self._wrong.wait(owners[0][0], host)
            if wait:
                if not await self._wait((owners[0][0], host), wait):
                    return BUSY
            elif host in self._turns:
                turn: Deferred[None] = Deferred()
                self._turns[host].append(turn)
                await turn
            elif len(self._turns) >= MAX_HOSTS:
                return BUSY
            else:
                self._turns[host] = []
                # Whoever cancels may not begin another check as long as this one runs.
                answer: Deferred[str | Error] = Deferred()
                asked = Deferred.fromCoroutine(self._ask(owners, password, host))
                asked.chainDeferred(answer)
                return await answer

    def _wait(self, key: tuple[str, str | None], seconds: float) -> Deferred[bool]:
        """Fire when it is time, or with False as soon as a newer one waits for the same.

        So who guesses leaves no queue behind for the owner who comes from the same host.
        """
        older = self._waiting.pop(key, None)
        waiting = self._waiting[key] = Deferred()
        timer = self._clock.callLater(seconds, waiting.callback, True)

        def over(in_time: T) -> T:
            if timer.active():
                timer.cancel()
            if self._waiting.get(key) is waiting:
                del self._waiting[key]
            return in_time

        waiting.addBoth(over)
        if older is not None:
            older.callback(False)  # whose connection may try again at once
        return waiting

    async def _ask(self, owners: Owners, password: bytes, host: str | None) -> str | Error:
        """Ask the checkers, one after another."""
        answer: str | Error = WRONG_PASSWORD
        wrong = False
        try:
            for written, source in owners:
                credentials = UsernamePassword(written.encode(), password)
                try:
                    asked = defer.maybeDeferred(source.ask, credentials)
                    asked.addTimeout(60.0, self._clock)  # with what it has to do for others before
                    if await asked != checkers.ANONYMOUS:
                        self._wrong.forgive(owners[0][0], host)
                        return written
                    wrong = True
                except LoginFailed:
                    wrong, source.failing = True, False
                except (defer.TimeoutError, defer.CancelledError):
                    answer = BUSY
                except Exception as why:
                    # No more of it: what a checker says may hold the password.
                    if not source.failing:
                        text, kind = "A checker of passwords failed: {kind}", type(why).__name__
                        _log.error(text, event="checker_failed", kind=kind)
                    source.failing, answer = True, FAILED
            if wrong:
                self._wrong.count(owners[0][0], host)
            return answer
        finally:
            for turn in self._turns.pop(host):
                turn.callback(None)
