"""The programs that people have, in conversation through a real server."""

import os
import pty
import re
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.doors import Servers
from tests.support.server import TIMEOUT, Client, Process, Server, require

COMMANDS = {
    "nc": "nc -N 127.0.0.1 {port}",
    "nc on a unix socket": "nc -N -U {path}",
    "ncat": "ncat 127.0.0.1 {port}",
    "socat": f"socat -t {TIMEOUT} - TCP:127.0.0.1:{{port}}",
    "telnet": "telnet 127.0.0.1 {port}",
}

PIPED = [name for name in COMMANDS if name != "telnet"]
"""The programs that talk in a pipe and can end their input before the conversation ends."""

GREETING = "Escape character is '^]'."
CLOSED = "Connection closed by foreign host."
TELNETS_OWN = {"Trying 127.0.0.1...", "Connected to 127.0.0.1.", GREETING, CLOSED}
"""What telnet says by itself when all goes well."""

STAMP = re.compile(r"^\[\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}\] (?=\S+( \(again\))?: \(.*\)$)")


class Program(Process):
    """A program in a pipe."""

    def types(self, *lines: str) -> None:
        """Type lines."""
        self.write("".join(f"{line}\n" for line in lines).encode())

    def shows(self, line: str) -> None:
        """Wait until the newest whole line that is shown is this one, stamped or not."""
        self.wait_for(rf"(?:^|\n)(?:\[.{{24}}\] )?{re.escape(line)}\r\n$")

    def leaves(self) -> None:
        """Type Quit, and end the input, for which all these programs wait as well."""
        self.types("Quit")
        self.shows("Quit")
        self.close_input()
        assert self.wait() == 0

    def shown(self) -> list[str]:
        """Return the lines that the server told, each stamp cut to an empty pair of brackets."""
        lines = self.output.decode().split("\r\n")
        assert lines.pop() == "", f"an unfinished line: {self.output!r}"
        return [STAMP.sub("[] ", line) for line in lines]


class Terminal(Program):
    """A program in a terminal window."""

    def __init__(self, arguments: list[str]) -> None:
        self._window, program_side = pty.openpty()
        self._closing, self._close = os.pipe()
        self._typed: list[str] = []
        try:
            super().__init__(
                ["setsid", "--ctty", *arguments],
                stdin=program_side,
                stdout=program_side,
                stderr=program_side,
            )
        finally:
            os.close(program_side)

    def _read(self) -> None:
        while self._window in select.select([self._window, self._closing], [], [])[0]:
            try:
                data = os.read(self._window, 4_096)
            except OSError:  # that is how a terminal says that nobody has it any more
                break
            with self._changed:
                self.output += data
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def types(self, *lines: str) -> None:
        self._typed += lines
        super().types(*lines)

    def write(self, data: bytes) -> None:
        os.write(self._window, data)

    def orders(self, command: str) -> None:
        """Give telnet itself a command."""
        self.write(b"\x1d")
        self.wait_for(r"telnet> $")
        self.types(command)

    def leaves(self) -> None:
        self.types("Quit")
        self.wait_for(rf"\r\nQuit\r\n{CLOSED}\r\n$")
        assert self.wait() == 0

    def shown(self) -> list[str]:
        """Return the lines on the screen, without telnet's own and what was typed."""
        lines = [line for line in super().shown() if line not in TELNETS_OWN]
        for line in self._typed:
            lines.remove(line)
        return lines

    def close_window(self) -> None:
        """Close the window under the program."""
        os.write(self._close, b"\0")
        self._reader.join(TIMEOUT)
        os.close(self._window)
        self._window = -1

    def __exit__(self, *how: object) -> None:
        super().__exit__(*how)
        for descriptor in (self._window, self._closing, self._close):
            if descriptor >= 0:
                os.close(descriptor)


Start = Callable[..., Program]


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server's unix socket is."""
    return tmp_path_factory.mktemp("programs") / "chatpair.socket"


@pytest.fixture
def server(path: Path, door: str, servers: Servers) -> Iterator[Server]:
    """A real server on a TCP port and a unix socket."""
    with servers.lent(door, "--port", f"unix:{path}") as running:
        yield running


