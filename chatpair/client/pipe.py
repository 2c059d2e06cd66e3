"""A pipe's talk: its lines are said to one peer, and then it leaves."""

from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint

from chatpair.client.ending import Ending, ExitStatus, refusal
from chatpair.client.errors import Refused
from chatpair.client.screen import FORGOTTEN, Screen, lines
from chatpair.client.session import fits, is_same_name
from chatpair.client.talk import Talk
from chatpair.codecs import plain
from chatpair.exchange.messages import AnyEvent, Call, Error, Left, Paired, Unanswered

NO_NAME = Ending(ExitStatus.USAGE, "There is no name; give one with --name.")
ENDED_EARLY = Ending(ExitStatus.NOT_DELIVERED, f"The talk ended early: {FORGOTTEN}.")
MAY_BE_LOST = Ending(ExitStatus.NOT_DELIVERED, "The connection was lost; not all may have arrived.")

HOW_TO_GIVE_PASSWORD = "Put it in CHATPAIR_PASSWORD, or give --password-file."

PIECE = 16_000
"""Characters of a line that is too long for a message: their bytes, in JSON, are not."""


class PipeTalk(Talk):
    """The talk of a program: each of its lines is text, and each must arrive.

    They go to the one that an option or the first line calls, or else to who calls first. No
    more of them are read than may be on their way.
    """

    _peer: str | None = None  # to whom all lines go
    _left_why = ""  # how the peer went, if it has
    _is_forgotten = False  # the server knows the line no more, and so the peer did not go by itself
    _first_line: str | None = None
    _input_ended = False
    _may_ask_name = False  # none was given, and none is accepted yet
    _told_of_pieces = False

    def __init__(
        self,
        screen: Screen,
        endpoint: IStreamClientEndpoint,
        *,
        linger: bool = False,
        reads_early: bool = True,
        has_end: bool = True,
        **common: Any,
    ) -> None:
        """Take what every talk takes, and what is special about the input.

        Who lingers listens on when all has been said, until the peer leaves. Lines may be read
        before there is a peer: the first may call somebody. Only an input that has an end, as no
        keyboard has, can tell whether the peer left too early.
        """
        super().__init__(screen, endpoint, **common)
        self._lingers = linger
        self._reads_early = reads_early
        self._has_end = has_end

    def start(self) -> None:
        """Say the name, if there is one."""
        if not self._name and (self._to or not self._reads_early):
            self.fail(NO_NAME)  # its first line is meant for somebody
        else:
            self._may_ask_name = not self._name
            super().start()

    def input_ended(self) -> None:
        """Quit, once all lines have arrived."""
        self._input_ended = True
        if self._next_line is not None:
            self.fail(NO_NAME)
        else:
            self._went_on()

    def _ask_name(self) -> None:
        if self._input_ended:
            self.fail(NO_NAME)
        else:
            super()._ask_name()

    def _needs_password(self, text: str, tried: bool) -> None:
        self.fail(refusal("password", text if tried else f"{text} {HOW_TO_GIVE_PASSWORD}"))

    def _no_name_came(self) -> None:
        self.fail(NO_NAME)

    def _welcomed(self) -> None:
        self._may_ask_name = False
        self._if_lost = MAY_BE_LOST
        if self._to:
            self._call_first()
        else:
            self._takes_lines = self._reads_early
        self._went_on()

    # Lines

    def _said(self, text: str) -> None:
        if self._peer is None:
            self._said_early(text)
        elif self._left_why or self._line.peer != self._peer:
            self._undeliverable(self._left_why or "lost", self._is_forgotten)
        else:
            self._say_all(text)

    def _said_early(self, line: str) -> None:
        """Take the first line: it may call somebody, or else waits for somebody who calls."""
        self._takes_lines = False
        command = plain.parse(line)
        if isinstance(command, Call):
            self._to = command.name
            self._call_first()
        else:
            self._first_line = line
        self._flow()

    def _say_all(self, text: str) -> None:
        if fits(text):
            self._say(text)
            return
        if not self._told_of_pieces:
            self._told_of_pieces = True
            self._screen.notice("A line is too long for a message; it arrives as several.")
        for start in range(0, len(text), PIECE):
            self._say(text[start : start + PIECE])

    # The peer

    def _called(self, peer: str) -> None:
        if self._peer is not None:
            return
        self._peer = peer
        self._to = ""
        self._many_lines = self._takes_lines = True
        if self._first_line is not None:
            self._say_all(self._first_line)
            self._first_line = None
        self._flow()

    def _is_awaited(self, peer: str) -> bool:
        """Tell whether all is for somebody who is paired with this line now."""
        return not self._to or is_same_name(self._to, peer)

    def _heard(self, event: AnyEvent) -> None:
        match event:
            case Error(of="say", code="nobody"):
                return  # the status of what was said tells the same
            case Error(code=code, text=text) if code != "try-later":
                self.fail(refusal(code, text))
                return
            case Unanswered() if self._peer is None:
                self.fail(Ending(ExitStatus.BUSY, lines(event)[0]))
                return
            case Paired(peer) if self._peer is None and self._is_awaited(peer):
                self._called(peer)
            case Left(peer, why) if peer == self._peer:
                self._left_why = why
                # What the server itself tells is counted.
                self._is_forgotten = not event.seq and why == "lost"
                self._screen.peer_left()
        super()._heard(event)
        self._went_on()

    # The end

    def _went_on(self) -> None:
        super()._went_on()
        if (
            self._quitting
            or not self.is_named
            or self._asked
            or self._standing.waiting
            or self._room.is_full
        ):
            return
        if self._left_why:
            if self._is_forgotten and self._lingers:
                self.fail(ENDED_EARLY)  # more might have been heard
            elif self._input_ended or not self._has_end:
                self.quit()
            elif self._has_line:
                # Whether more should have been said is not known yet, but nobody need call.
                self._line.quit()
        elif self._input_ended and not self._lingers and not self._has_early_lines():
            self.quit()

    def _has_early_lines(self) -> bool:
        return self._first_line is not None or bool(self._to)

    def _line_ended(self, why: BaseException | None) -> None:
        reads_on = why is None and self._left_why and not self._quitting
        if reads_on:
            self._has_line = False
        else:
            super()._line_ended(why)

    def _complain(self, why: Refused) -> None:
        if why.code == "ringing":
            self._screen.notice(why.text)  # what was called for may come yet
        else:
            self.fail(refusal(why.code, why.text))

    def _not_delivered(self, text: str, why: str) -> None:
        left = why in ("quit", "bye", "switched", "lost")
        if left and self._input_ended and self._line.connected:
            text = f"{self._peer} left before all had arrived."
            self.fail(Ending(ExitStatus.NOT_DELIVERED, text))
        else:
            self._undeliverable(why, why == "lost" and not self._line.connected)

    def _undeliverable(self, why: str, is_forgotten: bool) -> None:
        if is_forgotten:
            self.fail(ENDED_EARLY)
        elif why == "stopped":
            text = "The server stopped before all was said."
            self.fail(Ending(ExitStatus.NOT_DELIVERED, text))
        elif why != "ended":
            text = f"{self._peer} left before all was said."
            self.fail(Ending(ExitStatus.PEER_LEFT, text))
