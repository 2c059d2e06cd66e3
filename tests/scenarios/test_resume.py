"""Held lines at a real server: real cuts, frozen programs, a pulled cable."""

import re
import signal
import sys
import threading
from typing import Any

import pytest

from tests.scenarios.test_vanishing import TwoMachines, machines
from tests.support.doors import LINES, TCP, WEB, through
from tests.support.json_people import json_client, pair, resume
from tests.support.server import TIMEOUT, Connection, Process, Server, require

__all__ = ["machines"]  # a fixture


@through(*LINES, *WEB)
@pytest.mark.parametrize("how", [Connection.resets, Connection.close])
def test_a_lost_line_is_resumed(server: Server, how: Any) -> None:
    alice, bob, key = pair(server)
    how(bob)
    alice.events("held")
    for number in range(1, 101):
        alice.does("say", id=number, text=str(number))
    bob, _ = json_client(server)
    bob.does("resume", key=key, seen=2)
    assert bob.hears() == {"event": "resumed", "name": "bob", "peer": "alice", "got": 0, "pair": 1}
    assert [bob.hears()["text"] for _ in range(100)] == [str(n) for n in range(1, 101)]
    alice.events("back")
    bob.does("ack", seq=102)
    assert alice.events("status")[0]["id"] == 100


@through(*LINES)
def test_a_plain_line_is_taken_back(server: Server) -> None:
    alice, bob = server.pair()
    bob.says("/key")
    key = bob.line().split()[3].rstrip(".")
    bob.resets()
    assert alice.line() == "bob has lost the connection. What you say is kept for a while."
    alice.says("are you there?")
    again = server.client()
    again.says(f"Back:{key}")
    assert [again.line(), again.line()] == ["OK", "You are chatting with alice."]
    assert again.text() == "are you there?"
    assert alice.line() == "bob is back."


def test_the_hold_runs_out(port: str) -> None:
    with Server("--hold", "1", port=port) as server:
        alice, bob, key = pair(server)
        alice.does("say", id=1, text="hi")
        bob.resets()
        _, status, left = alice.events("held", "status", "left")
        assert (status["id"], status["status"], status["why"]) == (1, "failed", "lost")
        assert left["why"] == "lost"
        bob, _ = json_client(server)
        bob.does("resume", key=key)
        assert bob.events("error")[0]["code"] == "bad-key"


@through("epoll:0", "websocket")
def test_where_nothing_is_held_a_closed_window_frees_the_peer(port: str) -> None:
    with Server("--hold", "0", port=port) as server:
        alice, bob, _ = pair(server)
        assert bob.mode["hold"] == 0
        for how in (Connection.resets, Connection.close):
            how(bob)
            assert alice.events("left")[0]["why"] == "lost"
            bob, _ = json_client(server, "bob")
            alice.does("to", name="bob")
            assert alice.events("paired")[0]["peer"] == "bob"
            bob.events("paired")


def test_a_frozen_program_loses_its_line_and_is_closed_when_it_wakes(server: Server) -> None:
    require("nc")
    alice, _ = json_client(server, "alice")
    with Process(["nc", "127.0.0.1", str(server.port)]) as frozen:
        frozen.write(b'Mode:json\n{"do":"name","name":"bob"}\n{"do":"to","name":"alice"}\n')
        frozen.wait_for('"paired"')
        alice.events("paired")
        named = frozen.wait_for(r'"key":"([^"]+)"')
        frozen.kill(signal.SIGSTOP)
        alice.does("say", id=1, text="hi")
        again = resume(server, named[1].decode(), 2)
        assert again.events("message")[0]["text"] == "hi"
        again.does("ack", seq=3)
        assert alice.events("status")[0]["status"] == "confirmed"
        frozen.kill(signal.SIGCONT)
        frozen.wait_for(r"Another connection has taken this line over.*\r\n")
        frozen.close_input()  # nc reads on until the server closes
        assert frozen.wait() == 0


