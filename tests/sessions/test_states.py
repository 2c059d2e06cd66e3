"""Every state with every line, and what it answers."""

import pytest

from tests.support.exchange import NOBODY, PAIRED, Exchange, said

HELP = [
    "To:bob or /to bob: talk with bob",
    "/bye: stop talking, and stay",
    "/who: who is here; * marks those who are talking",
    "/dnd on or off: be called by nobody, or by everybody again",
    "/ring on or off: let calls ring until you answer with To:",
    "/block bob and /unblock bob: be busy whenever bob calls, or no more",
    "/key: get a key; after a drop, say Back: and the key instead of a name",
    "/end: say no more, and listen until the other leaves",
    "/quit or Quit: leave",
    "/help: these lines",
    "Any other line is said to the one you talk with; one with a space first always is",
]
NO_SUCH = "No such command: {}. Type /help, or put a space first to say it."
LONG = "x" * 65_537
TOO_LONG = "That line was not sent: it has over 65536 bytes."

UNNAMED = [
    ("dave", ["OK"], False),
    ("alice", ["Reuse"], False),
    ("ALICE", ["Reuse"], False),
    ("", ["Quit"], True),
    ("Quit", ["Quit"], True),
    ("/quit", ["Quit"], True),
    ("/end", [], True),
    ("/help", HELP, False),
    ("/foo", [NO_SUCH.format("/foo")], False),
    ("OK", ["Bad name: the server says that itself"], False),
    ("To:alice", ["Bad name: no space and none of : [ ] ( ) / * , in a name"], False),
    ("/to alice", ["Bad name: no space and none of : [ ] ( ) / * , in a name"], False),
    ("/who", ["Bad name: no space and none of : [ ] ( ) / * , in a name"], False),
    ("/bye", ["Bad name: no space and none of : [ ] ( ) / * , in a name"], False),
    (" dave", ["Bad name: no space and none of : [ ] ( ) / * , in a name"], False),
    ("x" * 33, ["Bad name: 1 to 32 characters"], False),
    (LONG, ["Bad name: 1 to 32 characters"], False),
    (
        "GET / HTTP/1.1",
        ["This is not a web server: talk to it with telnet, nc or the chatpair client."],
        True,
    ),
]


@pytest.mark.parametrize(("line", "answers", "closes"), UNNAMED)
def test_unnamed(exchange: Exchange, line: str, answers: list[str], closes: bool) -> None:
    exchange.enter("alice")
    newcomer = exchange.connect()
    newcomer.says(line)
    assert newcomer.heard() == answers
    assert newcomer.closed == closes


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"bob\x1b[2J", "Bad name: no space and none of : [ ] ( ) / * , in a name"),
        (b"b\xf6b", "Bad name: U+FFFD can't be in a name"),
        ("\u202ebob".encode(), "OK"),  # without what turns it around
        ("аlice".encode(), "Reuse"),  # in Cyrillic
        (b"b\0o\x7fb\r", "OK"),
        (b"\x07", "Quit"),
    ],
)
def test_a_name_is_cleaned(exchange: Exchange, line: bytes, answer: str) -> None:
    exchange.enter("alice")
    newcomer = exchange.connect()
    newcomer.sends(line + b"\n")
    assert newcomer.heard() == [answer]
    assert list(exchange.factory.users)[1:] == (["bob"] if answer == "OK" else [])


# What somebody says, what they hear, what the peer or the callee hears, whether they are gone.
IDLE = [
    ("To:bob", [PAIRED.format("bob")], [PAIRED.format("alice")], False),
    ("to: BOB ", [PAIRED.format("bob")], [PAIRED.format("alice")], False),
    ("/to bob", [PAIRED.format("bob")], [PAIRED.format("alice")], False),
    ("/TO  bob ", [PAIRED.format("bob")], [PAIRED.format("alice")], False),
    ("To:", ["Say who: To:bob"], [], False),
    ("/to", ["Say who: To:bob"], [], False),
    ("To: ", ["Say who: To:bob"], [], False),
    ("To:alice", ["Please don't try to talk with yourself."], [], False),
    ("To:Alice", ["Please don't try to talk with yourself."], [], False),
    ("To:nobody", ["The user nobody does not exist."], [], False),
    ("To:b b", ["The user b b does not exist."], [], False),
    ("To:\u200d", ["The user \u200d does not exist."], [], False),
    (
        "To:carol",
        ["carol is talking with someone else."],
        [],
        False,
    ),
    ("/bye", [NOBODY], [], False),
    ("/who", ["Here: alice, bob, carol*, dave*"], [], False),
    ("/help", HELP, [], False),
    ("/foo bar", [NO_SUCH.format("/foo")], [], False),
    ("/", [NO_SUCH.format("/")], [], False),
    ("hello", [NOBODY], [], False),
    ("", [NOBODY], [], False),
    (" To:bob", [NOBODY], [], False),
    ("quit", [NOBODY], [], False),
    ("Quit now", [NOBODY], [], False),
    (LONG, [TOO_LONG], [], False),
    ("Quit", ["Quit"], [], True),
    ("/quit", ["Quit"], [], True),
    ("/END", [], [], True),
]


