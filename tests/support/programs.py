"""The programs that people have: how they are started, and what they show."""

import re

from tests.support.emulator import OnTerminal
from tests.support.server import TIMEOUT, Process

COMMANDS = {
    "nc": "nc -N 127.0.0.1 {port}",
    "nc on a unix socket": "nc -N -U {path}",
    "ncat": "ncat 127.0.0.1 {port}",
    "socat": f"socat -t {TIMEOUT} - TCP:127.0.0.1:{{port}}",
    "telnet": "telnet 127.0.0.1 {port}",
    # As the README has them; without the rest they would trust whoever answers.
    "openssl": "openssl s_client -quiet -connect localhost:{tls} -servername localhost "
    "-verify_quiet -verify_return_error -CAfile {root}",
    "ncat with TLS": "ncat --ssl localhost {tls} --ssl-verify --ssl-trustfile {root}",
    "socat with TLS": "socat - OPENSSL:localhost:{tls},cafile={root}",
}

TLS = ("openssl", "ncat with TLS", "socat with TLS")
"""The programs that talk in a pipe, and can say /end."""

PIPED = [name for name in COMMANDS if name not in ("telnet", *TLS)]
"""The programs that talk in a pipe and can end their input before the conversation ends."""

OPENSSLS_OWN = b"Can't use SSL_get_servername\n"
GREETING = "Escape character is '^]'."
CLOSED = "Connection closed by foreign host."
TELNETS_OWN = {"Trying 127.0.0.1...", "Connected to 127.0.0.1.", GREETING, CLOSED}
"""What telnet says by itself when all goes well."""

STAMP = re.compile(r"^\[\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}\] (?=\S+( \(again\))?: \(.*\)$)")


def newest(line: str) -> str:
    """Return a pattern for output whose newest whole line is this one, stamped or not."""
    return rf"(?:^|\n)(?:\[.{{24}}\] )?{re.escape(line)}\r\n$"


def lines_of(output: bytes) -> list[str]:
    """Return the lines of an output, each stamp cut to an empty pair of brackets."""
    lines = output.replace(OPENSSLS_OWN, b"").decode().split("\r\n")
    assert lines.pop() == "", f"an unfinished line: {output!r}"
    return [STAMP.sub("[] ", line) for line in lines]


class Program(Process):
    """A program in a pipe."""

    def types(self, *lines: str) -> None:
        """Type lines."""
        self.write("".join(f"{line}\n" for line in lines).encode())

    def shows(self, line: str) -> None:
        """Wait until the newest whole line that is shown is this one, stamped or not."""
        self.wait_for(newest(line))

    def leaves(self) -> None:
        """Type Quit, and end the input, for which all these programs wait as well."""
        self.types("Quit")
        self.shows("Quit")
        self.close_input()
        assert self.wait() == 0

    def shown(self) -> list[str]:
        """Return the lines that the server told."""
        return lines_of(self.output)


class Telnet(OnTerminal):
    """A telnet in a terminal window."""

    def __init__(self, arguments: list[str]) -> None:
        self._typed: list[str] = []
        super().__init__(*arguments)

    def types(self, *lines: str) -> None:
        """Type lines."""
        self._typed += lines
        super().types("".join(f"{line}\n" for line in lines))

    def shows(self, line: str) -> None:
        """Wait until the newest whole line that is shown is this one, stamped or not."""
        self.wait_for(newest(line))

    def orders(self, command: str) -> None:
        """Give telnet itself a command."""
        self.types_bytes(b"\x1d")
        self.wait_for(r"telnet> $")
        self.types(command)

    def leaves(self) -> None:
        """Type Quit; the server closes the connection."""
        self.types("Quit")
        self.wait_for(rf"\r\nQuit\r\n{CLOSED}\r\n$")
        assert self.wait() == 0

    def shown(self) -> list[str]:
        """Return the lines on the screen, without telnet's own and what was typed."""
        lines = [line for line in lines_of(self.output) if line not in TELNETS_OWN]
        for line in self._typed:
            lines.remove(line)
        return lines
