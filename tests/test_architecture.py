"""Imports run downward only, folder by folder: docs/architecture.rst draws them."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import chatpair

PACKAGE = Path(chatpair.__file__).parent

ORDER = (
    ("__init__", "boot_clock", "extras"),
    ("exchange", "epoll", "conformance"),
    ("codecs",),
    ("wire",),
    ("passwords",),
    ("sessions",),
    ("protocol",),
    ("factory",),
    ("doors", "cluster", "signals", "ownership"),
    ("monitoring", "handover"),
    ("options",),
    ("tap", "server"),
)
"""The folders, and the files beside them, from the lowest: each may import those before its own."""

OF_CLIENT = {
    *("client", "aio", "codecs", "exchange.messages", "exchange.names"),
    *("wire.liveness", "wire.privacy", *ORDER[0]),
}
"""What the client is made of, and what programs import: that is offered by the package itself."""

FOR_PROGRAMS = ("client", "aio", "__init__")

FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(path: Path) -> str:
    """Return the name of a module without the package's."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = {module_of(path) for path in FILES}


@cache
def imported_by(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide which folder is meant"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return {name.removeprefix("chatpair.") for name in names} & MODULES


def floor_of(module: str) -> int:
    """Return how high a module stands, from 0."""
    folder = module.split(".")[0]
    return next(floor for floor, folders in enumerate(ORDER) if folder in folders)


@pytest.mark.parametrize("path", FILES, ids=[module_of(path) for path in FILES])
def test_imports_only_what_is_below(path: Path) -> None:
    module = module_of(path)
    if module.split(".")[0] in FOR_PROGRAMS:
        assert not {
            name for name in imported_by(path) if {name, name.split(".")[0]}.isdisjoint(OF_CLIENT)
        }
        return
    folder = module.split(".")[0]
    others = {name for name in imported_by(path) if name.split(".")[0] != folder}
    assert not {name for name in others if floor_of(name) >= floor_of(module)}


def test_no_file_imports_itself_by_way_of_others() -> None:
    # If one does, this raises, and tells the way.
    TopologicalSorter({module_of(path): imported_by(path) for path in FILES}).prepare()
