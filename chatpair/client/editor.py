"""A talk on a terminal: a line editor below, how things stand, and what happens above."""

import os
import sys
import time
from asyncio import Future, ensure_future, get_running_loop
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from signal import SIGHUP, SIGINT
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.styles import Style
from prompt_toolkit.validation import Validator
from twisted.internet.defer import Deferred
from wcwidth import width

from chatpair.client import screen
from chatpair.client.ending import interrupted
from chatpair.client.fold import fold
from chatpair.client.person import COMMANDS, PersonTalk
from chatpair.client.screen import Standing
from chatpair.client.session import MAX_LINE, fits
from chatpair.codecs import plain
from chatpair.messages import AnyEvent, Error, Message, Say
from chatpair.text import clean, clean_text

STYLE = Style.from_dict(
    {
        "time": "ansibrightblack",
        "me": "bold ansigreen",
        "peer": "bold ansicyan",
        "notice": "ansiyellow",
        "error": "ansired",
        "command": "ansibrightblack",
        "standing": "reverse",
    }
)

TOO_LONG = f"Too long: a text may have {MAX_LINE} bytes in JSON. Shorten it, or paste a part."
QUIT_HINT = "Ctrl-C again, or Ctrl-D, quits"

# Where a terminal finds a letter wider than this program does, the row is cut and not folded.
_NO_FOLDING = ("[ZeroWidthEscape]", "\x1b[?7l")
_FOLDING = ("[ZeroWidthEscape]", "\x1b[?7h")


def _clock(seconds: float) -> str:
    """Return a time of the day in the user's own zone, with the date unless that is today's."""
    then = time.localtime(seconds)
    is_today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M", then)


