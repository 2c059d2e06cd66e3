"""The options of the client: the command line, the settings file and the environment."""

from pathlib import Path

import pytest

from chatpair.client.options import Options, parse
from chatpair.client.settings import settings_path
from tests.support.clients import Piped

USAGE = "usage: chatpair [HOST] [OPTION ...], or chatpair --help"


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


def test_there_are_defaults() -> None:
    assert parse([]) == Options(
        host="localhost",
        port=9999,
        tls=False,
        ca="",
        name="",
        to="",
        plain=False,
        color=True,
        bell=True,
        wait=False,
        linger=False,
        json=False,
        command=None,
    )


def test_each_can_be_given() -> None:
    line = (
        "example.org --port 65535 --tls --ca ca.pem --name alice --to bob --wait --linger"
        " --json --plain --no-color --no-bell --exec"
    )
    assert parse([*line.split(), "python3 -i"]) == Options(
        host="example.org",
        port=65_535,
        tls=True,
        ca="ca.pem",
        name="alice",
        to="bob",
        plain=True,
        color=False,
        bell=False,
        wait=True,
        linger=True,
        json=True,
        command="python3 -i",
    )


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


def test_tls_of_the_settings_is_beaten(settings: Path) -> None:
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


def test_an_empty_no_color_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
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


# What is wrong


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "99999"], "argument --port: must be a number from 1 to 65535, not '99999'"),
        (["--port", "0"], "argument --port: must be a number from 1 to 65535, not '0'"),
        (["--port", "-1"], "argument --port: must be a number from 1 to 65535, not '-1'"),
        (["--port", "1e3"], "argument --port: must be a number from 1 to 65535, not '1e3'"),
        (["--port", ""], "argument --port: must be a number from 1 to 65535, not ''"),
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
        (["localhost", "9999"], "unrecognized arguments: 9999"),
    ],
)
def test_a_wrong_command_line_is_told(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(*arguments) == 1
    assert capsys.readouterr() == ("", f"{USAGE}\nchatpair: {message}\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "Is a directory"),
        (b'name = "\xff"', "this is not UTF-8"),
        (b"port = 0", "port must be a number from 1 to 65535"),
        (b"port = 65536", "port must be a number from 1 to 65535"),
        (b'port = "9999"', "port must be a number from 1 to 65535"),
        (b"port = true", "port must be a number from 1 to 65535"),
        (b"port = 1.5", "port must be a number from 1 to 65535"),
        (b'host = ""', 'host must be the name or address of a server, as "localhost"'),
        (b"host = []", 'host must be the name or address of a server, as "localhost"'),
        (b"name = 5", 'name must be a text in quotes, as "alice"'),
        (b'plain = "yes"', "plain must be true or false"),
        (b"tls = 1", "tls must be true or false"),
        (b'ca = ""', 'ca must be the path of a file in quotes, as "ca.pem"'),
        (b"color = 1", "color must be true or false"),
        (b"bell = {}", "bell must be true or false"),
        (
            b"colour = true",
            "there is no setting 'colour'; there are host, port, tls, ca, name, plain, color, bell",
        ),
        (
            rb'"a\nb" = 1',
            r"there is no setting 'a\nb'; there are host, port, tls, ca, name, plain, color, bell",
        ),
    ],
)
def test_wrong_settings_are_told(
    content: bytes | None, message: str, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is None:
        settings.mkdir()
    else:
        settings.write_bytes(content)
    assert refused() == 1
    assert capsys.readouterr() == ("", f"{USAGE}\nchatpair: {settings}: {message}\n")


def test_settings_that_are_not_toml_are_told(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.write_text("port = 1\nhost: example.org")
    assert refused() == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"chatpair: {settings}: this is not TOML: ")
    assert "line 2" in lines[1]


# Help


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_comes_with_wrong_settings_too(
    option: str, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.write_text("?")
    assert refused(option) == 0
    output, errors = capsys.readouterr()
    assert "chatpair" in output
    assert errors == ""


def test_the_settings_are_told_from_home(
    settings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert refused("--help") == 0
    assert f"  {'~' / settings.relative_to(tmp_path)}\n" in capsys.readouterr().out
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    assert refused("--help") == 0
    assert f"  {settings}\n" in capsys.readouterr().out


def test_who_has_no_home_has_no_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)
    assert parse([]) == Options()
    assert refused("--help") == 0
    assert "  ~/.config/chatpair/settings.toml\n" in capsys.readouterr().out


# The program


def test_a_wrong_command_line_ends_the_program() -> None:
    with Piped("--port", "99999") as client:
        client.ends(
            1,
            USAGE,
            "chatpair: argument --port: must be a number from 1 to 65535, not '99999'",
        )
        assert client.output == b""


def test_wrong_settings_end_the_program(settings: Path) -> None:
    settings.write_text("port = 99999")
    with Piped() as client:
        client.ends(1, USAGE, f"chatpair: {settings}: port must be a number from 1 to 65535")
        assert client.output == b""


def refused(*arguments: str) -> int:
    """Parse what ends the program; return the exit status."""
    with pytest.raises(SystemExit) as exit_:
        parse(arguments)
    status = exit_.value.code
    assert isinstance(status, int)
    return status
