"""The client's talk without sockets: the test plays the server, the user and the screen."""

from typing import Any

from chatpair.client.person import PersonTalk
from chatpair.client.pipe import PipeTalk
from chatpair.messages import (
    Claim,
    Goodbye,
    Named,
    Paired,
    Quit,
)
from tests.played import Shown, Stage, outcome, refused

BAD_NAME = "Bad name: no space and none of : [ ] ( ) / * , in a name"
NO_NAME = "There is no name; give one with --name."
LOST = "The connection is lost. Trying again ..."
AGAIN = "Connected again."
PAIRED = "You are chatting with bob."


class Scene(Stage):
    """A talk, the screen it uses, and the server that the test plays."""

    def __init__(self, kind: type[PersonTalk | PipeTalk], name: str = "", to: str = "") -> None:
        super().__init__()
        self.screen = Shown()
        self.talk = kind(self.screen, self.endpoint, name=name, to=to, clock=self.clock)
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

    def answers_quit(self, problem: str) -> None:
        """Answer to Quit, and see how the talk ended."""
        assert Quit() in self.said()
        assert self.results == []
        self.ends_with(problem)

    def ends_with(self, problem: str) -> None:
        """Say goodbye, and see how the talk ended."""
        self.tells(Goodbye())
        self.remote.drops()
        assert self.results == [problem]
        assert not self.screen.wanted
        assert self.endpoint.attempts == []


def person(to: str = "") -> Scene:
    """Return the talk of somebody at a terminal who has a name."""
    scene = Scene(PersonTalk, "alice", to)
    scene.claims("alice")
    scene.grants("alice")
    assert scene.notices() == ["Welcome, alice."]
    return scene


def chatting() -> Scene:
    """Return the talk of somebody who is paired with bob."""
    scene = person()
    scene.tells(Paired("bob"))
    assert scene.notices() == [PAIRED]
    scene.said()
    return scene
