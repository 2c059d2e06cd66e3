"""The options of the client: from the command line, the settings file and the environment."""

import os
import sys
from argparse import (
    SUPPRESS,
    ArgumentParser,
    ArgumentTypeError,
    BooleanOptionalAction,
    RawDescriptionHelpFormatter,
)
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from getpass import getuser
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from typing import Any, NoReturn

from chatpair import __version__
from chatpair.client.address import USUAL_PORT, Address, read_port
from chatpair.client.ending import ExitStatus
from chatpair.client.help import PASSWORD, WIDTH, description, epilog, filled
from chatpair.client.settings import SettingsError, read_settings
from chatpair.codecs.cleaning import clean, clean_line, clean_text
from chatpair.exchange import names
from chatpair.extras import how_to_install


@dataclass(frozen=True)
class Options:
    """What the client is to do; `to` and `name` are empty where none is given.

    `host` and `port` are the server's, which speaks TLS with `tls`; then `ca` is a file with whom
    to trust, or empty. `password` is that of the name. `to` is whom to call, with `wait` as soon as
    that is possible. `plain`, `color` and `bell` are of a terminal. With `linger` the end of the
    input is not the end, `json` is how to write what arrives, and `command` is a shell's that is
    the party. With `check` nobody talks.

    `verb` is one of VERBS, or empty for a talk. `text` is what to say; `seconds` and `count`,
    if there are any, are how long to listen at most, and to how many messages.
    """

    host: str = "localhost"
    port: int = USUAL_PORT
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
    check: bool = False
    verb: str = ""
    text: str = ""
    seconds: float | None = None
    count: int | None = None


VERBS = {
    "say": (
        "Say something to somebody, once. The exit status is 0 when it has arrived.",
        " NAME TEXT",
    ),
    "listen": ("Write what is said by whoever calls, a message a line.", ""),
    "who": ("Write who is here, a name a line.", ""),
    "mcp": ("Be a tool of an agent, as an MCP server on standard input and output.", ""),
}
"""What may come first, what it does, and what it takes."""


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(ExitStatus.USAGE, f"{self.prog}: {message}\n")


def _server(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as why:
        raise ArgumentTypeError(str(why)) from None


def _no_verb(text: str) -> Address:
    if text in VERBS:
        raise ArgumentTypeError(f"{text} comes first: chatpair {text} --help tells its options")
    return _server(text)


def _port(text: str) -> int:
    try:
        return read_port(text)
    except ValueError as why:
        raise ArgumentTypeError(str(why)) from None


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


def _text(text: str) -> str:
    cleaned = clean_text(os.fsencode(text).decode(errors="replace"))
    if not cleaned:
        raise ArgumentTypeError("must be what to say, and is empty")
    return cleaned


def _number(kind: Callable[[str], float], text: str) -> float:
    try:
        number = kind(text)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"must be a number over 0, not {text!r}")
    return number


def _parser(prog: str, **about: Any) -> ArgumentParser:
    return _Parser(
        prog=prog,
        formatter_class=lambda prog: RawDescriptionHelpFormatter(prog, width=WIDTH),
        argument_default=SUPPRESS,
        add_help=False,
        allow_abbrev=False,
        **about,
    )


def _add_server(add: Callable[..., object], no_name: str, no_password: str) -> None:
    add("--tls", action=BooleanOptionalAction, help="speak TLS, and make sure who the server is")
    add(
        "--ca",
        metavar="FILE",
        help="with --tls, trust those whose certificates are in this file, as PEM, and not those "
        "whom the system trusts",
    )
    add("--name", type=_name, help=f"be known by this name; else {no_name}")
    add(
        "--password-file",
        dest="password",
        type=_password,
        metavar="FILE",
        help=f"a file whose first line is the password of the name; else {no_password}",
    )


def make_parser() -> ArgumentParser:
    """Return the parser of the command line; what is not given is not in its result."""
    parser = _parser(
        "chatpair",
        usage="%(prog)s [HOST [PORT]] [OPTION ...], or %(prog)s --help",
        description=description(),
        epilog=epilog(),
    )
    default = Options()
    add = parser.add_argument_group("options").add_argument
    add(
        "server",
        nargs="?",
        type=_no_verb,
        default=None,
        metavar="HOST",
        help=f"the server ({default.host}); HOST:PORT and [ADDRESS]:PORT will do as well",
    )
    at_port = f"its port, 1 to 65535 ({default.port})"
    add("port_after", nargs="?", type=_port, default=None, metavar="PORT", help=at_port)
    add("--port", type=_port, help="the same")
    _add_server(add, "it is asked for", "it is asked for")
    add("--to", type=_peer, metavar="NAME", help="call the user of this name")
    add("--wait", action="store_true", help="wait until the one to call is there and free")
    add(
        "--check",
        action="store_true",
        help="just see whether the server takes newcomers: take a name, quit, and tell by the exit "
        "status, within 10 seconds",
    )
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


