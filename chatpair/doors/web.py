"""The web site: one page, and the WebSocket that it talks through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.python.url import URL
from twisted.web import http
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import Request, Site
from twisted.web.websocket import WebSocketResource

from chatpair.doors.websocket import WebSocketTransport
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.limits import host_of
from chatpair.exchange.visitors import Visitor
from chatpair.wire.turns import WEB_BYTES_A_TURN, read_no_more_at_once

PAGE = {
    "index.html": b"text/html; charset=utf-8",
    "style.css": b"text/css; charset=utf-8",
    "chatpair.js": b"text/javascript; charset=utf-8",
    "line.js": b"text/javascript; charset=utf-8",
    "log.js": b"text/javascript; charset=utf-8",
}
"""The files of the site, and their types."""

HEADERS = {
    b"Content-Security-Policy": b"default-src 'none'; script-src 'self'; style-src 'self'; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    b"X-Content-Type-Options": b"nosniff",
    b"Referrer-Policy": b"no-referrer",
    b"Cross-Origin-Opener-Policy": b"same-origin",
    b"Cache-Control": b"no-cache",  # it must fit the server, which may be another tomorrow
}
"""What every answer has."""

_TEXT = b"text/plain; charset=utf-8"

_UPGRADE_REQUIRED = 426  # RFC 9110, section 15.5.22; Twisted has no name for it

# RFC 6455, section 4.1: sixteen bytes in base64.
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")

_FORWARDED = re.compile(r"(?:^|[;,])\s*host=\"?([^\";,\s]+)", re.IGNORECASE)

_CROWDED = b"There are too many connections, or too many from your address.\n"
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: %b\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (_TEXT, len(_CROWDED), _CROWDED)
)


def origin_of(text: str) -> URL | None:
    """Return the origin of pages (RFC 6454) that a text is, or None if it is none."""
    try:
        url = URL.fromText(text.lower())
    except ValueError:
        return None
    origin = URL(url.scheme, url.host, port=url.port)
    return origin if url == origin and url.host and url.scheme in ("http", "https") else None


def is_from(origin: str, hosts: Iterable[str], others: Sequence[URL] = ()) -> bool:
    """Tell whether a page of an origin is one of some hosts, as in Host, or of other origins.

    A port that is the scheme's own may be missing.
    """
    page = origin_of(origin)
    if page is None:
        return False
    return page in others or any(page == origin_of(f"{page.scheme}://{host}") for host in hosts)


def _forwarded_hosts(headers: Headers) -> list[str]:
    """Return the hosts that a browser asked a proxy for, as the proxy says (RFC 7239)."""
    values = [
        *(value for line in _sent(headers, b"Forwarded") for value in _FORWARDED.findall(line)),
        *(line.split(",")[0].strip() for line in _sent(headers, b"X-Forwarded-Host")),
    ]
    return [value for value in values if value]


def _sent(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1") for value in headers.getRawHeaders(name, [])]


class _Answer(Resource):
    """Always the same bytes, and nothing below."""

    def __init__(self, body: bytes, kind: bytes = _TEXT, code: int = http.OK) -> None:
        super().__init__()
        self._answer = body, kind, code

    def getChild(self, path: bytes, request: Request) -> Resource:
        return _NOT_FOUND

    def render(self, request: Request) -> bytes:
        body, kind, code = self._answer
        if request.method not in (b"GET", b"HEAD"):
            body, kind, code = b"Only GET and HEAD are of use here.\n", _TEXT, http.NOT_ALLOWED
            request.setHeader(b"Allow", b"GET, HEAD")
        request.setResponseCode(code, HTTPStatus(code).phrase.encode())
        request.setHeader(b"Content-Type", kind)
        request.setHeader(b"Content-Length", b"%d" % len(body))
        return body if request.method != b"HEAD" else b""


_NOT_FOUND = _Answer(b"There is nothing here.\n", code=http.NOT_FOUND)
_TOO_OFTEN = _Answer(
    b"You are connecting too often; try again in a minute.\n", code=HTTPStatus.TOO_MANY_REQUESTS
)
_NO_UPGRADE = _Answer(b"This is a WebSocket, version 13.\n", code=_UPGRADE_REQUIRED)
_BAD_HANDSHAKE = _Answer(b"That is no WebSocket's handshake.\n", code=http.BAD_REQUEST)
_BAD_ORIGIN = _Answer(b"A page of another site may not connect.\n", code=http.FORBIDDEN)


class _Socket(WebSocketResource):
    """The WebSocket, for pages of this site and for programs, which have no origin."""

    def __init__(self, site: WebSite, factory: IProtocolFactory) -> None:
        super().__init__(self)  # which is its own factory
        self._factory = factory
        self._site = site
        self._chat = site.chat

    def getChild(self, path: bytes, request: Request) -> Resource:
        return _NOT_FOUND

    def buildProtocol(self, request: Request) -> WebSocketTransport:
        channel: Any = request.channel
        protocol = self._factory.buildProtocol(channel.getPeer())
        door = channel.door = WebSocketTransport(protocol, self._chat)
        return door

    def render(self, request: Request) -> bytes | int:
        """Become a WebSocket, or tell why not.

        Nothing that a stranger sends may be an error in the log. So what Twisted does not check
        is checked here, and it sees no more than what a handshake needs.
        """

        sent = partial(_sent, request.requestHeaders)
        host, origin = sent(b"Host"), sent(b"Origin")
        version, key = sent(b"Sec-WebSocket-Version"), sent(b"Sec-WebSocket-Key")
        tokens = ",".join(sent(b"Connection")).lower().replace(" ", "").split(",")
        if request.method != b"GET" or "upgrade" not in tokens or version != ["13"]:
            request.setHeader(b"Upgrade", b"websocket")
            request.setHeader(b"Sec-WebSocket-Version", b"13")
            return _NO_UPGRADE.render(request)
        if (
            len(host) != 1
            or len(key) != 1
            or not _KEY.fullmatch(key[0])
            or [value.lower() for value in sent(b"Upgrade")] != ["websocket"]
        ):
            return _BAD_HANDSHAKE.render(request)
        if origin and not (len(origin) == 1 and self._site.may_connect(origin[0], request)):
            self._chat.activity.refused("a page of another site")
            return _BAD_ORIGIN.render(request)
        request.requestHeaders = Headers(
            {
                b"Host": [b"chatpair"],
                b"Upgrade": [b"websocket"],
                b"Connection": [b"Upgrade"],
                b"Sec-WebSocket-Version": [b"13"],
                b"Sec-WebSocket-Key": [key[0].encode()],
            }
        )
        channel: Any = request.channel
        return channel.upgrade(super().render_GET, request)  # type: ignore[no-any-return]


def _ignore(_: bytes) -> None:
    """Do nothing."""


class _Request(Request):
    """A request, whose answer tells the browser to be careful."""

    def process(self) -> None:
        for name, value in HEADERS.items():
            self.setHeader(name, value)
        super().process()


class _Channel(http.HTTPChannel, Visitor):
    """An HTTP connection for one request without a body: so it can't queue anything.

    Until it is a WebSocket it counts as a connection to the chat that has no name yet, and has as
    little time.
    """

    site: WebSite
    transport: Any
    door: WebSocketTransport
    """What the connection is for from the upgrade on."""
    too_often = False
    """Whether there is nothing for it, but that the chat says so over a WebSocket."""

    _receive: Callable[[bytes], object] | None = None
    _host: str | None = None

    def connectionMade(self) -> None:
        super().connectionMade()
        read_no_more_at_once(self.transport, WEB_BYTES_A_TURN)
        chat = self.site.chat
        self._host = host_of(self.transport.getPeer(), chat.settings.exempt)
        chat.visitors.unnamed.start(self)
        if not chat.visitors.came(self, self._host) or chat.visitors.crowded:
            chat.activity.refused("too many web connections")
            self.transport.write(_BUSY)
            self.loseConnection()
        else:
            self.too_often = chat.visitors.comes_too_often(self._host)

    def loseConnection(self) -> None:
        """Close, and let what still comes go nowhere: Twisted would take it for a request."""
        self._receive = _ignore
        super().loseConnection()

    def allHeadersReceived(self) -> None:
        """Read no body, which would be kept in memory or in a file."""
        self.length = 0
        super().allHeadersReceived()

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        request.setHeader(b"Connection", b"close")
        return False

    def upgrade(self, render: Any, request: Request) -> bytes | int:
        """Let Twisted's resource upgrade the connection, and stand before what it receives."""
        self._uncount()
        if not self.too_often:
            self.site.chat.visitors.recount(self._host)
        answer: bytes | int = render(request)
        self._receive = partial(self.door.data_received, self.dataReceived)
        del self.dataReceived  # which Twisted has set
        return answer

    def dataReceived(self, data: bytes) -> None:
        """Take bytes for what the connection is by now.

        The method stays the same, because a connection behind a proxy looks it up only once.
        """
        if self._receive is None:
            super().dataReceived(data)
        else:
            self._receive(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._uncount()

    def _uncount(self) -> None:
        chat = self.site.chat
        if self in chat.visitors:
            chat.visitors.unnamed.stop(self)
            chat.visitors.went(self, self._host)

    # To the chat

    def stop(self) -> None:
        self.loseConnection()

    def abort(self) -> None:
        self.transport.abortConnection()

    no_name_came = abort  # the request is overdue, or its answer not taken


class WebSite(Site):
    """What a port of the web door serves."""

    noisy = False
    protocol: Any = _Channel

    def __init__(
        self,
        factory: IProtocolFactory,
        chat: Exchange,
        *,
        origins: Sequence[URL] = (),
        is_proxied: bool = False,
    ) -> None:
        """Take what makes the protocols of WebSockets, and its exchange, which counts them.

        Pages of some other origins may connect too. What a proxy says of the host that was asked
        for counts only if nobody else can reach this.
        """
        self.chat = chat
        self._origins = origins
        self._is_proxied = is_proxied
        root = _Answer(b"")  # nobody gets that: / is its child of no name
        for name, kind in PAGE.items():
            body = files("chatpair.doors").joinpath("page", name).read_bytes()
            root.putChild(b"" if name == "index.html" else name.encode(), _Answer(body, kind))
        root.putChild(b"ws", _Socket(self, factory))
        super().__init__(
            root, _Request, timeout=None, reactor=chat.clock, parsePOSTFormSubmission=False
        )

    def may_connect(self, origin: str, request: Request) -> bool:
        """Tell whether a page of an origin may have a WebSocket."""
        headers = request.requestHeaders
        hosts = _sent(headers, b"Host")
        if self._is_proxied:
            hosts += _forwarded_hosts(headers)
        return is_from(origin, hosts, self._origins)

    def getResourceFor(self, request: Any) -> Any:
        resource = super().getResourceFor(request)
        upgrades = isinstance(resource, _Socket) and request.requestHeaders.hasHeader(b"Upgrade")
        if upgrades or not request.channel.too_often:
            return resource
        self.chat.activity.refused("connecting too often")
        return _TOO_OFTEN

    def startFactory(self) -> None:
        """Write no access log: anybody could fill it."""

    def log(self, request: object) -> None:
        """Write none."""

    def acceptableProtocols(self) -> list[bytes]:
        """Speak no HTTP/2, which has no WebSockets here."""
        return [b"http/1.1"]
