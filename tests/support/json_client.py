"""A program that speaks JSON: whatever its connection is, and in lines."""

import json
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

from wsproto.utilities import ProtocolError

from tests.support.server import Client, Connection, Door


class JsonClient(Connection, ABC):
    """A connection that speaks JSON."""

    mode: dict[str, Any]
    """The first event."""

    @abstractmethod
    def encoded(self, do: str, **rest: object) -> bytes:
        """Return what says a command."""

    @abstractmethod
    def hears(self) -> dict[str, Any]:
        """Return the next event of the server's, which must be next."""

    @abstractmethod
    def rest(self) -> list[dict[str, Any]]:
        """Return what the server tells until it closes the connection, and see that it does."""

    def does(self, do: str, **rest: object) -> None:
        """Send a command."""
        self.socket.sendall(self.encoded(do, **rest))

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the next events, which must be of these kinds."""
        events = [self._hears(kind) for kind in kinds]
        assert [event["event"] for event in events] == [*kinds], events
        return events

    def _hears(self, kind: str) -> dict[str, Any]:
        event = self.hears()
        while self.is_patient and event["event"] != kind and event["event"] in ("held", "back"):
            event = self.hears()
        return event

    def leaves(self) -> None:
        """Be gone, with nothing held of it, if it is not yet."""
        with suppress(OSError, ProtocolError):
            self.socket.setblocking(False)
            self.does("quit")
        self.close()

    def enters(self, name: str) -> str:
        """Say a name; return the key."""
        self.does("name", name=name)
        return str(self.events("named")[0]["key"])


class JsonLines(JsonClient):
    """A plain socket, or one with TLS, that speaks JSON."""

    def __init__(self, door: Door) -> None:
        self._client = Client(door)
        self.socket = self._client.socket
        self._client.says("Mode:json")
        (self.mode,) = self.events("mode")

    def encoded(self, do: str, **rest: object) -> bytes:
        """Return a line."""
        return json.dumps({"do": do, **rest}).encode() + b"\n"

    def hears(self) -> dict[str, Any]:
        """Return the event that is in the next line."""
        event: dict[str, Any] = json.loads(self._client.line())
        return event

    def rest(self) -> list[dict[str, Any]]:
        """Return the events that are in the lines up to the end."""
        return [json.loads(line) for line in iter(self._client.line, "")]
