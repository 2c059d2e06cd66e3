"""The session of a connection whose user is at another node: its bytes are carried there."""

from typing import Any

from chatpair.cluster import frames
from chatpair.cluster.way import WINDOW, Way
from chatpair.exchange.messages import AnyEvent, Error
from chatpair.sessions.session import Session
from chatpair.wire.telnet import INTERRUPT

_GONE = Error(None, "try-later", "The server that held your line is gone.")
_INTERRUPT_PROCESS = b"\xff\xf4"  # what telnet says


class CarriedSession(Session):
    """Carries bytes to the other node, and back.

    Lines, words and timers are the other node's, and here are the socket, whether it is alive, and
    the limits of connections.
    """

    connection: Any  # a ChatProtocol

    def __init__(self, connection: Any, way: Way) -> None:
        """Take the place of a connection's session."""
        super().__init__(connection)
        self.way = way
        way.ends[way.inc, way.number] = self
        self._before: Session = connection.session
        self._last = b""  # of the input
        self._part = b""  # of what is to be told, until the rest comes
        self._untold = 0  # bytes that the kernel has not taken
        self._before.stop("carried")
        connection.session = self
        connection.setRawMode()

    # From the client

    def data_received(self, data: bytes) -> None:
        """Send on what the client has sent, lines or not."""
        data = data.replace(INTERRUPT + b"\n", _INTERRUPT_PROCESS)
        self.way.carry(data, whole=False)
        self.connection.check_flow()

    def must_wait(self) -> bool:
        return self.way.on_way >= WINDOW or self.way.full

    def room_changed(self) -> None:
        self.connection.check_flow()

    def last_line(self, line: bytes, *, was_cut: bool) -> bytes:
        """Keep a line that has no end as it is, for the other node."""
        self._last = line
        return b""

    def last_handled(self) -> None:
        """Send it after what was before it."""
        self.data_received(self._last)

    def all_said(self) -> None:
        """Let the other node decide whether the client stays."""
        was_cut = getattr(self.connection.transport, "input_was_cut", False)
        self.way.end("cut" if was_cut else "said all")
        self.connection.outgoing.look_out().input_ended()

    def handle_rest(self) -> None:
        """Send on what has come: there will be no later."""
        self.connection.paused = False
        self.connection.handle_buffer()

    # To the client

    def came(self, data: bytes, *, more: bool) -> None:
        """Tell the client whole lines, together with those that come next if there are more."""
        self._part += data
        if not more:
            data, self._part = self._part, b""
            self._untold += len(data)
            self.connection.outgoing.write_for_receipt(iter((data,)))

    def handed(self) -> None:
        """Tell the other node that the kernel has all."""
        count, self._untold = self._untold, 0
        self.way.take(count)

    def render(self, event: AnyEvent) -> bytes:
        return self._before.render(event)

    # The end

    def ended(self, how: frames.End) -> None:
        """Close, as the other node has closed its end."""
        self.way.forget()
        if how == "lost":
            self.connection.abort()
        else:
            self.connection.end("closed")

    def node_gone(self) -> None:
        """Say that the other node is no more, and close."""
        self.way.forget()
        self.connection.tell(_GONE)
        self.connection.end("node is gone")

    def stop(self, reason: str) -> None:
        """Tell the other node that the client is gone."""
        super().stop(reason)
        if self.way.forget():
            self.way.end("closed" if reason == "closed" else "lost")
