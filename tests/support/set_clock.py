"""A time of day that a test sets, for processes that it starts."""

import os
import subprocess
from pathlib import Path

from tests.support.server import require


class SetClock:
    """The machine's time of day, and so much more or less."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "offset"
        self.set("+0")
        command = [require("faketime"), "-f", "+0", "printenv", "LD_PRELOAD"]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        self.env = os.environ | {
            "LD_PRELOAD": found.stdout.strip(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset: str) -> None:
        """Be so many seconds before or after the right time."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset}\n")
        new.replace(self._file)
