"""The benchmarks' commands, run as somebody does who wants figures soon."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.runs import ROOT
from tests.support.server import TIMEOUT


class Measured:
    """What a command printed, and all its runs."""

    def __init__(self, module: str, folder: Path, *options: str, seconds: float = 0.1) -> None:
        path = folder / "runs.json"
        numbers = ["--seconds", f"{seconds:g}", "--json", str(path)]
        done = subprocess.run(
            [sys.executable, "-m", module, *options, *numbers],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=10 * TIMEOUT,  # some have many runs
        )
        assert done.returncode == 0, done.stderr
        self.output = done.stdout
        self.told = done.stderr.splitlines()
        self.runs: list[dict[str, Any]] = json.loads(path.read_text())["runs"]

    def of(self, workload: str, server: str) -> dict[str, Any]:
        """Return the only run of a workload with a server."""
        (run,) = (
            run for run in self.runs if (run["workload"], run["server"]) == (workload, server)
        )
        return run
