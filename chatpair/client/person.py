"""A person's talk: what is typed at a terminal is text or a command."""

from chatpair.client.talk import Talk
from chatpair.codecs import plain
from chatpair.messages import (
    AskHelp,
    AskKey,
    AskWho,
    Call,
    Free,
    HangUp,
    Invalid,
    JsonEvent,
    Left,
    Paired,
    Quit,
    Say,
)

HELP = "\n".join(line for line in plain.HELP.split("\n") if not line.startswith("/key"))


class PersonTalk(Talk):
    """The talk of somebody who types, and reads what became of it."""

    _peer: str | None = None

    def input_ended(self) -> None:
        """Quit."""
        self.quit()

    def _interrupted(self) -> None:
        if self._has_line and not self._named:
            self.fail("Interrupted.")
        else:
            self.quit()

    def _may_ask_name(self) -> bool:
        return True

    def _no_name_came(self) -> None:
        self.quit()

    def _welcomed(self) -> None:
        self._takes_lines = True
        self._flow()
        if self._to:
            self._call(self._to)

    def _said(self, line: str) -> None:
        match plain.parse(line):
            case Say(text=text):
                self._say(text)
            case Call(name):
                self._call(name)
            case HangUp():
                self._ask(self._line.hang_up(), lambda _: None)
            case AskWho():
                self._ask(self._line.who(), self._show)
            case AskHelp():
                self._notice(HELP)
            case AskKey():
                self._notice("You need no key: this client comes back by itself.")
            case Quit():
                self.quit()
            case Invalid(error):
                self._show(error)

    def _called(self, peer: str) -> None:
        if peer == self._peer:
            self._notice(f"You are already chatting with {peer}.")

    def _heard(self, event: JsonEvent) -> None:
        match event:
            case Paired(peer):
                self._peer = peer
            case Left() | Free():
                self._peer = None
        super()._heard(event)

    def _complain(self, text: str) -> None:
        self._notice(text)

    def _not_delivered(self, text: str, why: str) -> None:
        if why != "nobody" or self._line.peer is not None:  # else the server has said so
            self._notice(f"Not delivered: {text}")
