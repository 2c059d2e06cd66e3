"""The client as it is started, in a pipe: exit status, standard output and standard error."""

import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from chatpair import __version__
from chatpair.client.stdio import LOSSY
from chatpair.messages import Call, Message, Paired, Quit, Timestamp
from tests.support.clients import (
    BAD_NAME,
    COMMAND,
    MODULE,
    Host,
    Piped,
    at,
    is_full,
    resident,
    sleeps,
    spins_until,
    unread,
)
from tests.support.server import TIMEOUT, Process, Server

MIB = 2**20

TO_BOB = ["--name", "alice", "--to", "bob"]
WELCOME = "Welcome, alice."
LOST = "The connection is lost. Trying again; what is typed meanwhile waits."
PAIRED = "You are chatting with bob."
UNKNOWN = "The user carol does not exist."
NO_NAME = "There is no name; give one with --name."


# In a pipe


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "2>&1 >/dev/null | true; exit 0"])
def test_notices_that_nobody_takes_keep_nothing_from_being_said(
    server: Server, redirection: str
) -> None:
    bob = server.client("bob")
    command = " ".join([*COMMAND, *at(server, *TO_BOB), redirection])
    with Process(["sh", "-c", command]) as alice:
        alice.write(b"one\ntwo\n")
        alice.close_input()
        assert bob.line() == "You are chatting with alice."
        assert [bob.text(), bob.text()] == ["one", "two"]
        assert bob.line() == "Quit."
        assert alice.wait() == 0
        assert alice.output == b""


LINES = [
    "grüß dich",
    "日本語 🙂",
    "",
    "\ttab ",
    "Quit",
    "To:carol",
    "/bye",
    "no newline at the end",
]


@pytest.mark.parametrize("command", [COMMAND, MODULE], ids=["command", "module"])
def test_two_programs_talk(server: Server, command: list[str]) -> None:
    with (
        Piped("127.0.0.1", *at(server, "--name", "alice"), command=command) as alice,
        Piped(*at(server, "--name", "bob"), command=command) as bob,
    ):
        assert alice.notice() == "Welcome, alice."
        bob.write(b"To:alice\n" + "\n".join(LINES).encode())
        bob.close_input()
        bob.ends(0, "Welcome, bob.", "You are chatting with alice.")
        assert bob.output == b""
        assert alice.notice() == "You are chatting with bob."
        assert alice.notice() == "bob has left."
        alice.close_input()
        alice.ends(0)
        assert alice.output.decode().split("\n") == [*LINES, ""]


def test_a_file_is_said_to_whoever_calls(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"alice\r\nnot a call\r\nTo:bob\r\nfin")
    bob = server.client("bob")
    with path.open("rb") as file, Piped(*at(server), stdin=file) as alice:
        assert alice.notice() == "Welcome, alice."
        bob.calls("alice")
        assert [bob.text() for _ in range(3)] == ["not a call", "To:bob", "fin"]
        assert bob.line() == "Quit."
        alice.ends(0, "You are chatting with bob.")


def test_a_single_unfinished_line_waits_for_whoever_calls(server: Server) -> None:
    bob = server.client("bob")
    with Piped(*at(server, "--name", "alice")) as alice:
        alice.write(b"hello")
        alice.close_input()
        assert alice.notice() == "Welcome, alice."
        spins_until(lambda: alice.popen.poll() is not None or sleeps(alice.popen))  # all is read
        bob.calls("alice")
        assert bob.text() == "hello"
        assert bob.line() == "Quit."
        alice.ends(0, "You are chatting with bob.")


def test_what_can_t_be_text_does_not_steer_the_server(server: Server) -> None:
    bob = server.client("bob")
    with Piped(*at(server, "--name", "alice", "--to", "bob")) as alice:
        alice.write(b"caf\xe9\n\xff\xf4\n\0Quit\n\xe2\x80\x8e/bye\na\r\0Quit\nend\n")
        alice.close_input()
        assert bob.line() == "You are chatting with alice."
        heard = [bob.text() for _ in range(6)]
        assert heard == ["caf\ufffd", "\ufffd\ufffd", "Quit", "/bye", "aQuit", "end"]
        assert sorted(alice.notices()) == sorted([WELCOME, PAIRED, LOSSY])
        assert alice.wait() == 0


