"""Names that have passwords, in an exchange without sockets: the checker waits for the test."""

from collections import deque

import bcrypt
from twisted.cred.checkers import ICredentialsChecker, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from chatpair.exchange.names import Name, NameIndex, parse
from chatpair.passwords.accounts import Source
from tests.support.exchange import Exchange


def htpasswd_line(name: str, password: str, cost: int = 4, prefix: str = "2b") -> str:
    """Return a line as htpasswd writes it, which is cheap to check, unless it is not to be."""
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()
    return f"{name}:{hashed.replace('2b', prefix, 1)}\n"


def known(**passwords: str) -> Source:
    """Return a source that checks at once."""
    users = {name: password.encode() for name, password in passwords.items()}
    return Source(InMemoryUsernamePasswordDatabaseDontUse(**users))


@implementer(ICredentialsChecker)
class SlowChecker:
    """A checker that answers when the test says so."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, *names: str) -> None:
        self._index = NameIndex()
        for name in names:
            self._index.add(parse(name))
        self.asked: deque[tuple[str, str, Deferred[bytes | tuple[()]]]] = deque()

    def written(self, name: Name) -> str | None:
        """Return how a name is written."""
        return self._index.find(name)

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[bytes | tuple[()]]:
        """Let the test answer."""
        answer: Deferred[bytes | tuple[()]] = Deferred()
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


def slow(*names: str) -> tuple[Exchange, SlowChecker]:
    """Return an exchange whose passwords the test checks, and the checker."""
    checker = SlowChecker(*names)
    source = Source(checker)
    source.written = checker.written
    return Exchange(source), checker
