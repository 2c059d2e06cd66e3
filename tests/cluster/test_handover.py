"""A node is replaced while people talk across nodes: real processes, real sockets, an engine."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.cluster import LEASE, settle
from tests.support.engine import Engine
from tests.support.replacing import Replaced
from tests.support.server import Client


class Nodes:
    """Nodes that share an engine, each of which can be replaced."""

    def __init__(self, folder: Path, count: int, *options: str, lease: float = LEASE) -> None:
        self._stack = ExitStack()
        self.engine = self._stack.enter_context(Engine(folder / "engine"))
        settle(self.engine)
        self.all: list[Replaced] = []
        for number in range(count):
            own = folder / f"n{number}"
            own.mkdir()
            shared = ("--cluster", self.engine.url, "--lease", f"{lease:g}", *options)
            self.all.append(self._stack.enter_context(Replaced(own, *shared)))
            self.all[-1].server.wait_for("Names can be claimed")

    def __enter__(self) -> "Nodes":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def pair(self) -> tuple[Client, Client]:
        """Let alice at the first node talk with bob at the second."""
        alice, bob = self.all[0].server.client("alice"), self.all[1].server.client("bob")
        alice.calls("bob")
        assert bob.line() == "You are chatting with alice."
        return alice, bob


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    """Two nodes."""
    with Nodes(tmp_path, 2) as nodes:
        yield nodes


def test_other_nodes_notice_nothing(nodes: Nodes) -> None:
    alice, bob = nodes.pair()
    for replaced in (*nodes.all, *nodes.all):
        alice.sends(b"hel")
        bob.says("first")
        replaced.replace()
        assert alice.text() == "first"
        alice.sends(b"lo\n")
        assert bob.text() == "hello"
        # Whoever comes next can call at once.
        carol = replaced.server.client("carol")
        carol.says("To:bob", "Quit")
        assert carol.line() == "bob is talking with someone else."
        assert bob.line() == "carol tried to reach you."
        assert carol.line() == "Quit"
    for replaced in nodes.all:
        assert replaced.server.output.count(b"The other nodes are now") == 0
    alice.says("Quit")
    assert alice.line() == "Quit"
    assert bob.line() == "Quit."
