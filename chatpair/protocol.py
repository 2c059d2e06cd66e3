"""What a line means in each state, and what the user of a connection is told."""

from __future__ import annotations

import re

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from chatpair.codecs import json, plain
from chatpair.codecs.cleaning import clean, is_clean
from chatpair.commands import FULL
from chatpair.connection import CLOSING_SECONDS
from chatpair.exchange.limits import host_of
from chatpair.exchange.messages import (
    Acknowledge,
    AnyCommand,
    AnyEvent,
    Call,
    Claim,
    EndInput,
    Error,
    HangUp,
    Invalid,
    Left,
    Listening,
    Message,
    Notice,
    Ping,
    Pong,
    Quit,
    Say,
)
from chatpair.exchange.user import CountingUser, User
from chatpair.factory import SILENT_SECONDS
from chatpair.login import LoginConnection

_HTTP_REQUEST = re.compile(r"[A-Z]+ \S+ HTTP/[0-9]")

_NO_TLS = Notice("This port talks plain text, not TLS.")
_NO_HTTP = Notice("This is not a web server: talk to it with telnet, nc or the chatpair client.")
_CROWDED = Notice("There are too many connections from your address.")
_TOO_OFTEN = Notice("You are connecting too often; try again in a minute.")
_SILENT = Error(None, "try-later", f"Nothing came for {SILENT_SECONDS:.0f} seconds.")
_TAKEN_OVER = Error(None, "bad-key", "Another connection has taken this line over.")
_CUT = Error("say", "bad-line", "That line was not sent: it has no end.")
_STOPPING = Error(None, "try-later", "The server is stopping.")


