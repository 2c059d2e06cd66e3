"""What --help tells beside the options: data, as docs/man.py makes the manual page of it too."""

from contextlib import suppress
from pathlib import Path
from textwrap import fill, indent
from typing import NamedTuple

from chatpair.client.ending import ExitStatus
from chatpair.client.settings import settings_path

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
            "for scripts",
            "These do one thing and leave, with an exit status; chatpair say --help and so on tell "
            "their options, which come after that word. --server HOST:PORT is where the server is.",
            (
                ("chatpair say bob 'Done.'", "say something to bob"),
                (
                    "chatpair listen --name log",
                    "write what is said by whoever calls; --exec runs a command for each message",
                ),
                ("chatpair who", "write who is here"),
                ("chatpair mcp", "be a tool of an agent: an MCP server; docs/agents.rst tells how"),
            ),
        ),
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
            "Of a pipe, and of --check. On a terminal it is 0 for whoever quits.",
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
                (
                    "chatpair --check chat.example.org --tls || echo down",
                    "see whether a server takes newcomers",
                ),
            ),
        ),
    )


def filled(text: str, first: str = "", hanging: str = "") -> str:
    """Return a text in lines of WIDTH."""
    # An option that is broken at its hyphens can't be found or copied.
    return fill(
        text, WIDTH, initial_indent=first, subsequent_indent=hanging, break_on_hyphens=False
    )


def _item(term: str, text: str) -> str:
    lead = f"  {term}"
    hanging = " " * _TEXT_COLUMN
    if len(lead) + 2 > _TEXT_COLUMN:
        return f"{lead}\n{filled(text, hanging, hanging)}"
    return filled(text, lead.ljust(_TEXT_COLUMN), hanging)


def _in_help(section: Section) -> str:
    parts = [f"{section.heading}:"]
    if section.text:
        parts.append(filled(section.text, "  ", "  "))
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


def description() -> str:
    """Return what stands before the options."""
    return "\n\n".join(map(filled, (ABOUT, *DESCRIPTION)))


def epilog() -> str:
    """Return what stands after them."""
    return "\n\n".join(map(_in_help, sections(_settings_from_home())))
