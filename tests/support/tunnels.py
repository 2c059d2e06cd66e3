"""Two nodes, and clients that come back at the other."""

from chatpair.cluster.far_transport import FarTransport
from tests.support.cluster_exchange import Network, Node
from tests.support.exchange import JsonParty, Party

NO_LINE = "No line is held for that key."


def two() -> tuple[Network, Node, Node]:
    """Return two nodes."""
    network = Network("a", "b")
    return network, network.node("a"), network.node("b")


def far_ends(node: Node) -> list[FarTransport]:
    """Return the connections at other nodes whose users are at one."""
    ends = node.directory.tunnels._ends.values()
    return [end for end in ends if isinstance(end, FarTransport)]


def carried_by(node: Node) -> list[object]:
    """Return the connections to a node whose users are at others."""
    ends = node.directory.tunnels._ends.values()
    return [end for end in ends if not isinstance(end, FarTransport)]


def with_key(node: Node, name: str = "alice") -> tuple[Party, str]:
    """Connect somebody who has a key."""
    party = node.enter(name)
    party.says("/key")
    [line] = party.heard()
    return party, line.split()[3].rstrip(".")


def back(network: Network, node: Node, key: str, host: str = "") -> Party:
    """Connect somebody who has a key elsewhere, and is told all."""
    party = node.connect(host)
    party.says(f"Back:{key}")
    network.settle()
    return party


def json_back(network: Network, node: Node, old: JsonParty, seen: int = 1) -> JsonParty:
    """Connect a client that resumes what it had elsewhere."""
    party = node.connect_json()
    party.key = old.key
    party.does("resume", key=old.key, seen=seen)
    network.settle()
    return party


class Away(Network):
    """Two nodes, and alice, who is at one of them and has a key."""

    def __init__(self) -> None:
        super().__init__("a", "b")
        self.a, self.b = self.node("a"), self.node("b")
        self.alice, self.key = with_key(self.a)

    def back(self) -> Party:
        """Connect her at the other one, too."""
        return back(self, self.b, self.key)
