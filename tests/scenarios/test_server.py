"""The server as an operator starts it, over real sockets: what no case of the conformance tries."""

import os
import re
import resource
import select
import signal
import socket
import threading
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

import chatpair
from tests.support.clients import spins_until
from tests.support.doors import LINES, TCP, through
from tests.support.forks import BIN
from tests.support.json_people import json_client
from tests.support.server import Client, Process, Server
from tests.support.watching import METRICS, asked


@through(*LINES)
def test_a_listener_that_is_gone_is_noticed_when_something_is_said(server: Server) -> None:
    alice, bob = server.pair()
    alice.ends_input()
    assert alice.line() == "Listening."
    alice.close()
    bob.says("still there?")
    assert bob.line() == "Quit."


@through(*LINES)
def test_answers_arrive_though_the_client_goes_on_sending(server: Server) -> None:
    alice, bob = server.pair()
    alice.sends(b"last\nQuit\n" + b"too late\n" * 100_000)
    assert bob.text() == "last"
    assert bob.line() == "Quit."
    assert alice.line() == "Quit"


@through(*LINES)
def test_ten_megabytes_without_a_newline_cost_no_memory(server: Server) -> None:
    alice, bob = server.pair()
    stranger = server.client()
    before = server.resident_kib()
    for _ in range(10):
        stranger.sends(b"x" * 1_000_000)
        alice.sends(b"y" * 1_000_000)
    assert stranger.line() == "Bad name: 1 to 32 characters"
    assert alice.line() == "That line was not sent: it has over 65536 bytes."
    alice.sends(b"\nstill here\n")
    assert bob.text() == "still here"
    stranger.sends(b"\ncarol\n")
    assert stranger.line() == "OK"
    assert server.resident_kib() - before < 2_000


@through(*LINES)
def test_a_peer_that_never_reads_costs_little(server: Server) -> None:
    alice, _ = server.pair()
    before = server.resident_kib()
    alice.fills(iter(lambda: b"x" * 990 + b"\n", b""), lambda: server.client("carol").leaves())
    assert server.resident_kib() - before < 4_000


# The command


def test_the_command_of_its_own(tmp_path: Path) -> None:
    def command(*options: str) -> Process:
        return Process([str(BIN / "chatpair-server"), *options], cwd=tmp_path)

    for options, first, status in [
        (["--version"], f"chatpair {chatpair.__version__}", 0),
        (["--help"], "Usage: chatpair-server [options]", 0),
        (["--hold", "x"], "chatpair: --hold x: not a whole number", 1),
    ]:
        with command(*options) as process:
            assert process.wait() == status
            assert process.output.decode().splitlines()[0] == first
    (tmp_path / "twistd.pid").write_text(str(os.getpid()))  # as of a container before this one
    with command("--port", f"unix:{tmp_path / 'socket'}") as process:
        process.wait_for("is ready")
        assert process.stop() == -signal.SIGTERM
    assert [path.name for path in tmp_path.iterdir()] == ["twistd.pid"]


def test_in_the_background(tmp_path: Path) -> None:
    daemon = [str(BIN / "twistd"), "chatpair", "--port", f"unix:{tmp_path / 'socket'}"]
    with Process(daemon, cwd=tmp_path) as process:
        assert process.wait() == 0
    pid = int((tmp_path / "twistd.pid").read_text())
    with Process(["tail", "-f", f"--pid={pid}", "-n", "+1", "twistd.log"], cwd=tmp_path) as log:
        log.wait_for("is ready")
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        with Process(daemon, cwd=elsewhere) as process:
            assert process.wait() == 1
            why = f"chatpair: Couldn't listen on any:{bytes(tmp_path / 'socket')!r}: "
            assert f"{why}Cannot acquire lock.\n".encode() in process.output
        # It removes its twistd.pid after it has told the one who waits.
        spins_until(lambda: [path.name for path in elsewhere.iterdir()] == ["twistd.log"])
        os.kill(pid, signal.SIGTERM)
        log.wait_for("Server Shut Down")
        log.wait()


@through(*TCP, "haproxy:epoll:0")
def test_more_connections_than_files(port: str) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (600, 600))

    # To connect so many may take longer than strangers usually have for a name.
    with Server("--name-time", "3600", *METRICS, preexec_fn=limit, port=port) as server:
        server.wait_for("The system allows 600 open files")
        alice, bob = server.pair()
        strangers: dict[socket.socket, Client] = {}
        told: list[socket.socket] = []
        while not told:
            stranger = server.client(source=f"127.0.1.{len(strangers) % 10}")
            strangers[stranger.socket] = stranger
            alice.says("/who")  # so that the server keeps up with them
            assert alice.line() == "Here: alice*, bob*"
            told = select.select(strangers, [], [], 0)[0]
        assert strangers[told[0]].line() == "The server is full."
        assert 200 < len(strangers) < 400
        assert asked(server, "/health") == (503, "no files left\n")
        alice.tells(bob, "hello")
        for stranger in strangers.values():
            stranger.close()
        alice.says("/who")
        assert alice.line() == "Here: alice*, bob*"
        server.client("carol")
        assert asked(server, "/health") == (200, "ok\n")
        assert b"EMFILE" not in server.output


@pytest.mark.parametrize("kind", ["tcp", "epoll"])
def test_without_files_left_it_is_one_line_for_all_who_are_turned_away(kind: str) -> None:
    with Server(port=f"{kind}:0:interface=127.0.0.1") as server, ExitStack() as sockets:
        pid, limit = server.popen.pid, resource.RLIMIT_NOFILE
        before = resource.prlimit(pid, limit)
        opened = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        resource.prlimit(pid, limit, (opened, before[1]))
        for _ in range(50):
            stranger = sockets.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            assert stranger.recv(1) == b""
        server.wait_for("no files left")
        assert server.output.count(b"\n") < 20
        resource.prlimit(pid, limit, before)
        server.client("alice")


@pytest.mark.parametrize(
    ("door", "number"),
    [*((door, signal.SIGTERM) for door in LINES), ("epoll:0", signal.SIGINT)],
    indirect=["door"],
)
def test_stopping_tells_everybody_and_flushes(number: signal.Signals, port: str) -> None:
    with Server(port=port) as server:
        alice, bob = server.pair()
        unnamed = server.client()
        # More than bob's kernel takes: some wait in the server.
        lines = [f"{number} {'x' * 1_000}" for number in range(3_000)]
        sender = threading.Thread(target=alice.says, args=lines)
        sender.start()
        assert bob.text() == lines[0]
        server.kill(number)
        sender.join()
        assert unnamed.line() == "The server is stopping."
        assert alice.line() == "The server is stopping."
        for heard in count(1):
            if (line := bob.line()) == "The server is stopping.":
                break
            assert line.endswith(f"alice: ({lines[heard]})")
        assert bob.line() == ""
        status = server.wait()
        assert status == -number
        assert b"xxx" not in server.output
        assert re.search(rb"went: .*alice \(stopped\)", server.output)


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
