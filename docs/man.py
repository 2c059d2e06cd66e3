"""Write the manual page chatpair.1 anew, from the help of the client.

Run it after a change of options.py, help.py or ending.py in chatpair/client: python docs/man.py
"""

import re
from pathlib import Path

from argparse_manpage.manpage import Manpage, bold

from chatpair import __version__
from chatpair.client.help import ABOUT, DESCRIPTION, USUAL_SETTINGS, Section, sections
from chatpair.client.options import make_parser

PAGE = Path(__file__).parent / "chatpair.1"
# groff makes typographic ones of these, which no shell understands.
AS_TYPED = str.maketrans({"'": r"\(aq", "`": r"\(ga", "~": r"\(ti", "^": r"\(ha"})


def _content(section: Section, page: Manpage) -> str:
    lines = [page.format_text(section.text)] if section.text else []
    for term, text in section.items:
        lines += [".TP", bold(term), page.format_text(text)]
    if section.example:
        # Indented twice: once as the text above it.
        lines += [".RS", ".PP", ".RS 4", ".EX", page.format_text(section.example), ".EE", ".RE"]
        lines.append(".RE")
    return "\n".join(lines)


def manual_page() -> str:
    """Return the page, which is the same on every machine."""
    parser = make_parser()
    parser.description = parser.epilog = None  # here they are sections
    page = Manpage(parser)
    page.date = ""  # a page would else change every day
    page.source = f"chatpair {__version__}"
    page.manual = "User Commands"
    page.description = ABOUT[0].lower() + ABOUT[1:].removesuffix(".")
    page.add_section(
        "synopsis",
        "=",
        f"{bold('chatpair')} [HOST] [OPTION ...]\n.br\n{bold('chatpair --help')} | "
        f"{bold('--version')}",
    )
    page.add_section("description", "=", "\n.PP\n".join(map(page.format_text, DESCRIPTION)))
    for section in sections(USUAL_SETTINGS):
        page.add_section(section.heading, "=", _content(section, page))
    page.add_section("see also", "=", ".BR twistd (1)")
    # An empty line is one more of space on some readers.
    return re.sub(r"\n{2,}", "\n", str(page)).translate(AS_TYPED)


if __name__ == "__main__":
    PAGE.write_text(manual_page())
