"""A pipe's talk: its lines are said to one peer, and then it leaves."""

from chatpair.client.conversation import NO_NAME
from chatpair.client.talk import Talk
from chatpair.codecs import plain
from chatpair.messages import Call, Error, JsonEvent, Left, Paired


class PipeTalk(Talk):
    """The talk of a program: each of its lines is text, and each must arrive.

    They go to the one that an option or the first line calls, or else to who calls first. No
    more of them are read than may be on their way.
    """

    _peer: str | None = None  # to whom all lines go
    _left_why = ""  # how the peer went, if it has
    _first_line: str | None = None
    _input_ended = False
    _names_are_lines = False  # none was given, and none is accepted yet

    def start(self) -> None:
        """Say the name, if there is one."""
        if self._to and not self.name:
            self.fail(NO_NAME)  # its first line is meant for somebody
        else:
            self._names_are_lines = not self.name
            super().start()

    def input_ended(self) -> None:
        """Quit, once all lines have arrived."""
        self._input_ended = True
        if self._asking_name:
            self.fail(NO_NAME)
        else:
            self._went_on()

    def _interrupted(self) -> None:
        self.fail("Interrupted.")

    def _may_ask_name(self) -> bool:
        return self._names_are_lines

    def _ask_name(self) -> None:
        if self._input_ended:
            self.fail(NO_NAME)
        else:
            super()._ask_name()

    def _no_name_came(self) -> None:
        self.fail(NO_NAME)

    def _welcomed(self) -> None:
        self._names_are_lines = False
        if self._to:
            self._call(self._to)
        else:
            self._takes_lines = True
        self._went_on()

    def _said(self, line: str) -> None:
        if self._peer is None:
            self._said_early(line)
        elif self._left_why or self._line.peer != self._peer:
            self._not_delivered(line, self._left_why or "lost")
        else:
            self._say(line)

    def _said_early(self, line: str) -> None:
        """Take the first line: it may call somebody, or else waits for somebody who calls."""
        self._takes_lines = False
        command = plain.parse(line)
        if isinstance(command, Call):
            self._call(command.name)
        else:
            self._first_line = line
            self._flow()

    def _called(self, peer: str) -> None:
        self._peer = peer
        if self._first_line is not None:
            self._say(self._first_line)
            self._first_line = None
        self._takes_lines = True
        self._flow()

    def _went_on(self) -> None:
        super()._went_on()
        waits = self._asked or self._unsettled or self._room or self._first_line is not None
        if self._input_ended and self._named and not waits:
            self.quit()

    def _heard(self, event: JsonEvent) -> None:
        match event:
            case Error(of="say", code="nobody"):
                return  # the status of what was said tells the same
            case Error(code=code, text=text) if code != "try-later":
                self.fail(text)
                return
            case Paired(peer) if self._peer is None and not self._asked:
                self._called(peer)
            case Left(peer, why) if peer == self._peer:
                self._left_why = why
        super()._heard(event)
        self._went_on()

    def _complain(self, text: str) -> None:
        self.fail(text)

    def _not_delivered(self, text: str, why: str) -> None:
        if why == "stopped":
            self.fail("The server stopped before all was said.")
        elif why == "lost" and not self._line.connected:
            self.fail("The connection was lost for too long; not all was said.")
        elif why != "ended":
            self.fail(f"{self._peer} left before all was said.")
