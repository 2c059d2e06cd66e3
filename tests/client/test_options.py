"""The options of the client: the command line, the settings file and the environment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock

from chatpair import __version__
from chatpair.client.connection import endpoint_at
from chatpair.client.options import Options, parse
from chatpair.client.settings import settings_path

THERE_ARE = "there are host, port, tls, ca, name, plain, color, bell"
Ended = Callable[..., tuple[object, str, str]]
USAGE = "usage: chatpair [HOST [PORT]] [OPTION ...], or chatpair --help"


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the settings, in an environment that decides nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    path = settings_path()
    assert path is not None
    assert path.is_relative_to(tmp_path)
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def ended(capsys: pytest.CaptureFixture[str]) -> Ended:
    """Return what parses options that end the program, and returns its status and what it says."""

    def parses(*arguments: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ending:
            parse(arguments)
        return ending.value.code, *capsys.readouterr()

    return parses


def test_there_are_defaults() -> None:
    off = dict.fromkeys(("tls", "plain", "wait", "linger", "json", "check"), False)
    texts = dict.fromkeys(("ca", "name", "password", "to", "verb", "text"), "")
    unset = dict.fromkeys(("command", "seconds", "count"))
    expected = {"host": "localhost", "port": 9999, "color": True, "bell": True}
    assert vars(parse([])) == {**expected, **off, **texts, **unset}


def test_each_can_be_given() -> None:
    line = (
        "example.org --port 65535 --tls --ca ca.pem --name alice --to bob --wait --linger"
        " --json --plain --no-color --no-bell --exec"
    )
    where = {"host": "example.org", "port": 65_535, "tls": True, "ca": "ca.pem"}
    who = {"name": "alice", "to": "bob", "wait": True, "linger": True}
    how: Any = {"plain": True, "color": False, "bell": False, "json": True, "command": "python3 -i"}
    assert parse([*line.split(), "python3 -i"]) == Options(**where | who | how)


def test_names_are_a_clean_line(settings: Path) -> None:
    settings.write_text(r'name = "al\u001bi\nce\u202e"')
    assert parse([]).name == "alice"
    options = parse(["--name", "ca\x1bro\nl", "--to", "bö\rb\udcff"])
    assert (options.name, options.to) == ("carol", "böb�")


# What beats what


def test_the_command_line_beats_the_settings(settings: Path) -> None:
    settings.write_text(
        'host = "example.org"\nport = 1\nname = "alice"\nplain = true\ncolor = false\nbell = false'
    )
    assert parse([]) == Options("example.org", 1, name="alice", plain=True, color=False, bell=False)
    line = "localhost --port 9999 --no-plain --color --bell --name"
    assert parse([*line.split(), ""]) == Options()


def test_settings_are_of_use_one_by_one(settings: Path) -> None:
    settings.write_text("port = 65_535")
    assert parse([]) == Options(port=65_535)
    settings.write_text("")
    assert parse([]) == Options()
    settings.write_text('tls = true\nca = "ours.pem"')
    assert parse([]) == Options(tls=True, ca="ours.pem")
    assert parse(["--ca", "x"]) == Options(tls=True, ca="x")
    assert parse(["--no-tls"]) == Options(ca="ours.pem")


@pytest.mark.parametrize("value", ["1", "0", " "])
def test_no_color_is_beaten_by_all(
    value: str, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", value)
    assert not parse([]).color
    assert parse(["--color"]).color
    settings.write_text("color = true")
    assert parse([]).color
    assert not parse(["--no-color"]).color
    settings.write_text("")
    monkeypatch.setenv("NO_COLOR", "")  # which says nothing
    assert parse([]).color


@pytest.mark.parametrize("value", [None, "", "dumb", "unknown"])
def test_a_simple_terminal_is_beaten_by_all(
    value: str | None, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is None:
        monkeypatch.delenv("TERM")
    else:
        monkeypatch.setenv("TERM", value)
    assert parse([]).plain
    assert not parse(["--no-plain"]).plain
    settings.write_text("plain = false")
    assert not parse([]).plain
    assert parse(["--plain"]).plain


@pytest.mark.parametrize(
    ("arguments", "host", "port"),
    [
        (["a.org", "99"], "a.org", 99),
        (["a.org:99", "--port", "99"], "a.org", 99),
        (["[::1]"], "::1", 9_999),
        (["--port", "99"], "localhost", 99),
    ],
)
def test_where_the_server_is(arguments: list[str], host: str, port: int) -> None:
    options = parse(arguments)
    assert (options.host, options.port) == (host, port)


def test_an_address_may_be_in_brackets_and_keeps_its_zone() -> None:
    host = parse(["[fe80::1%eth0]"]).host
    reactor = MemoryReactorClock()
    endpoint_at(reactor, host, 9_999).connect(Factory())
    assert reactor.tcpClients[0][:2] == ("fe80::1%eth0", 9_999)


# What is wrong

AS = ', as "localhost", not'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(
            (["--port", bad], f"argument --port: must be a number from 1 to 65535, not {bad!r}")
            for bad in ("65536", "99999", "0", "-1", "1e3", "")
        ),
        (["--port"], "argument --port: expected one argument"),
        (
            [" "],
            "argument HOST: must be the name or address of a server, as \"localhost\", not ' '",
        ),
        (["--to", ""], "argument --to: must be the name of the one to call, and is empty"),
        (["--to", " \x1b"], "argument --to: must be the name of the one to call, and is empty"),
        (["--exec", ""], "argument --exec: must be a command for the shell, and is empty"),
        (["--exec", " \t"], "argument --exec: must be a command for the shell, and is empty"),
        (["--ca", "x"], "--ca needs --tls"),
        (["--no-tls", "--ca", "x"], "--ca needs --tls"),
        (["--wait"], "--wait needs --to: whom to wait for"),
        (["--nam", "alice"], "unrecognized arguments: --nam"),
        *(
            ([server], f"argument HOST: must be the name or address of a server{AS} {server!r}")
            for server in (":99", "[::1", "[::1]99")
        ),
        (["a.org:no"], "argument HOST: must be a number from 1 to 65535, not 'no'"),
        (
            ["--port", "99", "say", "bob", "hi"],
            "argument HOST: say comes first: chatpair say --help tells its options",
        ),
        (["a.org", "98", "--port", "99"], "which port? 98 or 99"),
        (["a.org", "99", "bob"], "unrecognized arguments: bob"),
    ],
)
def test_a_wrong_command_line_is_told(arguments: list[str], message: str, ended: Ended) -> None:
    assert ended(*arguments) == (1, "", f"{USAGE}\nchatpair: {message}\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "Is a directory"),
        (b'name = "\xff"', "this is not UTF-8"),
        *(
            (b"port = " + bad, "port must be a number from 1 to 65535")
            for bad in (b"0", b"65536", b'"9999"', b"true", b"1.5")
        ),
        (b'host = ""', 'host must be the name or address of a server, as "localhost"'),
        (b"host = []", 'host must be the name or address of a server, as "localhost"'),
        (b"name = 5", 'name must be a text in quotes, as "alice"'),
        (b'plain = "yes"', "plain must be true or false"),
        (b"tls = 1", "tls must be true or false"),
        (b'ca = ""', 'ca must be the path of a file in quotes, as "ca.pem"'),
        (b"color = 1", "color must be true or false"),
        (b"bell = {}", "bell must be true or false"),
        (b"colour = true", f"there is no setting 'colour'; {THERE_ARE}"),
        (rb'"a\nb" = 1', rf"there is no setting 'a\nb'; {THERE_ARE}"),
    ],
)
def test_wrong_settings_are_told(
    content: bytes | None, message: str, settings: Path, ended: Ended
) -> None:
    if content is None:
        settings.mkdir()
    else:
        settings.write_bytes(content)
    assert ended() == (1, "", f"{USAGE}\nchatpair: {settings}: {message}\n")


def test_settings_that_are_not_toml_are_told(settings: Path, ended: Ended) -> None:
    settings.write_text("port = 1\nhost: example.org")
    status, output, errors = ended()
    assert (status, output) == (1, "")
    usage, why = errors.splitlines()
    assert usage == USAGE
    assert why.startswith(f"chatpair: {settings}: this is not TOML: ")
    assert "line 2" in why


# Help


@pytest.mark.parametrize(
    ("option", "text"), [("--help", USAGE), ("--version", f"chatpair {__version__}\n")]
)
def test_help_comes_with_wrong_settings_too(
    option: str, text: str, settings: Path, ended: Ended
) -> None:
    settings.write_text("?")
    status, output, errors = ended(option)
    assert (status, output[: len(text)], errors) == (0, text, "")


def test_the_settings_are_told_from_home(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: Ended
) -> None:
    assert f"  {'~' / settings.relative_to(tmp_path)}\n" in ended("--help")[1]
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    assert f"  {settings}\n" in ended("--help")[1]


def test_who_has_no_home_has_no_settings(monkeypatch: pytest.MonkeyPatch, ended: Ended) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)
    assert parse([]) == Options()
    assert "  ~/.config/chatpair/settings.toml\n" in ended("--help")[1]
