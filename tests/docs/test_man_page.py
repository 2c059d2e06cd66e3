"""The manual page and --help: of one source, and with everything in them."""

import re
import runpy
import subprocess
from pathlib import Path

import pytest

from chatpair.client.ending import ExitStatus
from chatpair.client.options import make_parser
from chatpair.client.settings import KINDS
from tests.support.server import require

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "chatpair.1"
SECTIONS = """\
NAME, SYNOPSIS, DESCRIPTION, OPTIONS, OPTIONS ON A TERMINAL, OPTIONS IN A PIPE, FOR SCRIPTS, \
COMMANDS, KEYS, EXIT STATUS, FILES, ENVIRONMENT, EXAMPLES, SEE ALSO"""


def page() -> str:
    """Return the page without the escapes that an option has in it."""
    return re.sub(r"\\(f[BIR]|[,/])", "", PAGE.read_text()).replace(r"\-", "-")


def test_the_page_is_of_the_help_and_the_same_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = runpy.run_path(str(DOCS / "man.py"))["manual_page"]
    assert PAGE.read_text() == make(), "run python docs/man.py"
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    assert PAGE.read_text() == runpy.run_path(str(DOCS / "man.py"))["manual_page"]()


def test_the_page_has_its_sections() -> None:
    assert re.findall(r"^\.SH (.+)$", PAGE.read_text(), re.M) == SECTIONS.split(", ")


@pytest.mark.parametrize("text", [page(), make_parser().format_help()], ids=["page", "help"])
def test_everything_is_told(text: str) -> None:
    entries = re.findall(r"^ {0,2}(?:chatpair )?(--.+)$", text, re.M)
    options = {name for action in make_parser()._actions for name in action.option_strings}
    assert {"--exec", "--no-plain", "--help"} <= options
    assert options <= set(re.findall(r"--[-\w]+", "\n".join(entries)))
    assert {*KINDS, "HOST", "NO_COLOR", "TERM"} <= set(re.findall(r"\w+", text))
    together = " ".join(text.split())
    for status in ExitStatus:
        assert re.search(rf"\b{status.value} {re.escape(status.about)}", together)


def test_the_help_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    before = make_parser().format_help()
    assert max(map(len, before.splitlines())) <= 80
    assert not re.search(r"\w-$", before, re.M), "an option is broken at its hyphen"
    monkeypatch.setenv("COLUMNS", "200")
    assert make_parser().format_help() == before


def test_groff_understands_the_page_and_shows_what_is_to_be_typed_so() -> None:
    groff = [require("groff"), "-man", "-Tutf8", "-ww", str(PAGE)]
    ran = subprocess.run(groff, capture_output=True, check=True)
    assert ran.stderr == b""
    # Bold is by escapes of the terminal.
    shown = re.sub(r"\x1b\[[\d;]*m|.\x08", "", ran.stdout.decode())
    for typed in (
        "chatpair --name python --exec 'python3 -i 2>&1'",
        "~/.config/chatpair/settings.toml",
        'host = "chat.example.org"',
    ):
        assert typed in shown


def test_mandoc_understands_the_page() -> None:
    lint = [require("mandoc"), "-T", "lint", "-W", "warning", str(PAGE)]
    told = subprocess.run(lint, capture_output=True, check=False).stdout.decode().splitlines()
    # A date would change the page every day.
    assert [line for line in told if "missing date" not in line and "STYLE" not in line] == []
