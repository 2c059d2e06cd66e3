"""A WebSocket as the transport of a ChatProtocol: each line of JSON is a text frame (RFC 6455)."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

from twisted.internet import interfaces
from twisted.python.failure import Failure
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError
from zope.interface import implementer

from chatpair.exchange.exchange import Exchange
from chatpair.wire.outgoing import DEFAULT_BUFFER
from chatpair.wire.turns import WEB_BYTES_A_TURN, read_no_more_at_once

CLOSING_SECONDS = 5.0
"""How long the other end may take to answer that the connection is to be closed."""

SLACK = 65_536
"""Bytes that a message may have beside its line: headers of fragments, and pings between them."""

_PONG = 0x8A  # the first byte of the frame (RFC 6455, section 5.2)


@implementer(interfaces.ITransport, interfaces.IConsumer, interfaces.IPushProducer)
class WebSocketTransport:
    """Carries the bytes of a line protocol that speaks JSON in text frames, and back.

    It is the WebSocketProtocol of one of Twisted's connections, and a transport to the line
    protocol. What is written must be whole lines that end in CR LF. It never pauses by itself:
    the connection's own buffer counts, and its producer is the line protocol's.
    """

    transport: Any
    """The connection that carries this, as with Twisted's wrappers."""

    door = "web"
    """How users are counted who come by it."""

    _closing = False
    _asked_to_close = False  # and the frame that says so is being made
    _closer: interfaces.IDelayedCall | None = None
    _wrong: CloseReason | None = None  # what has come, and why it ends the connection
    _unfinished = 0  # bytes that have come since the last whole message

    def __init__(self, protocol: Any, chat: Exchange) -> None:
        """Take the line protocol, and the exchange that says how long a line may be."""
        self._protocol = protocol
        self._most_unfinished = chat.settings.max_line + SLACK
        self._clock = chat.clock
        self._messages: list[bytes] = []

    # The WebSocketProtocol

    def negotiationStarted(self, wire: Any) -> None:
        self._wire = wire
        self.transport = wire.transport
        wire.transport = SimpleNamespace(write=self._frame_made, loseConnection=self._close_made)
        self.transport.unregisterProducer()  # the HTTP channel

    def negotiationFinished(self) -> None:
        self._protocol.makeConnection(self)
        self._protocol.dataReceived(b"Mode:json\n")

    def data_received(self, receive: Callable[[bytes], object], data: bytes) -> None:
        """Let Twisted's WebSocket receive what came, and hand on the messages in it as one.

        It would buffer a message without end, and answer what comes after its own end with an
        error.
        """
        if self._closing and (self._closer is None or self._unfinished > self._most_unfinished):
            return
        was_closing = self._closing
        self._unfinished += len(data)
        try:
            receive(data)
        except LocalProtocolError:  # a ping, when we have asked to close
            self.transport.loseConnection()
        messages, self._messages = self._messages, []
        if messages and not was_closing:  # also those right before the other end's close
            self._protocol.dataReceived(b"".join(messages))
        if self._closing:
            return
        if self._wrong is not None:
            self.loseConnection(self._wrong)
        elif self._unfinished > self._most_unfinished:
            self.loseConnection(CloseReason.MESSAGE_TOO_BIG)

    def textMessageReceived(self, message: str) -> None:
        """Take a message for a line; line breaks in JSON are mere space."""
        self._unfinished = 0
        line = message.encode().replace(b"\n", b" ").replace(b"\r", b" ")
        if self._wrong is None:
            self._messages.append(line + b"\n")

    def bytesMessageReceived(self, data: bytes | bytearray) -> None:
        self._wrong = CloseReason.UNSUPPORTED_DATA

    def pongReceived(self, payload: bytes) -> None:
        """Pay no attention: nobody asked."""

    def connectionLost(self, reason: Failure) -> None:
        self._closing = True
        self._stop_closer()
        self._protocol.connectionLost(reason)

    def _frame_made(self, frame: bytes) -> None:
        """Write a frame, unless it is a pong to somebody who does not read.

        Else those would pile up, because pings are read also then. RFC 6455, section 5.5.3: one
        pong may stand for several.
        """
        if frame[0] == _PONG and self._protocol.full:
            return
        read_no_more_at_once(self.transport, DEFAULT_BUFFER)  # for that is when it is full
        self.transport.write(frame)
        read_no_more_at_once(self.transport, WEB_BYTES_A_TURN)

    def _close_made(self) -> None:
        """Close the connection, or if it was us who asked, wait for the other end's answer.

        RFC 6455, section 7.1.1. Closing while something is on its way here would reset the
        connection, and a reset destroys what was told last.
        """
        if self._asked_to_close:
            self._asked_to_close = False
            self._closer = self._clock.callLater(CLOSING_SECONDS, self._close)
            self.transport.resumeProducing()
        else:
            self._closing = True
            self._stop_closer()
            self.transport.loseConnection()

    def _close(self) -> None:
        self._closer = None
        self.transport.loseConnection()

    def _stop_closer(self) -> None:
        if self._closer is not None:
            self._closer.cancel()
            self._closer = None

    # ITransport, to the line protocol

    def write(self, data: bytes) -> None:
        for line in data.split(b"\r\n")[:-1]:
            if not self._closing:
                self._wire.sendTextMessage(line.decode())

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def loseConnection(self, code: int = CloseReason.NORMAL_CLOSURE) -> None:
        """Ask the other end to close once it has read all, and see to it."""
        if not self._closing:
            self._closing = self._asked_to_close = True
            self._wire.loseConnection(code)

    def abortConnection(self) -> None:
        self._closing = True
        self.transport.abortConnection()

    def stopProducing(self) -> None:
        self.loseConnection()

    # What is the connection's own

    getPeer = property(attrgetter("transport.getPeer"))
    getHost = property(attrgetter("transport.getHost"))
    getHandle = property(attrgetter("transport.getHandle"))
    registerProducer = property(attrgetter("transport.registerProducer"))
    unregisterProducer = property(attrgetter("transport.unregisterProducer"))
    pauseProducing = property(attrgetter("transport.pauseProducing"))
    resumeProducing = property(attrgetter("transport.resumeProducing"))
