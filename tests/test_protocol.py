"""Every state with every line, what it answers, and how connections end."""

import time

import pytest

from chatpair.factory import MAX_LISTED
from chatpair.protocol import CLOSING_SECONDS, FLUSHING_SECONDS, UNNAMED_SECONDS
from tests.exchange import NOBODY, PAIRED, Exchange, Party

HELP = [
    "To:bob or /to bob: talk with bob",
    "/bye: stop talking, and stay",
    "/who: who is here; * marks those who are talking",
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


def said(exchange: Exchange, text: str, sender: str = "alice") -> str:
    return f"[{time.ctime(exchange.clock.seconds())}] {sender}: ({text})"


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


@pytest.mark.parametrize("clean", [True, False])
def test_a_lost_connection_frees_the_peer_and_the_name(exchange: Exchange, clean: bool) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"unfinished")
    alice.drops(clean)
    assert bob.heard() == ["Quit."]
    bob.says("hello")
    assert bob.heard() == [NOBODY]
    exchange.enter("alice").says("To:bob")
    assert bob.heard() == [PAIRED.format("alice")]


def test_quit_in_the_middle_of_a_segment(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"one\ntwo\nQuit\nthree\n")
    assert alice.heard() == ["Quit"]
    assert bob.heard() == [said(exchange, "one"), said(exchange, "two"), "Quit."]
    alice.sends(b"four\n")
    assert bob.heard() == []


def test_all_in_one_segment(exchange: Exchange) -> None:
    bob = exchange.enter("bob")
    alice = exchange.connect()
    alice.sends(b"alice\nTo:bob\nhello\nQuit\n")
    assert alice.heard() == ["OK", PAIRED.format("bob"), "Quit"]
    assert bob.heard() == [PAIRED.format("alice"), said(exchange, "hello"), "Quit."]


