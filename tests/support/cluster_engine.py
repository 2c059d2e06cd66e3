"""An Engine of chatpair's in a reactor that a test runs, and what it tells."""

from functools import partial
from typing import Any, Self

from chatpair.cluster.address import EngineAddress
from chatpair.cluster.engine import Engine
from tests.support.reactor import Reactor


class Kept:
    """An engine that is kept connected, and how often it was told that it is and is not."""

    def __init__(self, reactor: Reactor, url: str, *, patience: float = 60, auth: str = "") -> None:
        address = EngineAddress.parse(url)
        if auth:
            address = address.with_credentials(auth)
        self.reactor = reactor
        self.engine = Engine(reactor.reactor, address, "test", patience=patience)
        self.events: list[str] = []
        self.was_lost = False  # be it before there was a connection
        self.refusal = ""

    def start(self) -> None:
        """Start, and do not wait."""
        told = partial(self.events.append, "connected"), self._lost
        self.engine.start(*told, partial(setattr, self, "refusal"))

    def _lost(self) -> None:
        if self.engine.process.word:  # else it was a try that failed
            self.events.append("lost")
        self.was_lost = True

    def __enter__(self) -> Self:
        self.start()
        self.until("connected")
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def until(self, *events: str) -> None:
        """Run until just these things have happened, and forget them."""
        self.reactor.until(lambda: len(self.events) >= len(events))
        assert tuple(self.events) == events
        self.events.clear()

    def is_refused(self) -> str:
        """Start, and return why that is in vain."""
        self.start()
        self.reactor.until(lambda: self.refusal)
        assert self.events == []
        return self.refusal

    def command(self, *arguments: bytes | str | int) -> Any:
        """Return the reply to a command."""
        return self.reactor.result(self.engine.command(*arguments))

    def stop(self) -> None:
        """Stop, and wait for that."""
        self.reactor.result(self.engine.stop())
