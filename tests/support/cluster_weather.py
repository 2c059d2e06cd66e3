"""What happens to nodes, to their ways to the engine and to the engine, one time or another."""

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from random import Random
from time import monotonic

from tests.support.cluster import Cluster
from tests.support.history import Cut, History
from tests.support.server import TIMEOUT
from tests.support.set_clock import SetClock

LEASE = 2.0
"""Seconds of the nodes' lease: so short that much can go wrong in a minute."""


class Weather:
    """Strikes each node now and then, and the engine that they share, until it is calmed."""

    def __init__(
        self, cluster: Cluster, history: History, doors: list[int], seed: str, clock: SetClock
    ) -> None:
        """Take where the cuts are noted, the nodes' ports, which are 0 while one is dead, and the
        engine's time of day.
        """
        self.log: list[str] = []
        self._engine = cluster.engine
        self._cluster = cluster
        self._history = history
        self._doors = doors
        self._clock = clock
        self._over = threading.Event()
        self._lock = threading.Lock()
        count = len(doors)
        self._troubles = [0] * count  # why a node may not reach the engine
        self._changes = [0] * count
        self._since: list[float | None] = [None] * count
        self._probes = 0
        runs: list[Callable[[Random], None]] = [self._strike_engine]
        runs += [partial(self._strike_node, number) for number in range(count)]
        pool = ThreadPoolExecutor(len(runs))
        self._runs = [
            pool.submit(run, Random(f"{seed} weather {index}")) for index, run in enumerate(runs)
        ]
        for strikes in self._runs:
            strikes.add_done_callback(lambda _: self._over.set())  # be it as it failed

    def is_over(self) -> bool:
        """Let nothing more go wrong; tell whether all is well again."""
        self._over.set()
        return all(strikes.done() for strikes in self._runs)

    def calm(self) -> None:
        """Wait until all is well again."""
        self._over.set()
        for strikes in self._runs:
            strikes.result()
        for number in range(len(self._doors)):
            self._settle(number)

    def _note(self, text: str) -> None:
        self.log.append(f"{monotonic():.3f} {text}")

    # Who can't reach the engine

    @contextmanager
    def _troubled(self, *numbers: int) -> Iterator[None]:
        with self._lock:
            for number in numbers:
                self._troubles[number] += 1
                self._changes[number] += 1
                if self._since[number] is None:
                    self._since[number] = monotonic()
        yield
        with self._lock:
            for number in numbers:
                self._troubles[number] -= 1

    def _cut_ends(self, number: int) -> None:
        since = self._since[number]
        if since is not None:
            self._history.cuts.append(Cut(f"n{number + 1}", since, monotonic()))
        self._since[number] = monotonic() if self._troubles[number] else None

    def _settle(self, number: int) -> None:
        """Wait until a node is surely a member."""
        waits_until, answer = monotonic() + TIMEOUT, ""
        while self._since[number] is not None:
            assert monotonic() < waits_until, f"n{number + 1} does not come back: {answer!r}"
            with self._lock:
                changes = self._changes[number]
                self._probes += 1
                name = f"probe-{self._probes}"
            answer = "" if self._troubles[number] else self._cluster.nodes[number].asked(name)
            if answer == "OK":
                with self._lock:
                    if changes == self._changes[number]:
                        self._cut_ends(number)
                        self._note(f"n{number + 1} is well")
            else:
                threading.Event().wait(0.1)

    # Nodes

    def _strike_node(self, number: int, chance: Random) -> None:
        kinds = {
            self._kill: 2,
            self._freeze: 1,
            self._freeze_for_long: 6,
            self._cut: 2,
            self._cut_once: 1,
            self._cut_in_a_frame: 2,
            self._black_hole: 2,
            self._slow_down: 1,
            self._hand_over: 2,
        }
        while not self._over.wait(chance.uniform(0.5, 4)):
            self._settle(number)
            (kind,) = chance.choices([*kinds], [*kinds.values()])
            seconds = chance.choice((0.2, 0.5, 1, 1.2, 1.7)) * LEASE
            self._note(f"n{number + 1}{kind.__name__} {seconds}")
            kind(number, seconds)
            self._settle(number)
        self._settle(number)

    def _kill(self, number: int, seconds: float) -> None:
        self._doors[number] = 0
        self._cluster.nodes[number].dies()
        with self._lock:
            self._changes[number] += 1
            self._cut_ends(number)
        self._over.wait(seconds)
        with self._troubled(number):
            node = self._cluster.nodes[number] = self._cluster.begin(number)
            self._doors[number] = node.port
        self._settle(number)

    def _hand_over(self, number: int, seconds: float) -> None:
        """Replace a node by another process, which may take most of a lease on a slow machine."""
        old = self._cluster.nodes[number]
        with self._troubled(number):
            self._cluster.nodes[number] = self._cluster.begin(number)
        assert old.wait() == 0, old.output

    def _freeze(self, number: int, seconds: float) -> None:
        node = self._cluster.nodes[number]
        node.freeze()
        self._over.wait(seconds)
        node.thaw()

    def _freeze_for_long(self, number: int, seconds: float) -> None:
        self._freeze(number, 1.2 * LEASE + seconds)

    def _cut(self, number: int, seconds: float) -> None:
        with self._troubled(number):
            self._cluster.ways[number].cut()
            self._over.wait(seconds)
            self._cluster.ways[number].mend()

    def _cut_once(self, number: int, seconds: float) -> None:
        with self._troubled(number):
            self._cluster.ways[number].cut_once()

    def _cut_in_a_frame(self, number: int, seconds: float) -> None:
        with self._troubled(number):
            self._cluster.ways[number].cut_after(int(seconds * 1_237) % 4_000)
            self._over.wait(0.3)

    def _black_hole(self, number: int, seconds: float) -> None:
        with self._troubled(number):
            self._cluster.ways[number].flows.clear()
            self._over.wait(seconds)
            self._cluster.ways[number].cut_once()  # or what was sent meanwhile would arrive, late
            self._cluster.ways[number].flows.set()

    def _slow_down(self, number: int, seconds: float) -> None:
        with self._troubled(number):
            self._cluster.ways[number].rate = 20_000
            self._over.wait(2 * seconds)
            self._cluster.ways[number].rate = 0

    # The engine

    def _strike_engine(self, chance: Random) -> None:
        kinds = self._freeze_engine, self._restart, self._empty, self._refuse, self._be_slow
        while not self._over.wait(chance.uniform(5, 15)):
            kind = chance.choice(kinds)
            seconds = chance.choice((0.0, 0.3, 1, 1.7)) * LEASE
            clock = chance.choice((0, 0, -3_600, 3_600, 86_400))
            self._note(f"engine{kind.__name__} {seconds}, clock at {clock:+}")
            with self._troubled(*range(len(self._doors))):
                self._clock.set(f"{clock:+}")
                kind(seconds)

    def _freeze_engine(self, seconds: float) -> None:
        self._engine.freeze()
        self._over.wait(seconds)
        self._engine.thaw()

    def _restart(self, seconds: float) -> None:
        self._engine.kill()
        self._over.wait(seconds)
        self._engine.restart()

    def _empty(self, seconds: float) -> None:
        self._engine.kill()
        shutil.rmtree(self._engine.folder / "appendonlydir")
        self._over.wait(seconds)
        self._engine.restart()

    def _refuse(self, seconds: float) -> None:
        """Take no writes, as an engine that has lost its replicas."""
        self._engine.command("CONFIG", "SET", "min-replicas-to-write", 1)
        self._over.wait(seconds)
        self._engine.command("CONFIG", "SET", "min-replicas-to-write", 0)

    def _be_slow(self, seconds: float) -> None:
        """Have lost all, and let one node take long to claim its names again."""
        slow = self._cluster.ways[0]
        slow.rate = 3_000
        self._empty(0)
        self._over.wait(seconds)
        slow.rate = 0
