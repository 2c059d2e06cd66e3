"""Calls that ring, and blocks, at a real server."""

import pytest

from tests.support.json_people import json_client, resume
from tests.support.server import Client, Process, Server, require

BUSY = "alice is talking with someone else."


def takes(client: Client, line: str, *answers: str) -> None:
    """Say a line, and see what is answered."""
    client.says(line)
    assert [client.line() for _ in answers] == [*answers]


@pytest.fixture
def nc() -> str:
    """The program that people type into."""
    return require("nc")


def test_people_with_nc_answer_and_do_not(server: Server, nc: str) -> None:
    command = [nc, "127.0.0.1", str(server.port)]
    with Process(command) as alice, Process(command) as carol:
        alice.write(b"alice\n/ring on\n")
        alice.wait_for("Your line rings when somebody calls.\r\n")
        carol.write(b"carol\nTo:alice\n")
        carol.wait_for("alice's line is ringing.\r\n")
        alice.wait_for("carol is calling. To:carol to answer.\r\n")
        alice.write(b"To:carol\nHi, Carol.\n")
        carol.wait_for(r"You are chatting with alice\.\r\n\[.{24}\] alice: \(Hi, Carol\.\)\r\n")
        alice.write(b"/block carol\n")
        alice.wait_for("You are free.\r\nYou have blocked carol.\r\n")
        carol.wait_for(r"Quit\.\r\n")
        carol.write(b"To:alice\n")
        carol.wait_for(BUSY + "\r\n")
        alice.write(b"/unblock carol\n/dnd\n")
        alice.wait_for("You have unblocked carol.\r\nYou are not disturbed now.\r\n")
        carol.write(b"To:alice\n")
        carol.wait_for("alice does not want to be disturbed.\r\n")
        carol.write(b"Quit\n")
        carol.wait_for(r"Quit\r\n")
        assert b"tried" not in alice.output


def test_a_ringing_call_ends_with_its_time(server: Server) -> None:
    alice, carol = server.client("alice"), server.client("carol")
    takes(alice, "/ring on", "Your line rings when somebody calls.")
    takes(carol, "To:alice", "alice's line is ringing.")
    assert alice.line() == "carol is calling. To:carol to answer."
    assert carol.line() == "alice does not answer."  # half a minute later
    assert alice.line() == "carol tried to reach you."


@pytest.mark.parametrize("how", [Client.resets, Client.close])
def test_a_caller_who_is_gone_rings_no_more(server: Server, how: object) -> None:
    alice, carol = server.client("alice"), server.client("carol")
    takes(alice, "/ring on", "Your line rings when somebody calls.")
    takes(carol, "To:alice", "alice's line is ringing.")
    assert alice.line() == "carol is calling. To:carol to answer."
    how(carol)  # type: ignore[operator]
    assert alice.line() == "carol tried to reach you."
    takes(alice, "To:carol", "The user carol does not exist.")


def test_who_is_blocked_comes_back_under_another_name(server: Server) -> None:
    alice = server.client("alice")
    bob, carol = server.client("bob", "127.0.0.2"), server.client("carol", "127.0.0.2")
    takes(alice, "/block bob", "You have blocked bob.")
    takes(bob, "To:alice", BUSY)
    takes(bob, "Quit", "Quit")
    robert, dave = server.client("robert", "127.0.0.2"), server.client("dave", "127.0.0.3")
    takes(robert, "To:alice", BUSY)
    takes(dave, "To:alice", "You are chatting with alice.")
    takes(dave, "/bye", "You are free.")
    takes(carol, "To:alice", "You are chatting with alice.")
    takes(carol, "/bye", "You are free.")
    lines = [alice.line() for _ in range(4)]
    assert lines == [
        *("You are chatting with dave.", "Quit."),
        *("You are chatting with carol.", "Quit."),
    ]
    takes(alice, "/unblock bob", "You have unblocked bob.")
    takes(robert, "To:alice", "You are chatting with alice.")


def test_what_a_program_has_set_outlasts_its_connection(server: Server) -> None:
    alice, key = json_client(server, "alice")
    carol, _ = json_client(server, "carol")
    bob = server.client("bob")
    alice.does("ring", on=True)
    alice.does("block", name="bob")
    alice.events("ring", "blocked")
    alice.resets()
    carol.does("to", name="alice")
    assert carol.events("error")[0]["code"] == "ringing"
    takes(bob, "To:alice", BUSY)
    alice = resume(server, key, 3)
    assert alice.events("ringing")[0]["name"] == "carol"
    alice.does("to", name="carol")
    assert alice.events("paired")[0]["peer"] == "carol"
    assert carol.events("paired")[0]["peer"] == "alice"
    alice.does("bye")
    alice.does("dnd", on=True)
    alice.events("free", "dnd")
    carol.does("to", name="alice")
    assert carol.events("left", "error")[1]["code"] == "dnd"
