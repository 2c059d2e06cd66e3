"""The web door: programs that speak JSON through a WebSocket, on a real web."""

import json
import re
import signal
from itertools import count

import pytest
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    TextMessage,
)

from tests.support.server import WEB, Client, Server
from tests.support.web_client import WebClient, command, pieces


def pair(web: Server) -> tuple[WebClient, Client]:
    """Connect alice through the web door and bob without, and let alice call."""
    alice, bob = WebClient(web.web_port), web.client("bob")
    alice.enters("alice")
    alice.does("to", name="bob")
    assert alice.hears()["peer"] == "bob"
    assert bob.line() == "You are chatting with alice."
    return alice, bob


def test_a_web_client_and_one_with_nc_talk(web: Server) -> None:
    alice, bob = pair(web)
    with alice:
        alice.does("say", id=1, text="Grüße 👋")
        assert bob.text() == "Grüße 👋"
        assert alice.hears() == {"event": "status", "id": 1, "status": "handed", "seq": 3}
        bob.says("one", "two")
        assert [alice.hears()["text"], alice.hears()["text"]] == ["one", "two"]
        bob.says("Quit")
        assert alice.hears()["event"] == "left"


def test_two_web_clients_talk_and_confirm(web: Server) -> None:
    with WebClient(web.web_port) as alice, WebClient(web.web_port) as bob:
        assert alice.mode == {"event": "mode", "mode": "json", "version": 1, "hold": 60}
        alice.enters("alice")
        bob.enters("bob")
        bob.does("to", name="alice")
        assert [alice.hears()["event"], bob.hears()["event"]] == ["paired", "paired"]
        bob.does("say", id=1, text="two\nlines")
        message = alice.hears()
        assert message["text"] == "two\nlines"
        alice.does("ack", seq=message["seq"])
        assert bob.hears()["status"] == "confirmed"


def test_a_drop_and_a_resume(web: Server) -> None:
    bob = web.client("bob")
    with WebClient(web.web_port) as alice:
        key = alice.enters("alice")
        bob.calls("alice")
        assert alice.hears()["event"] == "paired"
    assert bob.line() == "alice has lost the connection. What you say is kept for a while."
    bob.says("while you were away")
    with WebClient(web.web_port) as alice:
        alice.does("resume", key=key, seen=2)
        assert alice.hears() == {"event": "resumed", "name": "alice", "peer": "bob", "got": 0}
        assert alice.hears()["text"] == "while you were away"
        assert bob.line() == "alice is back."
        with WebClient(web.web_port) as other:
            other.does("resume", key=key, seen=3)
            assert other.hears()["event"] == "resumed"
            assert alice.hears()["code"] == "bad-key"
            assert alice.closes() == 1000
            assert alice.is_over()


def test_a_message_in_any_pieces(web: Server) -> None:
    with WebClient(web.web_port) as alice:
        text = command("name", name="alice").data
        alice.sends(*pieces(text[:1], "", text[1:5], text[5:]), command("ping"))
        assert [alice.hears()["event"], alice.hears()["event"]] == ["named", "pong"]
        for byte in alice.wire.send(command("ping")):
            alice.socket.sendall(bytes([byte]))
        assert alice.hears() == {"event": "pong"}


def test_line_breaks_between_the_tokens_are_space(web: Server) -> None:
    with WebClient(web.web_port) as alice:
        alice.sends(TextMessage(json.dumps({"do": "name", "name": "alice"}, indent=2)))
        assert alice.hears()["event"] == "named"
        alice.sends(TextMessage('{"do":\r\n"ping"}'))
        assert alice.hears() == {"event": "pong"}


def test_a_ping_has_a_pong(web: Server) -> None:
    with WebClient(web.web_port) as alice:
        alice.sends(Ping(b"are you there?"), Pong(b"nobody asked"), Ping())
        assert alice.event() == Pong(b"are you there?")
        assert alice.event() == Pong(b"")


def test_quit_is_answered_and_the_connection_closed(web: Server) -> None:
    alice, bob = pair(web)
    with alice:
        alice.sends(command("quit"), Ping())
        events = [alice.event(), alice.event()]
        assert Pong(b"") in events
        assert TextMessage('{"event":"quit","seq":3}') in events
        assert alice.closes() == 1000
        assert alice.is_over()
        assert bob.line() == "Quit."


def test_a_client_that_closes(web: Server) -> None:
    alice, bob = pair(web)
    with alice:
        assert alice.is_over() is False  # the answer comes first
        alice.socket.recv(100)
        assert alice.socket.recv(1) == b""
    assert bob.line() == "alice has lost the connection. What you say is kept for a while."


def test_what_is_said_right_before_the_close_counts(web: Server) -> None:
    alice, bob = pair(web)
    with alice:
        quits = [command("say", id=1, text="bye"), command("quit"), CloseConnection(1000)]
        alice.sends(*quits)
        assert [bob.text(), bob.line()] == ["bye", "Quit."]


