"""Show what a chat looks like on a terminal: two real clients, on a server of their own.

It prints the screen of one of them; with --write it puts that into README.rst in place of what is
there. Run it in a checkout, with what the tests need: python docs/capture.py
"""

import sys
from pathlib import Path
from textwrap import indent

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # its terminal is that of the tests

from tests.support.clients import at  # noqa: E402
from tests.support.emulator import Emulator, status  # noqa: E402
from tests.support.server import Server  # noqa: E402

README = ROOT / "README.rst"
BEGIN, END = ".. begin: what docs/capture.py printed\n", ".. end\n"
ROWS, COLUMNS = 14, 72


def screen() -> str:
    """Let alice and bob chat; return what alice sees while she types."""
    with (
        Server(port="epoll:0:interface=127.0.0.1") as server,
        Emulator(*at(server, "--name", "bob"), rows=ROWS, columns=COLUMNS) as bob,
        Emulator(*at(server, "--name", "alice"), rows=ROWS, columns=COLUMNS) as alice,
    ):
        for user, name in ((alice, "alice"), (bob, "bob")):
            user.shows_last(status(name, "with nobody", "connected"), ">")
        alice.types("To:bob\r")
        alice.shows_last(status("alice", "with bob", "connected"), ">")
        bob.shows_last(status("bob", "with alice", "connected"), ">")
        alice.types("Hi, Bob. How did the build go?\r")
        alice.shows_last(status("alice", "with bob", "connected", "confirmed"), ">")
        bob.types("See for yourself:\r")
        bob.shows_last(status("bob", "with alice", "connected", "confirmed"), ">")
        bob.pastes("612 passed, 3 skipped in 9:41\n(two of them are new)")
        bob.types("\r")
        alice.waits_until(lambda lines: "two of them" in lines[-3])
        alice.types("Good! I'll tell the oth")
        alice.shows_last("> Good! I'll tell the oth")
        bob.types("Wait")
        typing = status("alice", "with bob", "connected", "confirmed", "bob is typing")
        below = [typing, "> Good! I'll tell the oth"]
        return "\n".join(alice.waits_until(lambda lines: lines[-2:] == below))


def block(shown: str) -> str:
    """Return what is between the marks for a screen."""
    return f"\n::\n\n{indent(shown, '    ')}\n\n"


if __name__ == "__main__":
    shown = screen()
    print(shown)
    if sys.argv[1:] == ["--write"]:
        before, rest = README.read_text().split(BEGIN)
        _, after = rest.split(END)
        README.write_text(f"{before}{BEGIN}{block(shown)}{END}{after}")
