"""Names with passwords on a real server: who asks, who waits, and what is never written down."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.support.accounts import htpasswd_line
from tests.support.certificates import made
from tests.support.clients import Piped, at, spins_until
from tests.support.emulator import Emulator, status
from tests.support.forks import BIN
from tests.support.server import TIMEOUT, Client, Door, Server, own_address, require

PERHAPS = "Bad name: if that is a password, say your name first; else say it again"
SECRET = "tr0ub4dor-grüß"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file in which alice has a password."""
    path = tmp_path / "passwords"
    path.write_text(htpasswd_line("alice", SECRET))
    return path


@pytest.fixture
def guarded(path: Path, port: str) -> Iterator[Server]:
    """A real server that asks alice for her password."""
    with Server("--auth", f"htpasswd:{path}", port=port) as running:
        yield running
    assert b"tr0ub4dor" not in running.output


def logs_in(client: Client, name: str, password: str) -> str:
    """Say a name and its password; return the answer."""
    client.says(name)
    assert client.line() == "Password:"
    client.says(password)
    return client.line()


def test_what_htpasswd_writes_is_asked_for(tmp_path: Path, port: str) -> None:
    htpasswd, path, long = require("htpasswd"), tmp_path / "passwords", "hunter2" * 20
    subprocess.run([htpasswd, "-bcB", path, "alice", SECRET], check=True, capture_output=True)
    with Server("--auth", f"htpasswd:{path}", port=port) as server:
        assert logs_in(server.client(), "Alice", "wrong") == "Wrong password."
        alice = server.client()
        assert logs_in(alice, "ALICE", SECRET) == "OK"
        stranger = server.caller("bob", "alice")
        assert alice.line() == "You are chatting with bob."
        # The file changes while the server runs.
        subprocess.run([htpasswd, "-bB", path, "carol", long], check=True, capture_output=True)
        assert logs_in(server.client(), "carol", long) == "OK"
        subprocess.run([htpasswd, "-D", path, "alice"], check=True, capture_output=True)
        alice.says("Quit")
        assert alice.line() == "Quit"
        assert stranger.line() == "Quit."
        server.client("alice")
    assert SECRET.encode() not in server.output
    assert b"hunter2" not in server.output
    assert b"wrong password 1" in server.output


# Who can read it


def test_a_password_needs_tls_unless_it_stays_on_this_machine(path: Path, tmp_path: Path) -> None:
    address, sock = own_address(), tmp_path / "socket"
    tls = made().issues("auth", "localhost").port
    options = ("--auth", f"htpasswd:{path}", "--port", tls, "--port", f"unix:{sock}")
    with Server(*options) as server:
        for door, answers in (
            (Door(server.port, host=address), ["This needs TLS.", PERHAPS]),
            (Door(server.tls_port, tls=made().trusting(), host=address), ["Password:", "OK"]),
            (Door(str(sock)), ["Password:", "OK"]),
        ):
            with Client(door) as alice:
                alice.says("alice", SECRET, "Quit")
                assert [alice.line(), alice.line(), alice.line()] == [*answers, "Quit"]
    assert b"tr0ub4dor" not in server.output


def test_who_comes_through_a_proxy_is_where_the_proxy_says(path: Path) -> None:
    with Server("--auth", f"htpasswd:{path}", port="haproxy:tcp:0") as server:
        for host, answer in (("192.0.2.7", "This needs TLS."), ("127.0.0.1", "Password:")):
            client = server.client(source=host)
            client.says("alice")
            assert client.line() == answer
        with Client(server.port) as nobody_knows:
            nobody_knows.says("PROXY UNKNOWN\r", "alice")
            assert nobody_knows.line() == "This needs TLS."


# While passwords are checked


