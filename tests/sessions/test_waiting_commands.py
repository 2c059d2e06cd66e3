"""Commands that wait: how many, how many bytes, and that they are obeyed in their order."""

import pytest

from chatpair.exchange.kept_events import KEPT_BYTES, KEPT_EVENTS
from tests.support.exchange import Exchange


@pytest.mark.parametrize(
    ("text", "count"), [("", KEPT_EVENTS), ("\U0001f600" * (KEPT_BYTES // 16), 4)]
)
def test_no_more_is_read_than_may_wait_until_it_is_obeyed(text: str, count: int) -> None:
    exchange = Exchange(max_line=KEPT_BYTES)
    alice, bob = exchange.mixed_pair()
    for first in (1, 1 + count):
        bob.fills()
        says = range(first, first + count)
        for number in says:
            assert not alice.paused
            alice.say(number, f"{number}{text}")
        assert alice.paused
        assert bob.heard() == []
        bob.drains()
        assert not alice.paused
        heard = [line.partition(": (")[2] for line in bob.heard()]
        assert heard == [f"{number}{text})" for number in says]
