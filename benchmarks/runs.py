"""What every benchmark shares: its options, its runs one after the other, and what it prints."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.dialects import Fault
from benchmarks.load import Task
from benchmarks.report import Figures, Progress, short_table, table
from benchmarks.servers import pinned
from benchmarks.workloads import Workload

ROOT = Path(__file__).parent.parent

SECONDS, QUICK_SECONDS = 2.0, 0.4
WARM_UP_SECONDS, QUICK_WARM_UP_SECONDS = 0.5, 0.1
REPETITIONS, QUICK_REPETITIONS = 5, 2
OVERHEAD_SECONDS = 1.0
"""About how long a server takes to start and to end, for the time that is left."""

HANG_SECONDS = 600
"""How much longer than planned a run may take before it is given up."""

Plan = Mapping[Workload, Sequence[str]]
"""With whom each workload is measured, by name."""

AllFigures = dict[tuple[str, str], list[Figures]]


def number(kind: type, least: float) -> Any:
    """Return what reads an option's number, which is less than a million."""

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


def output(text: str) -> Path:
    """Read an option that says where to write a file."""
    path = Path(text)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} can't be written")
    return path


def described(things: Mapping[str, Any]) -> str:
    """Return a line of help for each thing that has an "about", by name."""
    return "\n".join(f"  {name:14}{thing.about}" for name, thing in things.items())


def options_parser(
    command: str, about: str, epilog: str, workloads: Iterable[str], *, takes: str, default: str
) -> argparse.ArgumentParser:
    """Return a parser with the options that say what to measure, how long, and where to write it.

    The help says how long --quick takes, and which workloads are the default.
    """
    parser = argparse.ArgumentParser(
        command,
        description=about,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help=f"take {takes}: short runs, and few")
    add(
        "--only",
        action="append",
        metavar="WORKLOAD",
        choices=workloads,
        help=f"measure this workload; may be given more than once (default: {default})",
    )
    add("--reps", type=number(int, 1), help=f"runs of each (default: {REPETITIONS}; quick: 2)")
    add(
        "--seconds",
        type=number(float, 0.01),
        help=f"that a run is measured for (default: {SECONDS:g}; quick: {QUICK_SECONDS:g})",
    )
    add("--json", type=output, metavar="FILE", help="write the figures of each run")
    return parser


def fill_in(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Fill in the defaults of those options; exit with 2 where nothing can be measured."""
    if sys.platform != "linux":
        parser.error("the benchmark needs Linux: it reads /proc and uses epoll")
    quick = options.quick
    options.warm_up = QUICK_WARM_UP_SECONDS if quick else WARM_UP_SECONDS
    options.seconds = options.seconds or (QUICK_SECONDS if quick else SECONDS)
    options.reps = options.reps or (QUICK_REPETITIONS if quick else REPETITIONS)


def task_of(workload: Workload, options: argparse.Namespace, **where: Any) -> Task:
    """Return what the load has to do, and to whom."""
    return Task(
        mode=workload.mode,
        pairs=workload.pairs,
        window=workload.window,
        idle=workload.idle,
        filling=workload.filling,
        size=workload.size,
        alphabet=workload.alphabet,
        seconds=max(options.seconds, workload.least_seconds),
        warm_up=options.warm_up,
        **where,
    )


def run_load(task: Task, cpu: int | None) -> Figures:
    """Start the load, on one CPU if it is given; return what it measured."""
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
    plan: Plan,
    options: argparse.Namespace,
    measure: Callable[[Workload, str], Figures],
    results: AllFigures,
) -> int:
    """Run each workload with all in turn, the other way round every other time.

    Return the exit status; a fault is told.
    """
    order = [
        (workload, name)
        for workload, names in plan.items()
        for repetition in range(options.reps)
        for name in (names[::-1] if repetition % 2 else names)
    ]
    seconds = options.seconds + options.warm_up + OVERHEAD_SECONDS
    progress = Progress(
        [max(seconds, workload.least_seconds) + workload.idle / 5_000 for workload, _ in order]
    )
    try:
        for workload, name in order:
            progress.begins(workload, name)
            results.setdefault((workload.name, name), []).append(measure(workload, name))
    except Fault as why:
        progress.ends()
        print(f"error: {why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        progress.ends()
    return 0


def show(
    plan: Plan,
    options: argparse.Namespace,
    results: AllFigures,
    ratios: Callable[[Sequence[str]], Sequence[tuple[str, str]]],
    where: str = "",
) -> list[Workload]:
    """Print a table of each workload that was measured to the end, and write the figures.

    First come some lines on where it ran. Each table ends with the ratios of the pairs of names
    that are asked for. Return those workloads.
    """
    whole = [
        workload
        for workload, names in plan.items()
        if all(len(results.get((workload.name, name), [])) == options.reps for name in names)
    ]
    if whole:
        print(f"Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} CPUs.")
        measured = f"each measured for {options.seconds:g} s at least"
        print(f"Medians of {options.reps} runs, {measured}.\n{where}")
    for workload in whole:
        print(table(workload, results, plan[workload], ratios(plan[workload])))
    if len(whole) > 1:
        print(*short_table({workload: plan[workload] for workload in whole}, results), sep="\n")
    if options.json is not None:
        write_json(options.json, results)
    return whole


def write_json(path: Path, results: AllFigures) -> None:
    """Write the figures of each run, and of what they are."""
    runs = [
        {"workload": workload, "server": server, **figures}
        for (workload, server), all_figures in results.items()
        for figures in all_figures
    ]
    about = {"python": platform.python_version(), "system": platform.platform(), "runs": runs}
    path.write_text(json.dumps(about, indent=1) + "\n")
