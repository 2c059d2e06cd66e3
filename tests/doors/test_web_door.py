"""The web door: programs that speak JSON through a WebSocket, on a real web."""

import json
import re
from contextlib import suppress

import pytest
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from tests.support.server import WEB, Client, Server
from tests.support.web_client import WebClient, command


def pair(web: Server) -> tuple[WebClient, Client]:
    """Connect alice through the web door and bob without, and let alice call."""
    alice, bob = WebClient(web.web_port), web.client("bob")
    alice.enters("alice")
    alice.does("to", name="bob")
    assert alice.hears()["peer"] == "bob"
    assert bob.line() == "You are chatting with alice."
    return alice, bob


def test_what_a_program_may_send(web: Server) -> None:
    with WebClient(web.web_port) as alice:
        alice.enters("alice")
        # Between the tokens a line break is a space.
        alice.sends(TextMessage(json.dumps({"do": "to", "name": "bob"}, indent=2)))
        assert alice.hears()["code"] == "unknown"
        alice.sends(TextMessage('{"do":\r\n"ping"}'))
        assert alice.hears() == {"event": "pong"}
        alice.sends(TextMessage("x" * 65_537), command("ping"))
        assert alice.hears()["code"] == "too-long"
        assert alice.hears() == {"event": "pong"}
        alice.sends(Ping(b"are you there?"), Pong(b"nobody asked"), Ping())
        assert alice.event() == Pong(b"are you there?")
        assert alice.event() == Pong(b"")


def test_quit_is_answered_and_the_connection_closed(web: Server) -> None:
    alice, bob = pair(web)
    with alice:
        late = alice.wire.send(Ping())
        alice.sends(command("quit"), Ping())
        events = [alice.event(), alice.event()]
        assert Pong(b"") in events
        assert TextMessage('{"event":"quit","seq":3}') in events
        assert alice.closes() == 1000
        alice.socket.sendall(late)
        assert alice.socket.recv(1) == b""
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


@pytest.mark.parametrize(
    "events",
    [
        [BytesMessage(b"\x00")],
        [BytesMessage(b"", message_finished=False)] * 2 + [BytesMessage(b"")],
    ],
)
def test_what_is_no_text_is_refused(web: Server, events: list[Event]) -> None:
    alice, bob = pair(web)
    with alice:
        alice.sends(command("say", id=1, text="before"), *events, command("ping"))
        assert bob.text() == "before"
        assert alice.hears()["status"] == "handed"
        assert alice.closes() == 1003
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


def test_a_message_without_end_is_refused(web: Server) -> None:
    with WebClient(web.web_port) as alice:
        alice.enters("alice")
        before = web.resident_kib()
        piece = TextMessage("x" * 60_000, message_finished=False)
        with suppress(ConnectionError):  # as somebody who does not stop is closed on
            for _ in range(200):  # 13 MB
                alice.sends(piece)
        assert alice.closes() == 1009
        assert web.resident_kib() - before < 3_000


def test_pings_of_somebody_who_does_not_read(web: Server) -> None:
    with WebClient(web.web_port) as alice:
        alice.enters("alice")
        before = web.resident_kib()
        pings = alice.wire.send(Ping(b"x" * 125)) * 500 + alice.wire.send(command("ping"))
        for _ in range(200):  # 13 MB
            alice.socket.sendall(pings)
        assert web.resident_kib() - before < 4_000
        told = ""  # which may come in pieces
        while len(told) < 200 * len('{"event":"pong"}'):
            event = alice.event()
            if isinstance(event, TextMessage):
                told += event.data
            else:
                assert event == Pong(b"x" * 125)
        assert told == 200 * '{"event":"pong"}'


def test_pings_and_no_message_for_too_long(web: Server) -> None:
    with WebClient(web.web_port) as alice:
        for _ in range(5):
            alice.socket.sendall(alice.wire.send(Ping(b"x" * 125)) * 300)
        while isinstance(event := alice.event(), Pong):
            pass
        assert event == CloseConnection(1009, "")


def test_who_is_let_in() -> None:
    page = "https://chat.example"  # where the page may be found, too
    with Server("--max-users", "1", "--hold", "0", "--web-origin", page, port=WEB) as web:
        web.client("alice")
        with WebClient(web.web_port, page, is_let_in=False) as late:
            assert late.event() == TextMessage("The server is full.")
            assert late.closes() == 1000
        with WebClient(web.web_port, "null") as foreign:
            assert foreign.refused() == 403
        web.stop()
        assert re.search(rb"refused: .*page of another site", web.output)
