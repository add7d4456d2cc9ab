"""Plain text of the program, such as a help text, as Markdown that shows it as it is."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

_MARKUP = re.compile(r"[\\|*_`\[\]{}#]")
_CODE = re.compile(r"(`+)(?P<code>.+?)\1|(?<![\w`-])(?P<flag>--?[a-zA-Z][\w-]*)")


def text(plain: str) -> str:
    """Return ``plain`` with everything escaped that Markdown or HTML would read as markup.

    What stands in backticks stays code, and flags such as ``--out`` become code.
    """
    parts = []
    end = 0
    for found in _CODE.finditer(plain):
        parts += [_shown(plain[end : found.start()]), code(found["code"] or found["flag"])]
        end = found.end()
    return "".join([*parts, _shown(plain[end:])])


def code(plain: str) -> str:
    """Return ``plain`` as inline code; as HTML, which a table's cell and every character leave whole."""
    return f"<code>{_shown(plain)}</code>"


def _shown(plain: str) -> str:
    """Return text as numeric references where Markdown or HTML would read markup."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", html.escape(plain, quote=False))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(' '.join(cell.split()) for cell in row)} |" for row in lines) + "\n"
