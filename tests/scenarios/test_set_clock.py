"""A clock that is set moves no timer, and is what people read."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.support.clients import spins_until
from tests.support.cluster import SHORT, Node
from tests.support.engine import Engine
from tests.support.json_people import json_client
from tests.support.server import Client, Server
from tests.support.set_clock import SetClock


@pytest.fixture
def set_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Let programs that are started have a time of day that is off by so many seconds."""
    clock = SetClock(tmp_path)
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    return clock.set


def _time_read(speaker: Client, listener: Client) -> datetime:
    """Return the time of a line that is said now."""
    speaker.says("hello")
    return datetime.strptime(listener.line()[1:25], "%a %b %d %H:%M:%S %Y")


@pytest.mark.parametrize(("offset", "seconds"), [("-3600", "1"), ("+86400", "3600")])
def test_nobody_waits_longer_or_is_late(
    port: str, set_clock: Callable[[str], object], offset: str, seconds: str
) -> None:
    options = ("--name-time", seconds, "--hold", seconds, "--rate", "1")
    with Server(*options, port=port) as server:
        alice, bob = server.pair()
        before = _time_read(alice, bob)
        held, _ = json_client(server, "carol")
        caller = server.caller("dan", "carol")
        unnamed = server.client()
        held.close()
        assert "carol" in caller.line()
        set_clock(offset)
        for _ in range(3):  # with turns after the first
            passed = _time_read(alice, bob) - before
            assert abs(passed - timedelta(seconds=int(offset))) < timedelta(minutes=10)
        if seconds == "1":
            assert unnamed.line() == "No name came within 1 seconds."
            assert caller.line() == "Quit."
        else:
            unnamed.says("carol")
            assert unnamed.line() == "Reuse"


def test_a_node_goes_on_with_its_heartbeats(
    shared_engine: Engine, set_clock: Callable[[str], object]
) -> None:
    def beats() -> int:
        [value] = shared_engine.command("HVALS", "{chatpair}:nodes")
        return int(value.split(b":")[1])

    with Node("n1", shared_engine.url, lease=SHORT) as node:
        node.joins()
        set_clock("-3600")
        before = beats()
        spins_until(lambda: beats() > before + 2)
