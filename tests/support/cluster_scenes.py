"""Scenes at three nodes: those of one exchange, and what happens between nodes."""

from collections.abc import Callable
from functools import partial
from itertools import count, permutations
from operator import attrgetter
from typing import Any, cast

from chatpair.exchange.names import parse
from chatpair.exchange.user import User
from chatpair.factory import ChatFactory
from tests.support.cluster_exchange import Network, Node
from tests.support.exchange import Exchange, JsonParty, Party
from tests.support.transcript import play


class _AllNodes:
    """What tests ask a factory, asked of all nodes that are alive."""

    def __init__(self, network: Network) -> None:
        self._nodes = network.nodes
        self.settings = next(iter(network.nodes.values())).factory.settings

    @property
    def users(self) -> dict[str, User]:
        """The users of all nodes."""
        nodes = self._nodes.values()
        return {key: user for node in nodes for key, user in node.factory.users.items()}

    @property
    def pairs(self) -> list[User]:
        """All who talk, as some node has it."""
        return [user for node in self._nodes.values() for user in node.factory.pairs]


class Across(Exchange):
    """What tests take for one exchange: whoever connects comes to the next of three nodes.

    Where a host is asked for, it may be a node instead, or both: a, or a.host.
    """

    def __init__(self, **options: Any) -> None:
        self.network = Network("a", "b", "c", **options)
        self.clock = self.network.clock
        self.factory = cast(ChatFactory, _AllNodes(self.network))
        self._turn = count()

    def _node(self, where: str) -> tuple[Node, str]:
        self.clock.advance(0.000_001)  # nodes know by their clocks who came before what
        one, _, host = where.partition(".")
        if one in ("a", "b", "c"):
            return self.network.node(one), host
        return list(self.network.nodes.values())[next(self._turn) % 3], where

    def connect(self, host: str = "") -> Party:
        """Connect somebody."""
        node, host = self._node(host)
        return node.connect(host)

    def connect_json(self, host: str = "") -> JsonParty:
        """Connect somebody whose client speaks JSON."""
        node, host = self._node(host)
        return node.connect_json(host)


def _do(node: Node, method: str, *arguments: object) -> Callable[[], object]:
    """Return what calls a method of what a node has by then."""
    return lambda: attrgetter(method)(node)(*arguments)


def play_across(scene: str, after: Callable[[Exchange], object] = lambda _: None) -> None:
    """Play a scene at three nodes, each of which has the next of those who come, unless it is said.

    Beside what a transcript knows, what nodes tell each other, and what the engine is asked for,
    may be kept from arriving, and nodes may end. Something may happen after each step.
    """
    across = Across()
    network = across.network
    events: dict[str, Callable[[], object]] = {
        "nothing arrives": network.hold,
        "all arrives": network.settle,
        "the engine hangs": lambda: setattr(network, "engine_held", True),
        "the engine answers": network.answer,
        "the engine fails": lambda: network.asked.popleft()[0].errback(RuntimeError("odd")),
    }
    for one in "abc":
        node = network.node(one)
        events |= {
            f"node {one} dies": partial(network.dies, one),
            f"node {one} stops": _do(node, "factory.stop"),
            f"node {one} was frozen": node.is_frozen,
            f"node {one} notices that it was frozen": _do(node, "directory.frozen"),
            f"node {one} was taken for dead": _do(node, "directory.reborn"),
            f"node {one} has lost the name ann": _do(node, "directory.expelled", parse("Ann")),
            f"node {one} is cut off": _do(node, "mesh.__setattr__", "ready", False),
            f"node {one} has lost its names": _do(node, "mesh.__setattr__", "holds_names", False),
            f"node {one} is back": _do(node, "mesh.__setattr__", "ready", True),
        }
    for one, other in permutations("abc", 2):
        link = network.link(one, other)
        events |= {
            f"{one} can not tell {other}": partial(setattr, link, "held", True),
            f"{one} can tell {other} nothing more": partial(setattr, link, "full", True),
            f"{one} can tell {other} more": partial(link.has, full=False),
            f"{one} can tell {other} four things": partial(link.has, held=True, limit=4),
            f"{one} tells {other} one thing": link.deliver,
            f"{one} tells {other} all": link.release,
            f"for {one} node {other} is slow": partial(link.has, slow=True),
            f"for {one} node {other} is slow no more": partial(link.has, slow=False),
        }
    play(across, scene, after, **events)
    network.settle()
    assert all(node.waits_for_nothing() for node in network.nodes.values())
