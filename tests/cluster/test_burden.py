"""What one user can cost the engine and the other nodes: no more at a time than one who waits."""

import pytest

from chatpair.cluster import frames
from chatpair.cluster.factory import LISTING_SECONDS
from tests.support.cluster_exchange import Network
from tests.support.exchange import Party


@pytest.fixture
def network() -> Network:
    """Two nodes."""
    return Network("a", "b")


def named(network: Network, node: str, name: str) -> Party:
    """Connect somebody to a node, and have a name claimed."""
    party = network.node(node).connect()
    party.says(name)
    assert party.heard() == ["OK"]
    return party


@pytest.mark.parametrize(
    "line", ["To:nobody\n", "/block n\n", "/block n\n/unblock n\n", "Back:a-b-c\n", "x\n"]
)
def test_who_says_much_at_once_has_one_thing_asked_at_a_time(network: Network, line: str) -> None:
    party = network.node("a").connect()
    if line not in ("Back:a-b-c\n", "x\n"):
        party.says("alice")
    network.hold()
    party.sends((line * 100).encode())
    asked = len(network.asked) + len(network.link("a", "b").waiting)
    assert asked == 1
    network.settle()
    named(network, "a", "bob")


def test_where_somebody_is_is_known_before_the_next_line_is_handled(network: Network) -> None:
    alice, _ = named(network, "a", "alice"), named(network, "b", "bob")
    network.hold()
    alice.says("/block bob", "/dnd on")
    assert alice.heard() == ["You have blocked bob."]
    network.settle()
    assert alice.heard() == ["You are not disturbed now."]


def test_who_asks_who_is_here_all_the_time_is_answered_at_intervals(network: Network) -> None:
    alice = named(network, "a", "alice")
    alice.says("/who")
    assert alice.heard() == ["Here: alice"]
    alice.sends(b"/who\n" * 100)
    for _ in range(4):
        network.clock.advance(LISTING_SECONDS)
        network.settle()
    asked = [one for one in network.link("a", "b").sent if isinstance(one, frames.Ask)]
    assert len(asked) == 1 + 4
    assert alice.heard() == ["Here: alice"] * 4
