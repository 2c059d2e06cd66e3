"""What is read from the system: CPU time, memory, files and cores."""

from __future__ import annotations

import os
import re
import resource
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine import Engine

SPARE_FILES = 300
"""Files that a process may have open beside connections."""

MOST_FILES = 1 << 20


@dataclass(frozen=True)
class Snapshot:
    """Clocks at one moment, in seconds, and how often each command of the engine was called."""

    wall: float
    server_cpu: float
    load_cpu: float
    all_cpu: float
    engine_cpu: float
    calls: Counter[str]

    @classmethod
    def take(cls, servers: Sequence[int], engine: Engine | None = None) -> Snapshot:
        """Read the clocks: the servers' together, by process ids; the load's is this process's."""
        calls = engine.calls() if engine else Counter()
        return cls(
            time.monotonic(),
            sum(map(cpu_seconds, servers)),
            time.process_time(),
            machine_cpu_seconds(),
            cpu_seconds(engine.process) if engine else 0.0,
            calls,
        )


def cpu_seconds(process: int) -> float:
    """Return the CPU time, user's and system's, of a process and all its threads."""
    # What clock_getcpuclockid(3) returns, which Python lacks: a finer clock than /proc's.
    return time.clock_gettime((~process << 3) | 2)


def machine_cpu_seconds() -> float:
    """Return the CPU time of all that runs here, and of what a hypervisor ran in its place."""
    first = Path("/proc/stat").read_text().split("\n", 1)[0]
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, first.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def resident_bytes(process: int) -> int:
    """Return how much memory a process has."""
    status = Path(f"/proc/{process}/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    if match is None:
        raise ValueError(f"process {process} has ended")
    return int(match[1]) * 1_024


def is_listening(port: int) -> bool:
    """Tell whether a server listens, without a connection, which would be a client to it."""
    rows = [row.split()[1:4] for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(local.endswith(f":{port:04X}") and state == "0A" for local, _, state in rows)


def allow_open_files() -> int:
    """Let this process, and those that it starts, open as many files as it may; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return files


def two_cores() -> tuple[int, int] | None:
    """Return a CPU for the server and one for the load, or nothing if there is but one.

    Two threads of one core are two CPUs that slow each other down: another core goes first.
    """
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        return None
    return first, next((cpu for cpu in others if _core(cpu) != _core(first)), others[0])


def _core(cpu: int) -> str:
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    return path.read_text() if path.exists() else str(cpu)
