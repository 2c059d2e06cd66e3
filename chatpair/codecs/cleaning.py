"""Cleaning: what reaches a peer's terminal holds nothing but text."""

import re

from wcwidth import iter_graphemes

BYTE_ORDER_MARK = "\ufeff".encode()
"""Means nothing before text, where Windows' programs put it."""

MOST_ERASING = 500
"""Backspaces and DELs in a line, or in a text of several, that a person may have typed.

More take nothing along: to find what each of thirty thousand takes would hold up others.
"""

LONG = 4_096
"""Bytes from which on it is faster to look for each control character than at each byte."""

# Bytes of ASCII that are no text: C0 without tab, and DEL.
_ASCII_CONTROLS = bytes(set(range(0x20)) - {0x09} | {0x7F})
_ALL_BUT_NEWLINES = _ASCII_CONTROLS.replace(b"\n", b"")
_WITHOUT_THEM = bytes.maketrans(_ALL_BUT_NEWLINES, b" " * len(_ALL_BUT_NEWLINES))
_ALL_BUT_ERASING = _ASCII_CONTROLS.translate(None, b"\b\x7f")

# UTS 51, annex B.1: a black flag, a region's part as invisible tags, and their end.
_FLAG = (
    "\U0001f3f4(?:[\U000e0061-\U000e007a]{2}|[\U000e0030-\U000e0039]{3})"
    "[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,4}\U000e007f"
)
_UNWANTED = re.compile(
    "[\x00-\x07\x0b-\x1f\x80-\x9f"  # C0 without tab, newline and backspace; C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls
    "\u2028\u2029"  # line and paragraph separators
    "\ufff9-\ufffb]"  # interlinear annotation
)
_TAGS = re.compile(f"({_FLAG})|[\U000e0000-\U000e007f]")
_SURROGATES = re.compile("[\ud800-\udfff]")  # what some programs make of bytes that are not UTF-8
_ERASED = re.compile("([^\b\x7f]*)([\b\x7f]*)")

# What UTF-8 makes of most of those that are not ASCII.
_C1_BYTES = re.compile(rb"\xc2[\x80-\x9f]")
_OTHER_BYTES = re.compile(rb"\xe2(?:\x80[\x8e\x8f\xa8-\xae]|\x81[\xa6-\xa9])")
_ANNOTATION_BYTES = re.compile(rb"\xef\xbf[\xb9-\xbb]")


def is_clean(lines: bytes) -> bool:
    """Tell whether cleaning would change none of many lines, each of which ends in LF."""
    if len(lines) < LONG:
        if lines.translate(_WITHOUT_THEM) != lines:  # the same object, if there are none
            return False
    elif any(map(lines.__contains__, _ALL_BUT_NEWLINES)):
        return False
    if lines.isascii():
        return True
    try:
        text = lines.decode()
    except UnicodeDecodeError:
        return False
    # To look for a byte first costs next to nothing.
    return not (
        (0xC2 in lines and _C1_BYTES.search(lines))
        or (0xE2 in lines and _OTHER_BYTES.search(lines))
        or "\u061c" in text
        or (0xEF in lines and _ANNOTATION_BYTES.search(lines))
        or (0xF3 in lines and clean_text(text) != text)  # tags may be those of a flag
    )


def clean(line: bytes) -> str:
    """Decode a line, without what could steer a terminal or pass for a new line.

    A backspace or DEL takes the letter before it along. Bytes that are not UTF-8 become U+FFFD.
    """
    if line.isascii():
        cleaned = line.translate(None, _ASCII_CONTROLS)
        if len(cleaned) == len(line):
            return cleaned.decode()
        return erase(line.translate(None, _ALL_BUT_ERASING).decode())
    return clean_line(line.decode("utf-8", "replace"))


def clean_text(text: str) -> str:
    """Do the same for text that is decoded and may have several lines."""
    if text.isprintable():
        return text
    text = _TAGS.sub(r"\1", _UNWANTED.sub("", text))
    if 0 < _count_erasing(text) <= MOST_ERASING:
        text = "\n".join(map(erase, text.split("\n")))
    return _SURROGATES.sub("\ufffd", erase(text))


def clean_line(text: str) -> str:
    """Do the same for text that is to be one line."""
    return clean_text(text.replace("\n", ""))


def _count_erasing(text: str) -> int:
    return text.count("\b") + text.count("\x7f")


def erase(text: str) -> str:
    """Return what is left of keys that were typed, of which some are backspace or DEL."""
    count = _count_erasing(text)
    if not count:
        return text
    if count > MOST_ERASING:
        return text.replace("\b", "").replace("\x7f", "")
    letters: list[str] = []
    for typed, erased in _ERASED.findall(text):
        letters += typed if typed.isascii() else iter_graphemes(typed)
        del letters[max(0, len(letters) - len(erased)) :]
    return "".join(letters)
