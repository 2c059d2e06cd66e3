"""What the web door does for browsers, programs and strangers before there is a WebSocket."""

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, LogLevel, capturedLogs
from twisted.python.failure import Failure
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Ping, Request, TextMessage

from chatpair.doors.web import HEADERS, PAGE, WebSite, is_from, origin_of
from chatpair.wire.turns import WEB_BYTES_A_TURN
from tests.support.exchange import Exchange
from tests.support.web_client import command

FILES = {name: files("chatpair.doors").joinpath("page", name).read_text() for name in PAGE}


@pytest.fixture(autouse=True)
def log() -> Iterator[Sequence[LogEvent]]:
    """What is logged meanwhile, none of which may be an error."""
    with capturedLogs() as events:
        yield events
    assert not [event for event in events if event["log_level"] >= LogLevel.warn]


class Visit:
    """A connection to a site without sockets."""

    def __init__(self, exchange: Exchange, host: str = "127.0.0.1", **more: Any) -> None:
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", host, 40_000))
        self.exchange = exchange
        self.site = WebSite(exchange.factory, exchange.factory, **more)
        self.protocol: Any = self.site.buildProtocol(self.transport.getPeer())
        self.protocol.makeConnection(self.transport)

    def sends(self, data: bytes) -> None:
        """Send bytes; TLS hands on also what comes after the server has closed."""
        assert self.transport.bufferSize == WEB_BYTES_A_TURN  # type: ignore[attr-defined]
        self.protocol.dataReceived(data)
        self.exchange.clock.advance(0)

    def answer(self, request: str) -> tuple[int, dict[str, str], str]:
        """Send a request; return the status, the headers and the body."""
        self.sends(request.replace("\n", "\r\n").encode())
        head, _, body = self.transport.value().decode(errors="replace").partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        assert "Set-Cookie" not in headers
        return int(first.split()[1]), headers, body

    @property
    def is_over(self) -> bool:
        """Whether the server has closed the connection."""
        return self.transport.disconnecting or self.transport.disconnected

    def drops(self) -> None:
        """Lose the connection."""
        self.protocol.connectionLost(Failure(ConnectionDone()))


@pytest.mark.parametrize("name", FILES)
def test_the_files_of_the_page(name: str) -> None:
    path = "" if name == "index.html" else name
    for method in ("GET", "HEAD"):
        visit = Visit(Exchange())
        status, headers, body = visit.answer(f"{method} /{path} HTTP/1.1\nHost: x\n\n")
        assert status == 200
        assert body == (FILES[name] if method == "GET" else "")
        assert headers["Content-Type"] == PAGE[name].decode()
        assert int(headers["Content-Length"]) == len(FILES[name].encode())
        assert {key: headers[key.decode()] for key in HEADERS} == {
            key: value.decode() for key, value in HEADERS.items()
        }
        assert visit.is_over


def test_the_page_is_small() -> None:
    assert sum(len(text.encode()) for text in FILES.values()) < 36_000


def test_the_page_needs_no_other_host_and_makes_no_html() -> None:
    for text in FILES.values():
        assert "//" not in re.sub(r"(^|\s)//\s.*", "", text)
        assert not re.search(r"HTML|document\.write|\beval\b|Function\(|DOMParser|srcdoc", text)
        assert not re.search(r"\bon\w+=|<style|style=|javascript:", text)


def test_the_policy_allows_no_code_but_the_files() -> None:
    policy = HEADERS[b"Content-Security-Policy"].decode()
    assert "unsafe" not in policy
    assert dict(part.split(" ", 1) for part in policy.split("; ")) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


