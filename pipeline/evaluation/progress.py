"""What people found for labeled rows, brought into a manifest without undoing what was done there by hand.

A three-way rule decides on each row's url. The base is ``synced_url``, on which both sides last agreed: a
``url`` that differs from it is a person's, and stays. A url without such a record is taken for a person's,
too, unless it is that of the seed manifest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.contracts.base import shown
from pipeline.contracts.labeled import LabeledRow
from pipeline.contracts.manifest import ManifestRow
from pipeline.contracts.planning import LeftRow, RowChange
from pipeline.evaluation.manifest_dedupe import NOTE as DEDUPE_NOTE
from pipeline.evaluation.manifests import SEEDED
from pipeline.support.commons_urls import source_key

DONE = "Completed."
_CLEARED = "needs unique url"
"""Both dedupe commands write it, and the one that cleared a labeled row means the manifest's as well."""


@dataclass(slots=True)
class Progress:
    """The manifest's rows in their order, and what became of the labeled rows."""

    rows: list[ManifestRow] = field(default_factory=list)
    changes: list[RowChange] = field(default_factory=list)
    filled: int = 0
    cleared: int = 0
    kept: list[LeftRow] = field(default_factory=list)
    conflicts: list[LeftRow] = field(default_factory=list)
    repeated: list[LeftRow] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Names of labeled rows with a picture that the manifest lacks."""
    without_url: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ProgressSync:
    """Brings urls of labeled rows into a manifest; see the module for the rule.

    Rows that feed retraining take no part. No expectation is ever touched: where one side is a negative and
    the other is not, or the labels differ, the row is told and left.
    """

    clear_empty_url: bool = False
    """Also clear a row's url where the labeled row of its name has none."""
    overwrite: bool = False
    """Let the labeled rows win over what was changed by hand."""

    def sync(self, images: Sequence[ManifestRow], labeled: Sequence[LabeledRow]) -> Progress:
        """Return the manifest's rows with what the labeled rows give them."""
        by_name: dict[str, list[LabeledRow]] = {}
        for row in labeled:
            if row.name and not row.feeds_retraining:
                by_name.setdefault(row.name, []).append(row)
        done = Progress()
        shown_by = Counter(source_key(image.url) for image in images if image.is_ready)
        done.rows = list(images)
        # Rows that wait for a picture of their own come last: by then it is known what the others show.
        for index in sorted(range(len(images)), key=lambda index: DEDUPE_NOTE in (images[index].notes or "")):
            image = images[index]
            after = self._one(image, by_name.get(image.name, []), shown_by, done)
            if after.status == "ready" and not after.url.strip():
                after = after.replace(status="todo")
            done.changes += _changes(image, after)
            done.rows[index] = after
        names = {image.name for image in images}
        done.unknown = [
            name
            for name, rows in by_name.items()
            if name not in names and any(row.url.strip() for row in rows)
        ]
        return done

    def _one(
        self, image: ManifestRow, rows: Sequence[LabeledRow], shown_by: Counter[str], done: Progress
    ) -> ManifestRow:
        if not rows:
            return image
        picked = _pick(image, rows)
        if isinstance(picked, str):
            done.conflicts.append(LeftRow(name=image.name, reason=picked))
            return image
        url = picked.url.strip()
        if not url:
            return self._cleared(image, picked, shown_by, done)
        key = source_key(url)
        others = shown_by[key] - (image.is_ready and source_key(image.url) == key)
        if not image.is_ready and DEDUPE_NOTE in (image.notes or "") and others > 0:
            done.repeated.append(LeftRow(name=image.name, reason=f"another row shows {url}"))
            return image
        reason = self._by_hand(image, url)
        if reason is not None:
            done.kept.append(LeftRow(name=image.name, reason=reason))
            return image
        done.filled += url != image.url.strip()
        if image.is_ready:
            shown_by[source_key(image.url)] -= 1
        shown_by[key] += 1
        return _filled(image, url)

    def _cleared(
        self, image: ManifestRow, picked: LabeledRow, shown_by: Counter[str], done: Progress
    ) -> ManifestRow:
        asked = self.clear_empty_url or _CLEARED in picked.notes.lower()
        if not image.url.strip() or not asked:
            done.without_url.append(image.name)
            return image
        reason = None if self.clear_empty_url and image.synced_url is None else self._by_hand(image, "")
        if reason is not None:
            done.kept.append(LeftRow(name=image.name, reason=reason))
            return image
        if image.is_ready:
            shown_by[source_key(image.url)] -= 1
        done.cleared += 1
        done.without_url.append(image.name)
        return image.replace(url="", status="todo", synced_url="")

    def _by_hand(self, image: ManifestRow, url: str) -> str | None:
        """Return why the row's url is not to be replaced by ``url``, or None where it may be."""
        reason = None if self.overwrite else _changed_by_hand(image, url)
        return None if reason is None else f"{reason}; the labeled row has {url or 'no url'}"


def _changed_by_hand(image: ManifestRow, url: str) -> str | None:
    here, base, notes = image.url.strip(), image.synced_url, image.notes or ""
    reason = None
    if here == url:
        if here and here == base and not image.is_ready and DEDUPE_NOTE not in notes:
            reason = "was set to todo in the manifest"
    elif here and image.boxes is not None:
        reason = f"boxes are drawn on {here}"
    elif base is None:
        if here and notes.strip() != SEEDED:
            reason = f"the manifest has {here}, and nothing tells which is newer"
    elif here:
        if here != base:
            reason = f"the url was set to {here} in the manifest"
    elif url == base and DEDUPE_NOTE not in notes:
        reason = "the url was cleared in the manifest"
    return reason


def _pick(image: ManifestRow, rows: Sequence[LabeledRow]) -> LabeledRow | str:
    """Return the labeled row that speaks for a row of the manifest, or why there is none."""
    labels = image.labels()
    agreeing = [row for row in rows if (row.canonical_label.strip() in labels if labels else row.is_negative)]
    if not agreeing:
        here = f"expects {', '.join(map(shown, labels))}" if labels else "expects nothing (a negative)"
        label = rows[0].canonical_label.strip()
        there = f"shows {shown(label)}" if label else "is a negative"
        return f"the manifest {here}, and the labeled row {there}"
    best = [row for row in agreeing if row.item_id.strip() == (image.item_id or "")] or agreeing
    if len({row.url.strip() for row in best}) > 1:
        return "several labeled rows of this name have different urls"
    return best[0]


def _filled(image: ManifestRow, url: str) -> ManifestRow:
    notes = " ".join((image.notes or "").replace(DEDUPE_NOTE, " ").split()) if not image.url else image.notes
    notes = notes or ""
    if DONE not in notes:
        notes = f"{notes} {DONE}".strip()
    wanted: dict[str, str | None] = {"url": url, "status": "ready", "notes": notes, "synced_url": url}
    if image.source_url is not None and url != image.url:
        wanted["source_url"] = None
    changes = {name: value for name, value in wanted.items() if value != getattr(image, name)}
    return image.replace(**changes) if changes else image


def _changes(before: ManifestRow, after: ManifestRow) -> list[RowChange]:
    if before is after:
        return []
    return [
        RowChange(
            name=before.name, field=name, before=getattr(before, name) or "", after=getattr(after, name) or ""
        )
        for name in ("url", "status", "notes")
        if getattr(before, name) != getattr(after, name)
    ]
