"""A person's talk: what is typed at a terminal is text or a command."""

from signal import SIGINT
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall

from chatpair.client.errors import Refused
from chatpair.client.plain_line import PlainLine
from chatpair.client.talk import Talk
from chatpair.codecs import plain
from chatpair.exchange import messages

HELP = "\n".join(line for line in plain.HELP.split("\n") if not line.startswith(("/key", "/end")))

COMMANDS = (
    *("To:", "/to ", "/bye", "/who", "/dnd on", "/dnd off", "/ring on", "/ring off"),
    *("/block ", "/unblock ", "/help", "/quit"),
)
"""What to begin a line with that is no text; the server has the same."""

AWAY_SECONDS = 30.0
"""Who has typed nothing for so long looks elsewhere, and is called with a bell."""

KEPT_LINES = 1_000
"""Lines that are read though they must wait."""

TYPING_SECONDS = 3.0
"""How often the peer is told at most that something is being typed."""

TYPED_SECONDS = 6.0
"""How long the peer counts as typing after it was told so."""


class PersonTalk(Talk):
    """The talk of somebody who types, and reads what became of it."""

    _kept: list[str]  # lines that wait for an answer, as it decides whom they are for
    _active = _told_typing = float("-inf")  # seconds, by the clock
    _rang = False  # since the last key
    _peer_types: IDelayedCall | None = None

    def __init__(self, *arguments: Any, **common: Any) -> None:
        super().__init__(*arguments, **common)
        self._kept = []

    def input_ended(self) -> None:
        """Quit, once what waits is said."""
        if self._kept and self._standing.connected:
            self._kept.append("/quit")
        else:
            self.quit()

    def quit(self) -> None:
        """Leave, and tell what was typed and can't be done any more."""
        kept, self._kept = self._kept, []
        for line in kept:
            if not _quits(line):
                self._screen.notice(f"Not delivered: {line}")
        super().quit()

    def typed(self, text: str) -> None:
        """Take a line, or several with newlines between them, which are one text."""
        self.is_here()
        self._told_typing = float("-inf")
        super().typed(text)

    def is_typing(self) -> None:
        """Let the peer see it, now and then."""
        self.is_here()
        if self._standing.peer is not None and self._active - self._told_typing >= TYPING_SECONDS:
            self._told_typing = self._active
            self._line.typing()

    def others(self) -> Deferred[list[str]]:
        """Return the names of those who are here, as far as that can be known at once."""
        if isinstance(self._line, PlainLine) or not self._line.connected or self._asked:
            return succeed([])
        asked = self._line.who().addCallback(self._names_of_others)
        return asked.addErrback(lambda _: [])

    def _names_of_others(self, here: messages.Here) -> list[str]:
        return [one.name for one in here.names if one.name != self._name]

    def interrupt(self, number: int) -> None:
        """Quit; a person who asks for that after there was a name has no problem."""
        if number == SIGINT and not self._quitting and (self.is_named or not self._has_line):
            self.quit()
        else:
            super().interrupt(number)

    def is_here(self) -> None:
        """Note that a key was pressed."""
        self._active = self._clock.seconds()
        self._rang = False

    def _ring(self) -> None:
        """Call somebody who looks elsewhere, once."""
        if not self._rang and self._clock.seconds() - self._active >= AWAY_SECONDS:
            self._rang = True
            self._screen.ring()

    def _needs_password(self, text: str, tried: bool) -> None:
        if tried:
            self._screen.notice(text)
        self._ask_for(self._screen.ask_password, self._prove)

    def _prove(self, password: str) -> None:
        if password:
            self._password = password
            self._open(self._name)
        else:
            self._ask_name()

    def _claim(self, name: str) -> None:
        if name:
            super()._claim(name)
        else:
            self._ask_name()

    def _no_name_came(self) -> None:
        self.quit()

    def _welcomed(self) -> None:
        if self._to:
            self.is_here()
            self._call_first()
        self._takes_lines = True  # no sooner: what is typed is for who is called
        self._flow()

    def _flow(self) -> None:
        """Read on, or wait; but to leave need not wait for a connection."""
        waits = self._waits if self._standing.connected else len(self._kept) >= KEPT_LINES
        takes = self._takes_lines and not (waits or self._quitting)
        self._screen.take_lines(takes, self._many_lines)

    def _went_on(self) -> None:
        while self._kept and not self._waits:
            self._obey(self._kept.pop(0))
            self._stands(kept=len(self._kept))
        super()._went_on()

    def _linked(self, up: bool) -> None:
        super()._linked(up)
        self._quit_at_once()
        self._flow()

    def _quit_at_once(self) -> None:
        """Leave, if that was typed and an answer that it waits for may never come."""
        if not self._standing.connected and any(map(_quits, self._kept)):
            self.quit()

    def _said(self, text: str) -> None:
        if self._waits and not self._standing.connected:
            self._kept.append(text)
            self._stands(kept=len(self._kept))
            self._quit_at_once()
            self._flow()
        else:
            self._obey(text)

    def _obey(self, text: str) -> None:
        if "\n" in text:
            self._say(text)
            return
        match plain.parse(text):
            case messages.Say(text=""):
                pass  # Enter alone says nothing
            case messages.Say(text=text):
                self._say(text)
            case messages.Call(name):
                self._to = ""  # nobody else is waited for any more
                self._call(name)
            case messages.HangUp():
                self._ask(self._line.hang_up(), lambda _: None)
            case messages.AskWho():
                who: Deferred[Any] = self._line.who()
                self._ask(who, self._show_who)
            case messages.AskHelp():
                self._screen.show(messages.Notice(HELP))
            case messages.AskKey():
                self._screen.notice("You need no key: this client comes back by itself.")
            case messages.EndInput():
                self._screen.notice("You need no /end: this client says when it leaves.")
            case messages.Quit():
                self.quit()
            case messages.Invalid(error):
                self._screen.show(error)
            case setting if isinstance(setting, messages.Setting):
                self._ask(self._line.apply(setting), lambda _: None)

    def _show_who(self, here: messages.Here | None) -> None:
        if here is not None:  # else the server's answer is an event
            self._screen.show(here)

    def _called(self, peer: str) -> None:
        if peer == self._standing.peer:
            self._screen.notice(f"You are already chatting with {peer}.")

    def _heard(self, event: messages.AnyEvent) -> None:
        match event:
            case messages.Paired():
                self._to = ""
                self._ring()
            case messages.Message() | messages.Ringing():
                self._ring()
            case messages.PeerTyping():
                self._peer_is_typing()
        super()._heard(event)

    def _peer_is_typing(self) -> None:
        self._stands(peer_is_typing=True)
        if self._peer_types is not None and self._peer_types.active():
            self._peer_types.reset(TYPED_SECONDS)
        else:
            stop = self._stands
            self._peer_types = self._clock.callLater(TYPED_SECONDS, stop, peer_is_typing=False)

    def _complain(self, why: Refused) -> None:
        self._screen.notice(why.text)

    def _not_delivered(self, text: str, why: str) -> None:
        if why != "nobody" or self._line.peer is not None:  # else the server has said so
            known = "Not delivered" if why != "ended" else "Not delivered, as far as is known"
            self._screen.notice(f"{known}: {text}")


def _quits(line: str) -> bool:
    return isinstance(plain.parse(line), messages.Quit)
