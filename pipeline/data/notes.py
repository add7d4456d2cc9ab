"""Notes of a row that gets a picture: what a person wrote stays, what told of the old picture goes."""

from __future__ import annotations

import re

from pipeline.contracts.text import NEXT_KEY
from pipeline.data.dedupe import NOTE as DEDUPE_NOTE

FAILED = "suggest_failed"
"""``suggest_failed=no_result``: this row was searched for, and nothing was found."""
_LEGACY_FAILED = "no_match"
"""What the system in use writes for the same."""

_REMARK = re.compile(r"(?:title=.*?\.\w{3,4}|(?!title=)[^;]*)(?:;\s*(.*))?", re.DOTALL)
"""What follows a value behind a semicolon without a key of its own; a title may hold semicolons before it."""
_OF_A_PICTURE = frozenset(
    {
        FAILED,
        "title",
        "query",
        "manual_query",
        "folder",
        "source_image",
        "source_url",
        "local_cached",
        "materialized_local",
        "seeded_from",
    }
)


def has_failed(notes: str) -> bool:
    """Tell whether an earlier search found nothing for this row."""
    return any(part.startswith(f"{FAILED}=") or part == _LEGACY_FAILED for part in _parts(notes))


def renewed_notes(notes: str, new: str) -> str:
    """Return a row's notes with those of its former picture replaced by ``new``."""
    kept = []
    for part in _parts(notes):
        text = part
        if part.partition("=")[0] in _OF_A_PICTURE:
            remark = _REMARK.fullmatch(part)
            text = (remark.group(1) or "") if remark else ""
        if text and text != _LEGACY_FAILED:
            kept.append(text)
    return "; ".join([*kept, new])


def _parts(notes: str) -> list[str]:
    """Split notes into ``key=value`` parts and free remarks; a value may hold semicolons of its own."""
    parts: list[str] = []
    for text in NEXT_KEY.split(notes.replace(DEDUPE_NOTE, "")):
        part = text.strip().strip(";").strip()
        if part.endswith(f"; {_LEGACY_FAILED}"):
            parts.append(part.removesuffix(f"; {_LEGACY_FAILED}").rstrip("; "))
            part = _LEGACY_FAILED
        if part:
            parts.append(part)
    return parts
