"""A node is replaced while people talk across nodes: real processes, real sockets, an engine."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest

from tests.support.cluster import LEASE, SHORT, settle
from tests.support.engine import Engine
from tests.support.replacing import Between, Replaced
from tests.support.server import Client, Server
from tests.support.talking import talk


@contextmanager
def started(
    engine: Engine, folder: Path, count: int, *options: str, lease: float = LEASE
) -> Iterator[list[Replaced]]:
    """Start nodes that share an engine, each of which can be replaced."""
    with ExitStack() as stack:
        nodes = []
        for number in range(count):
            own = folder / f"n{number}"
            own.mkdir()
            shared = ("--cluster", engine.url, "--lease", f"{lease:g}", *options)
            nodes.append(stack.enter_context(Replaced(own, *shared)))
            nodes[-1].server.wait_for("Names can be claimed")
        yield nodes


def noticed_nothing(nodes: list[Replaced]) -> bool:
    """Tell whether no process has taken another node for dead, or for a new one."""
    outputs = [replaced.server.output for replaced in nodes]
    return all(output.count(b"The other nodes are now") <= len(nodes) for output in outputs)


def pair(nodes: list[Replaced]) -> tuple[Client, Client]:
    """Let alice at the first node talk with bob at the second."""
    alice, bob = nodes[0].server.client("alice"), nodes[1].server.client("bob")
    alice.is_patient = bob.is_patient = True  # for a slow node's users seem to be away
    alice.calls("bob")
    assert bob.line() == "You are chatting with alice."
    return alice, bob


@pytest.fixture
def nodes(shared_engine: Engine, tmp_path: Path) -> Iterator[list[Replaced]]:
    """Two nodes."""
    with started(shared_engine, tmp_path, 2) as nodes:
        yield nodes


def test_other_nodes_notice_nothing(nodes: list[Replaced]) -> None:
    alice, bob = pair(nodes)
    for replaced in (*nodes, *nodes):
        alice.sends(b"hel")
        bob.says("first")
        old = replaced.replace()
        assert b"No names can be claimed" not in old.output
        assert alice.text() == "first"
        alice.sends(b"lo\n")
        assert bob.text() == "hello"
        # Whoever comes next can call at once.
        carol = replaced.server.client("carol")
        carol.says("To:bob", "Quit")
        assert carol.line() == "bob is talking with someone else."
        assert bob.line() == "carol tried to reach you."
        assert carol.line() == "Quit"
    assert noticed_nothing(nodes)
    alice.says("Quit")
    assert alice.line() == "Quit"
    assert bob.line() == "Quit."


STEPS = ("asked", "pipe", "snapshot", "sockets", "have")


@pytest.mark.parametrize("step", STEPS)
def test_the_new_process_is_killed(step: str, nodes: list[Replaced]) -> None:
    first, _ = nodes
    alice, bob = pair(nodes)
    with Between(first.path) as between, first.starting() as new:
        between.at(step, new.kill)
        assert new.wait() == -signal.SIGKILL
    for _ in range(2):
        alice.tells(bob, "still here?")
        bob.tells(alice, "as ever")
        first.server.client("carol").says("Quit")
        first.replace()
    assert noticed_nothing(nodes)


@pytest.mark.parametrize("step", STEPS)
def test_the_old_process_is_killed(step: str, shared_engine: Engine, tmp_path: Path) -> None:
    with started(shared_engine, tmp_path, 2, lease=2 * SHORT) as nodes:
        first, second = nodes
        alice, bob = pair(nodes)
        alice.says("/key")
        key = alice.line().split()[3].rstrip(".")
        with Between(first.path) as between, first.starting() as new:
            between.at(step, partial(dies, first.server))
            new.wait_for("is ready")
            if step == "have":
                assert both_are_told(alice, bob)
            elif step == "sockets":  # all is known but the connections
                alice = second.server.client()
                alice.is_patient = True
                alice.says(f"Back:{key}")
                while alice.line() != "You are chatting with bob.":
                    pass
                assert both_are_told(alice, bob)
            else:  # nothing is known
                assert bob.line() == "Quit."
            assert new.stop() == -signal.SIGTERM


def dies(server: Server) -> None:
    """Kill a server."""
    server.kill()
    assert server.wait() == -signal.SIGKILL


def both_are_told(alice: Client, bob: Client) -> bool:
    """Tell whether each hears what the other says."""
    for speaker, listener in ((alice, bob), (bob, alice)):
        speaker.tells(listener, "hello")
    return True


def test_a_node_moves_to_another_engine(shared_engine: Engine, tmp_path: Path) -> None:
    with (
        started(shared_engine, tmp_path, 2, lease=2 * SHORT) as nodes,
        Engine(tmp_path / "other") as other,
    ):
        settle(other)
        first, second = nodes
        alice, bob = pair(nodes)
        carol, dave = first.server.pair("carol", "dave")
        with first.starting("--cluster", other.url) as new:
            new.wait_for("Took over(.|\n)*Names can be claimed")
            # Only who talks with somebody at a node that is no other any more is told anything.
            assert (alice.line(), bob.line()) == ("Quit.", "Quit.")
            carol.tells(dave, "hello")
            alice.says("To:bob")
            assert alice.line() == "The user bob does not exist."
            second.server.client("alice").calls("bob")
            assert new.stop() == -signal.SIGTERM


# Versions

NOT_UNDERSTOOD = r"What \S+ told is not understood; is it of another version\?"


@pytest.mark.parametrize("version", ["older", "newer"])
def test_one_node_is_of_another_version(version: str, nodes: list[Replaced]) -> None:
    first, second = nodes
    alice, bob = pair(nodes)
    with first.server, first.starting_another(version) as other:
        other.wait_for("Took over")
        assert first.server.wait() == 0
        if version == "newer":
            second.server.wait_for(r"\S+ speaks version 3 of .*, and this one 2")
            second.server.wait_for(NOT_UNDERSTOOD)
            second.replace()
        else:
            second.replace()
            other.wait_for(NOT_UNDERSTOOD)
        assert both_are_told(alice, bob)
        carol = second.server.client("carol")
        carol.says("To:alice")
        assert carol.line() == "alice is talking with someone else."
        assert alice.line() == "carol tried to reach you."
        bob.says("/bye")
        assert (bob.line(), alice.line()) == ("You are free.", "Quit.")
        alice.calls("carol")
        assert carol.line() == "You are chatting with alice."
        assert both_are_told(alice, carol)
        assert other.stop() == -signal.SIGTERM
        assert carol.line() == "Quit."
        for output in (other.output, second.server.output):
            assert b"fault" not in output


# All the time


@pytest.mark.parametrize(
    ("pairs", "times"), [(6, 3), pytest.param(200, 20, marks=pytest.mark.endurance)]
)
def test_each_line_comes_once_and_in_order(
    pairs: int, times: int, shared_engine: Engine, tmp_path: Path
) -> None:
    with started(shared_engine, tmp_path, 3, "--max-per-host", "1000") as nodes:
        turns = cycle(nodes)
        ports = [replaced.server.port for replaced in nodes]
        talk(ports, pairs, times, lambda: next(turns).replace())
        assert noticed_nothing(nodes)