def test_a_client_that_is_told_to_close_and_goes_on(web: Server) -> None:
    with WebClient(web.web_port) as alice:
        alice.enters("alice")
        late = alice.wire.send(Ping())
        alice.does("quit")
        assert alice.hears()["event"] == "quit"
        assert alice.closes() == 1000
        alice.socket.sendall(late)
        assert alice.socket.recv(1) == b""


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([BytesMessage(b"\x00")], 1003),
        ([BytesMessage(b"", message_finished=False)] * 2 + [BytesMessage(b"")], 1003),
    ],
)
def test_what_is_no_text_is_refused(web: Server, events: list[Event], code: int) -> None:
    alice, bob = pair(web)
    with alice:
        alice.sends(command("say", id=1, text="before"), *events, command("ping"))
        assert bob.text() == "before"
        assert alice.hears()["status"] == "handed"
        assert alice.closes() == code
        assert alice.is_over()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x02hi", 1002),  # not masked
        (b"\xff\xff\xff\xff", 1002),
        (b"GET / HTTP/1.1\r\n\r\n", 1002),
        (b"\x81\x82\0\0\0\0\xff\xff", 1007),  # not UTF-8
        (b"\x88\x81\0\0\0\0\0", 1002),  # closing with half a code
    ],
)
def test_garbage_is_refused(web: Server, data: bytes, code: int) -> None:
    alice, bob = pair(web)
    with alice:
        alice.socket.sendall(data)
        assert alice.closes() == code
        assert alice.socket.recv(1) == b""
    assert bob.line() == "alice has lost the connection. What you say is kept for a while."


def test_a_line_that_is_too_long_is_dropped(web: Server) -> None:
    with WebClient(web.web_port) as alice:
        alice.enters("alice")
        alice.sends(TextMessage("x" * 65_537), command("ping"))
        assert alice.hears()["code"] == "too-long"
        assert alice.hears() == {"event": "pong"}


def test_a_message_without_end_is_refused(web: Server) -> None:
    with WebClient(web.web_port) as alice:
        alice.enters("alice")
        before = web.resident_kib()
        piece = TextMessage("x" * 60_000, message_finished=False)
        for _ in range(100):  # 6 MB
            alice.sends(piece)
        assert alice.closes() == 1009
        assert web.resident_kib() - before < 3_000


def test_somebody_who_does_not_read_pauses_the_peer(web: Server) -> None:
    alice, bob = pair(web)
    carol, dave = web.client("carol"), web.client("dave")
    carol.calls("dave")
    assert dave.line() == "You are chatting with carol."
    before = web.resident_kib()
    lines = (f"{number:07} {'x' * 50_000}\n".encode() for number in count())
    bob.socket.setblocking(False)
    unsent = b""
    rounds = 0
    while rounds < 50:  # until the server takes no more, though it has turns enough to
        try:
            unsent = unsent or next(lines)
            unsent = unsent[bob.socket.send(unsent) :]
            rounds = 0
        except BlockingIOError:
            rounds += 1
            carol.says("are you there?")
            assert dave.text() == "are you there?"
    assert web.resident_kib() - before < 8_000
    expected = int(next(lines)[:7])
    heard = 0
    while heard < expected - 1:
        event = alice.hears()
        assert event["text"][:7] == f"{heard:07}"
        alice.does("ack", seq=event["seq"])
        heard += 1
    alice.close()


def test_pings_of_somebody_who_does_not_read(web: Server) -> None:
    with WebClient(web.web_port) as alice:
        alice.enters("alice")
        before = web.resident_kib()
        pings = alice.wire.send(Ping(b"x" * 125)) * 500 + alice.wire.send(command("ping"))
        for _ in range(100):  # 6 MB
            alice.socket.sendall(pings)
        assert web.resident_kib() - before < 4_000
        answers = 0
        while answers < 100:
            event = alice.event()
            if isinstance(event, TextMessage):
                assert event.data == '{"event":"pong"}'
                answers += 1
            else:
                assert event == Pong(b"x" * 125)


def test_pings_and_no_message_for_too_long(web: Server) -> None:
    with WebClient(web.web_port) as alice:
        for _ in range(5):
            alice.socket.sendall(alice.wire.send(Ping(b"x" * 125)) * 300)
        while isinstance(event := alice.event(), Pong):
            pass
        assert event == CloseConnection(1009, "")


def test_stopping_tells_everybody(web: Server) -> None:
    alice, bob = pair(web)
    with alice:
        web.kill(signal.SIGTERM)
        assert alice.hears() == {"event": "left", "peer": "bob", "why": "stopped", "seq": 3}
        assert alice.hears()["text"] == "The server is stopping."
        assert alice.closes() == 1000
        assert alice.is_over()
        assert bob.line() == "The server is stopping."
        assert web.wait() == -signal.SIGTERM


def test_only_pages_of_this_site_and_programs_may_connect(web: Server) -> None:
    port = web.web_port
    for origin in (f"http://127.0.0.1:{port}", f"https://127.0.0.1:{port}", None):
        with WebClient(port, origin) as client:
            assert isinstance(client.answer, AcceptConnection)
    for origin in ("http://evil.example", "http://127.0.0.1", f"http://[127.0.0.1:{port}", "null"):
        with WebClient(port, origin) as client:
            assert client.refused() == 403
    assert re.search(rb"refused: 1 .*page of another site", web.output)


def test_the_limits_count_at_this_door_too() -> None:
    with Server("--max-per-host", "2", port=WEB) as web:
        alice, _ = pair(web)
        with WebClient(web.web_port) as crowded:
            assert crowded.refused() == 503
        alice.close()
    with Server("--max-users", "1", "--hold", "0", port=WEB) as web:
        web.client("alice")
        with WebClient(web.web_port, is_let_in=False) as late:
            assert late.event() == TextMessage("The server is full.")
            assert late.closes() == 1000
