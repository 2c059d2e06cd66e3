"""The models of the exchange hold though it is handed over at any moment."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.cluster.test_model import NAMES, NODES, ClusterModel, numbers
from tests.exchange.test_held_model import HeldModel
from tests.exchange.test_model import ExchangeModel
from tests.support.handed_over import hand_over


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

    @rule(home=st.sampled_from(NODES))
    def hand_over(self, home: str) -> None:
        if home in self.alive:
            # Of who is gone another process knows less, and nobody can tell.
            hand_over(self.network.node(home), compares=False)

    @rule(one=numbers, other=numbers)
    def talk_and_hand_over(self, one: int, other: int) -> None:
        """Hand over a node where it is waited for what becomes of something that was said."""
        self.call(one, other, 3)
        self.say(one, 1)
        for home in self.alive:
            if NAMES[one] in self.network.node(home).factory.users:
                self.hand_over(home)


TestCluster = HandedOverCluster.TestCase
TestLines = HandedOverLines.TestCase
TestExchange = HandedOverExchange.TestCase
TestCluster.settings = TestExchange.settings = TestLines.settings = settings(
    max_examples=settings().max_examples // 5, stateful_step_count=40
)
