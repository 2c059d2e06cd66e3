"""A talk on standard input and output: of somebody without a line editor, or of a pipe."""

import sys
import termios
from codecs import getincrementaldecoder
from contextlib import AbstractContextManager, nullcontext, suppress
from os import get_terminal_size
from time import time
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatpair.client import screen
from chatpair.client.fold import fold
from chatpair.client.screen import Speaker, Standing
from chatpair.codecs import json
from chatpair.codecs.cleaning import clean_line, clean_text
from chatpair.exchange.messages import AnyEvent, JsonEvent, Message

if TYPE_CHECKING:
    from tqdm import tqdm

MANY = 2_048
"""Characters that several lines may have which are said as one text.

Small enough for a server that takes shorter lines than others do.
"""

LOSSY = "Not all of the input is text: what is none is replaced or taken out."

LONGEST = 65_536
"""Characters of a line after which no more of it is awaited."""

USUAL_COLUMNS = 80
"""Columns of a terminal that does not tell how many it has."""

INDENT = 4
"""Columns in front of what goes on in the next row."""

SHOWN_SECONDS = 1.0
"""How long it takes until progress is shown."""

# With room for the ^C that a terminal shows: in the next row it would leave the progress there.
_BAR = "{l_bar}{bar}{r_bar}  \x1b[2D"


@implementer(IHalfCloseableProtocol, IPushProducer)
class StandardScreen(Protocol):
    """Passes lines of standard input on."""

    transport: Any
    speaker: Speaker

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._text = ""  # lines that are whole, and clean
        self._at = 0  # how much of that has been passed on
        self._line = ""  # as it has come: a key in what is still to come may erase some of it
        self._input_ended = self._told_end = self._is_lossy = False
        self._wanted = self._many = False
        self._paused = self._passing = self._cut = False
        self.closed: Deferred[None] = Deferred()
        """Fires when all output is out, or nobody will take it."""

    # Input

    def connectionMade(self) -> None:
        """Wait until lines are wanted."""
        self._flow()

    def dataReceived(self, data: bytes) -> None:
        """Keep text until lines are wanted."""
        self._take(self._decoder.decode(data))

    def _take(self, text: str) -> None:
        whole, newline, self._line = (self._line + text).rpartition("\n")
        self._text = self._text[self._at :] + self._clean(whole + newline)
        self._at = 0
        self._pass_on()

    def _clean(self, text: str) -> str:
        cleaned = clean_text(text)
        if not self._is_lossy and ("\ufffd" in text or len(cleaned) < len(text) - text.count("\r")):
            self._is_lossy = True
            self.input_is_lossy()
        return cleaned

    def readConnectionLost(self) -> None:
        """Pass on the end of input, and a last line that had none."""
        self._input_ended = True
        self._take(self._decoder.decode(b"", final=True))

    def take_lines(self, wanted: bool, many: bool) -> None:
        """Pass on lines from now on, perhaps many at once, or keep them."""
        self._wanted, self._many = wanted, many
        self._pass_on()

    def _pass_on(self) -> None:
        if self._passing:
            return
        self._passing = True  # for the speaker says at each line whether more are wanted
        while self._wanted and (piece := self._next()) is not None:
            self.speaker.typed(piece)
        self._passing = False
        is_all = self._at == len(self._text) and not self._line
        if self._input_ended and is_all and not self._told_end:
            self._told_end = True
            self.speaker.input_ended()
        self._flow()

    def _next(self) -> str | None:
        """Return a line, or several with newlines between them, without the last one's end."""
        if self._cut and self._text.startswith("\n", self._at):
            self._at += 1  # the end of a line whose text has all been passed on
            self._cut = False
        start = self._at
        end = self._text.rfind("\n", start, start + MANY) if self._many else -1
        if end < 0:
            end = self._text.find("\n", start)
        if end < 0 and (self._input_ended or len(self._line) >= LONGEST):
            cleaned = self._clean(self._line)
            piece, self._line = cleaned[:LONGEST], cleaned[LONGEST:]
            self._cut |= bool(piece)
            return piece or None
        if end < 0:
            return None
        self._at = end + 1
        self._cut = False
        return self._text[start:end]

    def _flow(self) -> None:
        pauses = not self._wanted
        if pauses != self._paused and not self._input_ended:
            self._paused = pauses
            if pauses:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    # Output, of which this is the producer

    def pauseProducing(self) -> None:
        """Let the speaker wait until the output takes more."""
        self.speaker.pauseProducing()

    def resumeProducing(self) -> None:
        """Let the speaker go on."""
        self.speaker.resumeProducing()

    def stopProducing(self) -> None:
        """Tell the speaker that nobody reads the output any more."""
        self.speaker.stopProducing()

    def write(self, text: str) -> None:
        """Write a line to standard output."""
        self.transport.write(text.encode() + b"\n")

    def output_failed(self, why: str) -> None:
        """Tell the speaker why nothing can be written, as that the disk is full."""
        self.speaker.output_failed(why)

    def writeConnectionLost(self) -> None:
        """Wait for no more output; the speaker has been told, as its producer."""
        self.give_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note that all output is out."""
        self.give_up()

    def give_up(self) -> None:
        """Wait for no more output to be taken."""
        if not self.closed.called:
            self.closed.callback(None)

    # What not every screen has

    def input_is_lossy(self) -> None:
        """Do nothing: who types sees what is said."""

    def stands(self, standing: Standing) -> None:
        """Do nothing: that would be many lines."""

    def arrived(self, size: int) -> None:
        """Do nothing."""

    def ring(self) -> None:
        """Do nothing."""

    def peer_left(self) -> None:
        """Do nothing."""


class PlainScreen(StandardScreen):
    """A terminal on which one line follows another, whoever writes it."""

    def __init__(self, *, bell: bool) -> None:
        super().__init__()
        self._bell = bell
        self._modes: list[Any] | None = None  # of the terminal, while it hides a password

    def show(self, event: AnyEvent) -> None:
        """Show what the server tells."""
        for line in screen.lines(event):
            self._fold(line)

    def notice(self, text: str) -> None:
        """Show a line about the conversation."""
        self._fold(clean_line(text))

    def _fold(self, line: str) -> None:
        # All rows but the first are indented: none can pass for a line of the server's.
        columns = _columns() - 1  # the terminal's own folding never comes
        indent = " " * min(INDENT, columns // 4)
        self.write(f"\n{indent}".join(fold(line, columns - len(indent), columns)))

    def ask_name(self) -> None:
        """Ask for a name."""
        self.transport.write(b"Your name: ")

    def ask_password(self) -> None:
        """Ask for a password, and let the terminal show nothing of it."""
        self.transport.write(b"Your password: ")
        self._modes = termios.tcgetattr(sys.stdin)
        hiding = [*self._modes]
        hiding[3] &= ~termios.ECHO
        termios.tcsetattr(sys.stdin, termios.TCSANOW, hiding)

    def take_lines(self, wanted: bool, many: bool) -> None:
        """Pass on lines from now on, or keep them; what is typed is shown after a password."""
        if self._modes is not None and not wanted:
            termios.tcsetattr(sys.stdin, termios.TCSANOW, self._modes)
            self._modes = None
            self.write("")  # for the Enter that was not shown
        super().take_lines(wanted, many)

    def ring(self) -> None:
        """Ring the terminal's bell."""
        if self._bell:
            self.transport.write(b"\a")


