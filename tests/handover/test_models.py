"""The models of the exchange hold though it is handed over at any moment."""

from hypothesis import settings
from hypothesis.stateful import rule

from tests.cluster.test_model import ClusterModel, ids
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


TestCluster = HandedOverCluster.TestCase
TestLines = HandedOverLines.TestCase
TestExchange = HandedOverExchange.TestCase
TestCluster.settings = TestExchange.settings = TestLines.settings = settings(
    max_examples=settings().max_examples // 5, stateful_step_count=40
)
