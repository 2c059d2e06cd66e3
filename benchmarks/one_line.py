"""Show where the time of one line goes: python -m benchmarks.one_line KIND.

KIND is "epoll" or "tcp", for chatpair on either kind of port, or "line_receiver", for the server
of that name here. It runs under cProfile while 100 pairs talk, each with one line in flight; what
is printed is how often each function was called for a line, and how long that took by itself.
cProfile makes calls dearer than they are: what counts is how many there are.
"""

import json
import pstats
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import is_listening
from benchmarks.servers import free_port, wait_until_it_listens

TWISTD = Path(sys.executable).with_name("twistd")
ROOT = Path(__file__).parent.parent

PAIRS = 100
SECONDS = 2.0
ROWS = 25
"""Functions that are shown, those first that take longest themselves."""


def command(kind: str, folder: Path) -> list[str]:
    """Return what starts a server under cProfile, which writes to a file "profile"."""
    file = folder / "profile"
    if kind == "line_receiver":
        script = ROOT / "benchmarks" / "line_receiver.py"
        return [sys.executable, "-m", "cProfile", "-o", str(file), str(script), str(free_port())]
    profiler = [f"--profile={file}", "--savestats", "--profiler=cprofile"]
    where = ["--port", f"{kind}:{free_port()}:interface=127.0.0.1", "--max-per-host=1000"]
    return [str(TWISTD), "-n", f"--pidfile={folder / 'pid'}", *profiler, "chatpair", *where]


def profile(kind: str, folder: Path) -> tuple[int, dict[str, tuple[int, float]]]:
    """Return how many lines were passed on, and the calls and the own seconds of each function."""
    arguments = command(kind, folder)
    port = int(arguments[-1] if kind == "line_receiver" else arguments[-2].split(":")[1])
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL) as server:
        wait_until_it_listens(server, lambda: is_listening(port))
        task = {"dialect": "lines", "ports": [port], "servers": [server.pid]}
        load = [sys.executable, "-m", "benchmarks.load"]
        load += [json.dumps(task | {"mode": "pingpong", "pairs": PAIRS, "seconds": SECONDS})]
        subprocess.run(load, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        server.send_signal(signal.SIGTERM)
    functions: dict[str, tuple[int, float]] = {}
    statistics: Any = pstats.Stats(str(folder / "profile"))
    for (path, _, name), (_, calls, own, *_rest) in statistics.stats.items():
        where = "" if path == "~" else "/".join(Path(path).parts[-2:]) + " "
        others, their_own = functions.get(where + name, (0, 0.0))  # of the same name
        functions[where + name] = (others + calls, their_own + own)
    passes_on = "chatpair/protocol.py tell_lines"
    if kind == "line_receiver":
        passes_on = "benchmarks/line_receiver.py lineReceived"
    return functions[passes_on][0], functions


def main(kind: str) -> None:
    """Print the profile of a line on one kind of port."""
    folder = Path(tempfile.mkdtemp())
    try:
        lines, functions = profile(kind, folder)
    finally:
        shutil.rmtree(folder)
    waiting = "{method 'poll' of 'select.epoll' objects}"
    calls = sum(calls for calls, _ in functions.values())
    print(f"{kind}: {calls / lines:.1f} calls a line, in {lines} lines\n")
    print("calls a line  us a line  function")
    rows = sorted(functions.items(), key=lambda item: -item[1][1])
    for name, (called, own) in [row for row in rows if row[0] != waiting][:ROWS]:
        print(f"{called / lines:12.2f} {own / lines * 1e6:10.2f}  {name}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "epoll")
