"""Who has a name of their own: which names ask for a password, and whether it is the right one."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from twisted.cred.checkers import (
    ANONYMOUS,
    FilePasswordDB,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import LoginFailed
from twisted.internet import defer
from twisted.internet.defer import Deferred, DeferredLock, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.plugins.cred_unix import UNIXChecker
from zope.interface import implementer

from chatpair.exchange.messages import Error
from chatpair.exchange.names import BadName, Name, NameIndex, parse
from chatpair.passwords.registry import INameRegistry
from chatpair.passwords.tries import Tries
from chatpair.passwords.watched_file import WatchedFile
from chatpair.passwords.worker import Worker

CHECK_SECONDS = 60.0
"""How long a checker may take, with what it has to do for others before."""

MAX_HOSTS = 50
"""Hosts of which a password is checked, or waits for that, at a time; each has one in turn."""

WRONG = Error("name", "password", "Wrong password.")
BUSY = Error("name", "try-later", "There are too many passwords to check. Try later.")
FAILED = Error("name", "try-later", "That password can't be checked now. Try later.")

_log = Logger()


def _index(names: Iterable[bytes]) -> NameIndex:
    index = NameIndex()
    for written in names:
        try:
            name = parse(written.decode())
        except (BadName, UnicodeDecodeError):
            continue  # nobody can claim it
        if index.find(name) is None:
            index.add(name)
    return index


@implementer(INameRegistry)
class _MemoryNames:
    """The names of memory:, which has them as text, though its checker wants bytes."""

    def __init__(self, checker: InMemoryUsernamePasswordDatabaseDontUse) -> None:
        users: dict[Any, Any] = checker.users
        checker.users = {_as_bytes(name): _as_bytes(users[name]) for name in users}
        self._names = _index(checker.users)

    def written(self, name: Name) -> str | None:
        return self._names.find(name)


def _as_bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


@implementer(INameRegistry)
class _FileNames:
    """The names of file:, which are separated from their passwords."""

    def __init__(self, checker: FilePasswordDB) -> None:
        names = partial(self._parse, checker.delim, checker.ufield)
        self._file = WatchedFile(Path(checker.filename), names)

    @staticmethod
    def _parse(delimiter: bytes, field: int, data: bytes) -> NameIndex:
        rows = (line.split(delimiter) for line in data.splitlines())
        return _index(row[field] for row in rows if len(row) > max(field, 1))

    def written(self, name: Name) -> str | None:
        return self._file.read().find(name)


@implementer(INameRegistry)
class _AnyName:
    """The names of a checker that can't tell: all there are."""

    def written(self, name: Name) -> str | None:
        return name.text


class _InThread:
    """What unix: checks with, but in a thread: it makes a hash of the password at once."""

    def __init__(self, checker: UNIXChecker) -> None:
        self._checker = checker
        self._worker = Worker("unix")

    def requestAvatarId(self, credentials: UsernamePassword) -> Deferred[Any]:
        return self._worker.run(partial(self._check, credentials))

    def _check(self, credentials: UsernamePassword) -> Any:
        results: list[Any] = []
        self._checker.requestAvatarId(credentials).addBoth(results.append)
        return results[0]


class Source:
    """A checker, and which names it has."""

    def __init__(self, checker: ICredentialsChecker) -> None:
        """Take a checker; raises OSError if its file can't be read."""
        self.checker: Any = checker
        if INameRegistry.providedBy(checker):
            self.names: INameRegistry = checker
        elif isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
            self.names = _MemoryNames(checker)
        elif isinstance(checker, FilePasswordDB):
            self.names = _FileNames(checker)
        else:
            self.names = _AnyName()
            if isinstance(checker, UNIXChecker):
                self.checker = _InThread(checker)


class Accounts:
    """The names that have a password, in one or more checkers, of which any may accept it."""

    def __init__(self, sources: list[Source], clock: IReactorTime) -> None:
        self._sources = sources
        self._clock = clock
        self._tries = Tries(clock)
        self._turns: dict[str | None, DeferredLock] = {}  # of hosts that have one to check

    def has(self, name: Name) -> bool:
        """Tell whether a name, or one that it counts as, has a password."""
        return any(source.names.written(name) is not None for source in self._sources)

    def check(self, name: Name, password: bytes, host: str | None) -> Deferred[str | Error]:
        """Fire with the name as its owner has it if the password is right, or with why not.

        A host that has said wrong ones waits, and has one checked at a time. Cancel it if nobody
        waits for the answer any more; a check that has begun counts all the same.
        """
        found = ((source.names.written(name), source.checker) for source in self._sources)
        owners = [(written, checker) for written, checker in found if written is not None]
        if not (owners and password):
            answer: Deferred[str | Error] = Deferred()
            answer.callback(WRONG)
            return answer
        return Deferred.fromCoroutine(self._check(owners, password, host))

    async def _check(
        self, owners: list[tuple[str, ICredentialsChecker]], password: bytes, host: str | None
    ) -> str | Error:
        name = owners[0][0]
        wait = self._tries.wait(name, host)
        if wait:
            await deferLater(self._clock, wait)
        turn = self._turns.get(host)
        if turn is None:
            if len(self._turns) >= MAX_HOSTS:
                return BUSY
            turn = self._turns[host] = DeferredLock()
        await turn.acquire()
        # Whoever cancels may not begin another check as long as this one runs.
        answer: Deferred[str | Error] = Deferred()
        asked = Deferred.fromCoroutine(self._ask(owners, password, host))
        asked.addBoth(self._next, host, turn).chainDeferred(answer)
        return await answer

    def _next(self, answer: Any, host: str | None, turn: DeferredLock) -> Any:
        if not turn.waiting:
            del self._turns[host]
        turn.release()
        return answer

    async def _ask(
        self, owners: list[tuple[str, ICredentialsChecker]], password: bytes, host: str | None
    ) -> str | Error:
        answer: str | Error = WRONG
        for written, checker in owners:
            credentials = UsernamePassword(written.encode(), password)
            try:
                asked = maybeDeferred(checker.requestAvatarId, credentials)
                asked.addTimeout(CHECK_SECONDS, self._clock)
                if await asked != ANONYMOUS:
                    self._tries.right(owners[0][0], host)
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
            self._tries.wrong(owners[0][0], host)
        return answer
