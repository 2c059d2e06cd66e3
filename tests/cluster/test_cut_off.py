"""What the users of a node can do when other nodes may have their names."""

from chatpair.messages import Error, Paired
from tests.support.cluster_exchange import Network
from tests.support.ears import Ear

NOT_READY = Error("to", "try-later", "The switchboard is not ready.")


def test_users_here_are_called_as_long_as_their_names_are_theirs() -> None:
    network = Network("a")
    node = network.node("a")
    alice, _, eve = ears = [Ear(node.factory, name) for name in ("alice", "dave", "eve")]
    network.settle()
    assert [ear.told() for ear in ears] == [[], [], []]
    node.mesh.ready = False
    alice.calls("dave")
    assert [ear.told() for ear in ears] == [[Paired("dave")], [Paired("alice")], []]
    node.mesh.holds_names = False
    for ear, name in ((alice, "dave"), (alice, "alice"), (eve, "alice")):
        ear.calls(name)
    already = Error("to", "already", "You are already chatting with dave.")
    assert [ear.told() for ear in ears] == [[already, NOT_READY], [], [NOT_READY]]
