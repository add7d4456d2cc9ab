"""A page for every file format, made from its contract: what it is, an example, and a table of its fields."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from guide_text import code, table, text

from pipeline.contracts.base import Line, Name, Sha256
from pipeline.contracts.schemas import FILES, schema

EXAMPLES = Path(__file__).parent.parent / "formats" / "examples"
LANGUAGES = {".json": "json", ".csv": "text", ".toml": "toml", ".yaml": "yaml"}

Schema = Mapping[str, Any]

_PATTERNS = {
    get_args(kind)[1].pattern: words
    for kind, words in (
        (Line, "text on one line"),
        (Name, "text on one line, not blank"),
        (Sha256, "SHA-256, hex"),
    )
}
_BOUNDS = {
    "minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}",
    "minItems": "at least {} entries", "maxItems": "at most {} entries",
    "minLength": "at least {} characters",
}  # fmt: skip
FIELDS: dict[str, dict[str, str]] = tomllib.loads(
    (Path(__file__).parent / "fields.toml").read_text(encoding="utf-8")
)
"""What fields mean: by contract and name, and under ``shared`` by name alone."""
_SHORT = 60
"""Lines of an example that is shown at once; a longer one is opened."""


def page_of(kind: str) -> str:
    """Return the file of a kind's page in the guide."""
    return f"formats/{kind}.md"


def title_of(kind: str) -> str:
    """Return the name of the file that a kind describes, as its contract gives it."""
    found = re.match(r"``([^`]+)``", str(schema(kind).get("description", "")))
    if found:
        return found[1].replace("….", "*.")
    return (
        f"{kind.removesuffix('.row')}.csv"
        if kind.endswith(".row")
        else kind
        if "." in kind
        else f"{kind}.json"
    )


def example_of(kind: str) -> Path | None:
    """Return the example of a kind of file, if there is one."""
    return next(
        (EXAMPLES / f"{kind}{ending}" for ending in LANGUAGES if (EXAMPLES / f"{kind}{ending}").is_file()),
        None,
    )


def format_table(start: str) -> str:
    """Return a table of every kind of file with links, as it stands in the page ``start``."""
    up = "../" * start.count("/")
    rows = [
        (f"[{code(title_of(kind))}]({up}{page_of(kind)})", text(_plain(schema(kind).get("description", ""))))
        for kind in FILES
    ]
    return table(("file", "what its contract says of it"), rows)


def page(kind: str) -> str:
    """Return the page of a kind of file."""
    whole = schema(kind)
    link = f"[{kind}.schema.json](../schemas/{kind}.schema.json)"
    row = ", of one row: its properties are the columns" if kind.endswith(".row") else ""
    parts = [
        f"# {title_of(kind)}",
        text(_plain(whole.get("description", ""))),
        f"JSON Schema: {link}{row}.",
        *_example(kind),
        "## Fields",
        _fields(whole, whole, kind),
    ]
    for name, part in _parts(whole):
        heading = f"[{name.lower()}]" if kind == "repath.toml" else name
        parts += [f"## {text(heading)} {{ #{name.lower()} }}", text(_plain(part.get("description", "")))]
        parts.append(_fields(part, whole, kind))
    return "\n\n".join(part for part in parts if part) + "\n"


def _example(kind: str) -> Iterator[str]:
    path = example_of(kind)
    if path is None:
        return
    shown = path.read_text(encoding="utf-8").rstrip()
    yield "## Example"
    if path.suffix == ".json" and shown.startswith("{"):
        yield "From a run of the sample; lists are cut to their first entries."
    fence = f"```{LANGUAGES[path.suffix]}\n{shown}\n```"
    lines = shown.count("\n")
    if lines <= _SHORT:
        yield fence
    else:
        indented = "\n".join(f"    {line}" for line in fence.split("\n"))
        yield f'??? example "Show its {lines} lines"\n\n{indented}'


def _parts(whole: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the definitions that have fields, in the order in which they are first referred to."""
    definitions: Mapping[str, Schema] = whole.get("$defs", {})
    waiting, seen = [json.dumps({key: value for key, value in whole.items() if key != "$defs"})], set()
    while waiting:
        for name in re.findall(r'"#/\$defs/([^"]+)"', waiting.pop(0)):
            if name not in seen:
                seen.add(name)
                waiting.append(json.dumps(definitions[name]))
                if "properties" in definitions[name]:
                    yield name, definitions[name]


def _plain(description: str) -> str:
    return " ".join(description.split())


def _fields(part: Schema, whole: Schema, kind: str) -> str:
    properties: Mapping[str, Schema] = part.get("properties", {})
    if not properties:
        return f"{_type(part).capitalize()}."
    settings = kind == "repath.toml"
    required = set(part.get("required", ()))
    rows = []
    for name, field in properties.items():
        table_name = "" if part is whole else f"{str(part['title']).lower()}."
        anchor = f'<span id="{table_name}{name}"></span>' if settings else ""
        mark = "" if name in required or settings else " <small>optional</small>"
        rows.append((f"{anchor}{code(name)}{mark}", _type(field), _meaning(part, name, field, whole)))
    return table(("field", "type", "meaning"), rows)


def _meaning(part: Schema, name: str, field: Schema, whole: Schema) -> str:
    """Return what a field means: as its contract says, else as `FIELDS`, else as what it refers to."""
    told = field.get("description") or FIELDS.get(part["title"], {}).get(name)
    referred = re.search(r'"#/\$defs/([^"]+)"', json.dumps(field))
    if not told and referred and "properties" in whole["$defs"][referred[1]]:
        told = whole["$defs"][referred[1]].get("description")
    told = told or FIELDS["shared"].get(name, "")
    default = field.get("default")
    shown = "" if default in (None, {}, []) else f" Default {code(_json(default))}."
    return f"{text(_plain(told))}{shown}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _type(field: Schema) -> str:
    """Return in words what may stand in a field; Markdown."""
    if "$ref" in field:
        name = str(field["$ref"]).rpartition("/")[2]
        return f"[{text(name)}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(each) for each in field["anyOf"]))
    if "enum" in field or "const" in field:
        return " or ".join(code(_json(value)) for value in field.get("enum", [field.get("const")]))
    return " ".join([_kind(field), *_bounds(field)])


def _kind(field: Schema) -> str:
    kind = field.get("type")
    if kind == "array":
        items = field.get("items")
        return f"list of {_type(items)}" if items else "list"
    if kind == "object":
        values = field.get("additionalProperties")
        return f"mapping of name to {_type(values)}" if isinstance(values, Mapping) else "object"
    if kind == "string":
        return _PATTERNS.get(field.get("pattern", ""), "text")
    return {"number": "number", "integer": "whole number", "boolean": "true or false", "null": "null"}.get(
        str(kind), "any value"
    )


def _bounds(field: Schema) -> Iterator[str]:
    found = [words.format(field[key]) for key, words in _BOUNDS.items() if key in field]
    if found:
        yield f"({', '.join(found)})"
