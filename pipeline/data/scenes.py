"""Negatives that want a picture: the todo negatives of a manifest, and those of the labeled rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.contracts.base import shown
from pipeline.contracts.labeled import RETRAIN_PREFIX, LabeledRow
from pipeline.contracts.manifest import ManifestRow
from pipeline.contracts.text import fits_in_notes
from pipeline.data.book import LabeledBook

_HINT = re.compile(r"\bquery_hint=([^;]*)")
"""``query_hint=forest trail`` behind a sentence in the notes of a manifest's negative: what to search for."""

_REMARKS = ("Completed.", "Needs unique URL (deduped).")
"""Sentences that follow the hint in manifests that were worked on."""


@dataclass(slots=True)
class Scenes:
    """Negatives without a picture, and the rows that are a negative on one side only."""

    rows: list[LabeledRow] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def negative_scenes(images: Sequence[ManifestRow], book: LabeledBook) -> Scenes:
    """Return the negatives to search for: those of the manifest first, then those that only the book has.

    A row that is there already is taken as it stands there. One that has a label there is none of ours: it is
    told, and left alone.

    Args:
        images: the manifest's rows; those without a picture that expect nothing count.
        book: the labeled rows.

    Raises:
        InputError: a name stands twice in the labeled rows.
    """
    found = Scenes()
    met: set[str] = set()
    for image in images:
        if image.is_ready or not image.is_negative or image.name in met:
            continue
        if image.name.startswith(RETRAIN_PREFIX):  # it would become training material
            continue
        met.add(image.name)
        there = book.find(image.name)
        if there is not None and not there.is_negative:
            label = shown(there.canonical_label)
            found.conflicts.append(f"{image.name}: the manifest expects nothing, and the row shows {label}")
        elif there is None or not there.url.strip():
            found.rows.append(_with_hint(there or _made(image), image.notes or ""))
    for row in book.rows:
        if row.is_negative and not row.url.strip() and row.name not in met:
            found.rows.append(row)
            met.add(row.name)
    return found


def _made(image: ManifestRow) -> LabeledRow:
    return LabeledRow(
        name=image.name, url="", item_id=image.item_id or "", canonical_label="", source="", notes=""
    )


def _with_hint(row: LabeledRow, notes: str) -> LabeledRow:
    hint = hint_of(notes)
    if not hint or row.search_query:
        return row
    parts = [row.notes.strip().rstrip(";"), f"query={hint}"]
    return row.replace(notes="; ".join(part for part in parts if part))


def hint_of(notes: str) -> str:
    """Return what the notes of a manifest's negative say to search for; empty where they say nothing."""
    found = _HINT.search(notes)
    hint = found.group(1) if found else ""
    for remark in _REMARKS:
        hint = hint.replace(remark, "")
    hint = " ".join(hint.split())
    return hint if fits_in_notes(hint) else ""
