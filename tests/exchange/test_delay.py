"""Many that wait equally long."""

from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from chatpair.exchange.delay import Delay


def test_what_came_while_the_process_stood_still_comes_first() -> None:
    clock = Clock()
    clock.advance(1_000)
    done: list[str] = []
    waiting = Delay(clock, 10, done.append)
    waiting.start("a")
    waiting.start("b")
    clock.rightNow += 20
    clock.callLater(0, waiting.stop, "a")
    clock.advance(0)
    assert done == ["b"]


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