def test_a_slow_reader_makes_the_client_wait_and_gets_all(server: Server) -> None:
    lines = [f"{number} {'x' * 16_000}" for number in range(24 * MIB // 16_000)]
    written = threading.Event()
    bob = server.client("bob")
    with Piped(*at(server, "--name", "alice", "--to", "bob")) as alice:
        assert alice.notice() == "Welcome, alice."
        assert alice.notice() == "You are chatting with bob."
        before = resident(alice)

        def write() -> None:
            with suppress(BrokenPipeError):
                for line in lines:
                    alice.write(line.encode() + b"\n")
                written.set()

        writer = threading.Thread(target=write)
        writer.start()
        try:
            spins_until(
                lambda: written.is_set() or (is_full(alice.popen.stdin) and sleeps(alice.popen))
            )
            assert not written.is_set()
            assert resident(alice) - before < 8 * MIB
            assert bob.line() == "You are chatting with alice."
            for line in lines:
                assert bob.text() == line
        except BaseException:
            alice.kill()
            raise
        finally:
            writer.join(TIMEOUT)
        alice.close_input()
        assert bob.line() == "Quit."
        alice.ends(0)


# Problems


@pytest.mark.parametrize(
    ("options", "text", "status", "notices"),
    [
        (["--name", "bob"], b"hi\n", 3, ["The name bob is taken."]),
        (["--name", "a b"], b"hi\n", 3, [BAD_NAME]),
        (["--name", "alice", "--to", "carol"], b"hi\n", 4, [WELCOME, UNKNOWN]),
        (["--name", "alice"], b"To:carol\nhi\n", 4, [WELCOME, UNKNOWN]),
        ([], b"alice\nTo:carol\nhi\n", 4, [WELCOME, UNKNOWN]),
        ([], b"", 1, [NO_NAME]),
        ([], b"bob\n", 1, ["The name bob is taken.", NO_NAME]),
    ],
    ids=lambda value: value if isinstance(value, str) else "-",
)
def test_what_was_not_said_is_a_problem(
    server: Server, options: list[str], text: bytes, status: int, notices: list[str]
) -> None:
    server.client("bob")
    with Piped(*at(server, *options)) as alice:
        alice.write(text)
        alice.close_input()
        alice.ends(status, *notices)
        assert alice.output == b""


def test_an_unfinished_line_that_is_no_name_is_a_problem(server: Server) -> None:
    server.client("bob")
    with Piped(*at(server)) as alice:
        alice.write(b"bob")
        alice.close_input()
        assert alice.notice() == "The name bob is taken."
        assert alice.wait() == 1


def test_a_name_that_quits_is_a_problem(server: Server) -> None:
    server.client("bob")
    with Piped(*at(server, "--name", "Quit", "--to", "bob")) as alice:
        alice.close_input()
        assert alice.wait() == 1


def test_a_peer_who_leaves_early_is_a_problem(server: Server) -> None:
    bob = server.client("bob")
    with Piped(*at(server, *TO_BOB)) as alice:
        alice.write(b"one\n")
        assert bob.line() == "You are chatting with alice."
        assert bob.text() == "one"
        bob.close()
        assert [alice.notice() for _ in range(3)] == [WELCOME, PAIRED, "bob has left."]
        alice.write(b"two\n")
        alice.ends(6, "bob left before all was said.")


def test_a_peer_who_leaves_when_all_was_said_is_none(server: Server) -> None:
    bob = server.client("bob")
    with Piped(*at(server, *TO_BOB)) as alice:
        alice.write(b"one\n")
        assert bob.line() == "You are chatting with alice."
        assert bob.text() == "one"
        bob.says("bye", "Quit")
        assert [alice.notice() for _ in range(3)] == [WELCOME, PAIRED, "bob has left."]
        alice.close_input()
        alice.ends(0)
        assert alice.output == b"bye\n"


def test_a_server_that_stops_with_lines_still_to_say_is_a_problem(server: Server) -> None:
    server.client("bob")
    with Piped(*at(server, *TO_BOB)) as alice:
        assert [alice.notice() for _ in range(2)] == [WELCOME, PAIRED]
        server.stop()
        assert alice.notice() == "The server is stopping."
        alice.write(b"hi\n")
        alice.ends(7, "The server stopped before all was said.")


def test_a_server_that_starts_again_is_found(server: Server) -> None:
    with Piped(*at(server, "--name", "alice")) as alice:
        assert alice.notice() == WELCOME
        server.stop()
        assert [alice.notice() for _ in range(2)] == ["The server is stopping.", LOST]
        with Server(port=f"epoll:{server.port}") as again:
            assert alice.notice() == "Connected again."
            bob = again.client("bob")
            bob.calls("alice")
            alice.write(b"hi\n")
            alice.close_input()
            assert bob.text() == "hi"
            alice.ends(0, PAIRED)


def test_a_port_that_nobody_listens_on_is_a_problem() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and no listen
        port = str(unused.getsockname()[1])
        with Piped("127.0.0.1", "--port", port) as alice:
            assert alice.wait() == 2
            (notice,) = alice.notices()
            assert notice.startswith(f"Can't connect to 127.0.0.1, port {port}: ")
            assert notice.endswith("Connection refused.")
            assert alice.output == b""


def test_a_host_that_is_no_host_name_is_a_problem() -> None:
    with Piped("...") as alice:
        assert alice.wait() == 2
        (notice,) = alice.notices()
        assert notice.startswith("Can't connect to ..., port 9999: ")


def test_the_version_is_told() -> None:
    with Piped("--version") as alice:
        assert alice.wait() == 0
        assert alice.output == f"chatpair {__version__}\n".encode()


def test_an_interrupt_quits_and_is_a_problem(server: Server) -> None:
    bob = server.client("bob")
    with Piped(*at(server, *TO_BOB)) as alice:
        assert [alice.notice() for _ in range(2)] == [WELCOME, PAIRED]
        alice.kill(signal.SIGINT)
        alice.ends(130, "Interrupted.")
    assert [bob.line() for _ in range(2)] == ["You are chatting with alice.", "Quit."]


def test_a_server_that_is_full_is_a_problem() -> None:
    with Host() as host, Piped(*host.address, *TO_BOB) as alice:
        host.takes("Mode:json")
        host.says("The server is full.")
        alice.ends(2, "The server is full.")


def test_a_server_that_hangs_up_at_once_is_a_problem() -> None:
    with Host() as host, Piped(*host.address, *TO_BOB) as alice:
        host.takes("Mode:json")
        host.hangs_up()
        alice.ends(2, "The connection to the server was lost.")


def test_an_interrupt_while_connecting_is_a_problem() -> None:
    with (
        Host() as host,
        # The one that may wait to be accepted does; the kernel drops what more comes.
        socket.create_connection(("127.0.0.1", host.port)),
        Piped(*host.address, *TO_BOB) as alice,
    ):
        spins_until(host.is_awaited)
        alice.kill(signal.SIGINT)
        assert alice.wait() != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_client_that_is_told_to_terminate_quits_and_has_a_problem(
    server: Server, number: signal.Signals
) -> None:
    bob = server.client("bob")
    with Piped(*at(server, *TO_BOB)) as alice:
        assert [alice.notice() for _ in range(2)] == [WELCOME, PAIRED]
        alice.kill(number)
        alice.ends(128 + number, "Terminated.")
    assert [bob.line() for _ in range(2)] == ["You are chatting with alice.", "Quit."]


def test_no_input_at_all_is_no_traceback(server: Server) -> None:
    program = "import os, sys; os.close(0); os.execv(sys.argv[1], sys.argv[1:])"
    with Piped(*at(server), command=[sys.executable, "-c", program, *COMMAND]) as alice:
        assert alice.wait() == 1
        assert "Traceback (most recent call last):" not in alice.notices()


# The output


def test_a_closed_output_is_a_problem(server: Server) -> None:
    bob = server.client("bob")
    with unread(*at(server, *TO_BOB)) as (alice, output):
        assert bob.line() == "You are chatting with alice."
        output.close()
        assert bob.line() == "Quit."
        assert alice.wait(TIMEOUT) == 141
        assert alice.stderr is not None
        assert alice.stderr.read().decode().splitlines()[-1] == "The output was closed."


def test_an_output_that_nobody_reads_makes_the_peer_wait_and_loses_nothing(server: Server) -> None:
    bob = server.client("bob")
    sent = 0
    with unread(*at(server, *TO_BOB)) as (alice, output):
        assert bob.line() == "You are chatting with alice."
        while not (bob.pends() and sleeps(alice) and sleeps(server.popen)):
            if not bob.pends():
                bob.says(f"{sent} {'x' * 16_000}")
                sent += 1
                assert sent * 16_000 < 64 * MIB
        for number in range(sent):
            assert output.readline().decode() == f"{number} {'x' * 16_000}\n"
        assert alice.stdin is not None
        alice.stdin.close()
        assert bob.line() == "Quit."
        assert output.read() == b""
        assert alice.wait(TIMEOUT) == 0


def test_a_second_interrupt_ends_even_if_nobody_reads_the_output() -> None:
    with Host() as host, unread(*host.address, *TO_BOB) as (alice, _):
        host.accepts_json("alice")
        assert host.hears() == Call("bob")
        messages = [Message("bob", "x" * 16_000, Timestamp(0.0)) for _ in range(60)]
        host.tells(Paired("bob"), *messages)
        alice.send_signal(signal.SIGINT)
        assert host.hears() == Quit()
        alice.send_signal(signal.SIGINT)
        assert alice.wait(TIMEOUT) == 130
