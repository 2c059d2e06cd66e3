"""The log for machines: what it has, and that the page tells all of it."""

import ast
import json
import re
import signal
from pathlib import Path
from typing import Any

from twisted.logger import Logger, LogPublisher

import chatpair
from chatpair.monitoring.json_log import as_json
from tests.support.clients import spins_until
from tests.support.forks import BIN
from tests.support.server import Process, Server

PACKAGE = Path(chatpair.__file__).parent
PAGE = PACKAGE.parent / "docs" / "monitoring.rst"
ROW = re.compile(r"^``(\w+)``  +(.*(?:\n  +.*)*)", re.M)
LOGS = {"info", "warn", "error", "critical"}


def events(log: bytes) -> list[dict[str, Any]]:
    """Return the events of a log."""
    return [json.loads(line) for line in log.splitlines()]


def test_each_line_is_an_object_with_what_happened() -> None:
    with Server("--log-format", "json") as server:
        boris = server.client("Борис")
        boris.says("my secret", "Quit")
        assert [boris.line()[:6], boris.line()] == ["Nobody", "Quit"]
        server.kill(signal.SIGHUP)
        server.wait_for("nothing_to_read")
        server.stop()
        logged = events(server.output)
    assert {event["level"] for event in logged} == {"info"}
    assert all(re.fullmatch(r"[-\d]{10}T[:\d]{8}\.\d{3}\+00:00", one["time"]) for one in logged)
    first = {"time": None, "level": "info", "event": "ready", "version": chatpair.__version__}
    ready = next(one for one in logged if one["event"] == "ready")
    assert ready.keys() == first.keys() | {"logger", "text"}
    assert ready["text"] == f"chatpair {chatpair.__version__} is ready"
    came, went = (one for one in logged if one["event"] == "activity")
    assert came["came"] == {"count": 1, "names": ["Борис"], "reasons": {}}
    assert (came["users"], came["pairs"]) == (1, 0)
    assert went["went"] == {"count": 1, "names": ["Борис"], "reasons": {"quit": 1}}
    assert went["text"].startswith(r"went: \u0411\u043e")
    assert b"secret" not in server.output


def test_a_file_is_turned_over_as_twistd_does(tmp_path: Path) -> None:
    path = tmp_path / "log"
    where = ["--logfile", str(path), "--pidfile="]
    command = [str(BIN / "twistd"), "-n", *where, "chatpair", "--port", "epoll:0"]
    with Process([*command, "--log-format", "json"]) as server:
        spins_until(lambda: path.exists() and b'"ready"' in path.read_bytes())
        server.kill(signal.SIGUSR1)
        spins_until(lambda: (tmp_path / "log.1").exists() and path.exists())
        server.stop()
    assert "ready" in {event["event"] for event in events((tmp_path / "log.1").read_bytes())}
    assert events(path.read_bytes())[-1]["text"] == "Server Shut Down."


def test_a_fault_is_one_line_with_its_traceback() -> None:
    lines: list[str] = []
    observer: Any = lambda event: lines.append(as_json(event))  # noqa: E731
    log = Logger("here", observer=LogPublisher(observer))
    try:
        raise ValueError("wrong\nin two lines")
    except ValueError:
        log.failure("It failed: {what}", what=b"\xff")
    log.warn("Look at {path}", event="look", path=Path("/x"), why=OSError("a"), bad=object)
    fault, look = (json.loads(line) for line in lines)
    assert all(line.count("\n") == 1 for line in lines)
    assert (fault["event"], fault["level"]) == ("fault", "critical")
    assert "Traceback" in fault["text"]
    assert "ValueError: wrong" in fault["text"]
    assert (look["text"], look["path"], look["why"]) == ("Look at /x", "/x", "a")


def logged() -> dict[str, set[str]]:
    """Return what the server's own events are called, and their fields."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "client":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                is_log = re.search(r"_log$|_seldom$", ast.unparse(node.func.value))
                if node.func.attr not in LOGS or not is_log or path.name == "seldom.py":
                    continue
                values = {word.arg: word.value for word in node.keywords if word.arg}
                name = values.pop("event")
                assert isinstance(name, ast.Constant), ast.unparse(node)
                found[str(name.value)] = set(values)
    return found


def test_the_page_tells_of_each_event_and_its_fields() -> None:
    written = PAGE.read_text().partition("The log for machines\n")[2]
    told = {name: set(re.findall(r"``(\w+)``", text)) for name, text in ROW.findall(written)}
    told["activity"] -= {"count", "names", "reasons", "came", "went", "refused", "slowed"}
    told["activity"] -= {"left_without_a_name"}
    assert told == logged()
