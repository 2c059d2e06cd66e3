"""The options of the client: from the command line, the settings file and the environment.

What --help tells after the options is data here, as docs/man.py makes the manual page of it.
"""

import os
import sys
from argparse import (
    SUPPRESS,
    ArgumentParser,
    ArgumentTypeError,
    BooleanOptionalAction,
    RawDescriptionHelpFormatter,
)
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill, indent
from typing import Any, NamedTuple, NoReturn

from msgspec import ValidationError, convert

from chatpair import __version__
from chatpair.client.ending import ExitStatus
from chatpair.client.settings import HOST, PORT, SettingsError, read_settings, settings_path
from chatpair.codecs.cleaning import clean, clean_line

WIDTH = 79
"""Columns of the help, whatever the terminal has: its examples can't be folded."""
_TEXT_COLUMN = 24
PASSWORD = "CHATPAIR_PASSWORD"
USUAL_SETTINGS = "~/.config/chatpair/settings.toml"


class Section(NamedTuple):
    """A part of the help: a text, a list of terms and what they mean, and lines to copy."""

    heading: str
    text: str = ""
    items: tuple[tuple[str, str], ...] = ()
    example: str = ""


ABOUT = "Talk with somebody over a chatpair server."

DESCRIPTION = (
    "On a terminal you type in a line editor below the messages, and what you type is said to the "
    "one you talk with, unless it is a command. A bell rings when somebody calls, or writes while "
    "nothing was typed for half a minute.",
    "In a pipe, which is where the standard input or output is no terminal, every line of the "
    "input is said as text, whatever it looks like, if --name and --to are given. Without --to "
    "they are said to whoever calls first, and a first line such as To:bob calls bob; without "
    "--name the first line is the name. When the input ends and all has arrived, the client quits. "
    "What arrives goes to standard output as it was said, a line a line. All else goes to standard "
    "error, with a progress line after a second when that is a terminal. Bytes that are no "
    "UTF-8 arrive as \N{REPLACEMENT CHARACTER}, and control characters are taken out.",
    "A connection that is lost is made again, but the first must be made at once.",
)


def sections(settings: str) -> tuple[Section, ...]:
    """Return what there is to know besides the options; `settings` is the file's path."""
    return (
        Section(
            "commands",
            "On a terminal. Any other line is said; a line with a space in front always is.",
            (
                ("To:bob, /to bob", "talk with bob; a pair with somebody else ends then"),
                ("/bye", "stop talking, and stay"),
                ("/who", "who is here"),
                ("/dnd on, /dnd off", "be called by nobody, or by everybody again"),
                ("/ring on, /ring off", "let calls ring until you answer with To:, or no more"),
                (
                    "/block bob, /unblock bob",
                    "be busy whenever bob calls, and ten minutes for newcomers from his address; "
                    "or no more",
                ),
                ("/help", "the commands"),
                ("/quit", "leave"),
            ),
        ),
        Section(
            "keys",
            "On a terminal, without --plain. A pasted text of many lines is one message.",
            (
                ("Tab", "complete a command or a name"),
                ("Up, Down, Ctrl-R", "what was typed before, a line at a time or by a part of it"),
                ("Ctrl-C", "empty the line; twice, quit; with --plain, quit at once"),
                ("Ctrl-D", "where nothing is typed, quit, once what waits is said"),
                ("Ctrl-Z", "suspend; the shell's fg comes back"),
            ),
        ),
        Section(
            "exit status",
            "Of a pipe. On a terminal it is 0 for whoever quits.",
            items=(
                *((str(status.value), status.about) for status in ExitStatus),
                (
                    "128 + N",
                    "ended by signal N, as 130 for Ctrl-C in a pipe, and 141 when nobody reads "
                    "the output",
                ),
            ),
        ),
        Section(
            "files",
            items=(
                (
                    settings,
                    "The settings, in TOML; the command line overrides them. Each may be missing, "
                    "and so may the file: host, port, ca, name, and tls, plain, color and bell, "
                    "which are true or false. Such as:",
                ),
            ),
            example='host = "chat.example.org"\nname = "alice"\nbell = false',
        ),
        Section(
            "environment",
            "The command line and the settings override it.",
            (
                (PASSWORD, "the password of the name, for a pipe above all"),
                (
                    "XDG_CONFIG_HOME",
                    "where the folder of the settings is, ~/.config if it is not set",
                ),
                ("NO_COLOR", "set and not empty, it means --no-color"),
                ("TERM", 'unset, empty, "dumb" or "unknown", it means --plain'),
            ),
        ),
        Section(
            "examples",
            items=(
                ("chatpair --name alice --to bob", "talk with bob"),
                (
                    "tail -f build.log | chatpair --name build --to bob --wait",
                    "say a log to bob as it grows, from when he is there",
                ),
                (
                    "chatpair --name bob --linger < /dev/null > file",
                    "write what arrives from whoever calls to a file",
                ),
                (
                    "chatpair --name python --exec 'python3 -i 2>&1'",
                    "let whoever calls talk with a program",
                ),
            ),
        ),
    )


