"""What signals do to a server, and what it may do as the user of --uid."""

import os
import pwd
import signal
import tempfile
from pathlib import Path

import pytest
from twisted.internet.testing import MemoryReactorClock

from chatpair.ownership import Ownership
from chatpair.signals import AGAIN_SECONDS, TRIES, Signals
from tests.support.clients import spins_until
from tests.support.forks import BIN
from tests.support.server import Process, Server


def test_sighup_has_files_read_anew_and_sigusr1_harms_nobody(tmp_path: Path) -> None:
    motd, passwords = tmp_path / "motd", tmp_path / "passwords"
    motd.write_text("old\n")
    passwords.write_text("alice:secret\n")
    with Server("--motd", str(motd), "--auth", f"file:{passwords}") as server:
        motd.write_text("new\n")
        server.kill(signal.SIGUSR1)
        server.kill(signal.SIGHUP)
        server.wait_for(rf"Read --auth {passwords} anew\n(?s:.*)Read --motd {motd} anew\n")
        bob = server.client("bob")
        assert bob.line() == "new"


def test_what_had_come_is_said_before_the_end_which_is_once() -> None:
    with Server() as server:
        alice, bob = server.pair()
        server.kill(signal.SIGHUP)
        server.wait_for("There are no files to read anew")
        server.kill(signal.SIGSTOP)
        alice.says(*map(str, range(5_000)))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
            server.kill(number)
        assert [bob.text() for _ in range(5_000)] == [*map(str, range(5_000))]
        assert [bob.line() for _ in range(2)] == ["The server is stopping.", ""]
        server.kill(signal.SIGTERM)
        assert server.wait() in (-signal.SIGTERM, -signal.SIGINT)


def test_a_file_that_is_wrong_is_looked_at_again(logged: list[str]) -> None:
    reactor = MemoryReactorClock()
    signals = Signals(reactor, str, None)
    wrong = ["no key"] * 3

    def read() -> None:
        if wrong:
            raise ValueError(wrong.pop())

    signals.reads("the key", read)
    signals.read_anew()
    reactor.pump([AGAIN_SECONDS] * TRIES)
    assert [line.partition(" anew")[0] for line in logged] == ["Can't read the key", "Read the key"]
    wrong += ["no key"] * 2 * TRIES
    signals.read_anew()
    reactor.pump([AGAIN_SECONDS] * TRIES)
    assert len(wrong) == TRIES
    signals.read_anew()
    signals.stop()
    assert reactor.getDelayedCalls() == []


def test_the_user_of_uid_may_rotate_and_remove_what_root_has_made() -> None:
    if os.geteuid():
        pytest.skip("only root can be another user")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
        where = ["--logfile", folder / "log", "--pidfile", folder / "pid"]
        command = [BIN / "twistd", "-n", "--uid", "nobody", *where, "chatpair", "--port"]
        with Process([*map(str, command), f"unix:{folder / 'socket'}"]) as server:
            spins_until((folder / "pid").exists)
            spins_until(lambda: b"is ready" in (folder / "log").read_bytes())
            server.kill(signal.SIGUSR1)
            spins_until((folder / "log.1").exists)
            (folder / "log").rename(folder / "log.0")  # as logrotate does
            server.kill(signal.SIGUSR1)
            spins_until((folder / "log").exists)
            server.stop()
        assert {path.name for path in folder.iterdir()} == {"log", "log.0", "log.1", "log.2"}
        assert b"can't remove" not in (folder / "log.2").read_bytes()


def test_where_that_user_may_not_is_told(tmp_path: Path, logged: list[str]) -> None:
    logs = {"nodaemon": True, "syslog": False, "logfile": "-"}
    user = {"uid": os.getuid(), "gid": None, "chroot": None}
    giving = Ownership({**logs, **user, "pidfile": tmp_path / "gone" / "pid"})
    giving.give_log()
    giving.complain()
    [line] = logged
    assert f"can't remove, rotate or make again {tmp_path}/gone/pid: the folder must be" in line
