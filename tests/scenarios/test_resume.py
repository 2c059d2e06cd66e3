"""Held lines at a real server: real cuts, a pulled cable, a server that is killed."""

import re
import signal

from tests.scenarios.test_vanishing import TwoMachines, machines
from tests.support.doors import TCP, through
from tests.support.json_people import json_client
from tests.support.server import Server

__all__ = ["machines"]  # a fixture


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
