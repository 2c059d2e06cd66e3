"""Names that have passwords, in an exchange without sockets: the checker waits for the test."""

from collections import deque
from typing import cast

import bcrypt
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from chatpair.exchange.names import Name, NameIndex, parse
from chatpair.passwords.accounts import Accounts, Source
from chatpair.passwords.known_names import INameRegistry
from tests.support.exchange import Exchange, Party

LOOPBACK = "127.0.0.1"


def htpasswd_line(name: str, password: str, cost: int = 4, prefix: str = "2b") -> str:
    """Return a line as htpasswd writes it, which is cheap to check, unless it is not to be."""
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()
    return f"{name}:{hashed.replace('2b', prefix, 1)}\n"


def known(**passwords: str) -> Source:
    """Return a source that checks at once."""
    users = {name: password.encode() for name, password in passwords.items()}
    return Source(InMemoryUsernamePasswordDatabaseDontUse(**users))


@implementer(INameRegistry)
class SlowChecker:
    """A checker that answers when the test says so."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, *names: str) -> None:
        self._index = NameIndex()
        for name in names:
            self._index.add(parse(name))
        self.asked: deque[tuple[str, str, Deferred[bytes]]] = deque()

    def written(self, name: Name) -> str | None:
        """Return how a name is written."""
        return self._index.find(name)

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[bytes]:
        """Let the test answer."""
        answer: Deferred[bytes] = Deferred()
        name, password = credentials.username.decode(), credentials.password.decode()
        self.asked.append((name, password, answer))
        return answer

    def answers(self, right: bool) -> tuple[str, str]:
        """Answer what was asked first; return the name and the password."""
        name, password, answer = self.asked.popleft()
        if right:
            answer.callback(name.encode())
        else:
            answer.errback(UnauthorizedLogin())
        return name, password


class Guarded(Exchange):
    """An exchange in which some names have passwords."""

    def __init__(self, *sources: Source, **options: int | float | str) -> None:
        super().__init__(**options)
        self.factory.accounts = Accounts(list(sources), self.clock)

    def local(self) -> Party:
        """Connect somebody on this machine, whose password nobody can read."""
        return self.connect(LOOPBACK)


def slow(*names: str) -> tuple[Guarded, SlowChecker]:
    """Return an exchange whose passwords the test checks, and the checker."""
    checker = SlowChecker(*names)
    return Guarded(Source(cast(InMemoryUsernamePasswordDatabaseDontUse, checker))), checker
