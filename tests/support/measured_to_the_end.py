"""A plugin of coverage: what a server did that ends by a signal counts, though it kills itself."""

import os
from typing import Any

from coverage import Coverage


def coverage_init(*_: Any) -> None:
    """Let what was measured be saved before a process kills itself, as twistd does at its end."""
    kill = os.kill

    def save_and_kill(pid: int, number: int) -> None:
        if pid == os.getpid() and (measured := Coverage.current()) is not None:
            measured.stop()
            measured.save()
        kill(pid, number)

    os.kill = save_and_kill
