"""The client's talk without sockets: the test plays the server, the user and the screen."""

from typing import Any

import pytest

from chatpair.client.ending import Ending, ExitStatus
from chatpair.client.person import PersonTalk
from chatpair.client.pipe import PipeTalk
from chatpair.client.screen import NO_JSON
from chatpair.codecs import plain
from chatpair.exchange.messages import (
    AnyCommand,
    Call,
    Claim,
    Error,
    Goodbye,
    JsonEvent,
    Named,
    Paired,
    Quit,
    Status,
)
from tests.support.played import Shown, Stage, outcome

TALK_IS_OVER = (
    "The talk with bob is over: the connection was lost for too long, or the server was restarted."
)
BAD_NAME = "Bad name: no space and none of : [ ] ( ) / * , in a name"
NEEDED = "alice needs its password."
AGAIN = "Connected again."
PAIRED = "You are chatting with bob."
LOST = Ending(ExitStatus.NO_CONNECTION, "The connection to the server was lost.")
INTERRUPTED = Ending(130, "Interrupted.")

Kind = type[PersonTalk | PipeTalk]
EITHER_KIND = pytest.mark.parametrize("kind", [PersonTalk, PipeTalk])


class Scene(Stage):
    """A talk, the screen it uses, and the server that the test plays."""

    needed = NEEDED  # is what the server says when a name needs its password

    def __init__(
        self,
        kind: Kind,
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

    def commands(self) -> list[AnyCommand]:
        """Return what was sent since the last time, in whatever way the server understands."""
        return list(self.said())

    def claims(self, name: str) -> None:
        """See that a name is claimed."""
        assert not self.screen.wanted
        self.accepts()
        assert self.said() == [Claim(name)]

    def asks_password(self, text: str = "") -> None:
        """Answer to the claim of a name as a server does that wants its password."""
        self.remote.says(Error("name", "password", text or self.needed))

    def asks_in_vain(self, text: str = "") -> None:
        """Do the same, and let the client hang up, as it has none."""
        self.asks_password(text)
        assert self.remote.transport.disconnecting
        self.remote.drops()

    def refuses(self, code: Any, text: str = "No.") -> None:
        """Refuse the name, and let the client hang up."""
        self.remote.says(Error("name", code, text))
        assert self.remote.transport.disconnecting
        self.remote.drops()

    def grants(self, name: str) -> None:
        """Let the name be the client's."""
        self.seq = 0
        self.tells(Named(name, "key"))
        self.clock.advance(0)

    def answers_quit(self, ending: Ending) -> None:
        """Answer to Quit, and see how the talk ended."""
        assert Quit() in self.commands()
        assert self.results == []
        self.ends_with(ending)

    def ends_with(self, ending: Ending) -> None:
        """Say goodbye, and see how the talk ended."""
        self.tells(Goodbye())
        self.remote.drops()
        assert self.results == [ending]
        assert not self.screen.wanted
        assert self.endpoint.attempts == []


class PlainScene(Scene):
    """A talk that has found a server that speaks no JSON, and connects anew if it has a name."""

    needed = "Password:"

    def __init__(self, kind: Kind, name: str = "", to: str = "", **options: Any) -> None:
        super().__init__(kind, name, to, **options)
        remote = self.endpoint.accept()
        assert remote.lines() == [b"Mode:json"]
        remote.prints("OK")
        remote.drops()
        assert self.notices() == [NO_JSON]

    def claims(self, name: str) -> None:
        """See that a name is claimed, on a connection of its own."""
        assert not self.screen.wanted
        self.remote = self.endpoint.accept()
        self.remote.render = _rendered
        assert self.remote.lines() == [name.encode()]

    def commands(self) -> list[AnyCommand]:
        """Return what was sent since the last time, as the server understands it."""
        return [plain.parse(line.decode()) for line in self.remote.lines()]


def _rendered(event: JsonEvent) -> bytes:
    """Return how a plain server tells an event; it knows nothing of what has arrived."""
    return b"" if isinstance(event, Status) else plain.render(event)


EITHER_SERVER = pytest.mark.parametrize("server", [Scene, PlainScene], ids=["JSON", "plain"])


def nameless(kind: Kind, server: type[Scene] = Scene) -> Scene:
    """Return a talk for which no option gave a name, and which needs one."""
    scene = server(kind)
    if server is Scene:
        scene.claims("")
        scene.refuses("bad-name")
    return scene


def settled(kind: Kind, to: str = "", server: type[Scene] = Scene, **options: Any) -> Scene:
    """Return a talk that has the name alice."""
    scene = server(kind, "alice", to, **options)
    scene.claims("alice")
    scene.grants("alice")
    assert scene.notices() == ["Welcome, alice."]
    return scene


def person(to: str = "", server: type[Scene] = Scene, **options: bool) -> Scene:
    """Return the talk of somebody at a terminal who has a name."""
    return settled(PersonTalk, to, server, **options)


def chatting(server: type[Scene] = Scene) -> Scene:
    """Return the talk of somebody who is paired with bob."""
    scene = person(server=server)
    scene.tells(Paired("bob"))
    assert scene.notices() == [PAIRED]
    scene.commands()
    return scene


def piped(to: str = "", server: type[Scene] = Scene, **options: bool) -> Scene:
    """Return the talk of a program named alice."""
    return settled(PipeTalk, to, server, **options)


def piped_to_bob(server: type[Scene] = Scene, **options: bool) -> Scene:
    """Return the talk of a program that is paired with bob."""
    scene = piped("bob", server, **options)
    assert Call("bob") in scene.commands()
    assert not scene.screen.wanted
    scene.tells(Paired("bob"))
    assert scene.notices() == [PAIRED]
    scene.commands()
    return scene
