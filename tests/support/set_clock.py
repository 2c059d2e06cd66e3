"""A time of day that a test sets."""

import os
import subprocess
from pathlib import Path

from tests.support.server import require


class SetClock:
    """The time of day of all programs that are started in an environment."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "offset"
        command = [require("faketime"), "-f", "+0", "printenv", "LD_PRELOAD"]
        library = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        self.environment = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": os.fspath(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.set("+0")

    def set(self, offset: str) -> None:
        """Let it be off by so many seconds, with their sign."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset}\n")
        new.replace(self._file)
