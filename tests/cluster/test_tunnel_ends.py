"""What limits clients that come back at another node, and how their connections end."""

from ipaddress import ip_network

import pytest
from twisted.internet.interfaces import ISSLTransport
from zope.interface import alsoProvides

from chatpair.wire.privacy import is_private
from tests.support.cluster_exchange import Network
from tests.support.tunnels import (
    NO_LINE,
    Away,
    back,
    carried_by,
    far_ends,
    json_back,
    two,
    with_key,
)

GONE = "The server that held your line is gone."


@pytest.fixture
def network() -> Away:
    """Two nodes, and alice, who is at one of them and may come back at the other."""
    return Away()


# Limits and timers


def test_no_timer_of_the_node_that_is_connected_to_ends_a_client(network: Away) -> None:
    again = network.back()
    carol = json_back(network, network.b, network.a.enter_json("carol"))
    for _ in range(20):
        network.clock.advance(10)
        carol.does("ping")
        network.settle()
    assert not again.closed
    assert not carol.closed


def test_the_node_of_the_user_ends_a_silent_program() -> None:
    network, a, b = two()
    carol = json_back(network, b, a.enter_json("carol"))
    carol.events()
    network.clock.advance(91)
    network.settle()
    assert carol.events()[0]["text"] == "Nothing came for 90 seconds."
    assert carol.closed
    assert a.user("carol").inbox.away


def test_a_connection_counts_at_the_node_that_it_is_to() -> None:
    network = Network("a", "b", max_per_host=1)
    a, b = network.node("a"), network.node("b")
    _, key = with_key(a)
    back(network, b, key, "host")
    other = a.connect("host")
    assert not other.closed
    assert a.user("alice").inbox.host == "host"
    second = b.connect("host")
    assert second.heard() == ["There are too many connections from your address."]


@pytest.mark.parametrize(
    ("host", "tls", "private"),
    [
        ("127.0.0.1", False, True),
        ("10.0.0.1", False, False),
        ("10.0.0.1", True, True),
        ("10.1.0.1", False, False),
        ("10.1.0.1", True, True),
    ],
)
def test_what_is_private_stays_so(host: str, tls: bool, private: bool, network: Away) -> None:
    network.b.factory.settings.exempt = (ip_network("10.1.0.0/16"),)
    again = network.b.connect(host)
    if tls:
        alsoProvides(again.transport, ISSLTransport)
    again.says(f"Back:{network.key}")
    network.settle()
    [far] = far_ends(network.a)
    assert is_private(far) == private


def test_a_node_that_is_cut_off_knows_of_no_key_that_it_is_wrong(network: Away) -> None:
    network.b.mesh.ready = False
    assert network.back().heard() == ["The switchboard is not ready."]
    network.b.mesh.ready = True
    assert network.back().heard()[0] == "OK"


# The end of nodes


def test_the_node_of_the_user_dies(network: Away) -> None:
    again = network.back()
    again.heard()
    network.dies("a")
    assert again.heard() == [GONE]
    assert again.closed
    assert not carried_by(network.b)


def test_the_node_of_the_connection_dies(network: Away) -> None:
    network.back()
    network.dies("b")
    network.settle()
    assert network.a.user("alice").inbox.away
    assert not far_ends(network.a)
    assert back(network, network.a, network.key).heard()[0] == "OK"


def test_the_node_dies_that_is_asked_for_the_key(network: Away) -> None:
    again = network.b.connect()
    network.link("b", "a").held = True
    again.says(f"Back:{network.key}")
    network.dies("a")
    network.settle()
    assert again.heard() == [NO_LINE]


def test_the_node_dies_that_has_the_key_while_another_is_asked() -> None:
    network = Network("a", "b", "c")
    a, b = network.node("a"), network.node("b")
    _, key = with_key(a)
    again = b.connect()
    network.link("c", "b").held = True
    again.says(f"Back:{key}")
    network.clock.advance(0)
    network.dies("a")
    network.settle()
    assert again.heard() == [NO_LINE]


@pytest.mark.parametrize("stops", ["a", "b"])
def test_a_node_stops(stops: str, network: Away) -> None:
    again = network.back()
    again.heard()
    network.node(stops).factory.stop()
    network.settle()
    assert again.heard() == ["The server is stopping."]
    assert again.closed
    if stops == "b":
        assert network.a.user("alice").inbox.away
    assert not far_ends(network.a)
    assert not carried_by(network.b)


def test_there_are_no_tunnels_through_tunnels() -> None:
    network = Network("a", "b", "c")
    a, b, c = (network.node(one) for one in "abc")
    alice, key = with_key(a)
    _, other = with_key(c, "carol")
    again = b.connect()
    network.link("b", "a").held = network.link("a", "b").held = True
    again.says(f"Back:{key}")
    network.link("b", "a").deliver()
    network.link("a", "b").deliver()
    alice.says("Quit")  # while the tunnel is on its way
    network.settle()
    assert again.heard() == [NO_LINE]
    again.says(f"Back:{other}")
    network.settle()
    assert again.heard() == [NO_LINE]
    assert not far_ends(c)
    again.says("dave")
    network.settle()
    assert again.heard() == ["OK"]
    assert "dave" in a.factory.users


def test_a_key_that_nobody_can_tell_of_now_is_not_taken_for_wrong(network: Away) -> None:
    network.hold()
    again = network.b.connect()
    again.says(f"Back:{network.key}")
    network.clock.advance(2)  # and nothing from the other node arrives
    assert again.heard() == ["The switchboard is not ready."]
    network.settle()
    again.says(f"Back:{network.key}")
    network.settle()
    assert again.heard()[0] == "OK"


def test_who_has_a_line_elsewhere_comes_back_through_a_full_node() -> None:
    network = Network("a", "b", max_users=1)
    a, b = network.node("a"), network.node("b")
    b.enter("bob")
    _, key = with_key(a)
    assert back(network, b, key).heard()[0] == "OK"
    stranger = b.connect()
    stranger.says("carol")
    assert stranger.heard() == ["The server is full."]
