"""What a talk needs of whoever shows it, and the words for what happens."""

from dataclasses import dataclass, replace
from typing import Literal, Protocol

from chatpair.client.session import MAX_LINE
from chatpair.codecs import plain
from chatpair.codecs.cleaning import clean, clean_line
from chatpair.exchange import messages
from chatpair.exchange.messages import AnyEvent, Left, Outcome

TOO_LONG = f"That line was not sent: it has over {MAX_LINE} bytes in JSON."
LINK_LOST = "The connection is lost. Trying again; what is typed meanwhile waits."
NO_JSON = (
    "The server speaks no JSON: a lost connection ends the talk, what is sent may not arrive, "
    "and it may take commands other than To: and Quit for text."
)
FORGOTTEN = "the connection was lost for too long, or the server was restarted"


@dataclass(frozen=True)
class Standing:
    """How things stand for a user at a moment."""

    name: str = ""
    """What the user is called, or nothing before there is a name."""

    connected: bool = False

    leaving: bool = False
    """The user has quit, and the server has not answered yet."""

    peer: str | None = None

    peer_is_away: bool = False
    """The peer's connection is lost, and its line held."""

    peer_is_typing: bool = False

    waiting: int = 0
    """How many texts were said of which nothing is known yet."""

    kept: int = 0
    """How many lines wait for an answer before they are obeyed."""

    last: Outcome | Literal["waiting", "sent"] | None = None
    """What became of the last text, if any was said."""

    def after(self, event: AnyEvent) -> "Standing":
        """Return how things stand after an event."""
        match event:
            case messages.Paired(peer):
                return self._with(peer)
            case Left() | messages.Free():
                return self._with(None)
            case messages.Held():
                return replace(self, peer_is_away=True, peer_is_typing=False)
            case messages.Back():
                return replace(self, peer_is_away=False)
            case messages.Message():
                return replace(self, peer_is_typing=False)
            case messages.Error(code="nobody") if not self.waiting:
                return replace(self, last="failed")  # a plain server says it no other way
        return self

    def _with(self, peer: str | None) -> "Standing":
        """Return it with another peer, of whom nothing is known yet, or with none."""
        last: Literal["waiting"] | None = "waiting" if self.waiting else None
        return replace(self, peer=peer, peer_is_away=False, peer_is_typing=False, last=last)


class Screen(Protocol):
    """Where a talk shows what happens, and what it takes lines from."""

    def show(self, event: AnyEvent) -> None:
        """Show what the server tells: above all, what the peer says."""

    def notice(self, text: str) -> None:
        """Show a line about the conversation."""

    def ask_name(self) -> None:
        """Ask for a name."""

    def ask_password(self) -> None:
        """Ask for the password of a name, and show nothing of the next line."""

    def take_lines(self, wanted: bool, many: bool) -> None:
        """Pass on lines to the talk from now on, perhaps many at once, or keep them."""

    def stands(self, standing: Standing) -> None:
        """Show how things stand."""

    def arrived(self, size: int) -> None:
        """Note that a text of so many bytes has arrived."""

    def ring(self) -> None:
        """Call somebody who looks elsewhere."""

    def peer_left(self) -> None:
        """Expect no more of what is said."""


class Speaker(Protocol):
    """Whoever lines of a screen are for; see Talk."""

    def typed(self, text: str) -> None: ...
    def input_ended(self) -> None: ...
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def stopProducing(self) -> None: ...
    def output_failed(self, why: str) -> None: ...


def lines(event: AnyEvent) -> list[str]:
    """Return the lines that tell of an event, clean whatever the server says."""
    match event:
        case Left(peer, "stopped"):
            return [f"The talk with {clean_line(peer)} is over: a server is stopping."]
        case Left(peer, "lost", seq=seq) if not seq:  # what the server itself tells is counted
            return [f"The talk with {clean_line(peer)} is over: {FORGOTTEN}."]
        case Left(peer):
            return [f"{clean_line(peer)} has left."]
    return [clean(line) for line in plain.render(event).removesuffix(b"\r\n").split(b"\r\n")]
