"""What a name may be, and when two names count as one.

Names follow PRECIS UsernameCaseMapped (RFC 8265). Names that only look alike are kept apart
by their skeletons (Unicode Technical Standard 39, section 4). That takes I and 1 for l, and 0 for
O; here i is l as well, in the skeletons alone, for it is I to whoever writes the name so.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

from confusable_homoglyphs.categories import alias
from confusable_homoglyphs.utils import load
from msgspec import Struct
from precis_i18n import get_profile
from precis_i18n.unicode import UnicodeData

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
        *("there", "this", "to", "wrong", "you", "your"),
    )
)

MAX_MARKS = 4
"""Nonspacing marks that a letter may have (UTS 39, section 5.4)."""

_profile = get_profile("UsernameCaseMapped")
_unicode = UnicodeData()

_READ_AS = str.maketrans("Ii1|0", "llllo")
_AMBIGUOUS = frozenset("I1|0")  # in what is ASCII
_FILLER = "\U00016fe4"  # a mark that nobody sees
_DOT_ABOVE = re.compile("([ij][\u0300-\u036f]*?)\u0307")  # which the letter has already


class BadName(ValueError):
    """The text can't be a name; the message says why, for its owner to read."""


class Name(Struct, frozen=True, array_like=True, gc=False):
    """A name that may be claimed.

    Two names are one if their keys are equal or, unless both are plain, if they share a skeleton.
    """

    text: str
    """As its owner typed it: how others see it."""
    key: str
    """What PRECIS makes of it: equal for two that differ in case or width alone."""
    skeletons: tuple[str, ...]
    """What it looks like; after a space, what that is to names that are not ASCII."""

    def __str__(self) -> str:
        return self.text

    @property
    def is_plain(self) -> bool:
        """Whether it is ASCII, and no letter of it is read as another."""
        return self.text.isascii() and _AMBIGUOUS.isdisjoint(self.text)

    def is_same(self, other: "Name") -> bool:
        """Tell whether two names are one."""
        if self.is_plain and other.is_plain:
            return self.key == other.key
        return not set(self.skeletons).isdisjoint(other.skeletons)


# UTS 39, section 5.2, "highly restrictive", as browsers have it for domains.
_MIXED_SCRIPTS = tuple(
    frozenset(("COMMON", "INHERITED", "LATIN", *others))
    for others in (("HAN", "HIRAGANA", "KATAKANA"), ("HAN", "BOPOMOFO"), ("HAN", "HANGUL"))
)


def mixes_scripts(text: str) -> bool:
    """Tell whether a text has letters of scripts that nobody writes together."""
    if text.isascii():
        return False
    scripts = set(map(alias, text))
    if len(scripts - {"COMMON", "INHERITED"}) <= 1:
        return False
    return not any(scripts <= together for together in _MIXED_SCRIPTS)


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


@cache
def _translation() -> dict[int, str]:
    """Return what UTS 39 makes of each character; reads it at the first call."""
    prototypes = dict(_prototypes())
    return {
        # A prototype of several characters is made of prototypes only where the pairs' ends were
        # chosen as Unicode did, so they are looked up once more.
        ord(one): "".join(prototypes.get(character, character) for character in prototype)
        for one, prototype in prototypes.items()
    }


# The same of what is ASCII.
_ASCII_TRANSLATION = str.maketrans(
    {"0": "O", "1": "l", "I": "l", "|": "l", "m": "rn", "`": "'", '"': "''", "%": "º/₀"}
)


def skeleton(text: str) -> str:
    """Return what is equal for two texts that look alike (UTS 39, section 4)."""
    if text.isascii():
        return text.translate(_ASCII_TRANSLATION)
    decomposed = _seen(unicodedata.normalize("NFD", text)).translate(_translation())
    return _DOT_ABOVE.sub(r"\1", unicodedata.normalize("NFD", decomposed))


def _seen(decomposed: str) -> str:
    """Return a text without what is not seen, or not as a part of a letter.

    No font has a mark on a letter of another script, and before the first letter it is on a space.
    """
    seen, letter = "", ""
    for one in decomposed:
        if unicodedata.category(one) != "Mn":
            letter = one
        elif not letter or one == _FILLER or alias(one) not in (alias(letter), "INHERITED"):
            continue
        if not _unicode.default_ignorable(ord(one)):
            seen += one
    return seen


