"""The client's half of the plain codec: what it reads of a server's lines, and how it speaks."""

import time
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatpair.client import plain_codec
from chatpair.codecs import plain
from chatpair.codecs.cleaning import clean
from chatpair.exchange.messages import (
    AnyEvent,
    Block,
    Call,
    Claim,
    Error,
    Free,
    Goodbye,
    Left,
    Message,
    Named,
    Notice,
    Paired,
    Quit,
    Ringing,
    Say,
    SetDnd,
    SetRing,
    Setting,
    Timestamp,
    Unanswered,
    Unblock,
)
from chatpair.exchange.pairs import NOBODY

# All that a line of text can hold, what was no UTF-8 included (PEP 383).
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\n")
UNDECODED = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
LINES = st.text(CHARACTERS | UNDECODED)
PREFIXES = ["Quit", "To:", "tO: ", "/bye", "/to ", "/", " ", "", "\r\0", "\u200e", "\udcff\udcf4"]
SAID = st.builds(lambda *parts: "".join(parts), *[st.sampled_from(PREFIXES)] * 3, LINES)
CLEAN = st.text(CHARACTERS).map(lambda text: clean(text.encode()))
NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=32)
SECONDS = st.integers(0, 4_000_000_000)  # past 2096


def refusals(name: str) -> list[AnyEvent]:
    """Return the refusals that a server can give somebody who calls a name."""
    return [
        Error(None, "unknown", "Say who: To:bob"),
        Error(None, "unknown", f"The user {name} does not exist."),
        Error(None, "busy", f"{name} is talking with someone else."),
        Error(None, "busy", f"{name} is not reading at the moment."),
        Error(None, "dnd", f"{name} does not want to be disturbed."),
        Error(None, "ringing", f"{name}'s line is ringing."),
        Error(None, "self", "Please don't try to talk with yourself."),
        Error(None, "too-long", "That line was not sent: it has over 65536 bytes."),
        Error("name", "bad-name", f"U+{ord(name[0]):04X} can't be in a name"),
        Error("name", "reuse", "Reuse"),
        Error("name", "password", "Password:"),
        Error("name", "password", "Wrong password."),
        Error("name", "password", "This needs TLS."),
        Error(None, "nobody", NOBODY),
    ]


EVENTS: st.SearchStrategy[AnyEvent] = st.one_of(
    st.sampled_from([Named("", ""), Left("", "quit"), Free(), Goodbye()]),
    NAMES.map(Paired),
    NAMES.map(Ringing),
    NAMES.map(Unanswered),
    NAMES.flatmap(lambda name: st.sampled_from(refusals(name))),
    CLEAN.map(lambda text: Error(None, "unknown", f"The user {text} does not exist.")),
)


@given(EVENTS)
def test_a_client_reads_what_a_server_tells(event: AnyEvent) -> None:
    assert plain_codec.parse_event(plain.render(event).decode().removesuffix("\r\n")) == event


@given(NAMES, CLEAN, SECONDS)
@example("bob", "a) carol: (b", 0)
def test_a_client_reads_what_a_peer_says(sender: str, text: str, second: int) -> None:
    line = (
        plain.render(Message(sender, text, Timestamp(second + 0.5))).decode().removesuffix("\r\n")
    )
    event = plain_codec.parse_event(line)
    assert isinstance(event, Message)
    assert (event.sender, event.text) == (sender, text)
    assert time.ctime(event.time) == time.ctime(second)  # an hour a year has two times


@given(st.text())
@example("[Mon Feb 30 00:00:00 2026] bob: (x)")
@example("[Mon Jan  1 00:00:00 99999999999] bob: (x)")
@example("[Sat Jan  1 00:00:00 0000] bob: (x)")
def test_no_line_is_too_strange_for_a_client(line: str) -> None:
    assert plain_codec.parse_event(line) is not None


@pytest.mark.parametrize(
    "line",
    [
        "[Mon Feb 30 00:00:00 2026] bob: (no such day)",
        "[Sun Nov 22 20:22:01 2026] bob (no colon)",
        "You are chatting with .",
        "quit.",
        "ok",
        "",
    ],
)
def test_any_other_line_is_a_notice(line: str) -> None:
    assert plain_codec.parse_event(line) == Notice(line)


LIKE_WORDS = st.from_regex(plain._OWN_WORDS, fullmatch=True) | EVENTS.map(
    lambda event: plain.render(event).decode().removesuffix("\r\n")
)


@given(LIKE_WORDS | st.text(CHARACTERS))
@example("bob is calling. To:carol to answer.")
@example("You are chatting with .")
def test_an_operator_says_what_no_client_takes_for_more_than_that(line: str) -> None:
    line = clean(line.encode())
    is_more = not isinstance(plain_codec.parse_event(line), Notice) or line.startswith("[")
    assert plain.quote(line) == (f" {line}" if is_more else line)


@given(SAID.map(lambda text: clean(text.encode("utf-8", "surrogateescape"))))
def test_what_a_program_says_is_text_to_the_server(text: str) -> None:
    data = plain_codec.render_command(Say(0, text))
    assert data.endswith(b"\r\n")
    line = clean(data.removesuffix(b"\r\n"))
    assert plain.parse(line) in (Say(0, text), Say(0, f" {text}"))


@pytest.mark.parametrize(
    ("command", "parse"),
    [
        (Claim("bob"), plain.parse_unnamed),
        *((command, plain.parse) for command in (Call("bob"), Block("bob"), Unblock("bob"))),
        *((kind(on), plain.parse) for kind in (SetDnd, SetRing) for on in (False, True)),
    ],
)
def test_a_server_reads_what_a_client_asks_for(
    command: Claim | Call | Setting, parse: Callable[[str], object]
) -> None:
    assert parse(plain_codec.render_command(command).decode().removesuffix("\r\n")) == command
    assert plain.parse(plain_codec.render_command(Quit()).decode().removesuffix("\r\n")) == Quit()
