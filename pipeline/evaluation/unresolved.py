"""Labeled rows without a picture, as a table for a person to work through, with links to search by."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from pipeline.contracts.labeled import RETRAIN_NEGATIVE_PREFIX, LabeledRow, scene_of
from pipeline.contracts.planning import UNRESOLVED_COLUMNS, UnresolvedRow

_COMMONS = "https://commons.wikimedia.org/w/index.php"
_IMAGES = "https://www.google.com/search"


def unresolved_rows(rows: Sequence[LabeledRow]) -> list[UnresolvedRow]:
    """Return a row for every labeled row without a url, sorted by label and name; each name once.

    ``url``, ``source`` and ``notes`` are empty, to be filled. The columns are a superset of the labeled ones,
    so that the filled table can be given to ``sync-benchmark-progress --completed``. A hard negative has no
    links: a search for the label that was seen wrongly would find just what the picture must not show.
    """
    made = {row.name: _made(row) for row in reversed(rows) if not row.url.strip()}
    return sorted(
        made.values(), key=lambda row: (row.canonical_label.casefold(), row.name.casefold(), row.name)
    )


def is_as_exported(row: UnresolvedRow) -> bool:
    """Tell whether a row is as it was written: a person has filled in nothing, and changed nothing."""
    again = _made(
        LabeledRow(
            name=row.name,
            url="",
            item_id=row.item_id,
            canonical_label=row.canonical_label,
            source=row.current_source,
            notes=row.current_notes,
        )
    )
    return all(getattr(again, column) == getattr(row, column) for column in UNRESOLVED_COLUMNS)


def _made(row: LabeledRow) -> UnresolvedRow:
    query = _query(row)
    return UnresolvedRow(
        name=row.name,
        url="",
        item_id=row.item_id,
        canonical_label=row.canonical_label,
        source="",
        notes="",
        current_source=row.source,
        current_notes=row.notes,
        wikimedia_search_url=_link(
            _COMMONS, {"search": query, "title": "Special:MediaSearch", "type": "image"}, query
        ),
        google_images_search_url=_link(_IMAGES, {"tbm": "isch", "q": query}, query),
    )


def _query(row: LabeledRow) -> str:
    if not row.is_negative:
        return row.canonical_label.strip()
    if row.search_query:
        return row.search_query
    if row.name.startswith(RETRAIN_NEGATIVE_PREFIX):
        return ""
    return (scene_of(row.name) or "").replace("_", " ").replace("-", " ")


def _link(base: str, parameters: dict[str, str], query: str) -> str:
    return f"{base}?{urlencode(parameters)}" if query.strip() else ""