def _columns() -> int:
    """Return how wide the terminal is, whatever the environment says that it was."""
    with suppress(OSError, ValueError):
        return get_terminal_size(sys.stdout.fileno()).columns or USUAL_COLUMNS
    return USUAL_COLUMNS


class _OneTerminal:
    """The terminal that standard output and standard error both are.

    What is said is written a moment later than it is told to; so is all else that goes here, or
    the progress would be in its way.
    """

    def __init__(self, screen: StandardScreen) -> None:
        self._screen = screen
        self.encoding = sys.stderr.encoding

    def write(self, text: str) -> None:
        """Write text, after what was written before."""
        if self._screen.closed.called:
            sys.stderr.write(text)
        else:
            self._screen.transport.write(text.encode())

    def flush(self) -> None:
        """Let nothing of it wait that need not."""
        if self._screen.closed.called:
            sys.stderr.flush()

    def isatty(self) -> bool:
        """Tell that it is a terminal."""
        return True

    def fileno(self) -> int:
        """Return what tells how wide it is."""
        return sys.stderr.fileno()


def _progress(size: int | None, errors: Any) -> "tqdm[Any]":
    from tqdm import tqdm  # which takes a while

    tqdm.monitor_interval = 0  # a thread that would look after bars which are updated seldom
    return tqdm(
        total=size,
        desc="Arrived",
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        delay=SHOWN_SECONDS,
        mininterval=0.5,
        leave=False,
        file=errors,
        dynamic_ncols=True,
        bar_format=_BAR,
    )


class PipeScreen(StandardScreen):
    """Programs at both ends: what the peer says goes to one, all else to standard error."""

    def __init__(self, *, json: bool, size: int | None) -> None:
        """Take whether events go out instead of text, and how many bytes the input has if known.

        Without an input whose progress matters the size is 0.
        """
        super().__init__()
        self._json = json
        self._errors: Any = sys.stderr
        self._progress: tqdm[Any] | None = None
        # It is for a terminal.
        if size != 0 and sys.stderr is not None and sys.stderr.isatty():
            if sys.stdout.isatty():
                self._errors = _OneTerminal(self)
            self._progress = _progress(size, self._errors)

    def _beside_progress(self) -> AbstractContextManager[None]:
        """Return what keeps the progress, once there is some, below what is written."""
        bar = self._progress
        # It would show itself otherwise, before its time has come or to who says nothing.
        if bar is None or bar.n == 0 or time() < bar.start_t + SHOWN_SECONDS:
            return nullcontext()
        return bar.external_write_mode(self._errors)

    def input_is_lossy(self) -> None:
        """Tell it."""
        self.notice(LOSSY)

    def show(self, event: AnyEvent) -> None:
        """Write what the peer says, or as JSON what the server tells."""
        if self._json and isinstance(event, JsonEvent):
            self.write(json.render(event).decode().rstrip())
        elif isinstance(event, Message):
            self.write(clean_text(event.text))
        else:
            for line in screen.lines(event):
                self.notice(line)

    def write(self, text: str) -> None:
        """Write a line to standard output."""
        shares = isinstance(self._errors, _OneTerminal)
        with self._beside_progress() if shares else nullcontext():
            super().write(text)

    def notice(self, text: str) -> None:
        """Write a line to standard error."""
        if self._errors is not None:
            # What is said matters more than what is told of it.
            with suppress(OSError), self._beside_progress():
                print(clean_line(text), file=self._errors, flush=True)

    def ask_name(self) -> None:
        """Do nothing: the next line is one."""

    def ask_password(self) -> None:
        """Do nothing: no pipe is asked for one."""

    def arrived(self, size: int) -> None:
        """Show progress."""
        if self._progress is not None:
            self._progress.update(size + 1)

    def close(self) -> None:
        """Take the progress away."""
        if self._progress is not None:
            self._progress.close()