def _entry(
    seconds: float, lead: tuple[str, str], text: str, columns: int, style: str = ""
) -> StyleAndTextTuples:
    """Return a text after when and by whom it was said, in rows of so many columns.

    `lead` is a style and a text. All rows but the first are indented: none can pass for
    another's, or the program's own.
    """
    clock = f"{_clock(seconds)} "
    indent = " " * min(len(clock), columns // 4)
    room = columns - len(indent)
    first, *others = text.split("\n")
    rows = fold(first, room, max(0, columns - width(clock + lead[1])))
    for line in others:
        rows += fold(line, room, room)
    return [("class:time", clock), lead, (style, f"\n{indent}".join(rows) + "\n")]


def standing_line(standing: Standing, kept: int) -> str:
    """Return how things stand, and how many lines wait to be sent or for an answer."""
    if not standing.name:
        return "no name yet"
    parts = [standing.name]
    if standing.peer is None:
        parts.append("with nobody")
    elif standing.peer_is_away:
        parts.append(f"with {standing.peer}, who has lost the connection")
    else:
        parts.append(f"with {standing.peer}")
    parts.append("connected" if standing.connected else "not connected")
    waiting = standing.waiting + kept
    if waiting:
        parts.append(f"{waiting} waiting")
    elif standing.last == "failed":
        parts.append("not delivered")
    elif standing.last is not None:
        parts.append(standing.last)
    if standing.peer_is_typing:
        parts.append(f"{standing.peer} is typing")
    return " | ".join(parts)


class _Completer(Completer):
    """Completes commands, and names of those who are here."""

    def __init__(self, talk: PersonTalk) -> None:
        self._talk = talk

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
        """Return nothing: who is here takes a while to know."""
        return ()

    async def get_completions_async(
        self, document: Document, event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """Yield names after a command that takes one, and commands else."""
        text = document.text_before_cursor
        for called in ("to:", "/to ", "/block "):
            if text.lower().startswith(called):
                begun = text[len(called) :].lstrip()
                names: list[str] = await self._talk.others().asFuture(get_running_loop())
                for name in names:
                    if name.lower().startswith(begun.lower()):
                        yield Completion(name, -len(begun))
                return
        for command in COMMANDS:
            if text and command.lower().startswith(text.lower()):
                yield Completion(command, -len(text))


class EditorScreen:
    """Shows a talk above the line that is being typed, and passes on what was typed."""

    def __init__(self, *, color: bool, bell: bool) -> None:
        # Where the cursor is need not be known, as nothing here depends on the bottom of the
        # terminal; asking for it would put the answer among the keys.
        term = os.environ.get("TERM")
        self._output = Vt100_Output.from_pty(sys.stdout, term, enable_bell=bell)
        self._output.enable_cpr = False
        self._color = self._output.get_default_color_depth() if color else ColorDepth.DEPTH_1_BIT
        self._standing = Standing()
        self._asks_name = False
        self._wanted = self._passing = False
        self._typed: deque[str] = deque()  # lines that the talk does not want yet
        self._unseen: StyleAndTextTuples = []  # to be shown in the next turn
        self._interrupted = False  # by the last key

    def start(self, talk: PersonTalk) -> None:
        """Begin to read keys; the loop of asyncio must be running."""
        self._talk = talk
        self._session: PromptSession[str] = PromptSession(
            self._prompt,
            style=STYLE,
            color_depth=self._color,
            output=self._output,
            completer=_Completer(talk),
            complete_while_typing=False,
            validator=Validator.from_callable(fits, TOO_LONG),
            validate_while_typing=False,
            key_bindings=self._keys(),
            enable_suspend=True,
            erase_when_done=True,
        )
        buffer = self._session.default_buffer
        buffer.accept_handler = self._accept
        buffer.on_text_changed += self._changed
        self._running: Future[Any] = ensure_future(
            self._session.prompt_async(set_exception_handler=False, handle_sigint=False)
        )
        self._running.add_done_callback(self._ended)

    def stop(self) -> Deferred[None]:
        """Give the terminal back; fires when that is done."""
        if not self._running.done():
            self._session.app.exit()
        stopped = Deferred.fromFuture(self._running)
        return stopped.addErrback(lambda why: why.trap(EOFError, OSError) and None)

    def _ended(self, _: object) -> None:
        self._see()
        self._talk.fail(interrupted(SIGHUP))  # the terminal is gone, unless the talk has ended

    # Keys

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        typing = has_focus(DEFAULT_BUFFER)

        @keys.add("c-c", filter=typing)
        def _(event: KeyPressEvent) -> None:
            if self._interrupted:
                self._talk.interrupt(SIGINT)
            event.current_buffer.reset()
            self._interrupted = True

        @keys.add("c-d", filter=typing)
        def _(event: KeyPressEvent) -> None:
            if event.current_buffer.text:
                event.current_buffer.delete()
            else:
                self._talk.input_ended()

        @keys.add("c-@", filter=typing)  # would begin to select; what is typed then is lost
        @keys.add("<vt100-mouse-event>")  # no mouse is used, and other sequences look like it
        def _(event: KeyPressEvent) -> None:
            pass

        return keys

    def _changed(self, buffer: Buffer) -> None:
        self._interrupted = False
        document = buffer.document
        before = clean_text(document.text_before_cursor)
        text = before + clean_text(document.text_after_cursor)
        if text != buffer.text:
            buffer.document = Document(text, len(before))  # comes here again
            return
        if not self._asks_name and buffer.text and _is_text(buffer.text):
            self._talk.is_typing()

    def _accept(self, buffer: Buffer) -> bool:
        """Take what was typed; return whether it stays in the line, which it does not."""
        text = clean_text(buffer.text)
        if self._asks_name:
            buffer.reset()  # it shall not come back among what was typed before
        elif not text:
            return False
        elif _is_text(text):
            self._add(time.time(), ("class:me", f"{self._standing.name}: "), text)
        else:
            self._add(time.time(), ("class:command", "> "), text, "class:command")
        self._typed.append(text)
        self._pass_on()
        return False

    def take_lines(self, wanted: bool, many: bool) -> None:
        """Pass on lines from now on, or keep them."""
        self._wanted = wanted
        self._pass_on()

    def _pass_on(self) -> None:
        if self._passing:
            return
        self._passing = True  # for the talk says at each line whether more are wanted
        while self._wanted and self._typed:
            self._asks_name = False
            self._talk.typed(self._typed.popleft())
        self._passing = False
        self._draw()

    # What is shown

    def _prompt(self) -> StyleAndTextTuples:
        standing = standing_line(self._standing, len(self._typed))
        if self._interrupted:
            standing = QUIT_HINT  # instead: a narrow terminal would cut it
        question = "Your name: " if self._asks_name else "> "
        # Not filled up to the margin: a terminal that is made narrower would fold it.
        return [("class:standing", f" {clean(standing.encode())} "), ("", f"\n{question}")]

    def _draw(self) -> None:
        self._session.app.invalidate()

    def _add(self, seconds: float, lead: tuple[str, str], text: str, style: str = "") -> None:
        if not self._unseen:
            # In a turn of its own: so the line below is drawn anew once for all that came.
            get_running_loop().call_soon(self._see)
        columns = self._output.get_size().columns
        self._unseen += _entry(seconds, lead, text, columns, style)

    def _see(self) -> None:
        """Put all that was added above the line."""
        shown, self._unseen = self._unseen, []
        if not shown:
            return
        # Not by way of run_in_terminal: that would echo keys which are typed meanwhile.
        renderer = self._session.app.renderer
        renderer.erase()
        print_formatted_text(
            self._output, [_NO_FOLDING, *shown, _FOLDING], STYLE, color_depth=self._color
        )
        self._draw()

    def show(self, event: AnyEvent) -> None:
        """Show what the server tells."""
        if isinstance(event, Message):
            sender = clean(event.sender.encode())
            self._add(event.time, ("class:peer", f"{sender}: "), clean_text(event.text))
        else:
            for line in screen.lines(event):
                self._tell(line, "error" if isinstance(event, Error) else "notice")

    def notice(self, text: str) -> None:
        """Show a line about the conversation."""
        self._tell(text, "notice")

    def _tell(self, line: str, kind: str) -> None:
        # No name has a star. So this can't be what somebody says.
        self._add(time.time(), (f"class:{kind}", "* "), line, f"class:{kind}")

    def stands(self, standing: Standing) -> None:
        """Show how things stand."""
        self._standing = standing
        self._draw()

    def ask_name(self) -> None:
        """Ask for a name."""
        self._asks_name = True
        self._draw()

    def ring(self) -> None:
        """Ring the terminal's bell."""
        self._output.bell()
        self._output.flush()

    def arrived(self, size: int) -> None:
        """Do nothing: how things stand tells it."""

    def peer_left(self) -> None:
        """Do nothing."""


def _is_text(typed: str) -> bool:
    return "\n" in typed or isinstance(plain.parse(typed), Say)