UPGRADE = """\
Host: here:1
Connection: keep-alive, Upgrade
Upgrade: WebSocket
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
"""


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        ("GET /nothing", "", 404),
        ("GET /ws/more", "", 404),
        ("GET /style.css/more", "", 404),
        ("GET /../setup.cfg", "", 404),
        ("GET /page/index.html", "", 404),
        ("HEAD /nothing", "", 404),
        ("POST /", "Content-Length: 1000000000000\n", 405),
        ("POST /", "Transfer-Encoding: chunked\n", 405),
        ("DELETE /style.css", "", 405),
        ("BREW /", "", 405),
        ("POST /ws", UPGRADE, 405),
        ("GET /ws", "Host: here:1\n", 426),
        ("GET /ws", UPGRADE.replace("13", "8"), 426),
        ("GET /ws", UPGRADE.replace("Host: here:1\n", ""), 400),
        ("GET /ws", UPGRADE.replace("WebSocket\n", "h2c\n"), 400),
        ("GET /ws", UPGRADE.replace("dGhl", ""), 400),
        ("GET /ws", UPGRADE + "Host: there:1\n", 400),
        ("GET /ws", UPGRADE + "Origin: http://there:1\n", 403),
        ("GET /ws", UPGRADE + "Origin: http://here:1\nOrigin: http://there:1\n", 403),
        ("GET /ws", UPGRADE + "Origin: null\n", 403),
        ("GET /ws", UPGRADE + "Origin: http://here:1\n", 101),
        ("GET /ws?a=b", UPGRADE + "Origin: HTTPS://HERE:1\n", 101),
        ("GET /ws", UPGRADE + "Cookie: a=b\nX-Odd: \xff\n", 101),
        ("GET /ws", UPGRADE, 101),
    ],
)
def test_requests(request_line: str, headers: str, status: int) -> None:
    visit = Visit(Exchange())
    answered, _, body = visit.answer(f"{request_line} HTTP/1.1\n{headers}\n")
    assert answered == status
    assert visit.is_over == (status != 101)
    assert (b'{"event":"mode"' in visit.transport.value()) == (status == 101)
    assert len(body) < 100


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://a.example", "a.example", True),
        ("https://A.example:1", "a.EXAMPLE:1", True),
        ("http://[::1]:1", "[::1]:1", True),
        ("https://a.example", "a.example:443", True),
        ("https://a.example:443", "a.example", True),
        ("http://a.example", "a.example:443", False),
        ("http://a.example:1", "a.example", False),
        ("http://a.example.b", "a.example", False),
        ("http://a.example@b", "a.example", False),
        ("http://a.example/b", "a.example", False),
        ("http://[a.example", "[a.example", False),
        ("//a.example", "a.example", False),
        ("ftp://a.example", "a.example", False),
        ("chrome-extension://a.example", "a.example", False),
        ("http://", "", False),
        ("null", "null", False),
        ("", "", False),
    ],
)
def test_origins(origin: str, host: str, same: bool) -> None:
    assert is_from(origin, [host]) == same


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ('Forwarded: for=192.0.2.1;proto=https;Host="chat.example", for=x;host=y\n', 101),
        ("Forwarded: for=x; host=chat.example:443\n", 101),
        ("X-Forwarded-Host: chat.example, here\n", 101),
        ('Forwarded: for="chat.example"\nX-Forwarded-Host:\n', 403),
        ("X-Forwarded-For: chat.example\n", 403),
    ],
)
def test_what_a_proxy_says_counts_where_nobody_else_comes(forwarded: str, status: int) -> None:
    request = f"GET /ws HTTP/1.1\n{UPGRADE}Origin: https://chat.example\n{forwarded}\n"
    assert Visit(Exchange(), is_proxied=True).answer(request)[0] == status
    assert Visit(Exchange()).answer(request)[0] == 403
    origins = [origin_of("https://chat.example:443")]
    assert Visit(Exchange(), origins=origins).answer(request)[0] == 101
    assert Visit(Exchange(), origins=origins).answer(request.replace("//chat", "//x"))[0] == 403


def test_one_request_a_connection() -> None:
    visit = Visit(Exchange())
    visit.answer("GET /style.css HTTP/1.1\nHost: x\n\n" * 1_000)
    assert visit.transport.value().count(b"HTTP/1.1") == 1


def test_who_asks_for_nothing_has_as_long_as_for_a_name() -> None:
    exchange = Exchange()
    visit = Visit(exchange)
    for _ in range(29):
        visit.sends(b"G")
        exchange.clock.advance(1)
    assert not visit.is_over
    exchange.clock.advance(1)
    assert visit.is_over


def test_each_connection_counts_once_and_until_it_ends() -> None:
    exchange = Exchange(max_per_host=2)
    first, second = Visit(exchange), Visit(exchange)
    third = Visit(exchange)
    assert third.transport.value().startswith(b"HTTP/1.1 503 ")
    assert third.is_over
    for visit in (second, third):
        visit.drops()
    assert first.answer(f"GET /ws HTTP/1.1\n{UPGRADE}\n")[0] == 101
    assert len(exchange.factory.visitors) == 1
    assert not list(exchange.factory.visitors.unnamed)
    assert not Visit(exchange).is_over
    first.drops()
    assert not Visit(exchange).is_over
    exchange.factory.settings.max_connections = 3
    assert not Visit(exchange, "192.0.2.1").is_over
    assert Visit(exchange, "192.0.2.2").is_over


