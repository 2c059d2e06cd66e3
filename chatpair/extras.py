"""What to type where an optional part is asked for that is not installed."""

import re
import sys
from shlex import join


def how_to_install(extra: str) -> str:
    """Return the command that installs what an extra needs, for the Python that runs.

    It names the packages themselves, as chatpair may have come from anywhere.
    """
    from importlib.metadata import PackageNotFoundError, requires  # which no start waits for

    marker = re.compile(rf"\s*;\s*extra == ['\"]{extra}['\"]$")
    try:
        needed = [marker.sub("", one) for one in requires("chatpair") or () if marker.search(one)]
    except PackageNotFoundError:  # a checkout that is not installed
        needed = [f".[{extra}]"]
    return join([sys.executable, "-m", "pip", "install", *needed])
