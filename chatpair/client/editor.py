"""A talk on a terminal: a line editor below, how things stand, and what happens above."""

import os
import sys
import time
from asyncio import Future, ensure_future, get_running_loop
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from itertools import chain
from signal import SIGHUP, SIGINT
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.clipboard import InMemoryClipboard
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.validation import Validator
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatpair.client import screen
from chatpair.client.ending import interrupted
from chatpair.client.entries import STYLE, Entry, standing_line
from chatpair.client.letters import Redrawing, WholeLetters, add_keys, letter_after
from chatpair.client.pastes import Pastes
from chatpair.client.person import COMMANDS, PersonTalk
from chatpair.client.screen import Standing
from chatpair.client.session import MAX_LINE, fits
from chatpair.codecs import plain
from chatpair.codecs.cleaning import clean_line, clean_text
from chatpair.exchange.messages import AnyEvent, Error, Message, Say

TOO_LONG = "Too long: a message may have 64 KiB. Shorten it, or paste a part; a pipe takes all."
QUIT_HINT = "Ctrl-C again, or Ctrl-D, quits"
UNSAID = "Not delivered"

SEE_SECONDS = 0.05
"""How much time passes at least between two times that something is put above the line."""

SHOWN_AGAIN = 200
"""Entries that are shown again when the terminal has other columns."""

