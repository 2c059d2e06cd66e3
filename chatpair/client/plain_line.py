"""A line to a server that speaks no JSON: the original's, or an old one."""

from collections.abc import Callable
from socket import socket
from typing import Any, Literal, TypeAlias

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import (
    IDelayedCall,
    IReactorTime,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from chatpair.client import plain_codec
from chatpair.client.connection import LOOK_SECONDS
from chatpair.client.errors import Ended, NotDelivered, Refused
from chatpair.client.session import is_same_name
from chatpair.client.waiters import Room
from chatpair.codecs.cleaning import clean, clean_line
from chatpair.exchange import messages
from chatpair.wire.liveness import is_silent, set_options, socket_of
from chatpair.wire.privacy import NEEDS_TLS, is_private

Sent: TypeAlias = Literal["sent"]

ANSWER_SECONDS = 10.0
"""How long a call may go without an answer that this program understands."""


class PlainLine(LineReceiver):
    """What a Conversation is, as far as a plain server goes.

    It has one connection, and what is lost with that stays lost. "sent" means that the server's
    connection took a text; that the server has all of them is known when it answers to Quit.
    """

    delimiter = b"\n"
    MAX_LENGTH = 2**20  # a peer's line, three bytes for one that was no UTF-8
    transport: Any

    connected = False
    """Whether the name is this line's, on a connection."""

    peer: str | None = None
    """Whom this line is paired with."""

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        name: str,
        on_event: Callable[[messages.AnyEvent], object],
        on_link: Callable[[bool], object],
        *,
        password: str = "",
        clock: IReactorTime,
    ) -> None:
        """Take where the server is and the name to claim there, and its password if it has one.

        on_event is told all but answers to calls; while what it returns is a Deferred that has
        not fired, the server waits. on_link is told when the line is connected.
        """
        self.name = name
        self._password = password
        self.finished: Deferred[BaseException | None] = Deferred()
        """Fires when all is over: with nothing after quit, else with what ended the line."""
        self._endpoint = endpoint
        self._on_event = on_event
        self._on_link = on_link
        self._clock = clock
        self._connecting: Deferred[Any] | None = None
        self._starting: Deferred[None] = Deferred()
        self._calling: Deferred[str] | None = None
        self._called = ""  # whom that is for
        self._call_expires: IDelayedCall | None = None
        self._room = Room()
        self._quitting = self._ended = False

    # What programs ask for

    def start(self, *, patient: bool = False) -> Deferred[None]:
        """Connect; fires when the name is this line's. There is one attempt."""
        self._connecting = connectProtocol(self._endpoint, self)
        self._connecting.addErrback(self._not_connected)
        return self._starting

    def _not_connected(self, why: Failure) -> None:
        self._end(why.value)

    def call(self, name: str) -> Deferred[str]:
        """Call somebody; fires with the peer's name as they write it, or fails with Refused."""
        if self._quitting:
            return fail(Ended())
        self._no_answer()
        calling: Deferred[str] = Deferred()
        self._calling, self._called = calling, clean_line(name)
        self._call_expires = self._clock.callLater(ANSWER_SECONDS, self._no_answer)
        self._send(messages.Call(self._called))
        return calling

    def _no_answer(self) -> None:
        self._answered(Refused("try-later", "The server did not answer."))

    def _answered(self, answer: str | Exception) -> bool:
        """Answer the call, if there is one that waits for that."""
        calling, self._calling = self._calling, None
        if calling is None:
            return False
        if self._call_expires is not None and self._call_expires.active():
            self._call_expires.cancel()
        if isinstance(answer, str):
            calling.callback(answer)
        else:
            calling.errback(answer)
        return True

    def hang_up(self) -> Deferred[None]:
        """Stop talking with the peer; what the server says to that is an event."""
        self.transport.write(b"/bye\r\n")
        return succeed(None)

    def who(self) -> Deferred[None]:
        """Ask who is here; what the server says to that is an event."""
        self.transport.write(b"/who\r\n")
        return succeed(None)

    def apply(self, setting: messages.Setting) -> Deferred[None]:
        """Set something for calls to this line; what the server says to that is an event."""
        self._send(setting)
        return succeed(None)

    def say(self, text: str) -> Deferred[Sent]:
        """Say a text; fires when the connection has taken it."""
        if self._quitting:
            return fail(NotDelivered("ended"))
        for line in text.split("\n"):
            self._send(messages.Say(0, line))
        return self._room.wait().addCallback(lambda _: "sent")

    def typing(self) -> Deferred[None]:
        """Do nothing: there is no word for it."""
        return succeed(None)

    def quit(self) -> Deferred[None]:
        """Leave, once all is sent; the answer ends the line."""
        if not self._quitting:
            self._quitting = True
            if self.transport is not None:
                self._send(messages.Quit())
            elif self._connecting is not None:
                self._connecting.cancel()
        return succeed(None)

    def _send(self, command: plain_codec.PlainCommand) -> None:
        self.transport.write(plain_codec.render_command(command))

    # The connection

    def connectionMade(self) -> None:
        """Say the name."""
        self.connected = False  # Twisted means something else by that
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        if sock := socket_of(self.transport):
            set_options(sock)
            self._look(sock)
        self.transport.registerProducer(self._room, True)
        self._send(messages.Claim(self.name))

    def _look(self, sock: socket) -> None:
        if self._ended:
            return
        self._clock.callLater(LOOK_SECONDS, self._look, sock)
        if is_silent(sock):
            self.transport.abortConnection()

    def lineReceived(self, line: bytes) -> None:
        """Act upon a line, and tell of it."""
        text = clean(line)
        event = plain_codec.parse_event(text)
        match event:
            case messages.Goodbye():
                self._end(None)
            case _ if self.connected:
                self._heard(event)
            case messages.Named():
                self.connected = True
                self._tell(messages.Named(self.name, ""))
                self._on_link(True)
                self._starting.callback(None)
            case messages.Error(code="reuse" as code):
                self._end(Refused(code, f"The name {self.name} is taken."))
            case messages.Error(code="bad-name" | "try-later" as code, text=text):
                self._end(Refused(code, text))
            case messages.Error(code="password", text=text):
                self._needs_password(text)
            case _:
                self._tell(event)

    def _needs_password(self, text: str) -> None:
        """Answer to the question, or end."""
        if not is_private(self.transport):
            self._end(Refused("password", NEEDS_TLS))
        elif text != "Password:":
            self._end(Refused("password", text))
        elif self._password:
            self.transport.write(self._password.replace("\n", "").encode() + b"\r\n")
        else:
            self._end(Refused("password", f"{self.name} needs its password."))

    def _heard(self, event: messages.AnyEvent) -> None:
        match event:
            case messages.Paired(peer):
                self.peer = peer
                if is_same_name(peer, self._called):  # else another has called meanwhile
                    self._answered(peer)
                self._tell(event)
            case messages.Free():
                self.peer = None
                self._tell(event)
            case messages.Left():
                left, self.peer = self.peer, None
                self._tell(messages.Left(left or "The other", "quit"))
            case messages.Error(code=code, text=text) if self._refuses_call(code, text):
                pass
            case _:
                self._tell(event)

    def _refuses_call(self, code: str, text: str) -> bool:
        # "nobody" is the answer to a text that was said before.
        return code != "nobody" and self._answered(Refused(code, text))

    def _tell(self, event: messages.AnyEvent) -> None:
        told = maybeDeferred(self._on_event, event)
        if not told.called:
            self.pauseProducing()
            told.addCallback(lambda _: self.resumeProducing())

    def lineLengthExceeded(self, line: bytes) -> None:
        """Give up on a server that sends such lines."""
        self._end(ConnectionLost())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End, if the answer to Quit has not done so."""
        self._end(ConnectionLost())

    def _end(self, why: BaseException | None) -> None:
        if self._ended:
            return
        self._ended = self._quitting = True
        self.connected = False
        self.peer = None
        if not self._starting.called:
            self._starting.errback(why or Ended())
        self._answered(Ended())
        self._room.close(NotDelivered("lost"))
        if self.transport is not None:
            self.transport.loseConnection()
        self.finished.callback(why)
