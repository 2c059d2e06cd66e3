"""Measure chatpair beside its peers: python -m benchmarks, from the folder above this one."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.dialects import Fault
from benchmarks.load import Task
from benchmarks.measure import SPARE_FILES, allow_open_files, two_cores
from benchmarks.report import Figures, Progress, load_pyplot, plot, table
from benchmarks.servers import SERVERS, Server, pinned, running
from benchmarks.workloads import ALL_WORKLOADS, CURVE, QUICK, QUICK_CURVE, WORKLOADS, Workload

ROOT = Path(__file__).parent.parent

SECONDS, QUICK_SECONDS = 2.0, 0.4
WARM_UP_SECONDS, QUICK_WARM_UP_SECONDS = 0.5, 0.1
REPETITIONS, QUICK_REPETITIONS = 5, 2
OVERHEAD_SECONDS = 1.0
"""About how long a server takes to start and to end, for the time that is left."""

AllFigures = dict[tuple[str, str], list[Figures]]

HANG_SECONDS = 600
"""How much longer than planned a run may take before it is given up."""

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


def _number(kind: type, least: float) -> Any:
    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value < 1e6:
            what = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"{text!r} is not a {what} of {least} or more")
        return value

    return parse


def _server_list(text: str) -> list[str]:
    names = list(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in SERVERS:
            known = ", ".join(SERVERS)
            raise argparse.ArgumentTypeError(f"no server {name!r}; there are {known}")
    return names


def _output(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} can't be written")
    return path


def _described(things: dict[str, Any]) -> str:
    return "\n".join(f"  {name:14}{thing.about}" for name, thing in things.items())


def arguments_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description="Start chatpair and its peers in turn, load them, and print what each costs.",
        epilog=EPILOG.format(workloads=_described(ALL_WORKLOADS), servers=_described(SERVERS)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="take about a minute: short runs, and few")
    add(
        "--only",
        action="append",
        metavar="WORKLOAD",
        choices=ALL_WORKLOADS,
        help="measure this workload; may be given more than once (default: all but pingpong-1 "
        "and pingpong-10)",
    )
    add("--servers", type=_server_list, metavar="NAME,...", help="default: all that are installed")
    add("--reps", type=_number(int, 1), help=f"runs of each (default: {REPETITIONS}; quick: 2)")
    add(
        "--seconds",
        type=_number(float, 0.01),
        help=f"that a run is measured for (default: {SECONDS:g}; quick: {QUICK_SECONDS:g})",
    )
    add(
        "--plot",
        type=_output,
        metavar="FILE.png",
        help="draw latency against load; needs matplotlib",
    )
    add("--json", type=_output, metavar="FILE", help="write the figures of each run")
    return parser


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options with their defaults filled in; exit with 2 if they can't be followed."""
    parser = arguments_parser()
    options = parser.parse_args(arguments)
    if sys.platform != "linux":
        parser.error("the benchmark needs Linux: it reads /proc and uses epoll")
    if options.plot is not None:
        try:
            options.pyplot = load_pyplot()
        except ImportError:
            parser.error("--plot needs matplotlib: pip install '.[bench]'")
    quick = options.quick
    options.warm_up = QUICK_WARM_UP_SECONDS if quick else WARM_UP_SECONDS
    options.seconds = options.seconds or (QUICK_SECONDS if quick else SECONDS)
    options.reps = options.reps or (QUICK_REPETITIONS if quick else REPETITIONS)
    options.curve = (QUICK_CURVE if quick else CURVE) if options.plot else []
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
        task = Task(
            dialect=server.dialect,
            port=it.port,
            server=it.process,
            mode=workload.mode,
            pairs=workload.pairs,
            window=workload.window,
            idle=workload.idle,
            filling=workload.filling,
            seconds=options.seconds,
            warm_up=options.warm_up,
        )
        return _run_load(task, load_cpu)


def _run_load(task: Task, cpu: int | None) -> Figures:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.load", json.dumps(asdict(task))],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            preexec_fn=pinned(cpu),
            timeout=task.seconds + task.warm_up + HANG_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Fault(f"the load has not ended after {HANG_SECONDS} s") from None
    if not done.stdout:
        raise Fault(f"the load ended with status {done.returncode}")
    figures: dict[str, Any] = json.loads(done.stdout)
    if "fault" in figures:
        raise Fault(figures["fault"])
    return figures


def measure_all(
    workloads: Sequence[Workload],
    options: argparse.Namespace,
    cores: tuple[int, int] | None,
    results: AllFigures,
) -> None:
    """Run each workload with each server in turn, and the other way round every other time."""
    order = [
        (workload, name)
        for workload in workloads
        for repetition in range(options.reps)
        for name in (options.servers[::-1] if repetition % 2 else options.servers)
    ]
    seconds = options.seconds + options.warm_up + OVERHEAD_SECONDS
    progress = Progress([seconds + workload.idle / 5_000 for workload, _ in order])
    try:
        for workload, name in order:
            progress.begins(workload, name)
            figures = measure(SERVERS[name], workload, options, cores)
            results.setdefault((workload.name, name), []).append(figures)
    finally:
        progress.ends()


def write_json(path: Path, results: AllFigures) -> None:
    """Write the figures of each run, and of what they are."""
    runs = [
        {"workload": workload, "server": server, **figures}
        for (workload, server), all_figures in results.items()
        for figures in all_figures
    ]
    about = {"python": platform.python_version(), "system": platform.platform(), "runs": runs}
    path.write_text(json.dumps(about, indent=1) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for, and show it; return the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and stop the server first
    options = read_arguments(arguments)
    cores = two_cores()
    if cores is None:
        print("There is a single CPU: server and load share it.", file=sys.stderr)
    workloads = chosen_workloads(options, allow_open_files())
    results: AllFigures = {}
    status = 0
    try:
        measure_all(workloads, options, cores, results)
    except Fault as why:
        print(f"error: {why}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    show(workloads, options, results)
    return status


def show(workloads: Sequence[Workload], options: argparse.Namespace, results: AllFigures) -> None:
    """Print the tables of all that was measured to the end, and write the files asked for."""
    whole = [
        workload
        for workload in workloads
        if all(
            len(results.get((workload.name, name), [])) == options.reps for name in options.servers
        )
    ]
    if whole:
        print(f"Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} CPUs.")
        print(f"Medians of {options.reps} runs, each measured for {options.seconds:g} s.\n")
    for workload in whole:
        print(table(workload, results, options.servers))
    if options.plot is not None and set(options.curve) <= set(whole):
        plot(options.pyplot, options.plot, options.curve, results, options.servers)
    if options.json is not None:
        write_json(options.json, results)


if __name__ == "__main__":
    sys.exit(main())
