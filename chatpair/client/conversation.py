"""What a client says to a server and makes of its answers; it knows no terminal."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from chatpair import names
from chatpair.codecs import plain
from chatpair.messages import Call, Claim, Error, Goodbye, Left, Message, Named, Paired, Quit, Say
from chatpair.text import clean

NO_NAME = "There is no name; give one with --name."


class Screen(Protocol):
    """Where a conversation shows what happens, and what it takes lines from."""

    def show(self, text: str) -> None:
        """Show a line that the peer said."""

    def notice(self, text: str) -> None:
        """Show a line about the conversation."""

    def ask_name(self) -> None:
        """Ask for a name."""

    def take_lines(self, wanted: bool) -> None:
        """Pass on lines to the conversation from now on, or keep them."""


class Conversation(LineReceiver):
    """One user's talk with a server, from the name to the answer to Quit.

    As a person types it, each line goes to the server as it is. As a pipe has it, lines wait
    for the pair, each is text whatever it says, and their end is Quit. All text is clean.
    """

    delimiter = b"\r\n"
    MAX_LENGTH = 2**20  # a peer's line, three bytes for one that was no UTF-8
    transport: Any

    def __init__(self, screen: Screen, *, name: str, to: str, from_pipe: bool) -> None:
        """Take the name to claim and whom to call; either may be empty."""
        self._screen = screen
        self._name = name
        self._to = to
        self._from_pipe = from_pipe
        self._asking = not name  # the next line is a name
        self._may_ask = not (name and from_pipe)
        self._named = False
        self._calling = False
        self._paired = False
        self._peer = ""
        self._left_by: str | None = None  # a pipe's lines were meant for that one
        self._first_line: str | None = None
        self._ended = False
        self._quitting = False
        self._problem = ""
        self.finished: Deferred[str] = Deferred()
        """Fires when all is over, with what went wrong or nothing."""

    # From the user

    def typed(self, line: str) -> None:
        """Take a line that the user typed, or that a pipe had."""
        if self._quitting:
            return
        if self._asking:
            self._asking = False
            self._claim(line)
        elif not self._from_pipe:
            self.sendLine(line.encode())
        elif self._left_by is not None:
            self.fail(f"{self._left_by} left before all was said.")
        elif self._paired:
            self._send(Say(0, line))
        else:
            self._typed_early(line)

    def _typed_early(self, line: str) -> None:
        """Take a pipe's first line: it may call somebody, or else waits for somebody who calls."""
        self._screen.take_lines(False)
        command = plain.parse(line)
        if isinstance(command, Call):
            self._call(command)
        else:
            self._first_line = line

    def input_ended(self) -> None:
        """Quit, once what the user has said is said."""
        self._ended = True
        if self._from_pipe and self._asking:
            self.fail(NO_NAME)
        else:
            self._quit_if_all_is_said()

    def _quit_if_all_is_said(self) -> None:
        waits = not self._named or self._calling or self._first_line is not None
        if self._ended and not (self._from_pipe and waits):
            self.quit()

    def quit(self) -> None:
        """Ask the server to let the user go; its answer ends the conversation."""
        if not self._quitting:
            self._quitting = True
            self._screen.take_lines(False)
            self._send(Quit())

    def interrupt(self) -> None:
        """Quit, or if that has been said already, end at once."""
        if self._quitting:
            self._problem = self._problem or "The server did not answer."
            self.transport.abortConnection()
        elif self._from_pipe:
            self.fail("Interrupted.")
        else:
            self.quit()

    def stopProducing(self) -> None:
        """Quit: nobody reads the output any more."""
        self.fail("The output was closed.")

    def fail(self, problem: str) -> None:
        """Quit because of a problem; the first one counts."""
        self._problem = self._problem or problem
        self.quit()

    # To the server

    def connectionMade(self) -> None:
        """Say the name, or ask for one."""
        if self._name:
            self._claim(self._name)
        elif self._from_pipe and self._to:
            self.fail(NO_NAME)  # its first line is meant for somebody
        else:
            self._ask()

    def _ask(self) -> None:
        self._asking = True
        if self._ended:
            self.fail(NO_NAME)
        else:
            self._screen.ask_name()
            self._screen.take_lines(True)

    def _claim(self, name: str) -> None:
        self._screen.take_lines(False)
        self._name = name
        if isinstance(plain.parse_unnamed(name), Quit):
            self.fail(NO_NAME if self._from_pipe else "")
            return
        try:
            names.parse(name)  # a server would take some for commands
        except names.BadName as why:
            self._refused(f"Bad name: {why}")
        else:
            self._send(Claim(name))

    def _call(self, call: Call) -> None:
        self._calling = True
        self._send(call)

    def _send(self, command: Claim | Call | Say | Quit) -> None:
        self.transport.write(plain.render_command(command))

    # From the server

    def lineReceived(self, line: bytes) -> None:
        """Act upon a line, and show what the user should know of it."""
        text = clean(line)
        match plain.parse_event(text):
            case Message():
                self._screen.show(text)
            case Named() if not self._named:
                self._welcome()
            case Error(code="reuse" | "bad-name" as code) if not self._named:
                self._refused(f"The name {self._name} is taken." if code == "reuse" else text)
            case Paired(peer):
                self._pair(text, peer)
            case Left():
                self._left()
            case Error() if self._from_pipe:
                self.fail(text)
            case Goodbye():
                self._finish(self._problem)
            case _:
                self._screen.notice(text)

    def _welcome(self) -> None:
        self._named = True
        self._screen.notice(f"Welcome, {self._name}.")
        if self._to:
            self._call(Call(self._to))
        self._screen.take_lines(not (self._from_pipe and self._to))
        self._quit_if_all_is_said()

    def _refused(self, why: str) -> None:
        if self._may_ask:
            self._screen.notice(why)
            self._ask()
        else:
            self.fail(why)

    def _pair(self, text: str, peer: str) -> None:
        self._calling = False
        self._paired = True
        self._peer = peer
        self._screen.notice(text)
        if self._first_line is not None:
            self._send(Say(0, self._first_line))
            self._first_line = None
        if not self._quitting:
            self._screen.take_lines(True)
        self._quit_if_all_is_said()

    def _left(self) -> None:
        self._paired = False
        if self._left_by is None:
            self._left_by = self._peer
        self._screen.notice(f"{self._peer} has left.")

    def lineLengthExceeded(self, line: bytes) -> None:
        """Give up on a server that sends such lines."""
        self._finish("The server sent a line without an end.")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Finish, if the answer to Quit has not done so."""
        self._finish(self._problem or "The connection to the server was lost.")

    def _finish(self, problem: str) -> None:
        if not self.finished.called:
            self._screen.take_lines(False)
            self.finished.callback(problem)
            self.transport.loseConnection()
