"""A line's connections: when to make one, what is said first, and whether anybody is there."""

from collections import deque
from collections.abc import Callable
from random import uniform
from typing import Any, Protocol

from msgspec import UNSET
from twisted.application.internet import backoffPolicy
from twisted.internet.abstract import isIPv6Address
from twisted.internet.endpoints import HostnameEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from chatpair.client import json_codec
from chatpair.client.errors import NotJson, Refused
from chatpair.codecs import json, plain
from chatpair.exchange import messages
from chatpair.wire.privacy import NEEDS_TLS, is_private

PING_SECONDS = 20.0
"""How long at most until the next ping, and until a server that says nothing after one is given up.

That is known while the server still holds the line, which it does at least for 20 seconds and as
long as it says, from when it was lost.
"""

LOOK_SECONDS = 5.0
"""How often to look; and how long an answer may take when the machine has just slept."""

SHOWN = 200
"""Bytes of what a server says that are shown where it is none of what it should say."""

NO_SENSE = "The server says what makes no sense: "

SPEAKS_TLS = "The server speaks TLS: try --tls."

# RFC 8446, section 5.1: the first bytes of a record that says what is wrong.
_TLS_ALERT = b"\x15\x03"

# From 0.2 s to 30 s once it has been varied by a quarter, which keeps many clients apart.
_delay = backoffPolicy(0.1, 24.0, 2.0, jitter=lambda: 0.0)


def endpoint_at(reactor: Any, host: str, port: int) -> IStreamClientEndpoint:
    """Return the way to a host, or to an address; a link-local one has its zone behind a %."""
    if "%" in host and isIPv6Address(host):
        return TCP6ClientEndpoint(reactor, host, port)  # the other loses the zone
    return HostnameEndpoint(reactor, host, port)


class Backoff:
    """How long to wait before the next connection, after so many that were of no use.

    ClientService's own count begins again with each connection, were it to a server that closes
    it at once.
    """

    def __init__(self) -> None:
        self._failures = 0

    def __call__(self, _: int) -> float:
        """Count a connection, made or not, and return a time in seconds."""
        self._failures += 1
        return _delay(self._failures) * uniform(0.75, 1.25)

    def reset(self) -> None:
        """Begin again: a connection was of use."""
        self._failures = 0


class Owner(Protocol):
    """What a connection needs of the line that it is for; see Conversation."""

    password: str
    """What to say if the name asks for it; may be empty."""

    def connection_made(self, connection: "Connection") -> None: ...
    def introduction(self, hold: int | None = None) -> messages.Claim | messages.Resume: ...
    def named(self, named: messages.Named) -> None: ...
    def resumed(self, got: int) -> None: ...
    def forgotten(self) -> None: ...
    def heard(self, event: messages.JsonEvent) -> None: ...
    def refused(self, why: Refused | NotJson) -> None: ...
    def puzzled(self, why: NotJson) -> None: ...
    def connection_lost(self, claimed: bool) -> None: ...


