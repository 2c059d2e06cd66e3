"""What programs live through behind the web's doors, and what one costs that never reads.

The cases of chatpair.conformance are played through the others: see tests/conformance.
"""

import threading
from itertools import count
from typing import Any

import pytest

from tests.support.doors import WEB, through
from tests.support.json_people import json_client, pair
from tests.support.server import Connection, Server


@through(*WEB)
@pytest.mark.parametrize("how", [Connection.resets, Connection.close])
def test_a_lost_line_is_resumed_and_left(server: Server, how: Any) -> None:
    alice, bob, key = pair(server)
    how(bob)
    alice.events("held")
    for number in range(1, 101):
        alice.does("say", id=number, text=f"{number}\ngrüße 👋")
    bob, _ = json_client(server)
    bob.does("resume", key=key, seen=2)
    assert bob.hears() == {"event": "resumed", "name": "bob", "peer": "alice", "got": 0, "pair": 1}
    assert [bob.hears()["text"] for _ in range(100)] == [f"{n}\ngrüße 👋" for n in range(1, 101)]
    alice.events("back")
    bob.does("ack", seq=102)
    assert alice.events("status")[0]["id"] == 100
    alice.does("quit")
    assert [event["event"] for event in alice.rest()] == ["quit"]
    assert bob.events("left")[0]["why"] == "quit"


@through("tcp:0", *WEB[:1])
def test_who_neither_reads_nor_acknowledges_costs_little(server: Server) -> None:
    clients = pair(server)[:2]
    before = server.resident_kib()
    for client in clients:
        texts = (client.encoded("say", id=at, text="\U0001f600" + "x" * 60_000) for at in count(1))
        client.fills(texts, lambda: None)
    assert server.resident_kib() - before < 2 * 2_000


@through("epoll:0", *WEB)
def test_a_peer_that_never_reads_pauses_the_speaker_and_nobody_else(server: Server) -> None:
    alice, bob, _ = pair(server)
    carol, dave = server.pair("carol", "dave")
    before = server.resident_kib()

    def others_talk() -> None:
        carol.tells(dave, "are you there?")

    numbers = count(1)
    unsent = alice.fills(
        (alice.encoded("say", id=at, text=f"{at:07} {'x' * 9_000}") for at in numbers), others_talk
    )
    said = next(numbers) - 1
    assert server.resident_kib() - before < 8_000
    rest = threading.Thread(target=alice.socket.sendall, args=(unsent,))
    rest.start()
    for number in range(1, said + 1):
        (message,) = bob.events("message")
        assert message["text"] == f"{number:07} {'x' * 9_000}"
        bob.does("ack", seq=message["seq"])
    rest.join()
    last = 0
    while last != said:
        (status,) = alice.events("status")
        assert status["status"] == "confirmed"
        alice.does("ack", seq=status["seq"])
        last = status["id"]
