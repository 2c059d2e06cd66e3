"""Cleaning: what reaches a peer's terminal holds nothing but text."""

import re

# Bytes of ASCII that are no text: C0 without tab, and DEL.
_ASCII_CONTROLS = bytes(set(range(0x20)) - {0x09} | {0x7F})
_CONTROLS_BUT_NEWLINES = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab, DEL, C1
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls
    "\u2028\u2029]"  # line and paragraph separators
)
_SURROGATES = re.compile("[\ud800-\udfff]")  # what some programs make of bytes that are not UTF-8

# What UTF-8 makes of those controls that are not ASCII; each begins with a byte to look for.
_C1_BYTES = re.compile(rb"\xc2[\x80-\x9f]")
_OTHER_BYTES = re.compile(rb"\xe2(?:\x80[\x8e\x8f\xa8-\xae]|\x81[\xa6-\xa9])")
_ALL_BUT_NEWLINES = _ASCII_CONTROLS.replace(b"\n", b"")


def is_clean(lines: bytes) -> bool:
    """Tell whether cleaning would change none of many lines, each of which ends in LF."""
    if lines.translate(None, _ALL_BUT_NEWLINES) != lines:
        return False
    if lines.isascii():
        return True
    try:
        lines.decode()
    except UnicodeDecodeError:
        return False
    return _C1_BYTES.search(lines) is None and _OTHER_BYTES.search(lines) is None


def clean(line: bytes) -> str:
    """Decode a line, without what could steer a terminal or pass for a new line.

    Bytes that are not UTF-8 become U+FFFD.
    """
    if line.isascii():
        return line.translate(None, _ASCII_CONTROLS).decode("ascii")
    return clean_line(line.decode("utf-8", "replace"))


def clean_text(text: str) -> str:
    """Do the same for text that is decoded and may have several lines."""
    if text.isprintable():
        return text
    return _SURROGATES.sub("\ufffd", _CONTROLS_BUT_NEWLINES.sub("", text))


def clean_line(text: str) -> str:
    """Do the same for text that is to be one line."""
    return clean_text(text).replace("\n", "")
