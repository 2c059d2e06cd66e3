"""What --auth htpasswd:FILE means, in any program of Twisted's that has --auth."""

import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.strcred import ICheckerFactory
from twisted.internet.defer import Deferred, DeferredLock, fail
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.plugin import IPlugin
from zope.interface import implementer

from chatpair.exchange.names import BadName, Name, NameIndex, parse
from chatpair.extras import how_to_install
from chatpair.passwords.turns import in_turn
from chatpair.passwords.watched_file import WatchedFile

_BCRYPT = re.compile(rb"\$2[aby]\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")

_log = Logger()


class _Content(NamedTuple):
    names: NameIndex
    hashes: dict[str, bytes]  # those of use, by names as they are written


def _parse(path: Path, data: bytes) -> _Content:
    """Return what the lines of a file say; a bad one is told of, but not what is in it."""
    content = _Content(NameIndex(), {})
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip() and not line.startswith(b"#") and (problem := _take(content, line)):
            text = "{path}, line {number}: {problem}"
            _log.warn(text, event="bad_account", path=path, number=number, problem=problem)
    return content


def _take(content: _Content, line: bytes) -> str:
    """Take a line; return what is wrong with it, if anything."""
    written, colon, rest = line.partition(b":")
    if not colon:
        return "no name and password with a colon between them; it counts for nothing"
    try:
        name = parse(written.decode())
    except UnicodeDecodeError:
        return "the name is no UTF-8; it counts for nothing"
    except BadName as why:
        return f"nobody can have that name here ({why}); it counts for nothing"
    if content.names.find(name) is not None:
        return "the name is that of a line before, or looks like it; it counts for nothing"
    content.names.add(name)
    password = rest.partition(b":")[0].strip()
    if not _BCRYPT.fullmatch(password):
        return "not of bcrypt, as htpasswd -B writes; nobody can use the name"
    content.hashes[name.text] = password
    return ""


@implementer(ICredentialsChecker)
class HtpasswdChecker:
    """Checks passwords, each in a thread, as it takes a core a good part of a second."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, path: Path) -> None:
        """Read a file; raises OSError if that fails, and ImportError without bcrypt."""
        import bcrypt

        self._is_right = bcrypt.checkpw
        self.file = WatchedFile(path, partial(_parse, path))
        self._turns = DeferredLock()

    def written(self, name: Name) -> str | None:
        """Return how the file writes a name, or the one that it counts as; None without any."""
        return self.file.read().names.find(name)

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[bytes | tuple[()]]:
        username = bytes(credentials.username)
        hashed = self.file.read().hashes.get(username.decode(errors="replace"))
        if not hashed:
            return fail(UnauthorizedLogin())
        check = partial(self._check, username, credentials.password, hashed)
        return in_turn(self._turns, partial(deferToThread, check))

    def _check(self, username: bytes, password: bytes, hashed: bytes) -> bytes:
        # bcrypt looks at no more of it; htpasswd and others ignore the rest too.
        if b"\0" in password or not self._is_right(password[:72], hashed):
            raise UnauthorizedLogin
        return username


@implementer(ICheckerFactory, IPlugin)
class HtpasswdCheckerFactory:
    """Understands htpasswd:FILE."""

    authType = "htpasswd"
    argStringFormat = "A file as htpasswd -B writes it."
    credentialInterfaces = (IUsernamePassword,)
    authHelp = """
Each line of the file is a name, a colon and what bcrypt makes of a password.
htpasswd -B FILE NAME, of Apache's programs, writes such lines; one of another
kind opens nothing. The file is read again when it changes.
"""

    def generateChecker(self, argstring: str) -> HtpasswdChecker:
        """Return the checker of a file; raises ValueError with one line if there can't be one."""
        if not argstring:
            raise ValueError("which file? Say htpasswd:FILE")
        try:
            return HtpasswdChecker(Path(argstring).absolute())
        except OSError as why:
            raise ValueError(f"can't read {argstring}: {why.strerror}") from None
        except ImportError:
            raise ValueError(f"it needs more packages: {how_to_install('auth')}") from None
