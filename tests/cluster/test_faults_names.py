"""Names that are claimed on two nodes at once, and calls that cross between nodes."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from tests.support.cluster import Cluster, Node
from tests.support.json_client import JsonClient
from tests.support.json_people import json_client
from tests.support.server import TIMEOUT, Client

T = TypeVar("T")

MANY = 300
ROUNDS = 100


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Cluster:
    """Nodes, of which two are asked."""
    return shared_cluster


def at_once(*acts: Callable[[], T]) -> list[T]:
    """Do things in threads that all begin at the same moment; return what they return."""
    barrier = threading.Barrier(len(acts))

    def act(what: Callable[[], T]) -> T:
        barrier.wait(TIMEOUT)
        return what()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


def claim(client: Client, name: str) -> Callable[[], str]:
    """Return what claims a name, and returns the answer."""

    def act() -> str:
        client.says(name)
        return client.line()

    return act


@pytest.mark.parametrize("other", ["a{}", "A{}", "\N{CYRILLIC SMALL LETTER A}{}"])
def test_of_two_who_claim_a_name_at_once_one_has_it(cluster: Cluster, other: str) -> None:
    for number in range(ROUNDS):
        clients = [node.client() for node in cluster.nodes[:2]]
        names = (f"a{number}{cluster.mark}", f"{other.format(number)}{cluster.mark}")
        answers = at_once(*map(claim, clients, names))
        assert sorted(answers) == ["OK", "Reuse"], (names, answers)
        winner, loser = sorted(range(2), key=answers.__getitem__)
        # It is the winner's for all, and free once the winner has gone.
        clients[winner].says("Quit")
        assert clients[winner].line() == "Quit"
        assert clients[winner].line() == ""
        clients[loser].close()


def test_many_who_claim_the_same_names_in_other_orders(cluster: Cluster) -> None:
    names = [f"n{number}{cluster.mark}" for number in range(MANY)]

    def claims(node: Node, order: Sequence[str]) -> Callable[[], set[str]]:
        clients = {name: node.client() for name in order}

        def act() -> set[str]:
            for name, client in clients.items():
                client.says(name)
            return {name for name, client in clients.items() if client.line() == "OK"}

        return act

    first, second = at_once(
        claims(cluster.nodes[0], names), claims(cluster.nodes[1], [*reversed(names)])
    )
    assert first.isdisjoint(second)
    assert first | second == {*names}


def marked(client: Client, mark: str) -> list[str]:
    """Return what is told before the answer to a command that there is not."""
    client.says(mark)
    unknown = f"No such command: {mark}. Type /help, or put a space first to say it."
    return list(iter(client.line, unknown))


def test_two_plain_users_whose_calls_cross_are_one_pair(cluster: Cluster) -> None:
    names = [f"alice{cluster.mark}", f"bob{cluster.mark}"]
    alice, bob = map(Node.client, cluster.nodes, names)

    def call(client: Client, name: str) -> Callable[[], list[str]]:
        def act() -> list[str]:
            client.says(f"To:{name}")
            return marked(client, "/over")

        return act

    for number in range(ROUNDS):
        told = at_once(call(alice, names[1]), call(bob, names[0]))
        for lines, other in zip(told, reversed(names), strict=True):
            assert lines[0] == f"You are chatting with {other}.", (number, told)
            assert lines[1:] in ([], [f"You are already chatting with {other}."])
        alice.says(f"{number}")
        assert bob.text() == f"{number}"
        bob.says(f"{number}")
        assert alice.text() == f"{number}"
        ends, stays = (alice, bob) if number % 2 else (bob, alice)
        ends.says("/bye")
        assert [ends.line(), stays.line()] == ["You are free.", "Quit."]


def test_two_programs_whose_calls_cross_are_one_pair(cluster: Cluster) -> None:
    names = [f"alice{cluster.mark}", f"bob{cluster.mark}"]
    (alice, _), (bob, _) = map(json_client, cluster.nodes, names)

    def over(client: JsonClient, name: str) -> Callable[[], list[object]]:
        def act() -> list[object]:
            client.does("to", name=name)
            client.does("over")
            told = []
            while (event := client.hears()).get("of") != "over":
                client.does("ack", seq=event["seq"])
                told.append(event.get("code", event["event"]))
            return told

        return act

    for number in range(ROUNDS):
        told = at_once(over(alice, names[1]), over(bob, names[0]))
        for events in told:
            assert events in (["paired"], ["paired", "already"]), (number, told)
        alice.does("bye")
        assert alice.events("free")
        assert bob.events("left")[0]["why"] == "bye"
