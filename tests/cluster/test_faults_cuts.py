"""Connections to the engine that are cut in the middle of anything: no line is lost or doubled."""

from tests.support.cluster import NOT_READY, Cluster
from tests.support.server import Client

LINES = 30


def test_cuts_anywhere_lose_nothing_of_what_is_said(shared_cluster: Cluster) -> None:
    alice, bob = shared_cluster.pair()
    for number, count in enumerate([*range(16), *range(16, 560, 34), *range(700, 4_000, 300)]):
        for way in shared_cluster.ways:
            way.cut_after(count)
        lines = [f"{number} {line} {'x' * (count // 20)}" for line in range(LINES)]
        for speaker, hearer in ((alice, bob), (bob, alice)):
            speaker.says(*lines)
            assert [hearer.text() for _ in lines] == lines
    alice.says("/bye")
    assert [alice.line(), bob.line()] == ["You are free.", "Quit."]


def claims(client: Client, name: str) -> None:
    """Have a name, however often it must be asked for."""
    client.says(name)
    while (answer := client.line()) != "OK":
        # It had it before, and the engine has not been told yet that it has gone.
        assert answer in (NOT_READY, "Reuse")
        client.says(name)


def test_cuts_anywhere_while_names_are_claimed_and_calls_made(shared_cluster: Cluster) -> None:
    first, second, _ = shared_cluster.nodes
    names = [f"alice{shared_cluster.mark}", f"bob{shared_cluster.mark}"]
    for number, count in enumerate(range(0, 1_500, 107)):
        for way in shared_cluster.ways:
            way.cut_after(count)
        alice, bob = clients = first.client(), second.client()
        for client, name in zip(clients, names, strict=True):
            claims(client, name)
        paired = f"You are chatting with {names[1]}."
        alice.says(f"To:{names[1]}")
        while (answer := alice.line()) != paired:
            assert answer == NOT_READY
            alice.says(f"To:{names[1]}")
        assert bob.line() == f"You are chatting with {names[0]}."
        alice.says(f"{number}")
        assert bob.text() == f"{number}"
        alice.says("Quit")
        told = list(iter(alice.line, "Quit"))
        # By a call that was late.
        assert told in ([], [f"You are already chatting with {names[1]}."])
        assert bob.line() == "Quit."
        bob.says("Quit")
        assert bob.line() == "Quit"
        for client in clients:
            client.close()
