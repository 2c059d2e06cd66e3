"""Imports run one way: each module knows the ones below it, and no other."""

import ast
from pathlib import Path

import pytest

import chatpair

PACKAGE = Path(chatpair.__file__).parent

# What each room may import, itself aside; docs say why.
BELOW = {
    "chatpair": set(),
    "chatpair.text": set(),
    "chatpair.telnet": set(),
    "chatpair.delay": set(),
    "chatpair.liveness": {"chatpair.delay"},
    "chatpair.readiness": set(),
    "chatpair.transport": set(),
    "chatpair.epoll": {"chatpair.transport"},
    "chatpair.activity": set(),
    "chatpair.messages": set(),
    "chatpair.names": set(),
    "chatpair.framing": {"chatpair.telnet"},
    "chatpair.codecs": {"chatpair.messages", "chatpair.names", "chatpair.text"},
    "chatpair.privacy": set(),
    "chatpair.worker": set(),
    "chatpair.watched_file": set(),
    "chatpair.registry": {"chatpair.names"},
    "chatpair.htpasswd": {"chatpair.password_file"},
    "chatpair.password_file": {
        "chatpair.names",
        "chatpair.registry",
        "chatpair.watched_file",
        "chatpair.worker",
    },
    "chatpair.tries": {"chatpair.delay"},
    "chatpair.accounts": {
        "chatpair.messages",
        "chatpair.names",
        "chatpair.registry",
        "chatpair.tries",
        "chatpair.watched_file",
        "chatpair.worker",
    },
    "chatpair.receipts": {"chatpair.messages"},
    "chatpair.limits": set(),
    "chatpair.keys": {"chatpair.limits"},
    "chatpair.user": {"chatpair.messages", "chatpair.names", "chatpair.receipts"},
    "chatpair.held": {
        "chatpair.delay",
        "chatpair.keys",
        "chatpair.messages",
        "chatpair.user",
    },
    "chatpair.calls": {
        "chatpair.delay",
        "chatpair.held",
        "chatpair.messages",
        "chatpair.names",
        "chatpair.user",
    },
    "chatpair.factory": {
        "chatpair.accounts",
        "chatpair.activity",
        "chatpair.calls",
        "chatpair.delay",
        "chatpair.limits",
        "chatpair.liveness",
        "chatpair.messages",
        "chatpair.names",
        "chatpair.user",
    },
    "chatpair.connection": {"chatpair.factory", "chatpair.framing", "chatpair.liveness"},
    "chatpair.command_queue": {"chatpair.messages"},
    "chatpair.answers": {"chatpair.command_queue", "chatpair.connection", "chatpair.user"},
    "chatpair.commands": {
        "chatpair.answers",
        "chatpair.codecs",
        "chatpair.command_queue",
        "chatpair.factory",
        "chatpair.limits",
        "chatpair.messages",
        "chatpair.user",
    },
    "chatpair.login": {
        "chatpair.commands",
        "chatpair.messages",
        "chatpair.names",
        "chatpair.privacy",
    },
    "chatpair.protocol": {
        "chatpair.codecs",
        "chatpair.commands",
        "chatpair.connection",
        "chatpair.factory",
        "chatpair.limits",
        "chatpair.login",
        "chatpair.messages",
        "chatpair.text",
        "chatpair.user",
    },
    "chatpair.cluster": {
        "chatpair.accounts",
        "chatpair.activity",
        "chatpair.calls",
        "chatpair.commands",
        "chatpair.delay",
        "chatpair.factory",
        "chatpair.held",
        "chatpair.keys",
        "chatpair.limits",
        "chatpair.liveness",
        "chatpair.messages",
        "chatpair.names",
        "chatpair.protocol",
        "chatpair.receipts",
        "chatpair.user",
    },
    "chatpair.doors": {"chatpair.codecs", "chatpair.factory", "chatpair.limits"},
    "chatpair.options": {
        "chatpair",
        "chatpair.accounts",
        "chatpair.cluster",
        "chatpair.codecs",
        "chatpair.doors",
        "chatpair.messages",
        "chatpair.text",
    },
    "chatpair.tap": {
        "chatpair",
        "chatpair.accounts",
        "chatpair.cluster",
        "chatpair.doors",
        "chatpair.factory",
        "chatpair.liveness",
        "chatpair.options",
        "chatpair.protocol",
        "chatpair.readiness",
    },
    "chatpair.client": {
        "chatpair",
        "chatpair.codecs",
        "chatpair.messages",
        "chatpair.names",
        "chatpair.privacy",
        "chatpair.text",
    },
}


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def rooms_imported_by(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, "relative imports hide which room is meant"
            modules.update(
                f"{node.module}.{alias.name}" if node.module == "chatpair" else node.module
                for alias in node.names
            )
    ours = {module for module in modules if module.split(".")[0] == "chatpair"}
    known = set(BELOW) - {"chatpair"}
    return {room_of(module) if room_of(module) in known else "chatpair" for module in ours}


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=[module_of(path) for path in FILES])
def test_imports_only_what_is_below(path: Path) -> None:
    room = room_of(module_of(path))
    assert rooms_imported_by(path) - {room} <= BELOW[room]


def test_nothing_is_below_itself() -> None:
    def reach(room: str, seen: frozenset[str]) -> None:
        assert room not in seen
        for lower in BELOW[room]:
            reach(lower, seen | {room})

    for room in BELOW:
        reach(room, frozenset())
