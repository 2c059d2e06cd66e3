"""Connections that are cut in the middle of anything: no line is lost or doubled."""

from tests.support.clients import Piped
from tests.support.cluster import Cluster, Listener
from tests.support.json_people import json_client
from tests.support.proxy import Proxy

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


def test_the_client_goes_on_through_another_node(shared_cluster: Cluster) -> None:
    first, second, _ = shared_cluster.nodes
    name, peer = f"alice{shared_cluster.mark}", f"bob{shared_cluster.mark}"
    with (
        Proxy(first.port) as way,
        Piped(*way.address, "--name", name, "--to", peer, "--wait") as alice,
    ):
        assert alice.notice() == f"Welcome, {name}."
        alice.write(b"0\n")
        assert alice.notice() == f"Waiting for {peer} ..."
        # What was written at once comes as one text.
        bob = Listener(json_client(second, peer)[0], "paired", "held", "back")
        said = 0
        for number in range(20):
            way.lead_to((second if number % 2 == 0 else first).port)
            for _ in range(20):
                said += 1
                alice.write(f"{said}\n".encode())
            bob.hears_until(lambda one, last=str(said): one.lines[-1:] == [last])  # type: ignore[misc]
        assert bob.lines == [str(number) for number in range(said + 1)]
        alice.close_input()
        assert alice.wait() == 0
