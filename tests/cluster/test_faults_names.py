"""Names that are claimed on two nodes at once, and calls that cross between nodes."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tests.support.cluster import Cluster, Node
from tests.support.server import TIMEOUT, Client

T = TypeVar("T")

ROUNDS = 100

OVER = "No such command: /over. Type /help, or put a space first to say it."


def at_once(*acts: Callable[[], T]) -> list[T]:
    """Do things in threads that all begin at the same moment; return what they return."""
    barrier = threading.Barrier(len(acts))

    def act(what: Callable[[], T]) -> T:
        barrier.wait(TIMEOUT)
        return what()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


def test_of_two_who_claim_a_name_at_once_one_has_it(shared_cluster: Cluster) -> None:
    mark = shared_cluster.mark
    # As it is, in another case, and in Cyrillic; the second node is asked in the other order.
    ways = [
        other for other in ("a{}", "A{}", "\N{CYRILLIC SMALL LETTER A}{}") for _ in range(ROUNDS)
    ]
    asked = (
        [f"a{number}{mark}" for number in range(len(ways))],
        [f"{other.format(number)}{mark}" for number, other in enumerate(ways)],
    )

    def claims(node: Node, names: Sequence[str], order: Sequence[int]) -> Callable[[], set[int]]:
        clients = {number: node.client() for number in order}

        def act() -> set[int]:
            for number, client in clients.items():
                client.says(names[number])
            answers = {number: client.line() for number, client in clients.items()}
            assert {*answers.values()} <= {"OK", "Reuse"}
            return {number for number, answer in answers.items() if answer == "OK"}

        return act

    orders = range(len(ways)), range(len(ways))[::-1]
    first, second = at_once(*map(claims, shared_cluster.nodes, asked, orders))
    assert first.isdisjoint(second)
    assert first | second == {*range(len(ways))}


def test_two_plain_users_whose_calls_cross_are_one_pair(shared_cluster: Cluster) -> None:
    names = [f"alice{shared_cluster.mark}", f"bob{shared_cluster.mark}"]
    alice, bob = map(Node.client, shared_cluster.nodes, names)

    def call(client: Client, name: str) -> Callable[[], list[str]]:
        def act() -> list[str]:
            client.says(f"To:{name}", "/over")
            return list(iter(client.line, OVER))

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
