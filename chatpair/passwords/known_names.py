"""Which names a checker of passwords has one for."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from twisted.cred import checkers
from zope.interface import Interface

from chatpair.exchange.names import BadName, Name, NameIndex, parse
from chatpair.passwords.watched_file import WatchedFile


class INameRegistry(Interface):
    """A checker of passwords that can tell which names it has one for."""

    def written(name: Name) -> str | None:
        """Return how the checker writes a name, or the one that it counts as; None without any."""


Written = Callable[[Name], str | None]


def written_by(checker: Any) -> Written:
    """Return what does for a checker as INameRegistry.written; one that can't tell has all names.

    Raises OSError if the checker's file can't be read.
    """
    if INameRegistry.providedBy(checker):
        written: Written = checker.written
        return written
    if isinstance(checker, checkers.InMemoryUsernamePasswordDatabaseDontUse):
        return _in_memory(checker)
    if isinstance(checker, checkers.FilePasswordDB):
        return _in_file(checker)
    return lambda name: name.text


def _in_memory(checker: checkers.InMemoryUsernamePasswordDatabaseDontUse) -> Written:
    # memory: has them as text, though its checker wants bytes.
    users: dict[Any, Any] = checker.users
    checker.users = {_as_bytes(name): _as_bytes(users[name]) for name in users}
    return _index(checker.users).find


def _as_bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _in_file(checker: checkers.FilePasswordDB) -> Written:
    def names(data: bytes) -> NameIndex:
        rows = (line.split(checker.delim) for line in data.splitlines())
        return _index(row[checker.ufield] for row in rows if len(row) > max(checker.ufield, 1))

    file = WatchedFile(Path(checker.filename), names)
    return lambda name: file.read().find(name)


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
