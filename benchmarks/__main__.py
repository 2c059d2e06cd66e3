"""Measure chatpair beside its peers: python -m benchmarks, from the folder above this one."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from benchmarks.measure import SPARE_FILES, allow_open_files, two_cores
from benchmarks.report import OURS, Figures, load_pyplot, plot
from benchmarks.runs import (
    AllFigures,
    described,
    fill_in,
    measure_all,
    options_parser,
    output,
    run_load,
    show,
    task_of,
)
from benchmarks.servers import SERVERS, Server, running
from benchmarks.workloads import ALL_WORKLOADS, CURVE, QUICK, QUICK_CURVE, WORKLOADS, Workload

EPILOG = """\
workloads:
{workloads}

servers:
{servers}

The server has one CPU and the load another. CPU is the server's own, user and system together,
for each line that was delivered, session or connection; it is the figure that holds on a busy
machine. A latency is from just before a line is sent to just after it is received, at the load.
Each figure is the median of runs that alternate between the servers, and each run has a new
server. A line of which the content or the order is not right ends it all with status 1.
"""


MOST_OF_IRC = 400
"""Bytes of a text that fit into a line of IRC (RFC 2812, section 2.3), with what else is in it."""


def _server_list(text: str) -> list[str]:
    names = list(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in SERVERS:
            known = ", ".join(SERVERS)
            raise argparse.ArgumentTypeError(f"no server {name!r}; there are {known}")
    return names


def arguments_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = options_parser(
        "python -m benchmarks",
        "Start chatpair and its peers in turn, load them, and print what each costs.",
        EPILOG.format(workloads=described(ALL_WORKLOADS), servers=described(SERVERS)),
        ALL_WORKLOADS,
        takes="about a minute",
        default="all but pingpong-1 and pingpong-10",
    )
    add = parser.add_argument
    add("--servers", type=_server_list, metavar="NAME,...", help="default: all that are installed")
    add(
        "--plot",
        type=output,
        metavar="FILE.png",
        help="draw latency against load; needs matplotlib",
    )
    return parser


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options with their defaults filled in; exit with 2 if they can't be followed."""
    parser = arguments_parser()
    options = parser.parse_args(arguments)
    fill_in(parser, options)
    if options.plot is not None:
        try:
            options.pyplot = load_pyplot()
        except ImportError:
            parser.error("--plot needs matplotlib: pip install '.[bench]'")
    options.curve = (QUICK_CURVE if options.quick else CURVE) if options.plot else []
    options.servers = _available(options.servers or list(SERVERS))
    if not options.servers:
        parser.error("none of these servers can be started here")
    return options


def _available(names: Sequence[str]) -> list[str]:
    """Return the servers that can be started; say which can't."""
    missing = {name: why for name in names if (why := SERVERS[name].missing())}
    for name, why in missing.items():
        print(f"{name} is left out: {why}.", file=sys.stderr)
    return [name for name in names if name not in missing]


def chosen_workloads(options: argparse.Namespace, files: int) -> list[Workload]:
    """Return what to measure, without what needs more files than may be open."""
    chosen = [ALL_WORKLOADS[name] for name in options.only or []] or WORKLOADS
    if options.quick:
        chosen = [QUICK.get(workload.name, workload) for workload in chosen]
    wanted = list(dict.fromkeys([*chosen, *options.curve]))
    able = [workload for workload in wanted if workload.connections + SPARE_FILES <= files]
    for workload in wanted:
        if workload not in able:
            print(
                f"{workload.name} is left out: the system allows {files} open files, too few for "
                f"{workload.connections} connections; see ulimit -n.",
                file=sys.stderr,
            )
    options.curve = [workload for workload in options.curve if workload in able]
    return able


def measure(
    server: Server, workload: Workload, options: argparse.Namespace, cores: tuple[int, int] | None
) -> Figures:
    """Start a server and the load; return what the load measured."""
    server_cpu, load_cpu = cores or (None, None)
    with running(server, server_cpu) as it:
        dialect = workload.dialect or server.dialect
        where = {"dialect": dialect, "ports": [it.port], "servers": [it.process]}
        return run_load(task_of(workload, options, **where), load_cpu)


def can_do(server: Server, workload: Workload) -> bool:
    """Tell whether a server speaks what a workload needs, and takes lines as long."""
    if workload.dialect:
        return server.name == OURS
    return server.dialect != "irc" or workload.size < MOST_OF_IRC


def ratios(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return which servers to compare: ours with each of its peers."""
    return [(OURS, name) for name in names if name != OURS] if OURS in names else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for, and show it; return the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and stop the server first
    options = read_arguments(arguments)
    cores = two_cores()
    if cores is None:
        print("There is a single CPU: server and load share it.", file=sys.stderr)
    workloads = chosen_workloads(options, allow_open_files())
    plan = {
        workload: [name for name in options.servers if can_do(SERVERS[name], workload)]
        for workload in workloads
    }
    plan = {workload: names for workload, names in plan.items() if names}
    results: AllFigures = {}
    status = measure_all(
        plan,
        options,
        lambda workload, name: measure(SERVERS[name], workload, options, cores),
        results,
    )
    whole = show(plan, options, results, ratios)
    if options.plot is not None and set(options.curve) <= set(whole):
        plot(options.pyplot, options.plot, options.curve, results, options.servers)
    return status


if __name__ == "__main__":
    sys.exit(main())
