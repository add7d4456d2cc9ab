"""How many pictures a manifest has of each label, and which rows wait for one."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.contracts.manifest import ManifestRow
from pipeline.support.commons_urls import source_key


def depths(images: Sequence[ManifestRow]) -> dict[str, int]:
    """Return each label that the manifest names, in the order met, and how many ready pictures show it.

    A picture that several rows show counts once.
    """
    pictures: dict[str, set[str]] = {}
    for row in images:
        for label in row.labels():
            shown = pictures.setdefault(label, set())
            if row.is_ready:
                shown.add(source_key(row.url))
    return {label: len(shown) for label, shown in pictures.items()}


def todo_by_label(images: Sequence[ManifestRow]) -> dict[str, list[ManifestRow]]:
    """Return label to the rows that wait for a picture of it; a row counts for the first label it names."""
    waiting: dict[str, list[ManifestRow]] = {}
    for row in images:
        if not row.is_ready and not row.is_negative:
            waiting.setdefault(row.labels()[0], []).append(row)
    return waiting
