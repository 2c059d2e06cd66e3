"""What programs that speak JSON live through, behind every door."""

import signal
import threading
from itertools import count

from tests.support.doors import LINES, WEB, through
from tests.support.json_client import JsonClient
from tests.support.json_people import json_client, pair, resume
from tests.support.server import Server

through_every_door = through(*LINES, *WEB)

CUTS = 40


def say(speaker: JsonClient, *texts: str) -> None:
    """Say texts at once, with the ids 1, 2, 3, ..."""
    speaker.socket.sendall(
        b"".join(
            speaker.encoded("say", id=number, text=text) for number, text in enumerate(texts, 1)
        )
    )


def confirmed_up_to(speaker: JsonClient, last: int) -> None:
    """Hear that all up to an id has arrived, and of nothing else but drops."""
    identifier = 0
    while identifier != last:
        event = speaker.hears()
        speaker.does("ack", seq=event["seq"])
        assert event["event"] in ("held", "back") or event["status"] == "confirmed", event
        identifier = event.get("id", 0)


@through_every_door
def test_two_talk_and_one_quits(server: Server) -> None:
    alice, bob, _ = pair(server)
    assert alice.mode == {"event": "mode", "mode": "json", "version": 1, "hold": 60}
    say(alice, "grüße", "two\nlines")
    assert [message["text"] for message in bob.events("message", "message")] == [
        "grüße",
        "two\nlines",
    ]
    say(bob, "hello 👋")
    assert alice.events("message")[0]["text"] == "hello 👋"
    bob.does("ack", seq=4)
    assert alice.events("status")[0] == {
        "event": "status",
        "id": 2,
        "status": "confirmed",
        "seq": 4,
    }
    alice.does("quit")
    assert [event["event"] for event in alice.rest()] == ["quit"]
    status, left = bob.events("status", "left")
    assert (status["id"], status["status"], status["why"]) == (1, "failed", "quit")
    assert left["why"] == "quit"
    again, _ = json_client(server, "alice")
    again.does("to", name="bob")
    again.events("paired")


@through_every_door
def test_one_who_speaks_json_and_one_who_does_not(server: Server) -> None:
    alice, _ = json_client(server, "alice")
    bob = server.client("bob")
    bob.calls("alice")
    alice.events("paired")
    say(alice, "one", "two\nlines")
    assert [bob.text() for _ in range(3)] == ["one", "two", "lines"]
    status = alice.hears()
    if status["id"] == 1:
        status = alice.hears()
    assert (status["id"], status["status"]) == (2, "handed")
    bob.says("grüße")
    assert alice.events("message")[0]["text"] == "grüße"
    bob.says("Quit")
    assert alice.events("left")[0]["why"] == "quit"


@through(*LINES[:1], *WEB[:1])
def test_who_neither_reads_nor_acknowledges_costs_little(server: Server) -> None:
    clients = pair(server)[:2]
    before = server.resident_kib()
    for client in clients:
        texts = (client.encoded("say", id=at, text="\U0001f600" + "x" * 60_000) for at in count(1))
        client.fills(texts, lambda: None)
    assert server.resident_kib() - before < 2 * 2_000


@through_every_door
def test_a_peer_that_never_reads_pauses_the_speaker_and_nobody_else(server: Server) -> None:
    alice, bob, _ = pair(server)
    carol, _ = json_client(server, "carol")
    dave = server.client("dave")
    dave.calls("carol")
    carol.events("paired")
    before = server.resident_kib()

    def others_talk() -> None:
        dave.says("are you there?")
        carol.does("ack", seq=carol.events("message")[0]["seq"])

    numbers = count(1)
    unsent = alice.fills(
        (alice.encoded("say", id=at, text=f"{at:07} {'x' * 9_000}") for at in numbers), others_talk
    )
    said = next(numbers) - 1
    assert server.resident_kib() - before < 8_000
    rest = threading.Thread(target=alice.socket.sendall, args=(unsent,))
    rest.start()
    for number in range(1, said + 1):
        message = bob.events("message")[0]
        assert message["text"] == f"{number:07} {'x' * 9_000}"
        bob.does("ack", seq=message["seq"])
    rest.join()
    confirmed_up_to(alice, said)


@through_every_door
def test_another_connection_takes_a_line_over(server: Server) -> None:
    alice, bob, key = pair(server)
    say(alice, "one", "two")
    bob.events("message", "message")
    again = resume(server, key, 3)
    assert [event["code"] for event in bob.rest()] == ["bad-key"]
    assert again.events("message")[0]["text"] == "two"
    again.does("ack", seq=4)
    assert [status["id"] for status in alice.events("status", "status")] == [1, 2]
    say(again, "it is me")
    assert alice.events("message")[0]["text"] == "it is me"


@through_every_door
def test_lines_that_are_cut_again_and_again_lose_nothing(server: Server) -> None:
    alice, bob, key = pair(server)
    seen = 2
    for number in range(1, CUTS + 1):
        alice.does("say", id=2 * number - 1, text=str(2 * number - 1))
        alice.does("say", id=2 * number, text=str(2 * number))
        for _ in range(number % 3):
            message = bob.events("message")[0]
            seen += 1
            assert (message["seq"], message["text"]) == (seen, str(seen - 2))
        if number % 2:
            bob.does("ack", seq=seen)
        (bob.resets if number % 4 < 2 else bob.close)()
        bob = resume(server, key, seen)
    while seen < 2 * CUTS + 2:
        seen += 1
        assert bob.events("message")[0]["text"] == str(seen - 2)
    bob.does("ack", seq=seen)
    confirmed_up_to(alice, 2 * CUTS)


@through_every_door
def test_stopping_tells_everybody(port: str) -> None:
    with Server(port=port) as server:
        alice, bob, _ = pair(server)
        unnamed, _ = json_client(server)
        texts = [f"{number} {'x' * 1_000}" for number in range(500)]
        say(alice, *texts)
        assert bob.events("message")[0]["text"] == texts[0]
        server.kill(signal.SIGTERM)
        heard = bob.rest()
        messages = [event["text"] for event in heard if event["event"] == "message"]
        assert messages == texts[1 : 1 + len(messages)]
        for events in (heard, alice.rest(), unnamed.rest()):
            assert events[-1]["text"] == "The server is stopping.", events
        assert (heard[-2]["event"], heard[-2]["why"]) == ("left", "stopped")
        assert server.wait() == -signal.SIGTERM
        assert b"Traceback" not in server.output
