"""What a name may be, and when two names count as one.

Names follow PRECIS UsernameCaseMapped (RFC 8265). Names that only look alike are kept apart
by their skeletons (Unicode Technical Standard 39, section 4).
"""

import unicodedata
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from confusable_homoglyphs.utils import load
from precis_i18n import get_profile

MAX_LENGTH = 32
"""Characters a name may have, after PRECIS."""

LENGTHS = f"1 to {MAX_LENGTH} characters"
"""Why a name is bad that is too long."""

# What frames a line of the server's, or a list of names.
_FORBIDDEN = frozenset(" :[]()/*,")

# A program that reads the first word of a line must never take a name for the server's word.
RESERVED = frozenset(
    (
        *("another", "back", "bad", "here", "lines", "listening", "mode", "no", "nobody", "ok"),
        *("others", "password", "please", "quit", "reuse", "say", "server", "that", "the"),
        *("there", "this", "to"),
        *("wrong", "you", "your"),
    )
)

_profile = get_profile("UsernameCaseMapped")


class BadName(ValueError):
    """The text can't be a name; the message says why, for its owner to read."""


class Name(NamedTuple):
    """A name that may be claimed.

    Two names are one if their keys are equal or, unless both are ASCII, if they share a
    skeleton.
    """

    text: str
    """As its owner typed it: how others see it."""
    key: str
    """What PRECIS makes of it: equal for two that differ in case or width alone."""
    skeletons: tuple[str, ...]
    """What it looks like, in lower case and as typed."""

    def __str__(self) -> str:
        return self.text

    def is_same(self, other: "Name") -> bool:
        """Tell whether two names are one."""
        if self.text.isascii() and other.text.isascii():
            return self.key == other.key
        return not set(self.skeletons).isdisjoint(other.skeletons)


def _prototypes() -> Iterator[tuple[str, str]]:
    """Yield each character that has a prototype in UTS 39, and that prototype.

    The data lists every pair of a character and its prototype in both directions. A prototype
    of several characters or of several others is known by that; of the other pairs either end
    serves, so the lower one does.
    """
    # Right-to-left ones stand between marks, as they do in the comments of the Unicode file.
    pairs = {
        one.strip("\u200e"): [other["c"].strip("\u200e") for other in others]
        for one, others in load("confusables.json").items()
    }
    for one, others in pairs.items():
        if len(one) == len(others) == 1:
            (other,) = others
            if len(other) > 1 or len(pairs[other]) > 1 or other < one:
                yield one, other


_PROTOTYPES = dict(_prototypes())
_TRANSLATION = {
    # A prototype of several characters is made of prototypes only where the pairs' ends were
    # chosen as Unicode did, so they are looked up once more.
    ord(one): "".join(_PROTOTYPES.get(character, character) for character in prototype)
    for one, prototype in _PROTOTYPES.items()
}


def skeleton(text: str) -> str:
    """Return what is equal for two texts that look alike (UTS 39, section 4)."""
    if text.isascii():
        return text.translate(_TRANSLATION)
    decomposed = unicodedata.normalize("NFD", text).translate(_TRANSLATION)
    return unicodedata.normalize("NFD", decomposed)


def _shape(text: str) -> str:
    """Return what is equal for two texts that look alike as typed, whatever their case."""
    return skeleton(skeleton(text).lower())


_ASCII_SHAPES = {code: _shape(chr(code)) for code in range(128)}

_RESERVED_SKELETONS = frozenset(map(skeleton, RESERVED))


def fold(text: str) -> str:
    """Return the key of a name, without asking whether it may be claimed.

    Raises BadName if PRECIS has none for it.
    """
    if len(text) > 4 * MAX_LENGTH:  # no composition makes that short enough
        raise BadName(LENGTHS)
    if text.isascii() and text.isprintable():
        return text.lower()
    try:
        key: str = _profile.enforce(text)
    except UnicodeEncodeError as error:
        if error.reason.endswith("bidi_rule"):
            raise BadName("it mixes directions of writing") from None
        code = ord(error.object[error.start])
        raise BadName(f"U+{code:04X} can't be in a name") from None
    return key


def _is_reserved(text: str, key: str) -> bool:
    if text.isascii():
        return key.rstrip(".!?") in RESERVED
    return not _RESERVED_SKELETONS.isdisjoint(
        look.rstrip(".!?") for look in (skeleton(key), skeleton(text).lower())
    )


def parse(text: str) -> Name:
    """Return the name that a user typed, or raise BadName."""
    key = fold(text)
    if not 1 <= len(key) <= MAX_LENGTH:
        raise BadName(LENGTHS)
    if not _FORBIDDEN.isdisjoint(text + key):  # wide ones become narrow in the key
        raise BadName("no space and none of : [ ] ( ) / * , in a name")
    if _is_reserved(text, key):
        raise BadName("the server says that itself")
    shape = text.translate(_ASCII_SHAPES) if text.isascii() else _shape(text)
    return Name(text, key, tuple({skeleton(key), shape}))


class NameIndex:
    """Names that are written somewhere, and which of them another counts as."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._ascii: dict[str, str] = {}
        self._others: dict[str, str] = {}

    def add(self, name: Name) -> None:
        """Put in a name that counts as none that is in already."""
        if name.text.isascii():
            self._keys[name.key] = name.text
        by_look = self._ascii if name.text.isascii() else self._others
        for look in name.skeletons:
            by_look.setdefault(look, name.text)

    def find(self, name: Name) -> str | None:
        """Return as it is written the name that another counts as, if there is one."""
        for look in name.skeletons:
            if look in self._others:
                return self._others[look]
        if name.text.isascii():
            return self._keys.get(name.key)
        return next((self._ascii[look] for look in name.skeletons if look in self._ascii), None)


class NameTable:
    """The names that are taken."""

    def __init__(self) -> None:
        self._sorted: list[str] = []
        # Two ASCII names may share a skeleton (bam, barn); with any other name none may.
        self._ascii: defaultdict[str, int] = defaultdict(int)
        self._others: set[str] = set()

    def has(self, name: Name) -> bool:
        """Tell whether a name, or one that counts as the same, is taken."""
        if not self._others.isdisjoint(name.skeletons):
            return True
        if name.text.isascii():
            at = bisect_left(self._sorted, name.key)
            return self._sorted[at : at + 1] == [name.key]
        return any(look in self._ascii for look in name.skeletons)

    def __len__(self) -> int:
        return len(self._sorted)

    def first(self, count: int) -> list[str]:
        """Return the keys that come first."""
        return self._sorted[:count]

    def add(self, name: Name) -> None:
        """Take a name."""
        insort(self._sorted, name.key)
        if name.text.isascii():
            for look in name.skeletons:
                self._ascii[look] += 1
        else:
            self._others.update(name.skeletons)

    def remove(self, name: Name) -> None:
        """Let a name be free again."""
        del self._sorted[bisect_left(self._sorted, name.key)]
        if not name.text.isascii():
            self._others.difference_update(name.skeletons)
            return
        for look in name.skeletons:
            self._ascii[look] -= 1
            if not self._ascii[look]:
                del self._ascii[look]
