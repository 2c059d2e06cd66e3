"""The client as it is started, in a pipe: exit status, standard output and standard error."""

import signal
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from chatpair import __version__
from chatpair.client.stdio import LOSSY
from chatpair.messages import Call, Message, Paired, Quit, Timestamp
from tests.support.clients import (
    COMMAND,
    MIB,
    MODULE,
    PAIRED,
    TO_BOB,
    WELCOME,
    Host,
    Piped,
    at,
    is_full,
    resident,
    sleeps,
    spins_until,
    to_bob,
    unread,
)
from tests.support.server import TIMEOUT, Process, Server

LOST = "The connection is lost. Trying again; what is typed meanwhile waits."


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
    with to_bob(server) as (alice, bob):
        alice.write(b"caf\xe9\n\xff\xf4\n\0Quit\n\xe2\x80\x8e/bye\na\r\0Quit\nend\n")
        alice.close_input()
        heard = [bob.text() for _ in range(6)]
        assert heard == ["caf\ufffd", "\ufffd\ufffd", "Quit", "/bye", "aQuit", "end"]
        alice.ends(0, LOSSY)


def test_a_slow_reader_makes_the_client_wait_and_gets_all(server: Server) -> None:
    lines = [f"{number} {'x' * 16_000}" for number in range(24 * MIB // 16_000)]
    written = threading.Event()
    with to_bob(server) as (alice, bob):
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


def test_a_peer_who_leaves_early_is_a_problem(server: Server) -> None:
    with to_bob(server) as (alice, bob):
        alice.write(b"one\n")
        assert bob.text() == "one"
        bob.close()
        assert alice.notice() == "bob has left."
        alice.write(b"two\n")
        alice.ends(6, "bob left before all was said.")


def test_a_peer_who_leaves_when_all_was_said_is_none(server: Server) -> None:
    with to_bob(server) as (alice, bob):
        alice.write(b"one\n")
        assert bob.text() == "one"
        bob.says("bye", "Quit")
        assert alice.notice() == "bob has left."
        alice.close_input()
        alice.ends(0)
        assert alice.output == b"bye\n"


def test_a_server_that_stops_with_lines_still_to_say_is_a_problem(server: Server) -> None:
    with to_bob(server) as (alice, _):
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


def test_the_version_is_told() -> None:
    with Piped("--version") as alice:
        assert alice.wait() == 0
        assert alice.output == f"chatpair {__version__}\n".encode()


@pytest.mark.parametrize("answers", [["The server is full."], []], ids=["full", "hangs up"])
def test_a_server_that_takes_nobody_is_a_problem(answers: list[str]) -> None:
    with Host() as host, Piped(*host.address, *TO_BOB) as alice:
        host.takes("Mode:json")
        host.says(*answers)
        host.hangs_up()
        alice.ends(2, *(answers or ["The connection to the server was lost."]))


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


@pytest.mark.parametrize(
    ("number", "notice"),
    [
        (signal.SIGINT, "Interrupted."),
        (signal.SIGTERM, "Terminated."),
        (signal.SIGHUP, "Terminated."),
    ],
)
def test_a_signal_makes_the_client_quit_and_is_a_problem(
    server: Server, number: signal.Signals, notice: str
) -> None:
    with to_bob(server) as (alice, bob):
        alice.kill(number)
        alice.ends(128 + number, notice)
        assert bob.line() == "Quit."


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
