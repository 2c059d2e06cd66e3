"""Many that wait equally long."""

from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from chatpair.exchange.delay import Delay


class Waiting(Delay[str]):
    """A delay of ten seconds that keeps who has waited long enough."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000)
        self.done: list[str] = []
        super().__init__(self.clock, 10, self.done.append)


def test_what_came_while_the_process_stood_still_comes_first() -> None:
    waiting = Waiting()
    waiting.start("a")
    waiting.start("b")
    waiting.clock.rightNow += 20
    waiting.clock.callLater(0, waiting.stop, "a")
    waiting.clock.advance(0)
    assert waiting.done == ["b"]


def test_one_stops_another_and_one_fails() -> None:
    clock = Clock()
    done: list[str] = []

    def act(item: str) -> None:
        done.append(item)
        waiting.stop("b")
        if item == "a":
            raise ZeroDivisionError

    waiting: Delay[str] = Delay(clock, 10, act)
    for item in "abc":
        waiting.start(item)
    with capturedLogs() as log:
        clock.advance(10)
    assert done == ["a", "c"]
    assert [event["log_failure"].type for event in log] == [ZeroDivisionError]