def test_a_byte_a_second(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    for byte in "grüße\r\n".encode():
        exchange.clock.advance(1)
        alice.sends(bytes([byte]))
    assert bob.heard() == [said(exchange, "grüße")]


def test_ctrl_c_in_telnet_is_quit(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"half\xff\xf4\xff\xfd\x06")
    assert alice.transport.value() == b"\xff\xfc\x06Quit\r\n"
    assert bob.heard() == ["Quit."]


def test_no_name_in_time(exchange: Exchange) -> None:
    slow, alice = exchange.connect(), exchange.connect()
    exchange.clock.advance(UNNAMED_SECONDS - 1)
    slow.says("a b")
    alice.says("alice")
    slow.heard()
    exchange.clock.advance(1)
    assert slow.heard() == ["No name came within 30 seconds."]
    assert slow.closed
    assert not alice.closed


def test_a_tls_handshake_is_refused(exchange: Exchange) -> None:
    client = exchange.connect()
    client.sends(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03")
    assert client.heard() == ["This port talks plain text, not TLS."]
    assert client.closed


def test_half_closed_and_unpaired(exchange: Exchange) -> None:
    for data, answers in (
        (b"", []),
        (b"al", ["OK"]),
        (b"al\n/who\nhi", ["OK", "Here: al", NOBODY]),
    ):
        party = exchange.connect()
        party.sends(data)
        party.ends_input()
        assert party.heard() == answers
        assert party.closed
        party.drops(clean=True)
    assert exchange.factory.users == {}


def test_half_closed_and_paired(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"one\nlast")
    alice.ends_input()
    assert bob.heard() == [said(exchange, "one"), said(exchange, "last")]
    assert alice.heard() == ["Listening."]
    bob.says("I see")
    assert alice.heard() == [said(exchange, "I see", "bob")]
    bob.says("/bye")
    assert alice.heard() == ["Quit."]
    assert alice.closed


def test_a_listener_is_gone_when_nothing_is_said_to_it(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.ends_input()
    exchange.clock.pump([1] * 50)
    bob.says("still there?")
    exchange.clock.pump([1] * 59)
    assert bob.heard() == []
    assert not alice.closed
    exchange.clock.pump([1] * 2)
    assert bob.heard() == ["Quit."]
    assert alice.closed


def test_quit_then_end_of_input(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    alice.sends(b"Quit\n")
    alice.ends_input()
    assert alice.heard() == ["Quit"]
    assert bob.heard() == ["Quit."]


def test_who_is_sorted_and_bounded(exchange: Exchange) -> None:
    names = [f"User{number:03}" for number in range(MAX_LISTED + 5)]
    for name in reversed(names):
        exchange.enter(name)
    last = exchange.enter("zed")
    last.says("/who")
    assert last.heard() == [f"Here: {', '.join(names[:200])}, and 6 more"]


def test_a_full_server(exchange: Exchange) -> None:
    exchange.factory.max_users = 2
    early = exchange.connect()
    alice, bob = exchange.pair()
    late = exchange.connect()
    assert late.heard() == ["The server is full."]
    assert late.closed
    early.says("carol")
    assert early.heard() == ["The server is full."]
    assert early.closed
    alice.says("Quit")
    exchange.enter("carol")
    assert bob.heard() == ["Quit."]


def test_too_many_from_one_host(exchange: Exchange) -> None:
    exchange.factory.max_per_host = 2
    parties = [exchange.connect("192.0.2.7") for _ in range(3)]
    assert [party.closed for party in parties] == [False, False, True]
    assert parties[2].heard() == ["There are too many connections from your address."]
    assert not exchange.connect("192.0.2.8").closed
    for party in parties:
        party.drops()
    assert not exchange.connect("192.0.2.7").closed


def test_the_message_of_the_day(exchange: Exchange) -> None:
    exchange.factory.motd = "Welcome.\nBe kind."
    alice = exchange.connect()
    alice.says("alice")
    assert alice.heard() == ["OK", "Welcome.", "Be kind."]


def test_stopping_tells_everybody_and_handles_what_came(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    unnamed = exchange.connect()
    bob.fills()
    alice.says("one", "two")
    stopped = exchange.factory.stop()
    assert bob.heard() == [said(exchange, "one"), said(exchange, "two"), "The server is stopping."]
    assert alice.heard() == ["The server is stopping."]
    assert unnamed.heard() == ["The server is stopping."]
    done: list[None] = []
    stopped.addCallback(done.append)
    for party in (alice, bob, unnamed):
        assert party.closed
        assert done == []
        party.drops(clean=True)
    assert done == [None]
    assert exchange.clock.getDelayedCalls() == []


def test_stopping_does_not_wait_for_ever(exchange: Exchange) -> None:
    alice, _ = exchange.pair()
    exchange.factory.stop()
    assert not alice.transport.disconnected
    exchange.clock.advance(4)
    assert alice.transport.disconnected


def test_stopping_with_nobody_here(exchange: Exchange) -> None:
    done: list[None] = []
    exchange.factory.stop().addCallback(done.append)
    assert done == [None]


def test_a_client_that_does_not_take_the_last_answer(exchange: Exchange) -> None:
    alice = exchange.enter("alice")
    alice.says("Quit")
    exchange.clock.advance(FLUSHING_SECONDS)
    assert alice.transport.disconnected


def test_nothing_is_left_of_those_who_went(exchange: Exchange) -> None:
    parties: list[Party] = [*exchange.pair(), exchange.connect(), exchange.enter("сarol")]
    parties[0].says("Quit")
    for party in parties:
        party.drops()
    factory = exchange.factory
    assert not factory.users
    assert not factory.pairs
    assert not factory.connections
    assert not factory._sorted_keys
    assert not factory._connections_of_host
    assert not factory._ascii_skeletons
    assert not factory._other_skeletons
    exchange.clock.advance(60)
    exchange.clock.advance(60)
    assert exchange.clock.getDelayedCalls() == []


def test_closing_is_patient_only_so_long(exchange: Exchange) -> None:
    alice = exchange.enter("alice")
    alice.says("Quit")
    alice.protocol.writeConnectionLost()
    exchange.clock.advance(CLOSING_SECONDS)
    assert alice.transport.disconnecting
    assert not alice.transport.disconnected
