"""Labeled rows for the rows of a manifest that have none; what stands in the labeled rows wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.contracts.base import shown
from pipeline.contracts.labeled import RETRAIN_PREFIX, LabeledRow
from pipeline.contracts.manifest import ManifestRow
from pipeline.contracts.text import with_note
from pipeline.data.book import LabeledBook

SOURCE = "manifest_todo_queue"
"""``source`` of a row that was made from the manifest, as the system in use writes it."""
NOTE = "synced_from_manifest"


@dataclass(slots=True)
class Synced:
    """What the manifest gave to the labeled rows."""

    added: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    """Rows that had no ``item_id`` and got one."""
    there: int = 0
    """Names that have a labeled row."""
    kept: list[str] = field(default_factory=list)
    """Rows that say something else than the manifest, in words; they stay as they are."""
    conflicts: list[str] = field(default_factory=list)
    """Rows that are a negative on one side and a positive on the other; a person has to decide."""
    training_names: list[str] = field(default_factory=list)
    """Rows of the manifest named ``retrain_*``: they would become training material, and are left out."""


def sync_labeled(book: LabeledBook, images: Sequence[ManifestRow], *, include_ready: bool) -> Synced:
    """Add a labeled row for each name of the manifest that has none.

    A name that stands under several items gets one row, of the first: one picture serves them all. In a row
    that is there only an empty ``item_id`` is filled; no url, no note and above all no label is touched.

    Args:
        book: the labeled rows; changed in place.
        images: the manifest's rows.
        include_ready: also those that have a picture, not only the todo rows.

    Raises:
        InputError: a name stands twice in the labeled rows.
    """
    done = Synced()
    met: set[str] = set()
    for image in images:
        if image.name in met or (image.is_ready and not include_ready):
            continue
        met.add(image.name)
        if image.name.startswith(RETRAIN_PREFIX):
            done.training_names.append(image.name)
            continue
        there = book.find(image.name)
        if there is None:
            book.put(_made(image))
            done.added.append(image.name)
        else:
            done.there += 1
            _compare(book, there, image, done)
    return done


def _made(image: ManifestRow) -> LabeledRow:
    return LabeledRow(
        name=image.name,
        url=image.url.strip() if image.is_ready else "",
        item_id=image.item_id or "",
        canonical_label="" if image.is_negative else image.labels()[0].strip(),
        source=SOURCE,
        notes=with_note(image.notes or "", NOTE),
    )


def _compare(book: LabeledBook, there: LabeledRow, image: ManifestRow, done: Synced) -> None:
    if there.is_negative != image.is_negative:
        sides = ("a negative", "expects " + ", ".join(map(shown, image.labels())))
        if image.is_negative:
            sides = (f"shows {shown(there.canonical_label)}", "expects nothing")
        done.conflicts.append(f"{image.name}: {sides[0]} here, and the manifest {sides[1]}")
        return
    label = there.canonical_label.strip()
    if label and label not in image.labels():
        wanted = ", ".join(map(shown, image.labels()))
        done.kept.append(f"{image.name}: canonical_label {shown(label)}; the manifest expects {wanted}")
    if image.item_id and not there.item_id.strip():
        book.renew(there.replace(item_id=image.item_id))
        done.items.append(image.name)
