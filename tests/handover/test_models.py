"""The models of the exchange hold though it is handed over at any moment."""

from hypothesis import settings
from hypothesis.stateful import rule

from tests.cluster.test_model import ClusterModel, ids, numbers
from tests.exchange.test_held_model import HeldModel
from tests.exchange.test_model import ExchangeModel
from tests.support.handed_over import hand_over, hand_over_ears


class HandedOverExchange(ExchangeModel):
    """Nobody hears anything else because the exchange is handed over."""

    @rule()
    def hand_over(self) -> None:
        hand_over(self.exchange)


class HandedOverLines(HeldModel):
    """Nor does anybody who counts, has a key, or reads slowly."""

    @rule()
    def hand_over(self) -> None:
        hand_over(self.exchange)


class HandedOverCluster(ClusterModel):
    """Nor does anybody whose node is handed over, or whose peer's is."""

    @rule(home=ids)
    def hand_over(self, home: str) -> None:
        if home in self.alive:
            hand_over_ears(self.network.node(home), self.ears)

    @rule(one=numbers, other=numbers)
    def talk_and_hand_over(self, one: int, other: int) -> None:
        """Hand over a node where it is waited for what becomes of something that was said."""
        for ear in self.who(one):
            for callee in self.here[other : other + 1]:
                self.call(one, callee.name, 3)
            self.say(one)
            (node,) = (each for each in self.network.nodes.values() if each.factory is ear.factory)
            hand_over_ears(node, self.ears)


TestCluster = HandedOverCluster.TestCase
TestLines = HandedOverLines.TestCase
TestExchange = HandedOverExchange.TestCase
TestCluster.settings = TestExchange.settings = TestLines.settings = settings(
    max_examples=settings().max_examples // 5, stateful_step_count=40
)
