"""Connections to the engine that are cut in the middle of anything: no line is lost or doubled."""

import random

import pytest

from tests.cluster import Cluster, json_pair, pair
from tests.engine import Engine
from tests.json_client import JsonClient

LINES = 30


def test_cuts_anywhere_lose_nothing_of_what_plain_users_say(engine: Engine) -> None:
    with Cluster(engine, 2, lease=10) as cluster:
        alice, bob = pair(*cluster.nodes)
        for number, count in enumerate([*range(60), *range(60, 3_000, 71)]):
            for way in cluster.ways:
                way.cut_after(count)
            lines = [f"{number} {line}" for line in range(LINES)]
            for speaker, hearer in ((alice, bob), (bob, alice)):
                speaker.says(*lines)
                assert [hearer.text() for _ in lines] == lines
        alice.says("/bye")
        assert [alice.line(), bob.line()] == ["You are free.", "Quit."]


def hear(client: JsonClient, count: int) -> tuple[list[str], list[tuple[str, int]]]:
    """Return so many texts, and the statuses until all that was said has one."""
    heard: list[str] = []
    statuses: list[tuple[str, int]] = []
    while len(heard) < count or not statuses or statuses[-1][1] % count:
        event = client.hears()
        client.does("ack", seq=event["seq"])
        if event["event"] == "message":
            heard.append(event["text"])
        else:
            statuses.append((event["status"], event["id"]))
    return heard, statuses


@pytest.mark.parametrize("seed", range(2))
def test_cuts_anywhere_lose_nothing_of_what_programs_say(engine: Engine, seed: int) -> None:
    chance = random.Random(seed)
    with Cluster(engine, 2, lease=10) as cluster:
        alice, bob, _ = json_pair(*cluster.nodes)
        for number in range(50):
            for way in cluster.ways:
                way.cut_after(chance.randrange(4_000))
            texts = [f"{number} {line} {'x' * chance.randrange(300)}" for line in range(LINES)]
            for client in (alice, bob):
                for line, text in enumerate(texts):
                    client.does("say", id=number * LINES + line + 1, text=text)
            for client in (alice, bob):
                heard, statuses = hear(client, LINES)
                assert heard == texts
                assert {status for status, _ in statuses} == {"confirmed"}


def test_cuts_anywhere_while_names_are_claimed_and_calls_made(engine: Engine) -> None:
    with Cluster(engine, 2, lease=10) as cluster:
        first, second = cluster.nodes
        for number, count in enumerate(range(0, 1_500, 37)):
            for way in cluster.ways:
                way.cut_after(count)
            alice, bob = first.client(), second.client()
            for client, name in ((alice, "alice"), (bob, "bob")):
                while True:
                    client.says(name)
                    answer = client.line()
                    if answer == "OK":
                        break
                    # It had it before, and the engine has not been told yet that it has gone.
                    assert answer in ("The switchboard is not ready.", "Reuse")
            while True:
                alice.says("To:bob")
                answer = alice.line()
                if answer != "The switchboard is not ready.":
                    break
            assert answer == "You are chatting with bob."
            assert bob.line() == "You are chatting with alice."
            alice.says(f"{number}")
            assert bob.text() == f"{number}"
            for client in (alice, bob):
                client.says("Quit")
            assert alice.line() == "Quit"
            assert bob.line() in ("Quit", "Quit.")
            for client in (alice, bob):
                client.close()