def test_requests_for_the_page_count_as_connections_and_a_websocket_as_one() -> None:
    exchange = Exchange(max_connects_per_minute=3)
    request = "GET / HTTP/1.1\nHost: x\n\n"
    assert Visit(exchange, "192.0.2.1").answer(request)[0] == 200
    assert Visit(exchange, "192.0.2.1").answer(f"GET /ws HTTP/1.1\n{UPGRADE}\n")[0] == 101
    assert [Visit(exchange, "192.0.2.1").answer(request)[0] for _ in range(2)] == [200, 429]
    late = Visit(exchange, "192.0.2.1")
    assert late.answer(f"GET /ws HTTP/1.1\n{UPGRADE}\n")[0] == 101
    assert b"You are connecting too often" in late.transport.value()
    assert exchange.factory.activity.totals["refused", "connecting too often"] == 2
    assert Visit(exchange, "192.0.2.2").answer(request)[0] == 200


def test_stopping_closes_the_connections_and_does_not_wait_for_who_does_not_answer() -> None:
    exchange = Exchange()
    visits = [Visit(exchange), Visit(exchange), Visit(exchange)]
    visits[0].answer(f"GET /ws HTTP/1.1\n{UPGRADE}\n")
    stopped: list[object] = []
    exchange.factory.stop().addCallback(stopped.append)
    assert visits[2].is_over
    visits[2].drops()
    assert stopped == []
    exchange.clock.advance(4)
    assert [visit.transport.disconnected for visit in visits[:2]] == [True, True]
    for visit in visits[:2]:
        visit.drops()
    assert stopped == [None]


@pytest.mark.parametrize("state", ["a request", "unnamed", "named"])
@given(chunks=st.lists(st.binary(max_size=200)))
def test_any_bytes(state: str, chunks: list[bytes]) -> None:
    exchange = Exchange()
    visit, wire = (Visit(exchange), None) if state == "a request" else upgraded(exchange)
    if wire and state == "named":
        visit.sends(wire.send(command("name", name="alice")))
    for chunk in chunks:
        visit.sends(chunk)
    exchange.clock.advance(10)
    visit.drops()
    exchange.clock.advance(400)
    assert not exchange.factory.visitors
    assert not exchange.factory.users


def upgraded(exchange: Exchange) -> tuple[Visit, WSConnection]:
    """Connect a WebSocket; return its client's side too."""
    visit, wire = Visit(exchange), WSConnection(ConnectionType.CLIENT)
    visit.sends(wire.send(Request(host="x", target="/ws")))
    wire.receive_data(visit.transport.value())
    visit.transport.clear()
    assert isinstance(next(wire.events()), AcceptConnection)
    return visit, wire


SAYS = ["hello", "", "two\nlines", "é" * 100, "👋"]


@settings(max_examples=30)
@given(st.lists(st.integers(1, 300)), st.integers(1, 9))
def test_frames_cut_anywhere(cuts: list[int], size: int) -> None:
    exchange = Exchange()
    visit, wire = upgraded(exchange)
    bob = exchange.enter("bob")
    visit.sends(wire.send(command("name", name="alice")) + wire.send(command("to", name="bob")))
    assert bob.heard() == ["You are chatting with alice."]
    data = b""
    for number, text in enumerate(SAYS, 1):
        whole = command("say", id=number, text=text).data
        for at in range(0, len(whole), size):
            piece = TextMessage(whole[at : at + size], message_finished=at + size >= len(whole))
            data += wire.send(piece) + wire.send(Ping())
    for cut in cuts:
        visit.sends(data[:cut])
        data = data[cut:]
    visit.sends(data)
    exchange.clock.advance(0)
    texts = [re.sub(r"^.*?\((.*)\)$", r"\1", line, flags=re.S) for line in bob.heard()]
    assert texts == "\n".join(SAYS).split("\n")
    wire.receive_data(visit.transport.value())
    last = [event for event in wire.events() if isinstance(event, TextMessage)][-1]
    assert '"id":5,"status":"handed"' in last.data
