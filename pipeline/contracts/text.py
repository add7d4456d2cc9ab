"""The three ways this system turns a label into a key: slug, normalised alias, and a list of notes."""

from __future__ import annotations

import re

_NOT_SLUG = re.compile(r"[^a-z0-9]+")
NEXT_KEY = re.compile(r";\s*(?=[A-Za-z_][\w-]*=)")
"""What ends one ``key=value`` of a list of notes and begins the next."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_WORDS = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}


def slug(label: str, *, limit: int = 80) -> str:
    """Lower case, runs of other characters to one ``-``, none at the ends, at most ``limit`` characters."""
    return _words(label).replace(" ", "-")[:limit].rstrip("-")


def normalized_alias(text: str) -> str:
    """Lower case, runs of non-alphanumerics to one space, no space at the ends."""
    return _words(text)


def _words(text: str) -> str:
    if text.isascii():  # a quarter of the expression's time
        return " ".join(text.translate(_WORDS).split())
    return _NOT_SLUG.sub(" ", text.lower()).strip()


def note_value(notes: str, key: str) -> str | None:
    """Return the value of ``key=`` in a ``; ``-joined list of notes, or None.

    A value may itself hold commas and semicolons: it ends where a ``; `` is followed by another ``key=``, or
    at the end.
    """
    match = re.search(rf"(?:^|;\s*){re.escape(key)}=(.*?)(?=;\s*[A-Za-z_][\w-]*=|;?\s*$)", notes, re.DOTALL)
    return match.group(1).strip() if match else None


def with_note(notes: str, note: str) -> str:
    """Append a note, joined by ``; ``, unless it stands there already."""
    if not notes.strip():
        return note
    return notes if note in notes else f"{notes.rstrip().rstrip(';')}; {note}"


def fits_in_notes(value: str) -> bool:
    """Tell whether a value can be read back: a ``; key=`` inside it would end it early."""
    return not NEXT_KEY.search(value) and not _CONTROL.search(value)
