"""What the README shows of the client is what is seen."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

from tests.support.server import TIMEOUT

DOCS = Path(__file__).parents[2] / "docs"
TIME = re.compile(r"^( *)\d\d:\d\d\b", re.MULTILINE)


def test_the_readme_shows_what_is_seen() -> None:
    script = DOCS / "capture.py"
    capture = runpy.run_path(str(script))
    ran = subprocess.run(
        [sys.executable, script], check=True, capture_output=True, text=True, timeout=TIMEOUT
    )
    _, rest = (DOCS.parent / "README.rst").read_text().split(capture["BEGIN"])
    shown = rest.split(capture["END"])[0]
    seen = capture["block"](ran.stdout.removesuffix("\n"))
    assert TIME.sub(r"\1HH:MM", seen) == TIME.sub(r"\1HH:MM", shown), "run docs/capture.py --write"
