"""The load: a process of its own with raw sockets, which prints what it measured as JSON.

All clients are in this one process, so the latency of a line is from just before it is sent to
just after it is received. To be faster than what it measures, it makes all lines beforehand, and
compares what comes with what is due as a whole.
"""

from __future__ import annotations

import gc
import json
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from itertools import count as count_from
from pathlib import Path
from random import Random
from time import monotonic_ns, sleep

from benchmarks.clients import CHUNK, MARK, PATIENCE_SECONDS, Client, Clients, line_texts
from benchmarks.dialects import DIALECTS, Fault
from benchmarks.engine import PINGS, Engine
from benchmarks.measure import Snapshot, allow_open_files, cpu_seconds, resident_bytes

SESSIONS_IN_FLIGHT = 64
LINES_AT_ONCE = 10  # where nothing but the memory counts: an even number
SPARSE_SECONDS = 10.0  # from line to line of one who says something now and then, on average
LATENCIES = {"p50_us": 0.5, "p99_us": 0.99, "p999_us": 0.999}


@dataclass(frozen=True)
class Task:
    """What to do, to whom and for how many seconds."""

    dialect: str
    ports: Sequence[int]
    servers: Sequence[int]  # process ids
    mode: str
    pairs: int = 0
    window: int = 1  # lines in flight each way
    idle: int = 0  # connections
    filling: int = 0  # of those: what comes before the memory is looked at
    size: int = 64  # bytes of a text
    alphabet: str = "ascii"
    seconds: float = 1.0
    warm_up: float = 0.5
    across: bool = False  # whether the two of a pair connect to different ports
    engine: str = ""  # the path of its socket


