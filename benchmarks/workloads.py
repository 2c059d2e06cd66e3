"""What the servers are measured with."""

from __future__ import annotations

from dataclasses import dataclass

FILLING = 2_500
"""Connections that find room in memory that a server has freed after its start."""


@dataclass(frozen=True)
class Workload:
    """One thing that the load does; the defaults of numbers mean none."""

    name: str
    about: str
    mode: str
    unit: str = "line"
    pairs: int = 0
    window: int = 1  # lines in flight each way
    idle: int = 0  # connections
    filling: int = 0  # of those: what comes before the memory is looked at
    members: int = 0  # of the cluster, with those that are there in name only
    least_seconds: float = 0.0  # for which it is measured, so that it means something
    size: int = 64  # bytes of a text
    alphabet: str = "ascii"
    dialect: str = ""  # what is spoken, if not the server's own

    @property
    def connections(self) -> int:
        """How many are open at a time, at most."""
        return 2 * self.pairs + self.idle


def ping_pong(pairs: int) -> Workload:
    """Return a workload of pairs who take turns."""
    about = f"{pairs} {'pair' if pairs == 1 else 'pairs'}, one line in flight in each"
    return Workload(f"pingpong-{pairs}", about, "pingpong", pairs=pairs)


def idle(connections: int) -> Workload:
    """Return a workload of connections that say nothing once they are paired."""
    about = (
        f"{connections} connections, named, paired and idle after a line each; the first "
        f"{FILLING} fill what memory was free, and do not count"
    )
    return Workload("idle", about, "idle", "connection", idle=connections, filling=FILLING)


def held(users: int) -> Workload:
    """Return a workload of programs that lose their connections, and may come back."""
    about = f"{users} users whose lines are held; the first {FILLING} do not count"
    return Workload("held", about, "held", "user", idle=users, filling=FILLING, dialect="json")


WORKLOADS = [
    ping_pong(100),
    ping_pong(1_000),
    Workload("window", "10 pairs, 64 lines in flight each way", "window", pairs=10, window=64),
    Workload("long", "as window, of 1 KiB each", "window", pairs=10, window=64, size=1_024),
    Workload("longer", "10 pairs, 4 of 16 KiB each way", "window", pairs=10, window=4, size=16_384),
    Workload(
        "utf8",
        "as window, in Greek, Japanese and emoji",
        "window",
        pairs=10,
        window=64,
        alphabet="utf8",
    ),
    Workload(
        "mixed",
        "as window, with tabs and CR LF, and a command after every 16th line",
        "window",
        pairs=10,
        window=64,
        alphabet="tabs",
        dialect="mixed",
    ),
    Workload(
        "json", "50 pairs that speak JSON, one in flight", "pingpong", pairs=50, dialect="json"
    ),
    Workload(
        "json-window",
        "10 pairs that speak JSON, 16 in flight each way",
        "window",
        pairs=10,
        window=16,
        dialect="json",
    ),
    Workload("churn", "connect, claim a name, reset; 64 at a time", "churn", "session"),
    idle(10_000),
    held(10_000),
    Workload(
        "beside-idle",
        "100 pairs, one line in flight in each, alone and beside 1000 idle connections",
        "beside-idle",
        pairs=100,
        idle=1_000,
    ),
]

SPARSE = Workload(
    "sparse",
    "21 pairs, each of whom says a line now and then: on average in 10 s",
    "sparse",
    pairs=21,
    least_seconds=60.0,
)

CURVE = [ping_pong(pairs) for pairs in (1, 10, 100, 1_000)]
"""The points of the plot."""

QUICK_CURVE = CURVE[:3]

QUICK = {"idle": idle(5_000), "held": held(5_000)}
"""What stands in for a workload that would take long."""

ALL_WORKLOADS = {workload.name: workload for workload in (*WORKLOADS, *CURVE)}
"""By name; the points of the plot that are not measured without it come last."""
