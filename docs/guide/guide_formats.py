"""A page for every file format, made from its contract: what it is, an example, and a table of its fields."""

from __future__ import annotations

import re
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
_SHARED = {
    "generated_at": "When the file was written (ISO 8601, UTC).",
    "label": "A label of the taxonomy or of the model.",
    "tp": "True positives: expected labels that were predicted.",
    "fp": "False positives: predicted labels that were not expected.",
    "fn": "False negatives: expected labels that were not predicted.",
}
"""Fields that mean the same wherever they stand, and whose contracts say no more."""


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
    parts = [f"# {title_of(kind)}", text(_plain(whole.get("description", "")))]
    parts.append(
        f"JSON Schema: [{kind}.schema.json](../schemas/{kind}.schema.json)"
        + (" (of one row; its properties are the columns)" if kind.endswith(".row") else "")
    )
    example = example_of(kind)
    if example:
        shown = example.read_text(encoding="utf-8").rstrip()
        parts.append(f"## Example\n\n```{LANGUAGES[example.suffix]}\n{shown}\n```")
    parts += ["## Fields", _fields(whole, kind, top=True)]
    for name, part in whole.get("$defs", {}).items():
        if "properties" in part:
            parts += [
                f"## {text(name)} {{ #{name.lower()} }}",
                text(_plain(part.get("description", ""))),
                _fields(part, kind),
            ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _plain(description: str) -> str:
    return " ".join(description.split())


def _fields(part: Schema, kind: str, *, top: bool = False) -> str:
    properties: Mapping[str, Schema] = part.get("properties", {})
    if not properties:
        return _type(part).capitalize() + "."
    required = set(part.get("required", ()))
    rows = []
    for name, field in properties.items():
        anchor = f'<span id="{_anchor(part, name, top=top)}"></span>' if kind == "repath.toml" else ""
        meaning = text(_plain(field.get("description", "")) or _SHARED.get(name, ""))
        default = (
            f" Default {code(_json(field['default']))}." if field.get("default") not in (None, {}, []) else ""
        )
        mark = "" if name in required or kind == "repath.toml" else " <small>optional</small>"
        rows.append((f"{anchor}{code(name)}{mark}", _type(field), f"{meaning}{default}"))
    return table(("field", "type", "meaning"), rows)


def _anchor(part: Schema, name: str, *, top: bool) -> str:
    return name if top else f"{str(part['title']).lower()}.{name}"


def _json(value: object) -> str:
    import json

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
