"""``repath.toml`` in full: every setting with what it means, chosen ones set, defaults commented out.

Made from the contract itself, so that the file and the program never differ.
"""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.contracts import settings as contract
from pipeline.contracts.meanings import meanings
from pipeline.contracts.settings import Settings, Table

_WIDTH = 100
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

_HEAD = """\
# The settings of this workspace. A command's flag wins over a setting.
# A line that begins with "#" and a key shows the default; take the "#" away to change it.
"""


def settings_toml(settings: Settings) -> str:
    """Return ``repath.toml`` for these settings; reading it gives equal settings."""
    told = {where: text.replace("``", "`") for where, text in meanings(contract).items()}
    lines = [_HEAD]
    for name in type(settings).model_fields:
        table: Table = getattr(settings, name)
        lines += [*_comment(told[type(table).__name__, ""]), f"[{name}]"]
        lines += _table(table, name, told)
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _table(table: Table, path: str, told: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """Yield a table's lines: plain keys first, since in TOML what follows a sub-table belongs to it."""
    defaults = type(table)().model_dump()
    plain = table.model_dump()
    nested = [name for name, value in plain.items() if isinstance(value, dict)]
    for name in [*(name for name in plain if name not in nested), *nested]:
        yield from _comment(told.get((type(table).__name__, name), ""))
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


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH - 2)]


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    # A JSON string, number, boolean or list of them is TOML too, but for DEL, which JSON leaves bare.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
