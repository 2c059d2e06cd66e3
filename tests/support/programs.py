"""The programs that people have: how they are started, and what they show."""

import os
import pty
import re
import select

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
        lines = self.output.replace(OPENSSLS_OWN, b"").decode().split("\r\n")
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
