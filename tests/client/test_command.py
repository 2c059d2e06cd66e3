"""A command as the party, through the real client."""

import pytest

from tests.support.clients import Piped, at
from tests.support.server import Server


def test_a_command_talks_until_the_peer_leaves(server: Server) -> None:
    bob = server.client("bob")
    with Piped(*at(server, "--name", "sums", "--exec", "python3 -iq 2>/dev/null")) as sums:
        assert sums.notice() == "Welcome, sums."
        bob.calls("sums")
        bob.says("1 + 1", "'grüß ' + 'dich'")
        assert [bob.text(), bob.text()] == ["2", "'grüß dich'"]
        bob.says("Quit")
        sums.ends(0, "You are chatting with bob.", "bob has left.")


@pytest.mark.parametrize(
    ("command", "status", "notices"),
    [
        ("echo one", 0, []),
        ("echo one; exit 3", 8, ["The command ended with status 3."]),
        ("echo one; kill -9 $$", 8, ["The command ended with signal 9."]),
        (
            "echo one; exec sleep infinity >&-",
            8,
            ["The command did not end when it had said all."],
        ),
    ],
)
def test_how_a_command_ended_is_told(
    server: Server, command: str, status: int, notices: list[str]
) -> None:
    bob = server.client("bob")
    with Piped(*at(server, "--name", "one", "--to", "bob", "--exec", command)) as one:
        assert bob.line() == "You are chatting with one."
        assert bob.text() == "one"
        one.ends(status, "Welcome, one.", "You are chatting with bob.", *notices)
