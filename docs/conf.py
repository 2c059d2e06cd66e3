"""Makes a site of these pages: sphinx-build -W docs site.

Their links are written so that they work in the plain files too.
"""

import re
from typing import Any

from chatpair import __version__

project = "chatpair"
project_copyright = "the chatpair authors"
version = release = __version__
highlight_language = "none"
html_theme = "alabaster"
html_theme_options = {
    "description": "A switchboard for text",
    "fixed_sidebar": True,
    "page_width": "1100px",
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
html_show_sourcelink = False

_LINK = re.compile(r"`([^`<]+?)\s+<(?:docs/|\.\./)?([\w-]+)\.rst>`_")
_FILE = re.compile(r"`([^`<]+?)\s+<(?:docs/)?([\w-]+(?:\.[\w-]+)+)>`_")


def _for_the_site(text: str) -> str:
    """Make links between pages, and to files, those of Sphinx, which it checks."""
    text = _LINK.sub(r":doc:`\1 <\2>`", text).replace("<README>`", "<index>`")
    return _FILE.sub(r":download:`\1 <\2>`", text)


def _read(_: object, page: str, content: list[str]) -> None:
    content[0] = _for_the_site(content[0])


def _included(_: object, path: object, page: str, content: list[str]) -> None:
    content[0] = _for_the_site(content[0])


def setup(app: Any) -> None:
    """Hook into Sphinx, which reads each page and what it includes."""
    app.connect("source-read", _read)
    app.connect("include-read", _included)