class Load:
    """Sends lines between pairs, and checks each that comes."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.dialect = DIALECTS[task.dialect]
        texts = self.texts = line_texts(task.size, task.alphabet)
        self.clients = Clients(self.dialect, task.ports, texts, task.across)
        self.engine = Engine(Path(task.engine)) if task.engine else None
        self.active: Sequence[Client] = ()
        self.latencies: list[int] = []  # nanoseconds, of each line
        self.sending = False
        self.next_at = 0  # when somebody says a line, where that is now and then
        self.chance = Random(1)
        self.sent_lines = [self.dialect.say(n, text) for n, text in enumerate(texts, 1)]
        self.sent_ends = [0, *accumulate(len(MARK + line) for line in self.sent_lines * 2)]
        self.due_lines = [text + self.dialect.ending for text in texts]
        # The same in one piece each, up to a window more, so that any run of lines is a slice.
        self.sent_piece = b"".join(MARK + line for line in self.sent_lines * 2)
        self.due_piece = b"".join(MARK + line for line in self.due_lines * 2)

    def snapshot(self) -> Snapshot:
        """Read the clocks of all processes, and what the engine has done."""
        return Snapshot.take(self.task.servers, self.engine)

    def close(self) -> None:
        """Close all connections."""
        self.clients.close()
        if self.engine is not None:
            self.engine.socket.close()

    # Lines

    def exchange(self) -> dict[str, float]:
        """Let the active pairs talk; return what was measured after the warm-up."""
        turn: Callable[[], None] = self.ping_pong
        self.sending = True
        self.next_at = monotonic_ns()
        if self.task.mode == "window":
            turn = self.fill_windows
            for client in self.active:
                self.send_lines(client, self.task.window, monotonic_ns())
        elif self.task.mode == "sparse":
            turn = self.now_and_then
        else:
            for client in self.active[::2]:
                self.send_line(client, monotonic_ns())
        repeat(turn, self.task.warm_up)
        self.latencies.clear()
        before, lines = self.snapshot(), self.delivered()
        repeat(turn, self.task.seconds)
        after, lines = self.snapshot(), self.delivered() - lines
        self.sending = False
        self.latencies, latencies = [], self.latencies
        self.drain(turn)
        return figures(before, after, lines) | percentiles(latencies)

    def drain(self, turn: Callable[[], None]) -> None:
        """Wait for all lines that are on their way."""
        while any(client.peer.sent != client.received for client in self.active):
            turn()

    def delivered(self) -> int:
        """Return how many lines have come, all of them checked."""
        return sum(client.received for client in self.active)

    def ping_pong(self) -> None:
        """Check a line from each client that got one, and let it send the next."""
        by_file, due = self.clients.by_file, self.due_lines
        latencies = self.latencies
        for fileno, _ in self.clients.poll():
            client = by_file[fileno]
            data = client.receive(CHUNK)
            now = monotonic_ns()
            if data == client.head + due[client.received % len(due)] and not client.rest:
                client.received += 1
            elif not self.clients.check(client, client.whole_lines(data)):
                continue
            latencies.append(now - client.peer.sent_at)
            if self.sending:
                self.send_line(client, now)

    def now_and_then(self) -> None:
        """Check lines until somebody is to say one, and let that one say it."""
        seconds = (self.next_at - monotonic_ns()) / 1e9 if self.sending else PATIENCE_SECONDS
        for fileno, _ in self.clients.poll(max(seconds, 0.0)):
            client = self.clients.by_file[fileno]
            data = client.receive(CHUNK)
            took = monotonic_ns() - client.peer.sent_at
            count = self.clients.check(client, client.whole_lines(data))
            self.latencies.extend([took] * count)
        if self.sending and monotonic_ns() >= self.next_at:
            rate = len(self.active) / SPARSE_SECONDS
            self.next_at += int(self.chance.expovariate(rate) * 1e9)
            self.send_line(self.chance.choice(self.active), monotonic_ns())

    def send_line(self, client: Client, now: int) -> None:
        """Let a client send its next line."""
        line = self.next_lines(client, 1)
        client.sent += 1
        client.sent_at = now
        if client.send(line) != len(line):
            client.is_blocked()

    def fill_windows(self) -> None:
        """Check all lines that came, and let as many be sent by who sent those."""
        by_file, due, size = self.clients.by_file, self.due_piece, len(MARK + self.due_lines[0])
        for fileno, _ in self.clients.poll():
            client = by_file[fileno]
            data = client.receive(CHUNK)
            now = monotonic_ns()
            data = client.whole_lines(data)
            count = data.count(b"\n")
            start = client.received % len(self.texts) * size
            if data == due[start : start + count * size].replace(MARK, client.head):
                client.received += count
            else:
                count = self.clients.check(client, data)
            self.note_latencies(client.peer.batches, count, now)
            if self.sending:
                self.send_lines(client.peer, count, now)

    def send_lines(self, client: Client, count: int, now: int) -> None:
        """Let a client send its next lines in one write."""
        if not count:
            return
        lines = self.next_lines(client, count)
        client.sent += count
        client.batches.append((count, now))
        client.send_all(lines)

    def next_lines(self, client: Client, count: int) -> bytes:
        """Return what says a client's next lines."""
        first = client.sent % len(self.texts)
        if count == 1 and not self.dialect.counts:
            return client.order + self.sent_lines[first]
        if not self.dialect.counts:
            start, end = self.sent_ends[first], self.sent_ends[first + count]
            return self.sent_piece[start:end].replace(MARK, client.order)
        texts = (self.texts * 2)[first : first + count]
        return b"".join(map(self.dialect.say, count_from(client.sent + 1), texts))

    def note_latencies(self, batches: deque[tuple[int, int]], count: int, now: int) -> None:
        """Note how long the next lines of a client were on their way."""
        while count:
            lines, sent_at = batches.popleft()
            if lines > count:
                batches.appendleft((lines - count, sent_at))
                lines = count
            self.latencies.extend([now - sent_at] * lines)
            count -= lines

    # The workloads

    def talk(self) -> dict[str, float]:
        """Let pairs talk, with nobody beside them."""
        self.active = self.clients.open_pairs(self.task.pairs)
        return self.exchange()

    def idle(self) -> dict[str, float]:
        """Return what a named and paired connection costs that says nothing."""
        (server,), connections = self.task.servers, self.task.idle - self.task.filling
        self.say_a_line_each(self.clients.open_pairs(self.task.filling // 2))
        resident, before = resident_bytes(server), self.snapshot()
        clients = self.clients.open_pairs(connections // 2)
        after = self.snapshot()
        self.say_a_line_each(clients)
        grown = resident_bytes(server) - resident
        costs = figures(before, after, connections) | {"bytes": grown / connections}
        del costs["rate"]  # these came a few at a time
        return costs

    def say_a_line_each(self, clients: Sequence[Client]) -> None:
        """Let all clients say a line, and wait until all lines have come."""
        for first in range(0, len(clients), LINES_AT_ONCE):
            self.active = clients[first : first + LINES_AT_ONCE]
            for client in self.active:
                self.send_line(client, monotonic_ns())
            self.drain(self.ping_pong)

    def held(self) -> dict[str, float]:
        """Return what a user costs whose connection is lost, and whose line is held."""
        (server,), users = self.task.servers, self.task.idle - self.task.filling
        self.lose(self.task.filling)
        resident, before = resident_bytes(server), self.snapshot()
        self.lose(users)
        after, grown = self.snapshot(), resident_bytes(server) - resident
        return figures(before, after, users) | {"bytes": grown / users}

    def lose(self, count: int) -> None:
        """Let so many users come, and lose their connections."""
        clients = self.clients
        while count:
            newcomers = [clients.open() for _ in range(min(LINES_AT_ONCE, count))]
            count -= len(newcomers)
            while newcomers:
                for client in list(clients.welcomed()):
                    clients.reset(client)
                    newcomers.remove(client)

    def beside_idle(self) -> dict[str, float]:
        """Let pairs talk, first alone, and then beside idle ones."""
        alone = self.talk()
        self.clients.open_pairs(self.task.idle // 2)
        return self.exchange() | {"alone_us": alone["cpu_us"]}

    def churn(self) -> dict[str, float]:
        """Connect, claim a name and reset, many times."""
        clients = self.clients
        for _ in range(SESSIONS_IN_FLIGHT):
            clients.open()
        sessions = 0

        def turn() -> None:
            nonlocal sessions
            for client in list(clients.welcomed()):
                clients.reset(client)
                clients.open()
                sessions += 1

        repeat(turn, self.task.warm_up)
        before, done = self.snapshot(), sessions
        repeat(turn, self.task.seconds)
        return figures(before, self.snapshot(), sessions - done)

    def rest(self) -> dict[str, float]:
        """Say nothing, and return what a heartbeat of the servers costs.

        An engine does other things now and then, so what it takes is added up: the script, as
        the engine says, and the way in and out, which is that of a PING.
        """
        engine = self.engine
        assert engine is not None
        cpu = cpu_seconds(engine.process)
        engine.round_trip_us()
        way_us = (cpu_seconds(engine.process) - cpu) * 1e6 / PINGS
        sleep(self.task.warm_up)
        before, script_us = self.snapshot(), engine.script_us()
        sleep(self.task.seconds)
        after, script_us = self.snapshot(), engine.script_us() - script_us
        beats = after.calls["evalsha"] - before.calls["evalsha"]
        costs = figures(before, after, beats)
        return costs | {"engine_us": way_us + script_us / beats}


def repeat(turn: Callable[[], None], seconds: float) -> None:
    """Do something again and again for a time."""
    end = monotonic_ns() + int(seconds * 1e9)
    while monotonic_ns() < end:
        turn()


def figures(before: Snapshot, after: Snapshot, count: int) -> dict[str, float]:
    """Return what an interval tells in which so many lines, sessions or connections were done."""
    if not count:
        raise Fault(f"nothing was done in {after.wall - before.wall:.3f} s: take more --seconds")
    wall, server = after.wall - before.wall, after.server_cpu - before.server_cpu
    load = after.load_cpu - before.load_cpu
    engine = after.engine_cpu - before.engine_cpu
    costs = {
        "count": count,
        "rate": count / wall,
        "cpu_us": server * 1e6 / count,
        "server_cpu": server / wall,
        "load_cpu": load / wall,
        "other_cpu": max(after.all_cpu - before.all_cpu - server - engine - load, 0) / wall,
    }
    if after.calls:
        costs |= {
            "engine_us": engine * 1e6 / count,
            "engine_cpu": engine / wall,
            "entries": (after.calls["xadd"] - before.calls["xadd"]) / count,
        }
    return costs


def percentiles(latencies: list[int]) -> dict[str, float]:
    """Return microseconds that a share of the lines took at most."""
    latencies.sort()
    return {
        key: latencies[min(int(share * len(latencies)), len(latencies) - 1)] / 1e3
        for key, share in LATENCIES.items()
    }


def run(task: Task) -> dict[str, float]:
    """Do a task; return what was measured, or raise a Fault."""
    load = Load(task)
    modes = {
        "pingpong": load.talk,
        "window": load.talk,
        "sparse": load.talk,
        "churn": load.churn,
        "idle": load.idle,
        "held": load.held,
        "beside-idle": load.beside_idle,
        "rest": load.rest,
    }
    try:
        return modes[task.mode]()
    except OSError as why:
        raise Fault(f"a connection broke: {why}") from why
    finally:
        load.close()


def main(argument: str) -> int:
    """Do a task that is given as JSON; print the result as JSON."""
    allow_open_files()
    gc.disable()  # nothing here makes cycles while it is measured
    try:
        print(json.dumps(run(Task(**json.loads(argument)))))
    except Fault as why:
        print(json.dumps({"fault": str(why)}))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
