"""Lines that are taken back, or over, on another node than the one that they were had on."""

from collections.abc import Callable

import pytest

from chatpair.exchange.keys import WRONG_KEYS
from tests.support.clients import Piped
from tests.support.cluster import NOT_READY, Cluster, Listener
from tests.support.json_people import json_client
from tests.support.proxy import Proxy
from tests.support.server import Connection


@pytest.mark.parametrize("where", range(3))
@pytest.mark.parametrize("how", [Connection.resets, Connection.close])
def test_a_program_takes_its_line_back_on_any_node(
    shared_cluster: Cluster, where: int, how: Callable[[Connection], None]
) -> None:
    mark = shared_cluster.mark
    alice, bob, key = shared_cluster.json_pair()
    how(bob)
    assert alice.events("held")[0]["peer"] == f"bob{mark}"
    for number in range(1, 101):
        alice.does("say", id=number, text=str(number))
    bob, _ = json_client(shared_cluster.nodes[where])
    bob.does("resume", key=key, seen=2)
    (resumed,) = bob.events("resumed")
    told = resumed["name"], resumed["peer"], resumed["got"], resumed["pair"]
    assert told == (f"bob{mark}", f"alice{mark}", 0, 1)
    assert [bob.hears()["text"] for _ in range(100)] == [str(n) for n in range(1, 101)]
    alice.events("back")
    bob.does("ack", seq=102)
    settled = 0
    while settled < 100:
        settled = alice.events("status")[0]["id"]
    bob.does("say", id=1, text="here")
    assert alice.events("message")[0]["text"] == "here"
    alice.does("bye")
    alice.events("free")
    # The status of what was not acknowledged, and the end, come the same way.
    assert bob.hears()["event"] in ("left", "status")


def test_keys_of_a_frozen_node_are_no_wrong_ones(shared_cluster: Cluster) -> None:
    first, second, third = shared_cluster.nodes
    name = f"alice{shared_cluster.mark}"
    alice = first.client(name)
    alice.says("/key")
    key = alice.line().split()[3].rstrip(".")
    alice.resets()
    first.freeze()
    tries = [node.client() for node in (second, third) for _ in range(WRONG_KEYS + 1)]
    for person in tries:
        person.says(f"Back:{key}")
    assert {person.line() for person in tries} == {NOT_READY}
    first.thaw()
    for node in (second, third):
        again = node.client()
        again.says(f"Back:{key}")
        while (answer := again.line()) == NOT_READY:  # on a slow machine
            again.says(f"Back:{key}")
        assert answer == "OK"


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
