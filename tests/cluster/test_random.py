"""A random run over real nodes and a real engine, in which all goes wrong that may."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import pytest
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory

from tests.support.cluster import Cluster
from tests.support.cluster_people import NAMES, Person
from tests.support.cluster_weather import LEASE, Weather
from tests.support.cluster_wire import Wire
from tests.support.engine import Engine
from tests.support.history import History
from tests.support.history_check import faults
from tests.support.reactor import Reactor
from tests.support.server import TIMEOUT
from tests.support.set_clock import SetClock

PEOPLE = 16

OPTIONS = ("--hold", "4", "--linger", "3", "--max-names-per-minute", "0")


class Crowd:
    """All people, who act in one thread."""

    def __init__(self, reactor: Any, history: History, doors: list[int], seed: str) -> None:
        """Take where each node listens, which changes; it is 0 of one that is not there."""
        self._reactor = reactor
        self._doors = doors
        self._chance = Random(f"{seed} crowd")
        self.people = [
            Person(number, Random(f"{seed} {number}"), history, 3, self._connect, monotonic)
            for number in range(PEOPLE)
        ]
        self._due = {person: monotonic() for person in self.people}

    def _connect(self, wire: Wire, node: int, source: str) -> bool:
        port = self._doors[node]
        if port:
            way = TCP4ClientEndpoint(self._reactor, "127.0.0.1", port, bindAddress=(source, 0))
            connecting = way.connect(Factory.forProtocol(lambda: wire))
            connecting.addErrback(lambda why: wire.connectionLost())
        return port != 0

    def acts_until(self, condition: Callable[[], bool]) -> None:
        """Let everybody act."""
        while not condition():
            self._reactor.iterate(0.01)
            for person, due in self._due.items():
                if monotonic() >= due:
                    person.acts()
                    self._due[person] = monotonic() + self._chance.uniform(0.02, 0.3)

    def comes_to(self, what: str, condition: Callable[[Person], bool]) -> None:
        """Let everybody act until something is so for each."""
        ends = monotonic() + TIMEOUT
        missing = [*self.people]

        def is_so() -> bool:
            missing[:] = [person for person in self.people if not condition(person)]
            return not missing or monotonic() > ends

        self.acts_until(is_so)
        assert not missing, f"at {monotonic():.3f}, not {what}: {'; '.join(map(str, missing))}"

    def can_talk_again(self) -> None:
        """See that there is nobody who waits for anything, and that all can be done again."""
        for person in self.people:
            person.is_at_rest = True
        self.comes_to("here or out", lambda one: one.state in ("in", "out") and not one.calling)
        self.comes_to("in a pair of two", self._is_peer_of_peer)
        taken = {one.session.key for one in self.people if one.session}
        out = [one for one in self.people if one.session is None]
        for name in set(NAMES) - taken:
            out.pop().wanted = name
        self.comes_to("in under its name", lambda one: one.state == "in" or not one.wanted)
        here = [one for one in self.people if one.session]
        self._chance.shuffle(here)
        self._hang_up(here)
        for caller, callee in zip(here[::2], here[1::2], strict=True):
            self._pair(caller, callee)
        for person in here:
            person.says(3)
        self.comes_to("told of its texts", lambda one: not one.unsettled)
        self._hang_up(here)

    def _is_peer_of_peer(self, person: Person) -> bool:
        if person.session is None or person.peer is None:
            return True
        key = person.peer.casefold()
        here = (one for one in self.people if one.session and one.session.key == key)
        return any((one.peer or "").casefold() == person.session.key for one in here)

    def _hang_up(self, here: list[Person]) -> None:
        for person in here:
            if person.peer is not None or person.rings_at:
                person.hangs_up()
        self.comes_to("free", lambda one: not (one.peer or one.rings_at))

    def _pair(self, caller: Person, callee: Person) -> None:
        assert caller.session is not None
        assert callee.session is not None
        ends = monotonic() + TIMEOUT
        while caller.peer is None:
            assert monotonic() < ends, f"{caller} can't call {callee}"
            caller.calls(callee.session.name)
            self.comes_to("answered", lambda one: not one.calling)
            if caller.rings_at:
                caller.hangs_up()
                self.comes_to("free", lambda one: one is not caller or not one.rings_at)
                caller.calls(callee.session.name)
                self.comes_to("answered", lambda one: not one.calling)
            if caller.rings_at:
                callee.calls(caller.session.name)
                self.comes_to("answered", lambda one: not one.calling)
                self.comes_to("paired", lambda one: one is not caller or not one.rings_at)
        self.comes_to("paired", lambda one: one is not callee or one.peer is not None)


@pytest.mark.endurance
def test_a_random_run(tmp_path: Path, reactor: Reactor) -> None:
    seed = os.environ.get("CHATPAIR_TEST_SEED") or str(Random().randrange(10**6))
    seconds = float(os.environ.get("CHATPAIR_TEST_SECONDS", "45"))
    print(f"CHATPAIR_TEST_SEED={seed}")
    history, clock = History(), SetClock(tmp_path)
    with (
        Engine(tmp_path / "engine", persistent=True, environment=clock.environment) as engine,
        Cluster(engine, 3, *OPTIONS, lease=LEASE, hands_over=True) as cluster,
    ):
        doors = [node.port for node in cluster.nodes]
        crowd = Crowd(reactor.reactor, history, doors, seed)
        weather = Weather(cluster, history, doors, seed, clock)
        try:
            ends = monotonic() + seconds
            crowd.acts_until(lambda: monotonic() > ends)
            crowd.acts_until(weather.is_over)
        finally:
            weather.calm()
            print("\n".join(weather.log))
        crowd.can_talk_again()
        found = faults(history)
        kinds = Counter(type(what).__name__ for one in history.sessions for _, what in one.moments)
        print(f"{len(history.sessions)} sessions, {len(history.cuts)} cuts, {dict(kinds)}")
        for person in crowd.people:
            if person.session is not None:
                person.ends("dropped")
    assert found == []