# Where a terminal finds a letter wider than this program does, the row is cut and not folded.
_NO_FOLDING = ("[ZeroWidthEscape]", "\x1b[?7l")
_FOLDING = ("[ZeroWidthEscape]", "\x1b[?7h")


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
        """Yield names after a command that takes one, and commands else; none for a name."""
        if not self._talk.is_named:
            return
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
        self._asks_name = self._asks_password = False
        self._wanted = self._passing = False
        self._typed: deque[str] = deque()  # lines that the talk does not want yet
        self._quits = False  # once those are said
        self._unseen: list[Entry] = []  # to be shown in the next turn
        self._seen: deque[Entry] = deque(maxlen=SHOWN_AGAIN)
        self._seen_at = float("-inf")  # seconds, by the loop's clock
        self._columns = self._output.get_size().columns
        self._interrupted = self._interrupts = False  # by the key before, and by the present one

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
            is_password=Condition(lambda: self._asks_password),
            validator=Validator.from_callable(fits, TOO_LONG),
            validate_while_typing=False,
            key_bindings=self._keys(),
            enable_suspend=True,
            erase_when_done=True,
            input_processors=[WholeLetters(self._question)],
        )
        buffer = self._session.default_buffer
        buffer.accept_handler = self._accept
        buffer.on_text_changed += self._changed
        self._fitting = buffer.document  # the last that could be said
        app = self._session.app
        app.before_render += self._fit_columns
        self._redrawing = Redrawing(app)
        if isinstance(app.input, Vt100Input):
            Pastes(app.input, app)
        app.key_processor.after_key_press += self._key_pressed
        self._running: Future[Any] = ensure_future(
            self._session.prompt_async(set_exception_handler=False, handle_sigint=False)
        )
        self._running.add_done_callback(self._ended)

    def stop(self) -> Deferred[None]:
        """Give the terminal back; fires when that is done."""
        if not self._running.done():
            self._session.app.exit()
        # It fails if the terminal is gone; there is nothing to give back then.
        return Deferred.fromFuture(self._running).addErrback(self._terminal_is_gone)

    def _terminal_is_gone(self, why: Failure) -> None:
        why.trap(EOFError, OSError)

    def _ended(self, _: object) -> None:
        if not self._asks_password:
            for text in self._typed:
                self.notice(f"{UNSAID}: {text}")
        self._see()
        self._talk.fail(interrupted(SIGHUP))  # the terminal is gone, unless the talk has ended

    # Keys

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        typing = has_focus(DEFAULT_BUFFER)
        add_keys(keys, typing)
        hidden = Condition(lambda: self._asks_password)

        @keys.add("c-c", filter=typing)
        def _(event: KeyPressEvent) -> None:
            if self._interrupted:
                self._talk.interrupt(SIGINT)
            event.current_buffer.reset()
            self._interrupts = True

        @keys.add("c-d", filter=typing)
        def _(event: KeyPressEvent) -> None:
            if event.current_buffer.text:
                event.current_buffer.delete(letter_after(event.current_buffer))
            elif self._quits:
                self._talk.input_ended()  # whatever is still to be said
            else:
                self._quits = True
                self._pass_on()

        @keys.add("c-i", filter=typing & hidden)  # nothing completes a password
        @keys.add("c-r", filter=typing & hidden)
        @keys.add("c-s", filter=typing & hidden)
        @keys.add("up", filter=typing & hidden)
        @keys.add("down", filter=typing & hidden)
        @keys.add("c-@", filter=typing)  # would begin to select; what is typed then is lost
        @keys.add("escape", "#", filter=typing)  # would say the line as a comment of a shell's
        @keys.add("c-o", filter=typing)  # would wait for a next line of the history
        @keys.add("<vt100-mouse-event>")  # no mouse is used, and other sequences look like it
        def _(event: KeyPressEvent) -> None:
            pass

        return keys

    def _key_pressed(self, _: object) -> None:
        self._interrupted, self._interrupts = self._interrupts, False
        self._talk.is_here()

    def _changed(self, buffer: Buffer) -> None:
        document = buffer.document
        if len(document.text) > MAX_LINE:
            self.notice(TOO_LONG)
            buffer.document = self._fitting  # comes here again
            return
        before = clean_text(document.text_before_cursor)
        text = before + clean_text(document.text_after_cursor)
        if text != buffer.text:
            buffer.document = Document(text, len(before))  # comes here again, too
            return
        self._fitting = document
        if not (self._asks_name or self._asks_password) and buffer.text and _is_text(buffer.text):
            self._talk.is_typing()

    def _accept(self, buffer: Buffer) -> bool:
        """Take what was typed; return whether it stays in the line."""
        text = buffer.text
        if not self._asks_password:
            text = text.strip("\n")  # a line is often copied with its end
        if not text:
            return False
        if self._standing.leaving or self._quits:
            return True
        if self._asks_name or self._asks_password:
            buffer.reset()  # it shall not come back among what was typed before
            self._session.app.clipboard = InMemoryClipboard()  # nor as what was cut
        elif not self._standing.name:
            return True  # it is for nobody yet, and must not be taken for a name
        elif _is_text(text):
            self._add(("class:me", f"{self._standing.name}: "), text)
        else:
            self._add(("class:command", "> "), text, "class:command")
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
            self._asks_name = self._asks_password = False
            self._talk.typed(self._typed.popleft())
        self._passing = False
        if self._quits and not (self._typed and self._standing.connected):
            self._talk.input_ended()
        self._draw()

    # What is shown

    def _prompt(self) -> StyleAndTextTuples:
        hint = f"{QUIT_HINT} | " if self._interrupted or self._interrupts else ""
        standing = hint + standing_line(
            replace(self._standing, leaving=self._standing.leaving or self._quits),
            len(self._typed),
            self._asks_name or self._asks_password,
            self._output.get_size().columns - 3 - len(hint),
        )
        # Not filled up to the margin: a terminal that is made narrower would fold it.
        return [("class:standing", f" {clean_line(standing)} "), ("", f"\n{self._question()}")]

    def _question(self) -> str:
        if self._asks_name:
            return "Your name: "
        return "Your password: " if self._asks_password else "> "

    def _draw(self) -> None:
        self._session.app.invalidate()

    def _add(
        self, lead: tuple[str, str], text: str, style: str = "", seconds: float | None = None
    ) -> None:
        if not self._unseen:
            # Together with what comes soon: else the line below is hardly ever there in a flood.
            loop = get_running_loop()
            loop.call_at(max(loop.time(), self._seen_at + SEE_SECONDS), self._see)
        self._unseen.append(Entry(time.time() if seconds is None else seconds, lead, text, style))

    def _see(self) -> None:
        """Put all that was added above the line."""
        unseen, self._unseen = self._unseen, []
        if not unseen:
            return
        self._seen += unseen
        self._seen_at = get_running_loop().time()
        # Not by way of run_in_terminal: that would echo keys which are typed meanwhile.
        self._redrawing.erase()
        self._print([row for entry in unseen for row in entry.rows(self._columns)])
        self._draw()

    def _print(self, rows: list[StyleAndTextTuples]) -> None:
        shown = [_NO_FOLDING, *chain.from_iterable(rows), _FOLDING]
        print_formatted_text(self._output, shown, STYLE, color_depth=self._color)

    def _fit_columns(self, _: object) -> None:
        """Show a screenful again if the terminal has other columns.

        It has folded the rows itself: what a peer wrote may begin at its margin now.
        """
        size = self._output.get_size()
        if size.columns == self._columns:
            return
        self._columns = size.columns
        self._session.app.renderer.clear()
        rows: list[StyleAndTextTuples] = []
        for entry in reversed(self._seen):
            rows[:0] = entry.rows(size.columns)
            if len(rows) >= size.rows:
                break
        self._print(rows[-max(1, size.rows - 2) :])  # what is below has two rows

    def show(self, event: AnyEvent) -> None:
        """Show what the server tells."""
        if isinstance(event, Message):
            lead = ("class:peer", f"{clean_line(event.sender)}: ")
            self._add(lead, clean_text(event.text), seconds=event.time)
        else:
            for line in screen.lines(event):
                self._tell(line, "error" if isinstance(event, Error) else "notice")

    def notice(self, text: str) -> None:
        """Show a line about the conversation."""
        self._tell(text, "notice")

    def _tell(self, line: str, kind: str) -> None:
        # No name has a star. So this can't be what somebody says.
        self._add((f"class:{kind}", "* "), clean_line(line), f"class:{kind}")

    def stands(self, standing: Standing) -> None:
        """Show how things stand."""
        self._standing = standing
        self._draw()

    def ask_name(self) -> None:
        """Ask for a name."""
        self._put_aside()
        self._asks_name = True
        self._draw()

    def _put_aside(self) -> None:
        """Empty the line: what is in it is no answer; it can be had back as what was typed."""
        buffer = self._session.default_buffer
        if buffer.text and not (self._asks_name or self._asks_password):
            buffer.append_to_history()
            buffer.reset()

    def ask_password(self) -> None:
        """Ask for a password; stars stand for it."""
        self._put_aside()
        self._asks_password = True
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
