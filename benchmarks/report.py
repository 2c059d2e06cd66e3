"""What is shown: progress, the tables, the plot."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.workloads import Workload

OURS = "chatpair"

Figures = dict[str, float]
Results = Mapping[tuple[str, str], Sequence[Figures]]
"""The figures of each run, by the names of workload and server."""

LOAD_LIMIT = 0.9
"""A share of its CPU over which the load may be slower than the server."""

OTHERS_LIMIT = 0.2
"""A share of one CPU that programs which are not measured may have."""

COLUMNS = {
    "cpu_us": ("CPU us a {unit}", ".2f"),
    "alone_us": ("alone", ".2f"),
    "engine_us": ("engine's", ".2f"),
    "entries": ("entries", ".2f"),
    "rate": ("{unit}s/s", ".0f"),
    "p50_us": ("p50 us", ".0f"),
    "p99_us": ("p99 us", ".0f"),
    "p999_us": ("p99.9 us", ".0f"),
    "ping_us": ("PING us", ".0f"),
    "bytes": ("B a connection", ".0f"),
    "server_cpu": ("server's CPU", ".0%"),
    "engine_cpu": ("engine's CPU", ".0%"),
    "load_cpu": ("load's CPU", ".0%"),
}
"""Headings and formats of figures, of which a run has some."""

NO_RATIO = {"ping_us", "server_cpu", "engine_cpu", "load_cpu"}


class Progress:
    """Tells on standard error which run it is, and how long the rest will take."""

    def __init__(self, planned_seconds: Sequence[float]) -> None:
        self._planned = planned_seconds
        self._started = time.monotonic()
        self._number = 0
        self._width = 0

    def begins(self, workload: Workload, server: str) -> None:
        """Tell that a run begins."""
        done, ahead = sum(self._planned[: self._number]), sum(self._planned[self._number :])
        spent = time.monotonic() - self._started
        left = ahead * (spent / done if done else 1)
        self._number += 1
        self._show(
            f"run {self._number} of {len(self._planned)}: {workload.name}, {server}; "
            f"about {left // 60:.0f} min {left % 60:02.0f} s left"
        )

    def ends(self) -> None:
        """Leave the terminal's line to what comes next."""
        if sys.stderr.isatty():
            self._show("")
            print(end="\r", file=sys.stderr, flush=True)

    def _show(self, text: str) -> None:
        start, end = ("\r", "") if sys.stderr.isatty() else ("", "\n")
        print(f"{start}{text:{self._width}}", end=end, file=sys.stderr, flush=True)
        self._width = len(text) if sys.stderr.isatty() else 0


def medians(runs: Sequence[Figures]) -> Figures:
    """Return the median of each figure."""
    return {key: median(run[key] for run in runs) for key in runs[0]}


def table(
    workload: Workload,
    results: Results,
    servers: Sequence[str],
    ratios: Sequence[tuple[str, str]],
) -> str:
    """Return a workload's figures as a table of reStructuredText, with notes below.

    Below each server's come the ratios of some pairs of them.
    """
    by_server = {name: medians(results[workload.name, name]) for name in servers}
    keys = [key for key in COLUMNS if key in by_server[servers[0]]]
    rows = [[workload.name, *(COLUMNS[key][0].format(unit=workload.unit) for key in keys)]]
    for name, figures in by_server.items():
        rows.append([name, *(format(figures[key], COLUMNS[key][1]) for key in keys)])
    rows += [
        [f"{one} : {other}", *_ratios(by_server[one], by_server[other], keys)]
        for one, other in ratios
    ]
    lines = [f"{workload.name}: {workload.about}", "", *simple_table(rows), ""]
    disturbed = [name for name, its in by_server.items() if its["other_cpu"] > OTHERS_LIMIT]
    if disturbed:
        lines += [f"{', '.join(disturbed)}: other programs were busy meanwhile: measure again.", ""]
    limited = [name for name, its in by_server.items() if its["load_cpu"] > LOAD_LIMIT]
    if limited:
        names = ", ".join(limited)
        lines += [f"{names}: the load was the limit: only the CPU a {workload.unit} counts.", ""]
    return "\n".join(lines)


def short_table(plan: Mapping[Workload, Sequence[str]], results: Results) -> list[str]:
    """Return one table of what each workload costs each server: memory, or else CPU."""
    servers = list(dict.fromkeys(name for names in plan.values() for name in names))
    rows = [["in short", *servers]]
    for workload in plan:
        by_server = {name: medians(results[workload.name, name]) for name in plan[workload]}
        key = "bytes" if "bytes" in next(iter(by_server.values())) else "cpu_us"
        heading, form = COLUMNS[key]
        costs = [
            format(by_server[name][key], form) if name in by_server else "-" for name in servers
        ]
        rows.append([f"{workload.name}: {heading.format(unit=workload.unit)}", *costs])
    return simple_table(rows)


def _ratios(ours: Figures, theirs: Figures, keys: Sequence[str]) -> list[str]:
    return [
        f"{ours[key] / theirs[key]:.2f}" if key not in NO_RATIO and theirs[key] else "-"
        for key in keys
    ]


def simple_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows, of which the first is the heading, as a table of reStructuredText."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = "  ".join("=" * width for width in widths)
    lines = [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [rule, lines[0], rule, *lines[1:], rule]


def load_pyplot() -> Any:
    """Return matplotlib's pyplot, which draws into files alone; an ImportError without it."""
    import_module("matplotlib").use("Agg")
    return import_module("matplotlib.pyplot")


def plot(
    pyplot: Any, path: Path, curve: Sequence[Workload], results: Results, servers: Sequence[str]
) -> None:
    """Draw latency against load: for each server a curve, of which each point is so many pairs."""
    figure, axes = pyplot.subplots(figsize=(9, 6))
    for number, server in enumerate(servers):
        points = [medians(results[workload.name, server]) for workload in curve]
        rates = [point["rate"] for point in points]
        for key, style, share in (("p50_us", "-", "p50"), ("p99_us", "--", "p99")):
            values = [point[key] for point in points]
            axes.plot(rates, values, f"o{style}", color=f"C{number}", label=f"{server}, {share}")
        for workload, point in zip(curve, points, strict=True):
            axes.annotate(str(workload.pairs), (point["rate"], point["p50_us"]))
    axes.set(xscale="log", yscale="log", xlabel="lines a second", ylabel="latency of a line, us")
    axes.set_title("Latency against load; the numbers are pairs, one line in flight in each")
    axes.grid(True, which="both", alpha=0.3)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(pyplot.LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:,.0f}")
        axis.set_minor_formatter("")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path, dpi=150, bbox_inches="tight")
    pyplot.close(figure)
