"""What a case is, and those that are written down as scenes."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.resources import files

from chatpair.conformance.place import Kind
from chatpair.conformance.stage import Stage

Play = Callable[[Stage], None]


@dataclass(frozen=True)
class Case:
    """A rule of docs/protocol.rst, and what shows that a server keeps it."""

    name: str
    section: str
    """The heading on the page under which the rule stands."""
    rule: str
    """A sentence of the page, or a part of one."""
    play: Play
    """Raises Broken if it is not kept."""
    needs_json: bool
    is_articles: bool = False
    not_through: tuple[Kind, ...] = ()
    """Ways in where it can't be tried."""


_FORM = re.compile(r"(\S.*?)(?: \((.*)\))?\n((?: .+\n)+)\n((?: .+\n)+)\n?")


def scripted() -> Iterator[Case]:
    """Yield the cases that are written down as scenes.

    Each stands under the heading of its section: its name, its rule, and after an empty line its
    scene; stage.py tells how that is written.
    """
    for name, needs_json in (("plain.txt", False), ("json.txt", True)):
        text = files("chatpair.conformance").joinpath(name).read_text(encoding="utf-8")
        _, *parts = re.split(r"^(.+)\n-+\n", text, flags=re.MULTILINE)
        for section, cases in zip(parts[::2], parts[1::2], strict=True):
            for written in re.split(r"^(?=\S)", cases, flags=re.MULTILINE)[1:]:
                form = _FORM.fullmatch(written)
                assert form, written
                title, but, rule, scene = form.groups(default="")
                yield Case(
                    title,
                    section,
                    " ".join(rule.split()),
                    partial(Stage.plays, scene=scene),
                    needs_json,
                    is_articles="the article's" in but,
                    not_through=("tls",) if "not through tls" in but else (),
                )