@pytest.mark.parametrize(("line", "answers", "others", "closes"), IDLE)
def test_idle(
    exchange: Exchange, line: str, answers: list[str], others: list[str], closes: bool
) -> None:
    alice, bob = exchange.enter("alice"), exchange.enter("bob")
    exchange.pair("carol", "dave")
    alice.says(line)
    assert alice.heard() == answers
    assert bob.heard() == others
    assert alice.closed == closes


@pytest.mark.parametrize(
    ("line", "answers", "others", "closes"),
    [
        ("To:carol", [PAIRED.format("carol")], ["Quit."], False),
        ("To:", ["Say who: To:bob"], [], False),
        ("To:alice", ["Please don't try to talk with yourself."], [], False),
        ("To:nobody", ["The user nobody does not exist."], [], False),
        ("To:dave", ["dave is talking with someone else."], [], False),
        ("To:Bob", ["You are already chatting with bob."], [], False),
        ("/bye", ["You are free."], ["Quit."], False),
        ("/bye bye", ["You are free."], ["Quit."], False),
        ("/who", ["Here: alice*, bob*, carol, dave*, erin*"], [], False),
        ("/help", HELP, [], False),
        ("/foo", [NO_SUCH.format("/foo")], [], False),
        ("Quit", ["Quit"], ["Quit."], True),
        ("/quit", ["Quit"], ["Quit."], True),
        (LONG, [TOO_LONG], [], False),
    ],
)
def test_paired(
    exchange: Exchange, line: str, answers: list[str], others: list[str], closes: bool
) -> None:
    alice, bob = exchange.pair()
    exchange.enter("carol")
    exchange.pair("dave", "erin")
    alice.says(line)
    assert alice.heard() == answers
    assert bob.heard() == others
    assert alice.closed == closes
    alice.says("still there?")
    assert bool(bob.heard()) == (not others)


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "",
        " To:carol",
        " /foo",
        "quit",
        "Quit ",
        "] x: (y)",
        "[x] y: (z)",
        "grüße \u4f60",
        "a\tb",
    ],
)
def test_text_reaches_the_peer_as_it_is(exchange: Exchange, text: str) -> None:
    alice, bob = exchange.pair()
    alice.says(text)
    assert bob.heard() == [said(exchange, text)]
    assert alice.heard() == []


def test_text_is_cleaned(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"\x1b[2J\0a\xc2\x9db\xe2\x80\xaec\rd\xff\xfb\x01e\xc3\n")
    assert bob.heard() == [said(exchange, "[2Jabcde\ufffd")]


def test_a_line_that_is_too_long_costs_nothing_else(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"before\n" + LONG.encode() + b"\nafter\n" + b"x" * 65_536 + b"\r\n")
    assert alice.heard() == [TOO_LONG]
    assert bob.heard() == [said(exchange, text) for text in ("before", "after", "x" * 65_536)]


def test_the_time_is_the_servers(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    for _ in range(3):
        alice.says("hello")
        assert bob.heard() == [said(exchange, "hello")]
        exchange.clock.advance(1)


def test_only_the_peers_lines_start_with_a_bracket(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.says("[Sun Nov 22 20:22:01 2026] bob: (x)", "To:[Sun", "/[Sun", "[")
    assert all(not line.startswith("[") for line in alice.heard())
    assert [line[0] for line in bob.heard()] == ["[", "["]


def test_a_third_caller_changes_nothing_but_is_announced(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    carol = exchange.enter("carol")
    carol.says("To:bob")
    assert carol.heard() == ["bob is talking with someone else."]
    assert bob.heard() == ["carol tried to reach you."]
    assert alice.heard() == []
    alice.says("hello")
    assert bob.heard() == [said(exchange, "hello")]


def test_two_who_call_each_other_are_one_pair(exchange: Exchange) -> None:
    alice, bob = exchange.enter("alice"), exchange.enter("bob")
    alice.says("To:bob")
    bob.says("To:alice")
    assert alice.heard() == [PAIRED.format("bob")]
    assert bob.heard() == [PAIRED.format("alice"), "You are already chatting with alice."]
    assert len(exchange.factory.pairs) == 2


def test_a_call_that_fails_keeps_the_pair(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    exchange.pair("carol", "dave")
    alice.says("To:carol", "To:nobody", "hello")
    assert alice.heard() == [
        "carol is talking with someone else.",
        "The user nobody does not exist.",
    ]
    assert bob.heard() == [said(exchange, "hello")]


def test_the_one_who_is_left_can_be_called(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    carol = exchange.enter("carol")
    alice.says("To:carol")
    assert bob.heard() == ["Quit."]
    bob.says("hello", "To:carol", "To:alice")
    busy = "{} is talking with someone else."
    assert bob.heard() == [NOBODY, busy.format("carol"), busy.format("alice")]
    assert carol.heard() == [PAIRED.format("alice"), "bob tried to reach you."]