def test_a_line_is_taken_over_from_a_machine_that_has_vanished(machines: TwoMachines) -> None:
    bob = machines.far_user("bob")
    bob.write(b"/key\n")
    key = bob.wait_for(rb"Your key is (\S+)\. ")[1].decode()
    alice = machines.near_user("alice")
    alice.calls("bob")
    bob.wait_for(r"You are chatting with alice\.\r\n$")
    machines.vanish()
    alice.says("one")
    again = machines.near_user("")
    again.says(f"Back:{key}")
    told = [again.line() for _ in range(3)]
    assert told[0] == "OK"
    assert re.fullmatch(r"\[.{24}\] alice \(again\): \(one\)", told[1])
    assert told[2] == "You are chatting with alice."
    again.says("here I am")
    assert alice.text() == "here I am"


def test_a_speaker_to_a_full_store_waits_and_loses_nothing(server: Server) -> None:
    require("nc")
    bob, key = json_client(server, "bob")
    bob.resets()
    lines = [f"{number} {'x' * 5_000}" for number in range(3_000)]
    said = "\n".join(["alice", "To:bob", *lines, ""]).encode()
    with Process(["nc", "-N", "127.0.0.1", str(server.port)]) as alice:

        def write() -> None:
            alice.write(said)
            alice.close_input()

        writing = threading.Thread(target=write)
        writing.start()
        alice.wait_for(r"bob has lost the connection\.")
        assert writing.is_alive()  # it waits
        again = resume(server, key, 1)
        again.events("paired")
        for number, line in enumerate(lines):
            message = again.hears()
            assert message["text"] == line
            if number % 50 == 0:
                again.does("ack", seq=message["seq"])
        again.does("ack", seq=message["seq"])
        writing.join(TIMEOUT)
        again.does("quit")
        assert alice.wait() == 0
    assert server.resident_kib() < 200_000


@through(*TCP, "ssl", "unix", "haproxy:tcp:0", "websocket")
def test_what_was_handed_arrives_though_the_server_is_killed(port: str) -> None:
    with Server(port=port) as server:
        alice, _ = json_client(server, "alice")
        bob = server.client("bob")
        alice.does("to", name="bob")
        alice.events("paired")
        said = handed = 0
        while said < handed + 5:  # until nothing leaves the server any more
            said += 1
            assert said < 2_000, "more than any kernel takes"
            alice.does("say", id=said, text="x" * 60_000)
            alice.does("ping")
            while (event := alice.hears())["event"] != "pong":
                assert event["status"] == "handed"
                handed = event["id"]
        server.kill(signal.SIGKILL)
        assert bob.line() == "You are chatting with alice."
        for _ in range(handed):
            assert bob.text() == "x" * 60_000


def test_many_wrong_keys_open_nothing(port: str) -> None:
    with Server(port=port) as server:
        alice, bob, key = pair(server)
        bob.resets()
        alice.events("held")
        guesser, _ = json_client(server)
        handle = key.partition("-")[0]
        for number in range(1_000):
            guesser.does("resume", key=f"{handle}-{number:032x}", seen=2)
            assert guesser.hears()["code"] == "bad-key"
        plain = server.client()
        plain.says(*(f"Back:blue-fox-{number}" for number in range(1_000)))
        answers = [plain.line() for _ in range(1_000)]
        assert answers[9] == "No line is held for that key."
        assert set(answers[10:]) == {"There were too many wrong keys. Try later."}
        assert resume(server, key, 2)


@through(*TCP)
@pytest.mark.parametrize("cuts", ["30", pytest.param("150", marks=pytest.mark.endurance)])
def test_a_network_that_cuts_again_and_again(port: str, cuts: str) -> None:
    with Server("--max-per-host", "1000", port=port) as server:
        module = "tests.support.bad_proxy"
        with Process([sys.executable, "-m", module, str(server.port), cuts, "1"]) as clients:
            clients.wait_for(r"^\d+ cuts, .* nothing lost\n")
            assert clients.wait() == 0
    assert b"Traceback" not in server.output