def _fill(text: str, first: str = "", hanging: str = "") -> str:
    # An option that is broken at its hyphens can't be found or copied.
    return fill(
        text, WIDTH, initial_indent=first, subsequent_indent=hanging, break_on_hyphens=False
    )


def _item(term: str, text: str) -> str:
    lead = f"  {term}"
    hanging = " " * _TEXT_COLUMN
    if len(lead) + 2 > _TEXT_COLUMN:
        return f"{lead}\n{_fill(text, hanging, hanging)}"
    return _fill(text, lead.ljust(_TEXT_COLUMN), hanging)


def _in_help(section: Section) -> str:
    parts = [f"{section.heading}:"]
    if section.text:
        parts.append(_fill(section.text, "  ", "  "))
    parts += [_item(*item) for item in section.items]
    if section.example:
        parts.append("\n" + indent(section.example, " " * (_TEXT_COLUMN + 2)))
    return "\n".join(parts)


def _settings_from_home() -> str:
    """Return the path of the settings as a user would write it."""
    path = settings_path()
    if path is None:
        return USUAL_SETTINGS
    with suppress(RuntimeError, ValueError):  # there is no home, or they are not in it
        return str("~" / path.relative_to(Path.home()))
    return str(path)


@dataclass(frozen=True)
class Options:
    """What the client is to do; `to` and `name` are empty where none is given.

    `host` and `port` are the server's, which speaks TLS with `tls`; then `ca` is a file with whom
    to trust, or empty. `password` is that of the name. `to` is whom to call, with `wait` as soon as
    that is possible. `plain`, `color` and `bell` are of a terminal. With `linger` the end of the
    input is not the end, `json` is how to write what arrives, and `command` is a shell's that is
    the party.
    """

    host: str = "localhost"
    port: int = 9999
    tls: bool = False
    ca: str = ""
    name: str = ""
    password: str = field(default="", repr=False)
    to: str = ""
    plain: bool = False
    color: bool = True
    bell: bool = True
    wait: bool = False
    linger: bool = False
    json: bool = False
    command: str | None = None


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(ExitStatus.USAGE, f"{self.prog}: {message}\n")


class _Server(NamedTuple):
    """Where a server is, as it was written: HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT."""

    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> "_Server":
        host, port = text, ""
        if text.startswith("["):
            host, bracket, rest = text[1:].partition("]")
            port = rest.removeprefix(":")
            if not bracket or (rest and port == rest):
                host = ""
        elif text.count(":") == 1:  # with more it is an address of IPv6
            host, port = text.split(":")
        try:
            convert(host, HOST.type)
        except ValidationError:
            raise ArgumentTypeError(f"must be {HOST.words}, not {text!r}") from None
        return cls(host, _port(port) if port else None)


def _port(text: str) -> int:
    try:
        port: int = convert(int(text), PORT.type)
    except (ValueError, ValidationError):
        raise ArgumentTypeError(f"must be {PORT.words}, not {text!r}") from None
    return port


def _name(text: str) -> str:
    return clean(os.fsencode(text))


