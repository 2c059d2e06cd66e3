"""Members of a cluster that are there in name only, for what it costs to have many."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from benchmarks.engine import Engine

NODES = "{chatpair}:nodes"
BEAT_SECONDS = 0.2


@contextmanager
def in_name(path: Path, number: int) -> Iterator[None]:
    """Let an engine have so many members more, who beat like all; say so if it loses any.

    Nodes take whoever beats late for dead, as it does where other programs are busy.
    """
    engine = Engine(path)
    with engine.socket:
        due = engine.command("HLEN", NODES) + number
        _beat(engine, number, 0)
        stop = threading.Event()
        thread = threading.Thread(target=_beat_on, args=(engine, number, stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        left = engine.command("HLEN", NODES)
        if left != due:
            told = f"{left} members are left of {due}: other programs were busy: measure again"
            print(told, file=sys.stderr)


def _beat_on(engine: Engine, number: int, stop: threading.Event) -> None:
    for beat in count(1):
        if stop.wait(BEAT_SECONDS):
            return
        _beat(engine, number, beat)


def _beat(engine: Engine, number: int, beat: int) -> None:
    # A member's value is when it joined, how often it has beaten, and how often it has claimed.
    values = [text for i in range(number) for text in (f"only-{i}.{i:08x}", f"1:{beat}:0")]
    engine.command("HSET", NODES, *values)
