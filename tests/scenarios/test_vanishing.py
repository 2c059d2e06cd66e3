"""Machines that vanish without a word, and programs that only look as if they had."""

import ctypes
import itertools
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import SIGSTOP

import pytest

from tests.support.clients import spins_until
from tests.support.doors import TCP, through
from tests.support.forks import heed_signals
from tests.support.server import TIMEOUT, Client, Process, Server, require, unavailable

NEAR_ADDRESS, FAR_ADDRESS = "192.0.2.1", "192.0.2.2"  # of RFC 5737, for nobody else to have

CLONE_NEWNET = 0x40000000  # of linux/sched.h

PROBE = "04"
"""What /proc/net/tcp calls the timer that asks a full receiver whether it can take more."""

PORTS = itertools.count(5_000)

MANY = [f"{number:05} {'x' * 2_000}" for number in range(16_000)]
"""Lines that no chain of buffers between two programs can hold."""


def ip(*arguments: str) -> None:
    """Run ip, or end the test with what it says."""
    subprocess.run(["ip", *arguments], check=True, timeout=TIMEOUT)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Open sockets and start programs in a network namespace."""
    enter = ctypes.CDLL(None, use_errno=True).setns
    with (
        Path("/proc/thread-self/ns/net").open() as here,
        Path("/run/netns", namespace).open() as there,
    ):
        assert enter(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert enter(here.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())


class Netcat(Process):
    """nc, or ncat with TLS, from a port of its own."""

    def __init__(self, server: Server, script: Path | None = None) -> None:
        self.port = next(PORTS)
        program = ["ncat", "--ssl", "--no-shutdown"] if server.door.tls else ["nc"]
        command = [*program, "-p", str(self.port), NEAR_ADDRESS, str(server.port)]
        with ExitStack() as files:
            options = {"stdin": files.enter_context(script.open())} if script else {}
            super().__init__(command, **options)


class TwoMachines:
    """A server with its programs, and another machine with a cable to it."""

    def __init__(self, stack: ExitStack, port: str) -> None:
        self._stack = stack
        self.near, self.far = (f"chatpair-{side}-{os.getpid()}" for side in ("near", "far"))
        added = subprocess.run(
            ["ip", "netns", "add", self.near], capture_output=True, text=True, timeout=TIMEOUT
        )
        if added.returncode:
            unavailable(f"no network namespace can be made: {added.stderr.strip()}")
        stack.callback(ip, "netns", "del", self.near)
        ip("netns", "add", self.far)
        stack.callback(ip, "netns", "del", self.far)
        cable = f"name cable netns {self.near} type veth peer name cable netns {self.far}"
        ip("link", "add", *cable.split())
        for side, address in ((self.near, NEAR_ADDRESS), (self.far, FAR_ADDRESS)):
            ip("-n", side, "address", "add", f"{address}/30", "dev", "cable")
            ip("-n", side, "link", "set", "cable", "up")
            ip("-n", side, "link", "set", "lo", "up")
        with inside(self.near):
            # What is forked is forked elsewhere.
            server = Server(port=port, preexec_fn=heed_signals)
        self.server = stack.enter_context(server)

    def speaker(self, namespace: str, script: Path) -> Netcat:
        """Have a program say all that is in a file."""
        with inside(namespace):
            return self._stack.enter_context(Netcat(self.server, script))

    def far_user(self, name: str) -> Netcat:
        """Have somebody come from the other machine."""
        with inside(self.far):
            program = self._stack.enter_context(Netcat(self.server))
        program.write(f"{name}\n".encode())
        program.wait_for(r"^OK\r\n$")
        return program

    def near_user(self, name: str) -> Client:
        """Have somebody come from the server's own machine."""
        with inside(self.near):
            return self.server.client(name)

    def vanish(self) -> None:
        """Pull the cable."""
        ip("-n", self.far, "link", "set", "cable", "down")


@pytest.fixture
def machines(port: str) -> Iterator[TwoMachines]:
    """Two machines of their own for a test."""
    require("ip")
    require("nc")
    require("ncat")
    if os.geteuid():
        unavailable("only root can make network namespaces")
    with ExitStack() as stack:
        made = TwoMachines(stack, port)
        yield made


