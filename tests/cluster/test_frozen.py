"""A node that was frozen ends its users first, whatever of a connection it then turns to."""

from collections.abc import Callable

import pytest

from chatpair.cluster.node import NodeProtocol
from tests.support.cluster_exchange import Network, Node
from tests.support.exchange import PAIRED, Party

FROZEN = "The server was cut off from the others for too long. Please come back."


class Thawing:
    """A node that can be frozen so that it notices as late as it may."""

    def __init__(self) -> None:
        self.network = Network("a")
        self.node: Node = self.network.node("a")
        self.node.factory.protocol = NodeProtocol  # type: ignore[assignment]
        self.node.mesh.check = self._check  # type: ignore[method-assign]
        self.frozen = False
        self.alice, self.bob = self.node.enter("alice"), self.node.enter("bob")
        self.alice.says("To:bob")
        for party, peer in (self.alice, "bob"), (self.bob, "alice"):
            assert party.heard() == [PAIRED.format(peer)]

    def _check(self) -> bool:
        if not self.frozen:
            return True
        self.frozen = False
        self.node.factory.frozen()
        return False


def ends_the_line(alice: Party) -> None:
    alice.sends(b"\n")


def goes_on(alice: Party) -> None:
    alice.protocol._buffer += b"\n"
    alice.protocol.paused = True
    alice.protocol.read_on()


@pytest.mark.parametrize("what", [Party.ends_input, Party.drops, ends_the_line, goes_on])
def test_what_waited_is_not_said(what: Callable[[Party], None]) -> None:
    thawing = Thawing()
    alice, bob = thawing.alice, thawing.bob
    alice.sends(b"half a line")
    thawing.frozen = True
    what(alice)
    heard = bob.heard()
    assert heard in ([FROZEN], ["Quit.", FROZEN])
    assert not thawing.node.factory.users


def test_commands_that_waited_are_not_obeyed() -> None:
    thawing = Thawing()
    node, bob = thawing.node, thawing.bob
    thawing.alice.drops()
    assert bob.heard() == ["Quit."]
    carol = node.connect_json()
    carol.does("name", name="carol")
    carol.does("to", name="bob")
    carol.events()
    assert bob.heard() == [PAIRED.format("carol")]
    bob.fills()
    carol.say(1, "hi")
    bob.transport.full = False
    bob.transport.clear()
    assert bob.transport.producer is not None
    bob.transport.producer.resumeProducing()
    thawing.frozen = True
    node.clock.advance(0)
    assert "hi" not in str(bob.heard())
    assert not node.factory.users
    assert not thawing.network.owners
    last = carol.uncounted()[-1]
    assert (last["code"], last["text"]) == ("try-later", FROZEN)
    assert carol.closed
