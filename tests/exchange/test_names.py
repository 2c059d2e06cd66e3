"""What a name may be, and which names are one."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatpair import protocol
from chatpair.codecs import plain
from chatpair.exchange import held_lines, messages, users
from chatpair.exchange.names import (
    LENGTHS,
    MAX_LENGTH,
    RESERVED,
    BadName,
    fold,
    mixes_scripts,
    parse,
    skeleton,
)
from chatpair.passwords import accounts
from chatpair.wire import privacy
from tests.support.exchange import Exchange

FORBIDDEN = "no space and none of : [ ] ( ) / * , in a name"
SAID = "that word is the server's own"
MARKS, FIVE_MARKS = "it has too many marks on a letter", "\u0301\u0302\u0303\u0304\u0305"


@pytest.mark.parametrize(
    "text",
    ["a", "ALICE", "o'neil", "x" * 32, "ệlan", f"a{FIVE_MARKS[:-1]}", "李", "अनु", "аня", "a.b_c"],
)
def test_is_shown_as_typed(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", LENGTHS),
        ("x" * 33, LENGTHS),
        ("x" * 10_000, LENGTHS),
        ("é" * 10_000, LENGTHS),
        *((text, FORBIDDEN) for text in ["a b", " bob", "bob ", "To:x", "bob[2J"]),
        *((text, FORBIDDEN) for text in ["a]", "(a", "a)", "/a", "a*", "a,b", "ａ［b"]),
        ("bob\ufffd", "U+FFFD can't be in a name"),
        ("a\u200db", "U+200D can't be in a name"),
        ("\U0001f600", "U+1F600 can't be in a name"),
        ("ﬁ", "U+FB01 can't be in a name"),
        ("aא", "it mixes directions of writing"),
        ("\u0301\u0302", "it has no letter"),
        *(("a" + marks, MARKS) for marks in ["\u0301" * 31, "\u0301\u0323\u0301", FIVE_MARKS]),
        *((word, SAID) for word in ["OK", "Reuse", "quit", "Quit.", "quit!", "No?", "ＯＫ"]),
        ("ОК", SAID),  # in Cyrillic
    ],
)
def test_refuses_and_says_why(text: str, why: str) -> None:
    with pytest.raises(BadName) as refusal:
        parse(text)
    assert str(refusal.value) == why


ONE_NAME = [
    ("alice", "ALICE"),
    ("alice", "аlice"),
    ("ALICE", "аlice"),
    ("alice", "Аlice"),
    ("alice", "ａｌｉｃｅ"),
    ("bob", "ВОВ"),
    ("Ivan", "ivаn"),
    ("élan", "e\u0301lan"),
    ("bаm", "barn"),
    ("scope", "ѕсоре"),
    ("bob1", "bоbl"),
    *(("alice", text) for text in ("aIice", "AIice", "al1ce", "a1ice", "a|ice")),
    *(("bill", text) for text in ("biIl", "bi11", "BIII")),
    *(("bob1", "bobl"), ("bob", "b0b"), ("BOB", "B0b"), ("O", "0"), ("modern", "m0dern")),
    *(("alice", text) for text in ("ali\u0307ce", "al\u0131\u0307ce", "alice\U00016fe4", "а1ice")),
    *(
        ("राम्", "राम्\u200c"),
        ("राम्", "राम्\u200d"),
        ("alice", "ali\u094dce"),
        ("alice", "\u0301alice"),
        ("İzmir", "izmir"),
    ),
]
TWO_NAMES = [
    *(("bam", "barn"), ("bam1", "barn1"), ("modern", "modem"), ("bill", "bili"), ("kai", "Kal")),
    *(("alice", "alicé"), ("alice", "alice."), ("аня", "анна"), ("user1", "user7")),
]


@pytest.mark.parametrize(("one", "other"), ONE_NAME + [(b, a) for a, b in ONE_NAME])
def test_are_one(exchange: Exchange, one: str, other: str) -> None:
    assert parse(one).is_same(parse(other))
    first = exchange.connect()
    first.says(one)
    if mixes_scripts(one):
        assert first.heard() == ["Bad name: it mixes letters of several scripts"]
        return
    assert first.heard() == ["OK"]
    impostor = exchange.connect()
    impostor.says(other)
    assert impostor.heard() == ["Reuse"]


@pytest.mark.parametrize(("one", "other"), TWO_NAMES)
def test_are_two(exchange: Exchange, one: str, other: str) -> None:
    exchange.enter(one)
    exchange.enter(other)
    assert not parse(one).is_same(parse(other))


def test_is_free_again_only_when_all_that_look_like_it_are_gone(exchange: Exchange) -> None:
    bam, barn, foreign = exchange.enter("bam"), exchange.enter("barn"), exchange.connect()
    bam.drops()
    foreign.says("bɑrn")
    assert foreign.heard() == ["Reuse"]
    barn.drops()
    foreign.says("bɑrn")
    assert foreign.heard() == ["OK"]
    late = exchange.connect()
    late.says("bam")
    assert late.heard() == ["Reuse"]
    foreign.drops()
    late.says("bam")
    assert late.heard() == ["OK"]


def test_no_program_can_take_a_name_for_a_word_of_the_servers() -> None:
    said: list[messages.AnyEvent] = [
        messages.Named("", ""),
        messages.Left("bob", "quit"),
        messages.Goodbye(),
        messages.Help(),
        messages.Error("name", "reuse", ""),
        messages.Listening(),
        messages.Free(),
        messages.Key("blue-fox-nine"),
        *(kind(on) for kind in (messages.DndSet, messages.RingSet) for on in (False, True)),
        messages.Blocked("bob"),
        messages.Unblocked("bob"),
        protocol._TAKEN_OVER,
        held_lines._KEY_IS_SPOILT,
        messages.AskPassword(),
        users.WRONG_PASSWORD,
        accounts.BUSY,
        accounts.FAILED,
        messages.Notice(privacy.NEEDS_TLS),
    ]
    notices = [
        "The server is full.",
        "Lines are not held here.",
        "No such command: /x.",
        "No line is held for that key.",
    ]
    notices += ["Say /dnd on or /dnd off.", "Say who: /block bob", "You can't block yourself."]
    notices += [
        "You have not blocked bob.",
        "You have blocked 100 names; unblock one of them first.",
    ]
    said.extend(map(messages.Notice, notices))
    lines = [plain.render(event).decode() for event in said]
    words = {line.split()[0].lower().rstrip(".") for text in lines for line in text.splitlines()}
    assert {word for word in words if word.isalpha()} - {"any"} <= RESERVED


def test_ascii_looks_as_it_does_beside_others() -> None:
    letters = list(map(chr, range(128)))
    alone = [skeleton("я") + skeleton(letter) for letter in letters]
    assert [skeleton(f"я{letter}") for letter in letters] == alone


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_is_refused(text: str) -> None:
    try:
        name = parse(text)
    except BadName:
        pass
    else:
        assert 1 <= len(name.key) <= MAX_LENGTH
        assert fold(name.key) == name.key
        assert not set(" :[]()/*,") & set(name.text + name.key)
        assert name.skeletons


@given(st.text(st.characters(categories=["L", "N", "M"]), max_size=8))
def test_a_skeleton_looks_like_itself(text: str) -> None:
    normal = unicodedata.normalize("NFC", text)
    assert skeleton(unicodedata.normalize("NFD", text)) == skeleton(normal)
