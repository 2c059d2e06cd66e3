"""The options of "twistd chatpair", as they are typed."""

import pytest

from chatpair.tap import Options


def parsed(*arguments: str) -> Options:
    """Return what was typed."""
    options = Options()
    options.parseOptions(arguments)
    return options


def refusal(*arguments: str) -> str:
    """Return why what was typed is wrong."""
    with pytest.raises(SystemExit) as wrong:
        parsed(*arguments)
    why, more = str(wrong.value).split("\n")
    assert more == "twistd chatpair --help tells the options."
    assert why.startswith("chatpair: ")
    return why.removeprefix("chatpair: ")
