"""Each exit status of a client in a pipe, as a shell has it, and what is said last."""

import os
import re
from collections.abc import Iterator

import pytest

from chatpair.client.ending import ExitStatus
from tests.support.clients import Piped, at
from tests.support.server import BIN, Server

# bob is free, carol talks with dave, and gone leaves as soon as somebody calls.
CASES = [
    (
        ExitStatus.OK,
        "echo hi | chatpair --port $PORT --name alice --to bob",
        "You are chatting with bob.",
    ),
    (
        ExitStatus.USAGE,
        "echo hi | chatpair --port $PORT --name alice --wait",
        "chatpair: --wait needs --to: whom to wait for",
    ),
    (
        ExitStatus.USAGE,
        "echo hi | chatpair --port $PORT --name alice --to alice",
        "Please don't try to talk with yourself.",
    ),
    (
        ExitStatus.NO_CONNECTION,
        "echo hi | chatpair 127.0.0.1 --port 1 --name alice --to bob",
        "Can't connect to 127.0.0.1, port 1: .*",
    ),
    (
        ExitStatus.NAME,
        "echo hi | chatpair --port $PORT --name carol --to bob",
        "The name carol is taken.",
    ),
    (
        ExitStatus.UNKNOWN,
        "echo hi | chatpair --port $PORT --name alice --to nobody",
        "The user nobody does not exist.",
    ),
    (
        ExitStatus.BUSY,
        "echo hi | chatpair --port $PORT --name alice --to carol",
        "carol is talking with someone else.",
    ),
    (
        ExitStatus.PEER_LEFT,
        # The command says something when its input ends, which it does when gone is gone.
        "chatpair --port $PORT --name alice --to gone --exec 'cat; echo hi'",
        "gone left before all was said.",
    ),
    (
        ExitStatus.NOT_DELIVERED,
        f"echo {'x' * 200} | chatpair --port $PORT --name alice --to bob",
        ".* over 200 bytes.*",
    ),
    (
        ExitStatus.COMMAND,
        "chatpair --port $PORT --name alice --to bob --exec 'echo hi; false'",
        "The command ended with status 1.",
    ),
]


@pytest.fixture(scope="module")
def town() -> Iterator[Server]:
    """A server that takes no long lines, and those who are called."""
    with Server("--max-line", "200") as server:
        for name in ("bob", "dave"):
            server.client(name)
        server.client("carol").calls("dave")
        with Piped(*at(server, "--name", "gone", "--exec", "true")) as gone:
            assert gone.notice() == "Welcome, gone."
            yield server
    assert b"Traceback" not in server.output


def test_all_are_here() -> None:
    assert {status for status, _, _ in CASES} == {*ExitStatus}


@pytest.mark.parametrize(
    ("status", "command", "last_notice"),
    CASES,
    ids=[f"{status:d} {status.name.lower()}" for status, _, _ in CASES],
)
def test_the_shell_has_the_status(
    town: Server, status: ExitStatus, command: str, last_notice: str
) -> None:
    path = f"{BIN}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PORT": str(town.port)}
    with Piped("-c", command, command=["sh"], env=env) as shell:
        assert shell.wait() == status
        assert re.fullmatch(last_notice, shell.notices()[-1])
        assert shell.output == b""
