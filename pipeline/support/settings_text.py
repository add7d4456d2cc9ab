"""``repath.toml`` in full: every setting with what it means, chosen ones set, defaults commented out.

Made from the contract itself, so that the file and the program never differ.
"""

from __future__ import annotations

import ast
import inspect
import json
import math
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.contracts import settings as contract
from pipeline.contracts.settings import Settings, Table

_WIDTH = 100
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

_HEAD = """\
# The settings of this workspace. A command's flag wins over a setting.
# A line that begins with "#" and a key shows the default; take the "#" away to change it.
"""


def settings_toml(settings: Settings) -> str:
    """Return ``repath.toml`` for these settings; reading it gives equal settings."""
    meanings = _meanings()
    lines = [_HEAD]
    for name in type(settings).model_fields:
        table: Table = getattr(settings, name)
        lines += [*_comment(meanings[type(table).__name__, ""]), f"[{name}]"]
        lines += _table(table, name, meanings)
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _table(table: Table, path: str, meanings: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """Yield a table's lines: plain keys first, since in TOML what follows a sub-table belongs to it."""
    defaults = type(table)().model_dump()
    plain = table.model_dump()
    nested = [name for name, value in plain.items() if isinstance(value, dict)]
    for name in [*(name for name in plain if name not in nested), *nested]:
        yield from _comment(meanings.get((type(table).__name__, name), ""))
        mark = "# " if plain[name] == defaults[name] else ""
        if name in nested:
            yield from _mapping(f"{path}.{name}", plain[name], mark)
        elif plain[name] is None:
            yield f"# {name} ="
        else:
            yield f"{mark}{name} = {_value(plain[name])}"


def _mapping(path: str, mapping: Mapping[str, Any], mark: str) -> Iterator[str]:
    if not any(isinstance(value, dict) for value in mapping.values()):
        yield f"{mark}[{path}]"
    for key, value in mapping.items():
        if isinstance(value, dict):
            yield from _mapping(f"{path}.{_key(key)}", value, mark)
        else:
            yield f"{mark}{_key(key)} = {_value(value)}"


def _meanings() -> dict[tuple[str, str], str]:
    """Return the docstring of every table (under an empty name) and of its fields, on one line each."""
    found = {}
    for node in ast.parse(inspect.getsource(contract)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        found[node.name, ""] = ast.get_docstring(node) or ""
        for field, after in zip(node.body, node.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                text = _string(after)
                if text is not None:
                    found[node.name, field.target.id] = text
    return {
        where: " ".join(inspect.cleandoc(text).replace("``", "`").split()) for where, text in found.items()
    }


def _string(node: ast.stmt) -> str | None:
    if (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ):
        return node.value.value
    return None


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH - 2)]


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    # A JSON string, number, boolean or list of them is TOML too, but for DEL, which JSON leaves bare.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
