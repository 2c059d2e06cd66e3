"""A program on the web door: a plain socket, with wsproto to read and make frames."""

import json
from typing import Any

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

from tests.support.json_client import JsonClient
from tests.support.server import Door


class WebClient(JsonClient):
    """A WebSocket, once it is asked for; without an origin it is a program's, not a page's."""

    def __init__(
        self, door: Door | int, origin: str | None = None, *, is_let_in: bool = True
    ) -> None:
        door = Door(door) if isinstance(door, int) else door
        self.socket = door.connect("127.0.0.1")
        self.wire = WSConnection(ConnectionType.CLIENT)
        self._events: list[Event] = []
        self._text = ""
        headers = [] if origin is None else [(b"Origin", origin.encode())]
        host = f"{door.host}:{door.address}"
        self.sends(Request(host=host, target="/ws", extra_headers=headers))
        self.answer = self.event()
        if isinstance(self.answer, AcceptConnection) and is_let_in:
            (self.mode,) = self.events("mode")

    def sends(self, *events: Event) -> None:
        """Send frames at once."""
        self.socket.sendall(b"".join(map(self.wire.send, events)))

    def encoded(self, do: str, **rest: object) -> bytes:
        """Return a frame."""
        return self.wire.send(command(do, **rest))

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

    def rest(self) -> list[dict[str, Any]]:
        """Return the events up to a close in good order, which is answered."""
        events = []
        while not isinstance(event := self.event(), CloseConnection):
            self._events.insert(0, event)
            events.append(self.hears())
        assert event.code == 1000
        assert self.is_over()
        return events

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


def command(do: str, **rest: object) -> TextMessage:
    """Return the frame that says a command."""
    return TextMessage(json.dumps({"do": do, **rest}, ensure_ascii=False))
