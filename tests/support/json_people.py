"""People whose programs speak JSON, through whatever door a server has for it."""

from tests.support.json_client import JsonClient, JsonLines
from tests.support.server import Server
from tests.support.web_client import WebClient


def json_client(server: Server, name: str = "") -> tuple[JsonClient, str]:
    """Connect, and say a name if there is one; return the key as well."""
    door = server.json_door
    client = WebClient(door) if door.web else JsonLines(door)
    server.closes_at_the_end(client)
    return client, client.enters(name) if name else ""


def resume(server: Server, key: str, seen: int) -> JsonClient:
    """Take over a line."""
    client, _ = json_client(server)
    client.does("resume", key=key, seen=seen)
    client.events("resumed")
    return client


def pair(
    server: Server, other: Server | None = None, *, mark: str = ""
) -> tuple[JsonClient, JsonClient, str]:
    """Let alice and bob have a line, each on a server or both on one; return them, and bob's key.

    The mark is after their names.
    """
    alice, _ = json_client(server, f"alice{mark}")
    bob, key = json_client(other or server, f"bob{mark}")
    alice.does("to", name=f"bob{mark}")
    for party in (alice, bob):
        party.events("paired")
        party.does("ack", seq=2)
    return alice, bob, key
