"""Those who wait for the same thing."""

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from chatpair.client.waiters import Waiters


def kind_of(why: Failure) -> str:
    return type(why.value).__name__


def test_one_that_fires_may_cancel_another_and_wait_again() -> None:
    told: list[str] = []
    waiters: Waiters[str] = Waiters()
    first, second = waiters.wait(), waiters.wait()
    second.addErrback(kind_of).addCallback(told.append)
    first.addCallback(lambda _: second.cancel())
    first.addCallback(lambda _: waiters.wait())
    first.addCallback(told.append)
    waiters.fire("once")
    assert told == [CancelledError.__name__]
    waiters.fire("twice")
    assert told == [CancelledError.__name__, "twice"]