@pytest.fixture
def start(server: Server, path: Path) -> Iterator[Start]:
    """Start a program of COMMANDS, and say a name to the server if there is one."""
    with ExitStack() as programs:

        def start(command: str, name: str = "") -> Program:
            arguments = COMMANDS[command].format(port=server.port, path=path).split()
            require(arguments[0])
            program: Program
            if command == "telnet":
                require("setsid")
                program = programs.enter_context(Terminal(arguments))
                program.wait_for(re.escape(GREETING))
            else:
                program = programs.enter_context(Program(arguments))
            if name:
                program.types(name)
                program.shows("OK")
            return program

        yield start


def pair(alice: Program, bob: Program) -> None:
    """Let alice call bob."""
    alice.types("To:bob")
    alice.shows("You are chatting with bob.")
    bob.shows("You are chatting with alice.")


def telnet_with_bob(start: Start, server: Server) -> tuple[Terminal, Client]:
    """Let alice, in a telnet, call bob."""
    bob = server.client("bob")
    alice = start("telnet", "alice")
    assert isinstance(alice, Terminal)
    alice.types("To:bob")
    assert bob.line() == "You are chatting with alice."
    alice.shows("You are chatting with bob.")
    return alice, bob


@pytest.mark.parametrize(
    ("callers", "callees"),
    [
        ("nc", "nc"),
        ("nc", "nc on a unix socket"),
        ("ncat", "socat"),
        ("socat", "ncat"),
        ("nc", "telnet"),
        ("telnet", "nc"),
        ("telnet", "telnet"),
    ],
)
def test_two_programs_talk(start: Start, callers: str, callees: str) -> None:
    alice, bob = start(callers, "alice"), start(callees, "bob")
    pair(alice, bob)
    alice.types("Good morning")
    bob.shows("alice: (Good morning)")
    bob.types("Grüße, 你好 🙂", "")
    alice.shows("bob: ()")
    bob.leaves()
    alice.shows("Quit.")
    alice.leaves()

    assert alice.shown() == [
        "OK",
        "You are chatting with bob.",
        "[] bob: (Grüße, 你好 🙂)",
        "[] bob: ()",
        "Quit.",
        "Quit",
    ]
    assert bob.shown() == ["OK", "You are chatting with alice.", "[] alice: (Good morning)", "Quit"]


@pytest.mark.parametrize("command", PIPED)
def test_a_program_at_the_end_of_its_input_is_answered_and_let_go(
    start: Start, command: str
) -> None:
    """As printf 'alice\\nTo:bob\\n' | nc -N does it."""
    alice = start(command)
    alice.types("alice", "To:bob")
    alice.close_input()
    assert alice.wait() == 0
    assert alice.shown() == ["OK", "The user bob does not exist."]


@pytest.mark.parametrize("command", PIPED)
def test_a_program_at_the_end_of_its_input_still_listens_until_its_peer_leaves(
    start: Start, server: Server, command: str
) -> None:
    bob = server.client("bob")
    alice = start(command)
    alice.write(b"alice\nTo:bob\nThis is all.\nNearly")
    alice.close_input()
    assert bob.line() == "You are chatting with alice."
    assert bob.text() == "This is all."
    assert bob.text() == "Nearly"
    alice.shows("Listening.")
    bob.says("Are you still there?")
    alice.shows("bob: (Are you still there?)")
    bob.says("Quit")
    assert bob.line() == "Quit"
    assert alice.wait() == 0
    assert alice.shown() == [
        "OK",
        "You are chatting with bob.",
        "Listening.",
        "[] bob: (Are you still there?)",
        "Quit.",
    ]


@pytest.mark.parametrize("command", PIPED)
def test_a_killed_program_leaves_its_unfinished_line_and_its_name(
    start: Start, server: Server, command: str
) -> None:
    bob = server.client("bob")
    alice = start(command, "alice")
    alice.types("To:bob")
    assert bob.line() == "You are chatting with alice."
    alice.shows("You are chatting with bob.")
    alice.write(b"I wanted to say\nthat the ke")  # one write: they arrive together
    assert bob.text() == "I wanted to say"
    alice.kill()
    assert bob.text() == "that the ke"
    assert bob.line() == "Quit."
    server.client("alice").calls("bob")
    assert bob.line() == "You are chatting with alice."