class ChatProtocol(LoginConnection):
    """Somebody at the other end, who is unnamed, idle or paired: a line handler for each."""

    _command_waits = False  # until what was told before is taken
    _line_was_cut = False  # the last one

    @property
    def counted_host(self) -> str | None:
        """The host that this counts for as a connection."""
        return self._host

    # The transport's side

    def connectionMade(self) -> None:
        """Let in whoever connects, or say why not."""
        super().connectionMade()
        self._handle_line = self.unnamed
        self._host = host_of(self.transport.getPeer())
        if not self.factory.connected(self, self.counted_host):
            self._refuse(_CROWDED, "too many from one host")
        elif self.factory.connects_too_often(self.counted_host):
            self._refuse(_TOO_OFTEN, "connecting too often")
        elif self.factory.is_full() and not self.factory.may_come_back():
            self._refuse(FULL, "full")
        else:
            self.factory.unnamed.start(self)

    def handshakeReceived(self) -> None:
        """Refuse a client that begins with TLS."""
        self._refuse(_NO_TLS, "TLS")

    def lineReceived(self, line: bytes) -> bool:
        """Hand a line to the handler of the present state; return whether it must wait."""
        return self._handle_line(line)

    def linesReceived(self, lines: bytes) -> bool:
        """Pass lines on as one if all are text for the peer; return whether they are."""
        if not is_clean(lines):
            lines = lines.replace(b"\r\n", b"\n")
            if not is_clean(lines):
                return False
        if not plain.only_says(lines):
            return False
        assert self.user is not None
        assert self._peer is not None
        seconds = self.factory.clock.seconds()
        if self._peer.tell_lines(self.user.name.text, lines, seconds):
            self.flow_changed()
        return True

    def interruptReceived(self) -> None:
        """Take Ctrl-C in a telnet for Quit."""
        self._quit()

    def lineLengthExceeded(self, line: bytes) -> None:
        """Tell the sender that a line was too long; it is dropped, and the connection stays."""
        text = f"That line was not sent: it has over {self.MAX_LENGTH} bytes."
        if self._queue is not None:
            self._take(Invalid(Error(None, "too-long", text)), 0)
        elif self.user is None:
            self.refuse_long()
        else:
            self.user.tell(Error("say", "too-long", text))

    def end_of_input(self) -> None:
        """Handle what is left, but for half an object: the connection was cut in the middle.

        Under TLS anybody on the way could have cut a line: it is not said, and its sender told.
        """
        whole, newline, rest = self._buffer.rpartition(b"\n")
        was_cut = getattr(self.transport, "input_was_cut", False)
        if was_cut or (self._queue is not None and isinstance(json.parse(rest), Invalid)):
            self._buffer = whole + newline
            self._line_was_cut = was_cut and bool(rest) and self._queue is None
        super().end_of_input()
        if self._queue is not None:
            self._queue.obey_all()
        if self._line_was_cut and not self.paused and self.user is not None:
            self.user.tell(_CUT)

    def all_said(self) -> None:
        """Stay while there is somebody to listen to; else close."""
        if self.no_more_comes:
            self.factory.silent.stop(self)
        if self._may_go():
            self.stop_listening("closed")
        else:
            # From a program that is gone, whatever it is told comes back as a reset.
            self.tell(Pong() if self._queue is not None else Listening())
            self.listen_on()

    def stop_listening(self, reason: str) -> None:
        """Leave, and for good if a program that counts has said by a command that it would."""
        if self._queue is None or self.no_more_comes:
            self.end(reason)
        else:
            self._quit(reason)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Handle the lines that flow control kept, and leave."""
        self.lost = True
        self.setTimeout(None)
        self.watch.stop()
        self.drain()
        closed = "closed" if isinstance(reason.value, ConnectionDone) else "reset"
        self._leave("lost", self._why_lost or closed)
        self.factory.disconnected(self, self.counted_host)
        # They hold this: else it is a cycle to collect.
        del self._handle_line, self.watch
        self._queue = None

    # The states: each handles a line, and the present one's handler is bound

    def unnamed(self, line: bytes) -> bool:
        text = clean(line)
        command = plain.parse_unnamed(text)
        if _HTTP_REQUEST.match(text):
            self._refuse(_NO_HTTP, "HTTP")
        elif isinstance(command, Claim):
            self._claim(command)
        else:
            self._obey(command)
        return False

    def _idle(self, line: bytes) -> bool:
        self._obey(plain.parse(clean(line)))
        return False

    def _paired(self, line: bytes) -> bool:
        command = plain.parse(clean(line))
        if isinstance(command, Say):
            self._say(command)
            return False
        # Whoever does not read may go on speaking, but asks for no more answers.
        waits = self.full and not isinstance(command, Quit | EndInput) and not self.draining
        if waits and self.input_ended:  # nothing can wait any more
            if isinstance(command, Call | HangUp):
                self._obey(command)
            return False
        self._command_waits = waits
        if waits:
            self.flow_changed()
            return True
        self._obey(command)
        return False

    def json_received(self, line: bytes) -> bool:
        self.factory.silent.start(self)
        self._take(json.parse(line), len(line))
        return False

    def _take(self, command: AnyCommand, size: int) -> None:
        """Obey a command once there is room for what it causes, but acknowledgements at once."""
        assert self._queue is not None
        done = isinstance(command, Acknowledge) and self.user and self.user.is_told(command.seq)
        if done or (isinstance(command, Ping) and not self.full):
            self._obey(command)
        else:
            self._queue.append(command, size)
            if self._queue.full:
                super().flow_changed()

    def is_blocked(self, command: AnyCommand) -> bool:
        """Tell whether there is no room for what a command causes."""
        if isinstance(command, Quit):
            return self.awaits_answer and not self.is_checked
        if self.awaits_answer:
            return True
        if self.user is None:
            return self.full
        if self._pace is not None and self._pace.exhausted:
            return True
        if self.user.full or not isinstance(command, Say):
            return self.user.full
        assert self.user.says is not None
        return self.user.says.full or (self._peer is not None and self._peer.full)

    def all_obeyed(self) -> None:
        """Read on after commands have waited, or close."""
        if self.input_ended and self._may_go():
            self.stop_listening("closed")
        else:
            super().flow_changed()

    def _may_go(self) -> bool:
        """Tell whether there is nothing to listen to once the input has ended.

        As long as it can, a program may still acknowledge what others wait to know.
        """
        if self._peer is not None or self._queue or self.awaits_answer:
            return False
        if self.finishing and not (self.full or self._said_all):
            return False  # the last lines may still be a call
        return self.no_more_comes or self.user is None or not self.user.owes_receipts

    # The user's side

    def tell_for_receipt(self, event: AnyEvent) -> None:
        """Write an event, and tell the factory when the kernel has it."""
        self.write_for_receipt(self._render(event))
        if self.input_ended and isinstance(event, Message):
            self.resetTimeout()

    def tell_lines(self, sender: str, lines: bytes, seconds: float) -> None:
        """Write many lines of the peer's at once."""
        self.write(plain.render_messages(sender, lines, seconds))
        if self.input_ended:
            self.resetTimeout()

    def handed(self) -> None:
        """Tell the factory that the kernel has all that the user was told."""
        if self.user is not None:
            self.factory.handed(self.user)

    def pair_changed(self) -> None:
        """Bind the handler of the new state."""
        if self.user is None or self.closing:
            return
        self.bind(self.user)
        if self.input_ended and self._may_go():
            self.stop_listening("closed")
        else:
            self.flow_changed()

    def bind(self, user: User) -> None:
        self._peer = self.factory.peer_of(user)
        if self._queue is None:
            self._handle_line = self._idle if self._peer is None else self._paired
            may = not (self.draining or self.deaf) and self._pace is None  # which counts each line
            self.takes_chunks = self._peer is not None and may

    # Flow control

    def must_wait(self) -> bool:
        """Tell whether no more should be read."""
        if self._queue is not None:
            return self._queue.full or self.holds_input
        if self.awaits_answer or (self._pace is not None and self._pace.exhausted):
            return True
        if self._peer is None:
            return self.full
        return self._peer.full or (self.full and self._command_waits)

    def flow_changed(self) -> None:
        """Read on, or wait; and let commands that wait go on, if they can."""
        if self._queue is not None:
            self._queue.wake()
        super().flow_changed()

    def room_changed(self) -> None:
        """Let the peer know whether there is room."""
        if self.user is not None:
            self.factory.has_room(self.user)

    # The end

    def no_name_came(self) -> None:
        """End a connection whose name is overdue."""
        answer = Notice(f"No name came within {self.factory.name_time:g} seconds.")
        self._refuse(answer, "no name")

    def no_line_came(self) -> None:
        """End a connection that is silent, if it is not just not read.

        One that is not read because it does not acknowledge can't do so: the acknowledgements
        are behind commands that wait for them. To resume on another connection helps then.
        """
        if self.paused and not (self.user is not None and self.user.full):
            self.factory.silent.start(self)
        else:
            self._answer(_SILENT)
            self.end("silent")

    def taken_over(self) -> None:
        """Leave the user to another connection, and close; that one is told all again."""
        if self._queue is None:
            self.drain()
        self.dismissed(_TAKEN_OVER)

    def dismissed(self, why: Error) -> None:
        """Say why there is no user here any more, and close."""
        self.user = self._peer = None
        self.tell(why)
        self._leave("lost", "dismissed")
        self.hang_up(CLOSING_SECONDS)

    def drain(self) -> None:
        """Handle what has come, unless its sender will say it again, or tell that it failed."""
        if self._queue is None:
            super().drain()
        elif isinstance(self.user, CountingUser) and not self.lost:
            for command in self._queue.clear():
                if isinstance(command, Say):
                    self.factory.fail(self.user, command, "stopped")

    def stop(self) -> None:
        """Tell that the server is stopping, and close."""
        if self._queue is not None and self._peer is not None:
            self._answer(Left(self._peer.name.text, "stopped"))
        self._answer(_STOPPING)
        self.user = self._peer = None  # the factory has forgotten it
        self.end("stopped")
