"""Measure anew what docs/figures.rst shows: python docs/figures.py [OPTION ...].

The options are those of python -m benchmarks. Let nothing else run meanwhile.
"""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent / "figures.rst"
TABLE = re.compile(r"^=+  .*\nin short .*\n=+  .*\n(?:.+\n)+?=+  .*$", re.MULTILINE)
SYSTEM = re.compile(r"^Python .*CPUs\.$", re.MULTILINE)


def main() -> None:
    """Measure, and put the table and what it was measured with into the page."""
    command = [sys.executable, "-m", "benchmarks", *sys.argv[1:]]
    done = subprocess.run(command, cwd=PAGE.parents[1], stdout=subprocess.PIPE, text=True)
    sys.stdout.write(done.stdout)
    measured = TABLE.search(done.stdout), SYSTEM.search(done.stdout)
    if done.returncode or not all(measured):
        sys.exit("There is no table: the page stays as it was.")
    page = PAGE.read_text()
    for pattern, found in zip((TABLE, SYSTEM), measured, strict=True):
        [place] = pattern.finditer(page)
        assert found is not None
        page = page[: place.start()] + found[0] + page[place.end() :]
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