@pytest.mark.parametrize("command", ["nc", "ncat", "socat", "telnet", "nc on a unix socket"])
def test_a_killed_program_with_a_key_comes_back(start: Start, command: str) -> None:
    alice, bob = start("nc", "alice"), start(command, "bob")
    pair(alice, bob)
    bob.types("/key")
    key = bob.wait_for(rb"Your key is (\S+)\. After")[1].decode()
    alice.types("before")
    bob.shows("alice: (before)")
    bob.kill()
    alice.shows("bob has lost the connection. What you say is kept for a while.")
    alice.types("meanwhile")
    again = start(command)
    again.types(f"Back:{key}")
    again.shows("alice: (meanwhile)")
    again.types("thank you")
    alice.shows("bob: (thank you)")
    again.leaves()
    assert again.shown() == [
        "OK",
        "[] alice (again): (before)",
        "You are chatting with alice.",
        "[] alice: (meanwhile)",
        "Quit",
    ]
    alice.shows("Quit.")
    alice.leaves()


def test_a_closed_terminal_window_is_told_to_the_peer(start: Start, server: Server) -> None:
    alice, bob = telnet_with_bob(start, server)
    alice.close_window()
    assert alice.wait() == -signal.SIGHUP
    assert bob.line() == "Quit."
    server.client("alice")


@pytest.mark.parametrize("before", ["", "toggle autosynch", "toggle autoflush"])
def test_ctrl_c_in_a_telnet_is_quit(start: Start, server: Server, before: str) -> None:
    """With autosynch telnet also marks the interrupt as urgent."""
    alice, bob = telnet_with_bob(start, server)
    if before:
        alice.orders(before)
        alice.types("I have set something.")
        assert bob.text() == "I have set something."
    alice.write(b"half a sent\x03")
    alice.wait()
    assert bob.line() == "Quit."
    assert re.search(rf"Quit\r\n{CLOSED}\r\n$".encode(), alice.output)


@pytest.mark.parametrize("key", [b"\x1c", b"\x0f"], ids=["Ctrl-\\", "Ctrl-O"])
def test_a_telnet_whose_key_flushes_the_screen_shows_what_comes_then(
    start: Start, server: Server, key: bytes
) -> None:
    """Telnet shows nothing between such a key and the answer to its timing mark."""
    alice, bob = telnet_with_bob(start, server)
    for number in range(3):
        alice.write(key)
        alice.types(f"Number {number}")
        assert bob.text() == f"Number {number}"
        bob.says(f"You said {number}")
        alice.shows(f"bob: (You said {number})")


@pytest.mark.parametrize(
    "command",
    [
        "send ao",
        "send ayt",
        "send brk",
        "send ec",
        "send el",
        "send ga",
        "send nop",
        "send synch",
        "send do 6",
        "send will 1",
        "toggle binary",
        "mode character",
    ],
)
def test_a_telnet_goes_on_after_whatever_it_can_send(
    start: Start, server: Server, command: str
) -> None:
    alice, bob = telnet_with_bob(start, server)
    alice.orders(command)
    alice.types("Here I am again.")
    assert bob.text() == "Here I am again."
    bob.says("Good.")
    alice.shows("bob: (Good.)")
    assert b"?Invalid" not in alice.output


def test_an_interrupt_by_telnets_own_command_is_quit(start: Start, server: Server) -> None:
    alice, bob = telnet_with_bob(start, server)
    alice.orders("send ip")
    alice.wait()
    assert bob.line() == "Quit."
    assert re.search(rf"\r\nQuit\r\n{CLOSED}\r\n$".encode(), alice.output)


@pytest.mark.parametrize("text", ["ム", "Ã Ü", "한", "😃🚀", "привет é"])
def test_a_telnet_that_takes_a_part_of_a_letter_for_a_key_says_the_letter(
    start: Start, server: Server, text: str
) -> None:
    alice, bob = telnet_with_bob(start, server)
    alice.types(text)
    assert bob.text() == text
    bob.says("Yes.")
    alice.shows("bob: (Yes.)")