def _password(path: str) -> str:
    try:
        lines = Path(path).read_bytes().splitlines()
        return lines[0].decode() if lines else ""
    except OSError as error:
        raise ArgumentTypeError(f"can't read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ArgumentTypeError(f"{path} is not in UTF-8") from None


def _peer(text: str) -> str:
    name = _name(text)
    if not name.strip():
        raise ArgumentTypeError("must be the name of the one to call, and is empty")
    return name


def _command(text: str) -> str:
    if not text.strip():
        raise ArgumentTypeError("must be a command for the shell, and is empty")
    return text


def make_parser() -> ArgumentParser:
    """Return the parser of the command line; what is not given is not in its result."""
    parser = _Parser(
        prog="chatpair",
        usage="%(prog)s [HOST [PORT]] [OPTION ...], or %(prog)s --help",
        description="\n\n".join(map(_fill, (ABOUT, *DESCRIPTION))),
        epilog="\n\n".join(map(_in_help, sections(_settings_from_home()))),
        formatter_class=lambda prog: RawDescriptionHelpFormatter(prog, width=WIDTH),
        argument_default=SUPPRESS,
        add_help=False,
        allow_abbrev=False,
    )
    default = Options()
    add = parser.add_argument_group("options").add_argument
    add(
        "server",
        nargs="?",
        type=_Server.parse,
        default=None,
        metavar="HOST",
        help=f"the server ({default.host}); HOST:PORT and [ADDRESS]:PORT will do as well",
    )
    at_port = f"its port, 1 to 65535 ({default.port})"
    add("port_after", nargs="?", type=_port, default=None, metavar="PORT", help=at_port)
    add("--port", type=_port, help="the same")
    add("--tls", action=BooleanOptionalAction, help="speak TLS, and make sure who the server is")
    add(
        "--ca",
        metavar="FILE",
        help="with --tls, trust those whose certificates are in this file, as PEM, and not those "
        "whom the system trusts",
    )
    add("--name", type=_name, help="be known by this name; else it is asked for")
    add(
        "--password-file",
        dest="password",
        type=_password,
        metavar="FILE",
        help="a file whose first line is the password of the name; else it is asked for",
    )
    add("--to", type=_peer, metavar="NAME", help="call the user of this name")
    add("--wait", action="store_true", help="wait until the one to call is there and free")
    add("--version", action="version", version=f"chatpair {__version__}", help="the version")
    add("--help", action="help", help="this text")

    add = parser.add_argument_group("options on a terminal").add_argument
    add(
        "--plain",
        action=BooleanOptionalAction,
        help="no editor and no colors, a line after another, for screen readers and simple "
        "terminals",
    )
    add("--color", action=BooleanOptionalAction, help="colors (on)")
    add(
        "--bell",
        action=BooleanOptionalAction,
        help="a bell when somebody calls, or writes to one who seems away (on)",
    )

    also = "With --exec they work on a terminal too."
    add = parser.add_argument_group("options in a pipe", also).add_argument
    add(
        "--linger",
        action="store_true",
        help="when the input has ended, go on listening until the other leaves",
    )
    add(
        "--json",
        action="store_true",
        help="write each event (message, paired, left, held, back, tried and others) as one JSON "
        "object a line, as docs/protocol.rst describes them; what is refused ends the client",
    )
    add(
        "--exec",
        dest="command",
        type=_command,
        metavar="COMMAND",
        help="let a program be the party: the shell runs COMMAND as soon as the pair is made; its "
        "standard output is said, its standard input gets what arrives, and the end of its output "
        "is the end of what is said. Whoever pairs with it can do what COMMAND lets them do",
    )
    return parser


def _of_environment() -> dict[str, Any]:
    return {
        "color": not os.environ.get("NO_COLOR"),
        "plain": os.environ.get("TERM", "") in ("", "dumb", "unknown"),
        # Taken away, as the command of --exec need not know it.
        "password": os.fsencode(os.environ.pop(PASSWORD, "")).decode(errors="replace"),
    }


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return the options of a command line, by default of this process.

    The command line beats the settings, and these the environment. Exits with ExitStatus.USAGE
    and a text on standard error where one of them is wrong, and with 0 after --help.
    """
    parser = make_parser()
    given = vars(parser.parse_args(arguments))
    server = given.pop("server") or _Server("", None)
    ports = {server.port, given.pop("port_after"), given.pop("port", None)} - {None}
    if len(ports) > 1:
        parser.error(f"which port? {' or '.join(map(str, sorted(ports)))}")
    if server.host:
        given["host"] = server.host
    if ports:
        given["port"] = ports.pop()
    if "wait" in given and "to" not in given:
        parser.error("--wait needs --to: whom to wait for")
    try:
        settings = read_settings()
    except SettingsError as error:
        parser.error(str(error))
    if "name" in settings:
        settings["name"] = clean_line(settings["name"])
    options = Options(**_of_environment() | settings | given)
    if "ca" in given and not options.tls:
        parser.error("--ca needs --tls")
    return options
