"""A node that was frozen ends its users first, whatever of a connection it then turns to."""

from collections.abc import Callable

import pytest
from twisted.logger import capturedLogs

from chatpair.cluster.remote_calls import CALL_SECONDS
from tests.support.cluster_exchange import Network, Node
from tests.support.exchange import PAIRED, Party
from tests.support.tunnels import json_back, with_key

FROZEN = "The server was cut off from the others for too long. Please come back."


class Thawing:
    """A node that can be frozen so that it notices as late as it may."""

    def __init__(self) -> None:
        self.network = Network("a", "b")
        self.node: Node = self.network.node("a")
        self.node.directory.check = self._check
        self.frozen = False
        self.alice, self.bob = self.node.enter("alice"), self.node.enter("bob")
        self.alice.says("To:bob")
        for party, peer in (self.alice, "bob"), (self.bob, "alice"):
            assert party.heard() == [PAIRED.format(peer)]

    def _check(self) -> bool:
        if not self.frozen:
            return True
        self.frozen = False
        self.node.directory.frozen()
        self.node.directory.reborn()
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


@pytest.mark.parametrize("what", [Party.ends_input, Party.drops, ends_the_line])
def test_what_waited_of_one_who_is_back_elsewhere_is_not_said(
    what: Callable[[Party], None],
) -> None:
    thawing = Thawing()
    network, node, bob = thawing.network, thawing.node, thawing.bob
    _, key = with_key(node, "carol")
    again = network.node("b").connect()
    again.says(f"Back:{key}", "To:dave")
    dave = node.enter("dave")
    again.says("To:dave")
    network.settle()
    assert dave.heard() == [PAIRED.format("carol")]
    again.heard()
    again.sends(b"half a line")
    network.settle()
    thawing.frozen = True
    what(again)
    network.settle()
    assert dave.heard() in ([FROZEN], ["Quit.", FROZEN])
    assert bob.heard() in ([FROZEN], ["Quit.", FROZEN])
    assert not node.factory.users
    if what is ends_the_line:
        assert again.heard() == [FROZEN]
        assert again.closed


def test_many_lines_of_one_who_is_back_elsewhere_are_not_said() -> None:
    thawing = Thawing()
    network, node = thawing.network, thawing.node
    _, key = with_key(node, "carol")
    dave = node.enter("dave")
    again = network.node("b").connect()
    again.says(f"Back:{key}", "To:dave")
    network.settle()
    again.heard()
    thawing.frozen = True
    again.sends(b"one\ntwo\nthree\n")
    network.settle()
    assert dave.heard() in (
        [PAIRED.format("carol"), FROZEN],
        [PAIRED.format("carol"), "Quit.", FROZEN],
    )
    assert again.heard() == [FROZEN]


def test_commands_of_one_who_is_back_elsewhere_are_not_obeyed() -> None:
    thawing = Thawing()
    network, node, bob = thawing.network, thawing.node, thawing.bob
    thawing.alice.drops()
    assert bob.heard() == ["Quit."]
    again = json_back(network, network.node("b"), node.enter_json("carol"))
    again.events()
    thawing.frozen = True
    again.does("to", name="bob")
    network.settle()
    assert bob.heard() == [FROZEN]
    [last] = again.uncounted()
    assert (last["code"], last["text"]) == ("try-later", FROZEN)
    assert again.closed


def test_who_has_said_all_and_waits_for_an_answer_is_ended_once() -> None:
    network = Network("a", "b")
    a, b = network.node("a"), network.node("b")
    b.enter("bob")
    alice = a.enter_json("alice")
    network.link("a", "b").held = True
    alice.does("to", name="bob")
    alice.ends_input()
    a.directory.frozen()
    assert alice.uncounted()[-1]["text"] == FROZEN
    assert alice.closed
    assert not a.factory.users


def test_the_last_line_of_one_who_is_back_elsewhere_waits_for_a_call_and_is_not_said() -> None:
    thawing = Thawing()
    network, node = thawing.network, thawing.node
    _, key = with_key(node, "carol")
    dave = network.node("b").enter("dave")
    again = network.node("b").connect()
    again.says(f"Back:{key}")
    network.settle()
    network.link("a", "b").held = True
    again.says("To:dave")
    again.sends(b"half a line")
    again.ends_input()
    assert node.directory.is_calling(node.user("carol"))
    thawing.frozen = True
    with capturedLogs() as events:
        node.clock.advance(CALL_SECONDS)
        network.settle()
    assert not [event for event in events if "log_failure" in event]
    assert "half" not in str(dave.heard())
    assert not node.factory.users