def test_a_pair_talks_while_many_passwords_are_checked(path: Path, port: str) -> None:
    with path.open("a") as file:
        file.write(htpasswd_line("slow", SECRET, 10))
    with Server("--auth", f"htpasswd:{path}", port=port) as server:
        carol, bob = server.pair("carol", "bob")
        asking = [server.client("", f"127.0.1.{number}") for number in range(1, 21)]
        for client in asking:
            client.says("slow", "wrong")
            assert client.line() == "Password:"
        answers: list[str] = []
        reader = threading.Thread(target=lambda: answers.extend(each.line() for each in asking))
        reader.start()
        while reader.is_alive():
            carol.tells(bob, "ping")
            bob.tells(carol, "pong")
        reader.join()
        assert answers == ["Wrong password."] * 20


def test_a_server_in_the_background_checks_too(path: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    twistd = [str(BIN / "twistd"), "--pidfile", "pid", "--logfile", "log", "chatpair"]
    where = ("--port", f"tcp:{port}:interface=127.0.0.1", "--auth", f"htpasswd:{path.name}")
    subprocess.run([*twistd, *where], check=True, cwd=tmp_path, timeout=TIMEOUT)
    pid = int((tmp_path / "pid").read_text())
    try:
        with Client(port) as alice:
            assert logs_in(alice, "alice", SECRET) == "OK"
    finally:
        os.kill(pid, SIGTERM)
        spins_until(lambda: not (tmp_path / "pid").exists())
    log = (tmp_path / "log").read_text()
    assert "tr0ub4dor" not in log
    assert "Traceback" not in log


# The client


def test_a_person_types_it_unseen_and_comes_back(path: Path, guarded: Server) -> None:
    with Emulator(*at(guarded, "--name", "Alice")) as alice:
        alice.shows_last(" no name yet", "Your password:", column=15)
        alice.types("wrong\r")
        alice.shows_last("HH:MM * Wrong password.", " no name yet", "Your password:", column=15)
        alice.types("\x0btr0ub4\x17\x19\x12\t\x1b[A")
        alice.types(f"\x15{SECRET}")
        alice.shows_last(" no name yet", f"Your password: {'*' * len(SECRET)}")
        alice.types("\r")
        welcome = ("HH:MM * Welcome, alice.", status("alice", "with nobody", "connected"))
        alice.shows_last(*welcome, ">", column=2)
        alice.types("\x19,\x1b[A\x1b[A.")  # neither cut nor typed before
        alice.shows_last(*welcome, "> ,.")
        alice.types("\x15/quit\r")
        alice.ends(0)
    assert b"tr0ub4" not in alice.output


def test_a_plain_terminal_echoes_no_password(guarded: Server) -> None:
    with Emulator(*at(guarded, "--plain", "--name", "alice")) as alice:
        alice.shows("Your password:")
        spins_until(lambda: not alice.echoes)
        alice.types("wrong\n")
        alice.shows("Your password:", "Wrong password.", "Your password:")
        spins_until(lambda: not alice.echoes)
        alice.types(f"{SECRET}\n")
        alice.shows_last("Your password:", "Welcome, alice.")
        spins_until(lambda: alice.echoes)
        alice.types("/quit\n")
        alice.ends(0)
    assert b"tr0ub4" not in alice.output


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_a_plain_terminal_echoes_again_after_leaving(guarded: Server, key: str) -> None:
    with Emulator(*at(guarded, "--plain", "--name", "alice")) as alice:
        alice.shows("Your password:")
        spins_until(lambda: not alice.echoes)
        alice.types(key)
        alice.ends(0)


def test_a_command_is_not_told_the_password(guarded: Server) -> None:
    bob = guarded.client("bob")
    script = 'echo "<$CHATPAIR_PASSWORD>"'
    options = at(guarded, "--name", "alice", "--to", "bob", "--exec", script)
    with Piped(*options, env={"CHATPAIR_PASSWORD": SECRET}) as alice:
        assert bob.line() == "You are chatting with alice."
        assert bob.text() == "<>"
        alice.ends(0, "Welcome, alice.", "You are chatting with bob.")
