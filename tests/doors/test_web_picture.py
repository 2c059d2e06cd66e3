"""The picture of the page in docs/page.rst."""

import runpy
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"


def test_the_picture_is_small_and_can_be_made(tmp_path: Path) -> None:
    assert ".. image:: web.png\n   :alt: " in (DOCS / "page.rst").read_text()
    script = runpy.run_path(str(DOCS / "web.py"))
    script["write"](tmp_path / "web.png")
    for file in (script["FILE"], tmp_path / "web.png"):
        assert file.stat().st_size < 60_000
        with Image.open(file) as picture:
            assert (picture.format, picture.size) == ("PNG", (script["WIDTH"], script["HEIGHT"]))
