"""Commands that wait: how many, how many bytes, and that they are obeyed in their order."""

from twisted.internet.task import Clock

from chatpair.exchange.kept_events import KEPT_BYTES, KEPT_EVENTS
from chatpair.exchange.messages import AnyCommand, Say
from chatpair.sessions.command_queue import CommandQueue


class Obedient:
    """A queue, and what it has obeyed; it obeys nothing for as long as it is blocked."""

    def __init__(self) -> None:
        self.is_blocked = True
        self.obeyed: list[AnyCommand] = []
        self.queue = CommandQueue(
            Clock(), self.obeyed.append, lambda _: self.is_blocked, lambda: None
        )


def test_no_more_is_read_than_may_wait_until_it_is_obeyed() -> None:
    for text, count in (("x", KEPT_EVENTS), ("\U0001f600" * (KEPT_BYTES // 16), 4)):
        obedient = Obedient()
        says = [Say(number, text) for number in range(count)]
        for _ in range(2):
            obedient.is_blocked = True
            for say in says:
                assert not obedient.queue.full
                obedient.queue.append(say)
            assert obedient.queue.full
            obedient.is_blocked = False
            obedient.queue.obey_all()
            assert not obedient.queue.full
        assert obedient.obeyed == 2 * says
