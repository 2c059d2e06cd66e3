"""What is left of a line once it is clean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatpair.codecs.cleaning import MOST_ERASING, clean, clean_text

WALES = "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"
TEXAS = "\U000e0075\U000e0073\U000e0074\U000e0078\U000e007f"  # without the flag


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"hello", "hello"),
        (b"tab\there", "tab\there"),
        (b"\x1b[2Jcls", "[2Jcls"),
        (b"a\0b\x07cd", "abcd"),
        (b"helo\b\bllo", "hello"),
        (b"x\b" * MOST_ERASING + b"y", "y"),
        (b"x\x7f" + b"x\b" * MOST_ERASING, "x" * (1 + MOST_ERASING)),  # nobody has typed so many
        (b"\x7fx\x1b\x7fy\x7f\x7f\x7fz", "z"),
        ("gru\u0308\bü 👨\u200d👩\u200d👧\x7f😀".encode(), "grü 😀"),
        (b"lone\rreturn", "lonereturn"),
        (b"c1 \xc2\x9dx", "c1 x"),
        (b"\x9dx", "\ufffdx"),
        (b"\xc3\x28", "\ufffd("),
        ("grüße 😀".encode(), "grüße 😀"),
        ("a\u202eb\u200ec\u2067d\u2028e\u2029f".encode(), "abcdef"),
        ("a\u061cb\ufff9c\ufffad\ufffb".encode(), "abcd"),
        ("\u200d❤\ufe0f\u00ad\ufeff".encode(), "\u200d❤\ufe0f\u00ad\ufeff"),
        (f"{WALES}{WALES} {'🏴' + TEXAS}".encode(), f"{WALES}{WALES} {'🏴' + TEXAS}"),
        (f"{WALES[:-1]}{TEXAS}🏴\x01{TEXAS[:-1]}".encode(), "🏴🏴"),
        (f"{WALES}\b!".encode(), "!"),
    ],
)
def test_holds_no_control(line: bytes, text: str) -> None:
    assert clean(line) == text


REMOVED = frozenset(
    [
        *(set(range(0x20)) - {8, 9}),
        *range(0x80, 0xA0),
        *(0x061C, 0x200E, 0x200F),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        *(0x2028, 0x2029),
        *range(0xFFF9, 0xFFFC),
        *range(0xE0000, 0xE0080),
    ]
)


ERASING = {8, 0x7F}


def test_every_control_goes_and_nothing_else() -> None:
    for start in range(0, 0x110000, 0x10):
        codes = [code for code in range(start, start + 0x10) if code not in ERASING]
        if not 0xD800 <= start < 0xE000:
            kept = "".join(chr(code) for code in codes if code not in REMOVED)
            assert clean("".join(map(chr, codes)).encode()) == kept


def test_letters_are_taken_within_a_line_of_a_text() -> None:
    assert clean_text("ab\n\bcd\b\ne") == "ab\nc\ne"
    assert clean_text("\n\b" * (1 + MOST_ERASING)) == "\n" * (1 + MOST_ERASING)


@given(st.binary())
def test_any_bytes_become_text(line: bytes) -> None:
    text = clean(line)
    assert clean(text.encode()) == text
    assert not {chr(code) for code in REMOVED | ERASING} & set(text)


@given(
    st.binary().filter(bytes.isascii),
    st.text(st.characters(codec="utf-8", exclude_characters="\b\x7f"), min_size=1).filter(
        lambda text: not text.isascii()
    ),
)
def test_the_short_way_for_ascii_gives_the_same(line: bytes, other: str) -> None:
    assert clean(line) + clean(other.encode()) == clean(line + other.encode())