def _looks(text: str, key: str) -> tuple[str, ...]:
    """Return the skeletons of a name, in lower case and as typed.

    With names that are not ASCII others share those after a space, if they have such ones.
    """
    if text.isascii():
        look, whole = key.translate(_READ_AS_ASCII), key.translate(_ASCII_SKELETONS)
        look = key if look == key else look  # one object, as most names are so
        return (look,) if look == whole else (look, f" {whole}")
    looks = {_read(skeleton(key)), _read(skeleton(skeleton(text).lower()))}
    shared = (look for look in looks if any(part in look for part in _MERGED))
    return (*looks, *(f" {look}" for look in shared))


def _read(shape: str) -> str:
    return shape.lower().translate(_READ_AS)


_READ_AS_ASCII = {code: _READ_AS.get(code, code) for code in range(128)}  # a miss takes longer
_ASCII_SKELETONS = {code: _read(skeleton(chr(code))) for code in range(128)}
_MERGED = {look for code, look in _ASCII_SKELETONS.items() if look != _read(chr(code))}  # as rn


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


def is_key_of(text: str, name: Name) -> bool:
    """Tell whether a text is a name, in whatever case and width."""
    try:
        return fold(text) == name.key
    except BadName:
        return False


def _is_reserved(text: str, key: str) -> bool:
    if text.isascii():
        return key.rstrip(".!?") in RESERVED
    looks = (look.rstrip(".!?") for look in _looks(text, key))
    return not _RESERVED_SKELETONS.isdisjoint(looks)


_RESERVED_SKELETONS = frozenset(_read(skeleton(word)) for word in RESERVED)


def _has_too_many_marks(key: str) -> bool:
    marks = ""
    for one in unicodedata.normalize("NFD", key):
        marks = marks + one if unicodedata.category(one) == "Mn" else ""
        if len(marks) > MAX_MARKS or marks[-2:-1] == one:
            return True
    return False


def parse(text: str) -> Name:
    """Return the name that a user typed, or raise BadName."""
    key = fold(text)
    if not 1 <= len(key) <= MAX_LENGTH:
        raise BadName(LENGTHS)
    if not _FORBIDDEN.isdisjoint(text + key):  # wide ones become narrow in the key
        raise BadName("no space and none of : [ ] ( ) / * , in a name")
    if _is_reserved(text, key):
        raise BadName("that word is the server's own")
    if not text.isascii() and _has_too_many_marks(key):
        raise BadName("it has too many marks on a letter")
    key = text if key == text else key
    looks = _looks(text, key)
    if not looks[0]:
        raise BadName("it has no letter")
    return Name(text, key, looks)


class NameIndex:
    """Names that are taken, or written somewhere, and which of them another counts as."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}  # how the plain ones are written
        # Two plain names may share a skeleton (bam, barn); with any other name none may.
        self._ascii: dict[str, str] = {}  # how the first of them is written
        self._more: defaultdict[str, list[str]] = defaultdict(list)  # and the others, if any
        self._others: dict[str, str] = {}

    def add(self, name: Name) -> None:
        """Put in a name that counts as none that is in already."""
        if not name.is_plain:
            self._others.update(dict.fromkeys(name.skeletons, name.text))
            return
        self._keys[name.key] = name.text
        for look in name.skeletons:
            if look in self._ascii:
                self._more[look].append(name.text)
            else:
                self._ascii[look] = name.text

    def remove(self, name: Name) -> None:
        """Take out a name that is in."""
        if not name.is_plain:
            for look in name.skeletons:
                del self._others[look]
            return
        del self._keys[name.key]
        for look in name.skeletons:
            more = self._more.pop(look, [])
            if name.text in more:
                more.remove(name.text)
            elif more:
                self._ascii[look] = more.pop()
            else:
                del self._ascii[look]
            if more:
                self._more[look] = more

    def find(self, name: Name) -> str | None:
        """Return as it is written the name that another counts as, if there is one."""
        written = self._keys.get(name.key)  # before any that only looks like it
        tables = (self._others,) if name.is_plain else (self._others, self._ascii)
        for look in name.skeletons:
            for table in tables:
                written = written or table.get(look)
        return written

    def has(self, name: Name) -> bool:
        """Tell whether a name, or one that counts as the same, is in."""
        return self.find(name) is not None
