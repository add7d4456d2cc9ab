"""One picture, one ready row of a manifest: the others wait for a picture of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipeline.contracts.manifest import ManifestRow
from pipeline.contracts.planning import RepeatedPicture, RowChange, RowCounts
from pipeline.support.commons_urls import source_key

NOTE = "Needs unique URL (deduped)."
"""What the notes of a row say that lost its picture to another; sentences of a manifest's notes follow by a
space."""

Keep = Literal["first", "last"]


@dataclass(slots=True)
class DedupedManifest:
    """All rows in their order, the groups that were found, and what was changed."""

    rows: list[ManifestRow]
    groups: list[RepeatedPicture] = field(default_factory=list)
    changes: list[RowChange] = field(default_factory=list)
    changed: int = 0
    """Rows that were changed."""


def dedupe_manifest(images: Sequence[ManifestRow], *, keep: Keep, clear_url: bool) -> DedupedManifest:
    """Mark all but one of the rows that show one picture as ``todo``, and clear their url if so wanted.

    Two urls are one picture where `source_key` says so. A row that has boxes drawn for the picture keeps it
    before one that has none, and a ready row before a todo one; then ``keep`` decides. No row is removed or
    moved, and no expectation is touched: a negative stays one.

    Args:
        images: the manifest's rows.
        keep: which of a group keeps the picture.
        clear_url: clear the url of the others; else it stays, and ``todo`` alone tells.
    """
    by_key: dict[str, list[int]] = {}
    for index, row in enumerate(images):
        key = source_key(row.url)
        if key:
            by_key.setdefault(key, []).append(index)
    done = DedupedManifest(list(images))
    for members in by_key.values():
        if len(members) == 1:
            continue
        order = members if keep == "first" else members[::-1]
        kept = min(order, key=lambda index: (images[index].boxes is None, not images[index].is_ready))
        others = [index for index in members if index != kept]
        expected = {frozenset(images[index].labels()) for index in members}
        done.groups.append(
            RepeatedPicture(
                url=images[kept].url,
                keep_name=images[kept].name,
                duplicate_names=[images[index].name for index in others],
                same_expectation=len(expected) == 1,
            )
        )
        for index in others:
            done.rows[index] = _waiting(images[index], clear_url, done)
    return done


def _waiting(row: ManifestRow, clear_url: bool, done: DedupedManifest) -> ManifestRow:
    notes = row.notes or ""
    wanted = {
        "url": "" if clear_url else row.url,
        "status": "todo",
        "notes": notes if NOTE in notes else f"{notes} {NOTE}".strip(),
    }
    changes = {name: value for name, value in wanted.items() if value != getattr(row, name)}
    for name, value in changes.items():
        done.changes.append(
            RowChange(name=row.name, field=name, before=getattr(row, name) or "", after=value)
        )
    done.changed += bool(changes)
    return row.replace(**changes) if changes else row


def counts_of(images: Sequence[ManifestRow]) -> RowCounts:
    """Count rows by state, as the reports tell them."""
    ready = sum(row.is_ready for row in images)
    return RowCounts(
        total=len(images),
        ready=ready,
        todo=len(images) - ready,
        missing_url=sum(not row.url for row in images),
    )