class Connection(LineReceiver):
    """Says who is there, and then passes on commands and events."""

    delimiter = b"\r\n"
    MAX_LENGTH = json_codec.MAX_LENGTH
    transport: Any
    _log = Logger()

    def __init__(self, line: Owner, clock: IReactorTime) -> None:
        self._line = line
        self._clock = clock
        self._pongs: deque[Callable[[], object] | None] = deque()
        self._handle: Callable[[messages.JsonEvent], None] = self._before_mode
        self._introduction: messages.JsonCommand | None = None  # which has no answer yet

    def connectionMade(self) -> None:
        """Ask for JSON."""
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        self._patience = PING_SECONDS
        self._looked_at = self._clock.seconds()
        self._expect(PING_SECONDS)
        self._watch = self._clock.callLater(LOOK_SECONDS, self._look)
        self.transport.write(b"Mode:json\r\n")
        self._line.connection_made(self)

    # To the server

    def send(self, command: messages.JsonCommand) -> None:
        """Send a command."""
        self.transport.write(json.render_command(command))

    def ping(self, answered: Callable[[], object] | None = None) -> None:
        """Send a ping, and say who wants to know when it is answered."""
        self._pongs.append(answered)
        self.send(messages.Ping())

    def _look(self) -> None:
        self._watch = self._clock.callLater(LOOK_SECONDS, self._look)
        now = self._clock.seconds()
        is_late = now > self._looked_at + LOOK_SECONDS + 1  # the machine has slept, or was busy
        self._looked_at = now
        if is_late:
            self._expect(LOOK_SECONDS)
            self.ping()
        elif now >= self._due and not (self._heard or self.paused):
            self.transport.abortConnection()
        elif now >= self._due:
            self._expect(self._patience)
            self.ping()

    def _expect(self, seconds: float) -> None:
        self._heard = False
        self._due = self._clock.seconds() + seconds

    def _introduce(self, introduction: messages.JsonCommand) -> None:
        self._introduction = introduction
        self._handle = self._before_name
        self.send(introduction)

    def try_later(self) -> None:
        """Close, and pay no attention to what still comes."""
        self._handle = self._closing
        self.transport.loseConnection()

    def leave_early(self) -> None:
        """Take back a name that was just asked for."""
        if self._introduction is not None:
            self.send(messages.Quit())

    def reads(self, wanted: bool) -> None:
        """Hear more from the server from now on, or let it wait."""
        if wanted and self.paused:
            self.resumeProducing()
        elif not wanted and not self.paused:
            self.pauseProducing()

    # From the server

    def lineReceived(self, line: bytes) -> None:
        """Hand an event to the handler of the present state."""
        self._heard = True
        try:
            event = json_codec.parse_event(line)
        except json_codec.NotUnderstood:  # a later version may say more
            self._log.warn("The server said what means nothing: {line}", line=line[:200])
            return
        except ValueError:
            self._puzzled(line)
            return
        if not isinstance(event, messages.Pong):
            self._handle(event)
        elif self._pongs and (answered := self._pongs.popleft()):
            answered()

    def _puzzled(self, line: bytes) -> None:
        handle, self._handle = self._handle, self._closing
        text = line[:SHOWN].decode(errors="replace")
        if handle != self._before_mode:
            if handle != self._closing:
                self._line.puzzled(NotJson(NO_SENSE + text))
        elif text in (plain.FULL, plain.CROWDED, plain.TOO_OFTEN):
            self._line.refused(Refused("try-later", text))
        else:
            self._line.refused(NotJson(SPEAKS_TLS if text == plain.NO_PLAIN_TEXT else text))

    def lineLengthExceeded(self, line: bytes) -> None:
        """Give up on a server that sends such lines."""
        self._puzzled(line)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let the line find another."""
        if self._handle == self._before_mode and self.clearLineBuffer().startswith(_TLS_ALERT):
            self._line.refused(NotJson(SPEAKS_TLS))
        if self._watch.active():
            self._watch.cancel()
        self._line.connection_lost(isinstance(self._introduction, messages.Claim))

    # The states: each handles an event, and the present one's handler is bound

    def _before_mode(self, event: messages.JsonEvent) -> None:
        match event:
            case messages.Mode(hold=hold):
                self._patience = min(PING_SECONDS, LOOK_SECONDS + hold / 4)
                self._introduce(self._line.introduction(hold))
            case messages.Error(code="try-later" as code, text=text):
                self._line.refused(Refused(code, text))
            case _:
                self._puzzled(json.render(event).strip())

    def _before_name(self, event: messages.JsonEvent) -> None:
        match event:
            case messages.Named() if isinstance(self._introduction, messages.Claim):
                self._is_in()
                self._line.named(event)
            case messages.Resumed(got=got) if isinstance(self._introduction, messages.Resume):
                self._is_in()
                self._line.resumed(got)
            case messages.Error(of="resume", code="bad-key"):
                self._line.forgotten()
                self._introduce(self._line.introduction())
            case messages.Error(of="name", code="password", text=text):
                self._needs_password(text)
            case messages.Error(of="name" | "resume", code=code, text=text):
                self._introduction = None
                self._line.refused(Refused(code, text))

    def _is_in(self) -> None:
        self._introduction = None
        self._handle = self._after_name

    def _after_name(self, event: messages.JsonEvent) -> None:
        if not isinstance(event, messages.Mode | messages.Named | messages.Resumed):
            self._line.heard(event)

    def _needs_password(self, text: str) -> None:
        claim, password = self._introduction, self._line.password
        # A server's word for it is not enough: whoever is on the way could say so as well.
        if text == NEEDS_TLS or not is_private(self.transport):
            self._introduction = None
            self._line.refused(Refused("password", NEEDS_TLS))
        elif password and isinstance(claim, messages.Claim) and claim.password is UNSET:
            self._introduce(messages.Claim(claim.name, password))
        else:
            self._introduction = None
            self._line.refused(Refused("password", text))

    def _closing(self, event: messages.JsonEvent) -> None:
        """Pay no attention."""
