"""Each exit status of a client in a pipe, as a shell has it, and all that is said."""

import os
import re
from collections.abc import Iterator

import pytest

from chatpair.client.ending import ExitStatus
from tests.support.clients import PAIRED, WELCOME, Piped, at
from tests.support.forks import BIN
from tests.support.server import Server
from tests.support.steps import BAD_NAME

NO_NAME = "There is no name; give one with --name."
UNKNOWN = "The user nobody does not exist."
NO_ONE = "chatpair: --wait needs --to: whom to wait for"
BUSY = "carol is talking with someone else."
FAILED = "The command ended with status 1."
TAKEN = "The name bob is taken."

LISTEN = 'command chatpair listen --port "$PORT" --name ear'
SAY = 'command chatpair say --port "$PORT"'
TOWN = 'chatpair() { command chatpair --port "$PORT" "$@"; }\n'
# bob is free, carol talks with dave, and gone leaves as soon as somebody calls.
CASES: list[tuple[ExitStatus, str, list[str]]] = [
    (ExitStatus.OK, "echo hi | chatpair --name alice --to bob", [WELCOME, PAIRED]),
    (ExitStatus.OK, "chatpair --check <&- >&-", []),
    (ExitStatus.USAGE, "echo hi | chatpair --name alice --wait", ["usage: .*", NO_ONE]),
    (ExitStatus.USAGE, "chatpair --check --to bob", ["usage: .*", "chatpair: --check is for .*"]),
    (ExitStatus.USAGE, "chatpair </dev/null", [NO_NAME]),
    (ExitStatus.USAGE, "chatpair <&-", ["chatpair needs a standard input and .*"]),
    (ExitStatus.USAGE, "printf bob | chatpair", [TAKEN, NO_NAME]),
    (ExitStatus.USAGE, "chatpair --name Quit --to bob </dev/null", [NO_NAME]),
    (
        ExitStatus.NO_CONNECTION,
        "echo hi | chatpair 127.0.0.1 --port 1 --name alice --to bob",
        ["Can't connect to 127.0.0.1, port 1: .* Connection refused."],
    ),
    (ExitStatus.NO_CONNECTION, "chatpair --check ...", [r"Can't .* to \.\.\., port \d+: .*"]),
    (ExitStatus.NO_CONNECTION, "chatpair ... </dev/null", [r"Can't .* to \.\.\., port \d+: .*"]),
    (ExitStatus.NAME, "echo hi | chatpair --name bob", [TAKEN]),
    (ExitStatus.NAME, "chatpair --check --name bob", [TAKEN]),
    (ExitStatus.NAME, "echo hi | chatpair --name bob --to carol 2>/dev/full", []),
    (ExitStatus.UNKNOWN, "echo hi | chatpair --name alice --to nobody", [WELCOME, UNKNOWN]),
    (ExitStatus.UNKNOWN, r"printf 'alice\nTo:nobody\nhi\n' | chatpair", [WELCOME, UNKNOWN]),
    (ExitStatus.BUSY, "echo hi | chatpair --name alice --to carol", [WELCOME, BUSY]),
    (
        ExitStatus.PEER_LEFT,
        # The command says something when its input ends, which it does when gone is gone.
        "chatpair --name alice --to gone --exec 'cat; echo hi'",
        [WELCOME, "You are chatting with gone.", ".* left.", "gone left before all was said."],
    ),
    (
        ExitStatus.NOT_DELIVERED,
        f"echo {'x' * 200} | chatpair --name alice --to bob",
        [WELCOME, PAIRED, ".* over 200 bytes.*"],
    ),
    (
        ExitStatus.COMMAND,
        "chatpair --name alice --to bob --exec 'echo; false'",
        [WELCOME, PAIRED, FAILED],
    ),
    (
        ExitStatus.FEWER,
        f"{LISTEN} --seconds 0.1 --count 1",
        ["Fewer messages came than --count asks for."],
    ),
    (ExitStatus.OK, f"{LISTEN} --seconds 0.01", []),
    (ExitStatus.UNKNOWN, f"{SAY} nobody hi", [UNKNOWN]),
    (ExitStatus.NAME, f"{SAY} bob hi --name 'a b'", [re.escape(BAD_NAME)]),
    (ExitStatus.NAME, f"{SAY} bob hi --name bob", [TAKEN]),
    (ExitStatus.BUSY, f"{SAY} carol hi", [BUSY]),
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


def test_all_are_here() -> None:
    assert {status for status, _, _ in CASES} == {*ExitStatus}


@pytest.mark.parametrize(
    ("status", "command", "notices"),
    CASES,
    ids=[f"{status:d} {status.name.lower()}" for status, _, _ in CASES],
)
def test_the_shell_has_the_status(
    town: Server, status: ExitStatus, command: str, notices: list[str]
) -> None:
    path = f"{BIN}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PORT": str(town.port)}
    env.pop("PYTHONUNBUFFERED", None)  # few have it
    with Piped("-c", TOWN + command, command=["sh"], env=env) as shell:
        assert shell.wait() == status
        assert re.fullmatch("\n".join(notices), "\n".join(shell.notices()))
        assert shell.output == b""
