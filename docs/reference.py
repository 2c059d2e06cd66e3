"""Write the tables of protocol.rst and the JSON Schemas anew, from the types of the codec.

Run it after a change of chatpair/exchange/messages.py: python docs/reference.py
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec.json import schema

from chatpair.exchange.messages import JsonCommand, JsonEvent, Timestamp

DOCS = Path(__file__).parent
BEGIN, END = ".. begin of what reference.py writes\n", ".. end of what reference.py writes\n"


def _schema_of(kind: Any) -> dict[str, Any]:
    if kind is not Timestamp:
        raise NotImplementedError(kind)
    return {"type": "string", "format": "date-time"}


def schema_of(types: Any, title: str) -> dict[str, Any]:
    """Return the JSON Schema of what one side says."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **schema(types, schema_hook=_schema_of),
    }


COMMANDS = schema_of(JsonCommand, "What a client says to chatpair, version 1")
EVENTS = schema_of(JsonEvent, "What chatpair says to a client, version 1")


def _type(about: dict[str, Any]) -> str:
    """Say in words what a value may be."""
    match about:
        case {"const": value}:
            return f"``{json.dumps(value)}``"
        case {"enum": values}:
            return " or ".join(f"``{json.dumps(value)}``" for value in values)
        case {"anyOf": kinds}:
            return " or ".join(_type(kind) for kind in kinds)
        case {"type": "array", "items": {"$ref": name}}:
            return f"list of {name.rpartition('/')[2]}"
        case {"type": "string", "format": "date-time"}:
            return "time (RFC 3339)"
        case {"type": "integer", "minimum": least}:
            return f"integer from {least}"
        case _:
            return str(about["type"])


def _keys(about: dict[str, Any], tag: str) -> Iterator[str]:
    """Yield what is to be said of each key but the first."""
    for key, value in about["properties"].items():
        if key == tag or (key, tag) == ("seq", "event"):  # that has a column
            continue
        always = key in about["required"] or len(value.get("enum", ())) == 1
        optional = "" if always else ", may be missing"
        described = f". {value['description']}" if "description" in value else ""
        yield f"``{key}``: {_type(value)}{optional}{described}"


def _rows(schema: dict[str, Any], tag: str) -> Iterator[str]:
    """Yield the lines of a table of what one side says."""
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield ""
    heads = [tag, "Meaning", "Keys"] + (["seq"] if tag == "event" else [])
    yield from _row(heads)
    for name, place in schema["discriminator"]["mapping"].items():
        about = schema["$defs"][place.rpartition("/")[2]]
        keys = " | ".join(_keys(about, tag))
        row = [f"``{name}``", about["description"], keys]
        yield from _row(row + (["yes" if "seq" in about["properties"] else ""] * (tag == "event")))


def _row(cells: list[str]) -> Iterator[str]:
    for number, cell in enumerate(cells):
        lead = "   * -" if number == 0 else "     -"
        if " | " in cell:
            first, *rest = cell.split(" | ")
            yield f"{lead} | {first}"
            yield from (f"       | {part}" for part in rest)
        else:
            yield f"{lead} {cell}".rstrip()


def reference() -> str:
    """Return the tables."""
    present = "; ".join(_keys(EVENTS["$defs"]["Present"], ""))
    lines = [
        *("What a client says", "~~~~~~~~~~~~~~~~~~", "", *_rows(COMMANDS, "do"), ""),
        *("What the server says", "~~~~~~~~~~~~~~~~~~~~", "", *_rows(EVENTS, "event"), ""),
        *(f"Each *Present* of ``who`` is an object: {present}.", ""),
    ]
    return "\n".join(lines)


def files() -> dict[Path, str]:
    """Return what each file should hold."""
    page = DOCS / "protocol.rst"
    before, rest = page.read_text().split(BEGIN)
    _, after = rest.split(END)
    return {
        page: f"{before}{BEGIN}\n{reference()}\n{END}{after}",
        DOCS / "commands.schema.json": json.dumps(COMMANDS, indent=2) + "\n",
        DOCS / "events.schema.json": json.dumps(EVENTS, indent=2) + "\n",
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