def wait_until_full(process: Process, port: int) -> None:
    """Wait until the kernel of a process waits for a connection's other end to read."""
    rows = Path(f"/proc/{process.popen.pid}/net/tcp")

    def is_full() -> bool:
        connections = [row.split() for row in rows.read_text().splitlines()[1:]]
        return any(
            f"{port:04X}" in (local[-4:], remote[-4:]) and timer.startswith(PROBE)
            for _, local, remote, _, _, timer, *_ in connections
        )

    spins_until(is_full)


def script_of(folder: Path, name: str, peer: str) -> Path:
    """Write down what somebody says who calls a peer and has very much to say."""
    path = folder / name
    path.write_text("\n".join([name, f"To:{peer}", *MANY, ""]))
    return path


def test_a_line_is_taken_over_from_a_machine_that_has_vanished(machines: TwoMachines) -> None:
    bob = machines.far_user("bob")
    bob.write(b"/key\n")
    key = bob.wait_for(rb"Your key is (\S+)\. ")[1].decode()
    alice = machines.near_user("alice")
    alice.calls("bob")
    bob.wait_for(r"You are chatting with alice\.\r\n$")
    machines.vanish()
    alice.says("one")
    again = machines.near_user("")
    again.says(f"Back:{key}")
    told = [again.line() for _ in range(3)]
    assert told[0] == "OK"
    assert re.fullmatch(r"\[.{24}\] alice \(again\): \(one\)", told[1])
    assert told[2] == "You are chatting with alice."
    again.tells(alice, "here I am")


@pytest.mark.endurance
@through(*TCP, "ssl")
def test_a_machine_that_vanishes_is_known_to_its_peers_and_one_that_does_not_read_stays(
    machines: TwoMachines, tmp_path: Path
) -> None:
    """All at once, because keepalive takes its half a minute.

    The peers of alice, carol, grace and ivan get their Quit. when the cable is pulled, whatever
    was going on between them; erin and frank, who does not read all the while, go on after it.
    """
    server = machines.server

    # Nobody says anything in one pair, and in the other dave does when the cable is pulled.
    bob, dave = machines.near_user("bob"), machines.near_user("dave")
    for caller, name in ((bob, "alice"), (dave, "carol")):
        callee = machines.far_user(name)
        caller.calls(name)
        callee.wait_for(r"You are chatting with (bob|dave)\.\r\n$")

    # One on this machine is alive and does not read.
    frank = machines.near_user("frank")
    franks_port = frank.socket.getsockname()[1]
    erin = machines.speaker(machines.near, script_of(tmp_path, "erin", "frank"))
    wait_until_full(server, franks_port)
    wait_until_full(erin, erin.port)

    # One on the other machine does not read either.
    grace = machines.far_user("grace")
    grace.kill(SIGSTOP)
    heidi = machines.speaker(machines.near, script_of(tmp_path, "heidi", "grace"))
    wait_until_full(server, grace.port)
    wait_until_full(heidi, heidi.port)

    # The server does not read from one on the other machine.
    judy = machines.near_user("judy")
    ivan = machines.speaker(machines.far, script_of(tmp_path, "ivan", "judy"))
    wait_until_full(ivan, ivan.port)

    machines.vanish()
    dave.says("Are you there?")

    assert dave.line() == "Quit."
    heidi.wait_for(r"^OK\r\nYou are chatting with grace\.\r\nQuit\.\r\n")
    assert bob.line() == "Quit."

    assert judy.line() == "You are chatting with ivan."
    heard = list(iter(judy.line, "Quit."))
    assert heard
    assert all(map(str.endswith, heard, [f"] ivan: ({line})" for line in MANY]))

    wait_until_full(server, franks_port)
    assert erin.output == b"OK\r\nYou are chatting with frank.\r\n"
    assert frank.line() == "You are chatting with erin."
    assert [frank.text() for _ in MANY] == MANY
    frank.says("I have read it all.")
    erin.wait_for(r"\r\n\[.*\] frank: \(I have read it all\.\)\r\n$")

    judy.says("/who")
    assert judy.line() == "Here: bob, dave, erin*, frank*, heidi, judy"
