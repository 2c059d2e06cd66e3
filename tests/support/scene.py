"""The client's talk without sockets: the test plays the server, the user and the screen."""

from typing import Any

from chatpair.client.ending import Ending, ExitStatus
from chatpair.client.person import PersonTalk
from chatpair.client.pipe import PipeTalk
from chatpair.client.talk import NO_JSON
from chatpair.messages import (
    Call,
    Claim,
    Error,
    Goodbye,
    Named,
    Paired,
    Quit,
)
from tests.support.played import Shown, Stage, outcome, refused

TALK_IS_OVER = (
    "The talk with bob is over: the connection was lost for too long, or the server was restarted."
)
BAD_NAME = "Bad name: no space and none of : [ ] ( ) / * , in a name"
NEEDED = "alice needs its password."
AGAIN = "Connected again."
PAIRED = "You are chatting with bob."
LEFT = Ending(ExitStatus.PEER_LEFT, "bob left before all was said.")
LOST = Ending(ExitStatus.NO_CONNECTION, "The connection to the server was lost.")
STOPPED = Ending(ExitStatus.NOT_DELIVERED, "The server stopped before all was said.")
INTERRUPTED = Ending(130, "Interrupted.")


class Scene(Stage):
    """A talk, the screen it uses, and the server that the test plays."""

    def __init__(
        self,
        kind: type[PersonTalk | PipeTalk],
        name: str = "",
        to: str = "",
        *,
        wait: bool = False,
        password: str = "",
        **options: bool,
    ) -> None:
        """Start a talk; the options are those that only a pipe's has."""
        super().__init__()
        self.screen = Shown()
        self.talk: Any = kind(
            self.screen,
            self.endpoint,
            name=name,
            to=to,
            wait=wait,
            password=password,
            clock=self.clock,
            **options,
        )
        self.results = outcome(self.talk.finished)
        self.talk.start()

    def types(self, *lines: str) -> None:
        """Type lines, which the talk must want."""
        for line in lines:
            assert self.screen.wanted
            self.talk.typed(line)

    def notices(self) -> list[str]:
        """Return what was shown since the last time, beside what the peer says."""
        shown, self.screen.notices = self.screen.notices, []
        return shown

    def claims(self, name: str) -> None:
        """See that a name is claimed."""
        assert not self.screen.wanted
        self.accepts()
        assert self.said() == [Claim(name)]

    def asks_password(self, text: str = NEEDED) -> None:
        """Answer to the claim of a name as a server does that wants its password."""
        self.remote.says(Error("name", "password", text))

    def asks_in_vain(self, text: str = NEEDED) -> None:
        """Do the same, and let the client hang up, as it has none."""
        self.asks_password(text)
        assert self.remote.transport.disconnecting
        self.remote.drops()

    def refuses(self, code: Any) -> None:
        """Refuse the name, and let the client hang up."""
        self.remote.says(refused("name", code))
        assert self.remote.transport.disconnecting
        self.remote.drops()

    def grants(self, name: str) -> None:
        """Let the name be the client's."""
        self.seq = 0
        self.tells(Named(name, "key"))
        self.clock.advance(0)

    def answers_quit(self, ending: Ending) -> None:
        """Answer to Quit, and see how the talk ended."""
        assert Quit() in self.said()
        assert self.results == []
        self.ends_with(ending)

    def ends_with(self, ending: Ending) -> None:
        """Say goodbye, and see how the talk ended."""
        self.tells(Goodbye())
        self.remote.drops()
        assert self.results == [ending]
        assert not self.screen.wanted
        assert self.endpoint.attempts == []


def settled(kind: type[PersonTalk | PipeTalk], to: str = "", **options: Any) -> Scene:
    """Return a talk that has the name alice."""
    scene = Scene(kind, "alice", to, **options)
    scene.claims("alice")
    scene.grants("alice")
    assert scene.notices() == ["Welcome, alice."]
    return scene


def person(to: str = "", **options: bool) -> Scene:
    """Return the talk of somebody at a terminal who has a name."""
    return settled(PersonTalk, to, **options)


def chatting() -> Scene:
    """Return the talk of somebody who is paired with bob."""
    scene = person()
    scene.tells(Paired("bob"))
    assert scene.notices() == [PAIRED]
    scene.said()
    return scene


def piped(to: str = "", **options: bool) -> Scene:
    """Return the talk of a program named alice."""
    return settled(PipeTalk, to, **options)


def piped_to_bob(**options: bool) -> Scene:
    """Return the talk of a program that is paired with bob."""
    scene = piped("bob", **options)
    assert Call("bob") in scene.said()
    assert not scene.screen.wanted
    scene.tells(Paired("bob"))
    assert scene.notices() == [PAIRED]
    scene.said()
    return scene


def without_json(
    kind: type[PersonTalk | PipeTalk], name: str = "alice", to: str = "", **options: Any
) -> Scene:
    """Return a talk that has found a plain server, and connects to it anew if it has a name."""
    scene = Scene(kind, name, to, **options)
    remote = scene.endpoint.accept()
    assert remote.lines() == [b"Mode:json"]
    remote.prints("OK")
    remote.drops()
    assert scene.notices() == [NO_JSON]
    return scene


def claims_plainly(scene: Scene, name: str) -> None:
    """See that a name is claimed on a connection of its own."""
    assert not scene.screen.wanted
    scene.remote = scene.endpoint.accept()
    assert scene.remote.lines() == [name.encode()]