def make_once_parser(verb: str) -> ArgumentParser:
    """Return the parser of what comes after a verb; what is not given is not in its result."""
    about, what = VERBS[verb]
    parser = _parser(
        f"chatpair {verb}", usage=f"%(prog)s [OPTION ...]{what}", description=filled(about)
    )
    add = parser.add_argument
    if verb == "say":
        add("to", type=_peer, metavar="NAME", help="whom to call")
        add("text", type=_text, metavar="TEXT", help="what to say; it may have several lines")
        add("--wait", action="store_true", help="wait until the one to call is there and free")
    if verb == "listen":
        add("--seconds", type=partial(_number, float), metavar="N", help="stop after so long")
        add("--count", type=partial(_number, int), metavar="N", help="stop after so many messages")
        add(
            "--exec",
            dest="command",
            type=_command,
            metavar="COMMAND",
            help="let the shell run COMMAND for each message, which is its standard input, and "
            "for each call; what it writes is said. CHATPAIR_EVENT is message or call, and "
            "CHATPAIR_PEER whose. The sender knows that a message has arrived when COMMAND has "
            "ended with 0; else that is the end",
        )
    if verb in ("listen", "who"):
        add("--json", action="store_true", help="write JSON, as docs/protocol.rst describes it")
    add("--server", type=_server, metavar="HOST", help="the server, or HOST:PORT")
    add("--port", type=_port, help="its port")
    no_name = "the settings must have one" if verb == "listen" else "one is made up"
    _add_server(add, no_name, f"{PASSWORD} may have it")
    add("--help", action="help", help="this text")
    return parser


def _own_name(verb: str) -> str:
    """Return a name that nobody has, and that tells whose it is."""
    try:
        user = getuser()
        names.parse(user)
    except (names.BadName, OSError, KeyError):
        user = verb
    return f"{user[:20]}-{token_hex(4)}"


def _parse_once(verb: str, arguments: Sequence[str]) -> Options:
    parser = make_once_parser(verb)
    given = vars(parser.parse_args(arguments)) | {"verb": verb}
    if given.keys() >= {"json", "command"}:
        parser.error("--json and --exec can't be together")
    if verb == "mcp" and find_spec("mcp") is None:
        parser.error(f"it needs more packages: {how_to_install('mcp')}")
    options = _with_settings(parser, given, given.pop("server", None))
    if options.name:
        return options
    if verb == "listen":
        parser.error("--name is needed: by it others call")
    return replace(options, name=_own_name(verb))


def _with_settings(
    parser: ArgumentParser, given: dict[str, Any], server: Address | None, *more: int | None
) -> Options:
    """Return what is given where a server is, with the settings and the environment."""
    host, port = server or Address("", None)
    ports = {port, given.pop("port", None), *more} - {None}
    if len(ports) > 1:
        parser.error(f"which port? {' or '.join(map(str, sorted(ports)))}")
    if host:
        given["host"] = host
    if ports:
        given["port"] = ports.pop()
    try:
        settings = read_settings()
    except SettingsError as error:
        parser.error(str(error))
    if "name" in settings:
        settings["name"] = clean_line(settings["name"])
    if "check" in given or given.get("verb") in ("who", "mcp"):
        settings.pop("name", None)  # who has it is perhaps there
    options = Options(**_of_environment() | settings | given)
    if "ca" in given and not options.tls:
        parser.error("--ca needs --tls")
    return options


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return the options of a command line, by default of this process.

    The command line beats the settings, and these the environment. Exits with ExitStatus.USAGE
    and a text on standard error where one of them is wrong, and with 0 after --help.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in VERBS:
        return _parse_once(arguments[0], arguments[1:])
    parser = make_parser()
    given = vars(parser.parse_args(arguments))
    server, port = given.pop("server"), given.pop("port_after")
    options = _with_settings(parser, given, server, port)
    if "check" in given and given.keys() & {"to", "wait", "linger", "json", "command"}:
        parser.error("--check is for nothing else: it talks with nobody")
    if "wait" in given and "to" not in given:
        parser.error("--wait needs --to: whom to wait for")
    return options
