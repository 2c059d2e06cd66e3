"""A program on the web door: a plain socket, with wsproto to read and make frames."""

import json
import socket
import ssl
from typing import Any, Self

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

from tests.server import TIMEOUT


class WebClient:
    """A WebSocket, once it is asked for; without an origin it is a program's, not a page's."""

    def __init__(
        self,
        port: int,
        origin: str | None = None,
        *,
        is_let_in: bool = True,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.socket = socket.create_connection((host, port), TIMEOUT)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.wire = WSConnection(ConnectionType.CLIENT)
        self._events: list[Event] = []
        self._text = ""
        headers = [] if origin is None else [(b"Origin", origin.encode())]
        self.sends(Request(host=f"{host}:{port}", target="/ws", extra_headers=headers))
        self.answer = self.event()
        if isinstance(self.answer, AcceptConnection) and is_let_in:
            mode = {"event": "mode", "mode": "json", "version": 1, "hold": 60}
            assert self.hears() == mode

    def sends(self, *events: Event) -> None:
        """Send frames at once."""
        self.socket.sendall(b"".join(map(self.wire.send, events)))

    def does(self, do: str, **rest: object) -> None:
        """Send a command."""
        self.sends(command(do, **rest))

    def event(self) -> Event:
        """Return the next thing that comes."""
        while not self._events:
            data = self.socket.recv(65_536)
            self.wire.receive_data(data or None)
            self._events += self.wire.events()
        return self._events.pop(0)

    def hears(self) -> dict[str, Any]:
        """Return the next event of the server's, which must be next and a frame of its own."""
        while True:
            event = self.event()
            assert isinstance(event, TextMessage), event
            self._text += event.data
            if event.message_finished:
                text, self._text = self._text, ""
                heard: dict[str, Any] = json.loads(text)
                return heard

    def enters(self, name: str) -> str:
        """Say a name; return the key."""
        self.does("name", name=name)
        named = self.hears()
        assert named["event"] == "named", named
        return str(named["key"])

    def closes(self) -> int:
        """Return the code with which the server closes next."""
        event = self.event()
        assert isinstance(event, CloseConnection), event
        return int(event.code)

    def is_over(self) -> bool:
        """Answer that the connection is to be closed; tell whether the server does so."""
        self.sends(CloseConnection(1000))
        return self.socket.recv(1) == b""

    def refused(self) -> int:
        """Return the status of HTTP that refused the handshake."""
        assert isinstance(self.answer, RejectConnection)
        while not (isinstance(event := self.event(), RejectData) and event.body_finished):
            pass
        return self.answer.status_code

    def close(self) -> None:
        """Close the connection without a word."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def command(do: str, **rest: object) -> TextMessage:
    """Return the frame that says a command."""
    return TextMessage(json.dumps({"do": do, **rest}, ensure_ascii=False))


def pieces(*parts: str) -> list[Event]:
    """Return a text in fragments."""
    return [
        TextMessage(part, message_finished=number == len(parts))
        for number, part in enumerate(parts, 1)
    ]
