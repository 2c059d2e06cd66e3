"""Connections that can't move: what they said is handled, and what they do not get has failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from benchmarks.servers import free_port
from chatpair.wire.liveness import is_delivered
from tests.support.certificates import usual
from tests.support.clients import spins_until
from tests.support.json_client import JsonLines
from tests.support.replacing import Replaced
from tests.support.server import Client, Door, Server
from tests.support.watching import METRICS, asked, scraped


@contextmanager
def with_tls(folder: Path) -> Iterator[tuple[Replaced, int]]:
    """Start a server that clients reach with TLS, and on another port without."""
    port = free_port()
    with Replaced(folder, "--port", f"epoll:{port}", *METRICS, port=usual().port) as replaced:
        yield replaced, port


def fills(replaced: Replaced, speaker: Client) -> list[str]:
    """Say so much to who does not read that the speaker is not read; return that."""
    said: list[str] = []
    looks = 0
    while looks < 50:  # the kernel has perhaps not taken all that it can
        if scraped(replaced.server)["chatpair_paused_connections"] == 2:
            looks += 1
            continue
        looks = 0
        said.append(f"{len(said)} {'x' * 10_000}")
        speaker.says(said[-1])
    return said


def more_is_said_than_read(
    replaced: Replaced, port: int, *last: str
) -> tuple[Client, Client, list[str]]:
    """Return alice, who comes with TLS and has said more than is read, bob, and what she said."""
    alice = replaced.server.client("alice")
    bob = replaced.server.client("bob", door=port)
    alice.calls("bob")
    assert bob.line() == "You are chatting with alice."
    said = fills(replaced, alice)
    assert scraped(replaced.server)["chatpair_unsent_bytes"] > 0
    rest = [f"and {number}" for number in range(100)]
    alice.says(*rest, *last)
    spins_until(lambda: is_delivered(alice.socket))
    return alice, bob, [*said, *rest]


def test_what_a_plain_user_has_said_is_handled(tmp_path: Path) -> None:
    with with_tls(tmp_path) as (replaced, port):
        alice, bob, said = more_is_said_than_read(replaced, port, "Quit")
        replaced.replace()
        assert alice.line() == "The server is stopping."
        assert alice.line() == ""
        assert [bob.text() for _ in said] == said
        assert bob.line() == "Quit."


def test_all_goes_on_if_nobody_takes_over(tmp_path: Path) -> None:
    with with_tls(tmp_path) as (replaced, port):
        alice, bob, said = more_is_said_than_read(replaced, port)
        for _ in range(2):
            with Server() as other, replaced.starting("--port", str(other.port)) as new:
                assert new.wait() == 1
            alice.says("and on")
        assert [bob.text() for _ in said] == said
        assert [bob.text(), bob.text()] == ["and on"] * 2
        bob.tells(alice, "I am back")


def test_who_talks_with_one_that_is_gone_is_told(tmp_path: Path) -> None:
    with with_tls(tmp_path) as (replaced, port):
        alice = replaced.server.client("alice", door=port)
        replaced.server.client("bob")
        alice.calls("bob")
        fills(replaced, alice)
        alice.says("are you there?")
        replaced.replace()
        assert alice.line() == "Quit."
        alice.says("is anybody there?")  # what was said before may have been said to bob
        assert alice.line().startswith("Nobody is chatting with you.")


def test_what_does_not_arrive_has_failed(tmp_path: Path) -> None:
    with with_tls(tmp_path) as (replaced, port):
        bob = replaced.server.client("bob")
        alice = JsonLines(Door(port))
        replaced.server.closes_at_the_end(alice)
        alice.enters("alice")
        alice.does("to", name="bob")
        alice.events("paired")
        assert bob.line() == "You are chatting with alice."
        numbers = count(1)
        says = (alice.encoded("say", id=number, text="x" * 60_000) for number in numbers)
        rest = alice.fills(says, lambda: asked(replaced.server, "/health"))
        last = next(numbers) - 1
        replaced.replace()
        alice.socket.sendall(rest)
        told: list[str] = []
        while len(told) < last:
            event = alice.hears()
            if event["event"] == "status":  # of all up to this one
                alice.does("ack", seq=event["seq"])
                told += [event["status"]] * (event["id"] - len(told))
        handed = told.count("handed")
        assert 0 < handed < last
        assert told == ["handed"] * handed + ["failed"] * (last - handed)
