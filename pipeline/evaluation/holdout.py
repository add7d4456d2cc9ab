"""The supported-holdout manifest: pictures, not seen in training, of each label that a model knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.contracts.manifest import BenchmarkManifest, HoldoutOverrides, ManifestRow, UnsupportedLabel
from pipeline.contracts.text import slug
from pipeline.evaluation.used import UsedPictures
from pipeline.support.class_folders import ClassFolders
from pipeline.support.errors import DownloadError, ImageError, InputError
from pipeline.support.files import display_path
from pipeline.support.images import MAX_PIXELS
from pipeline.support.pictures import PictureFetcher, cached_picture, copy_picture, safe_stem
from pipeline.support.progress import track

MANIFEST_NAME = "municipal-supported-holdout-v1"
KAGGLE = "kaggle_household_waste_images"
MANUAL = "manual_seed"


@dataclass(slots=True)
class Holdout:
    """The manifest's parts, and every picture that was passed over with the reason."""

    rows: list[ManifestRow] = field(default_factory=list)
    unsupported: list[UnsupportedLabel] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    """``label``, ``source`` (a path in the class folders, or a url) and ``reason`` of each."""


@dataclass(frozen=True, slots=True)
class HoldoutBuilder:
    """Collects pictures of labels into ``cache_dir``: from class folders, then from manual overrides."""

    cache_dir: Path
    base: Path
    """The folder that the written paths are relative to."""
    used: UsedPictures
    folders: ClassFolders | None
    folder_names: Mapping[str, Sequence[str]]
    """Label to names of class folders, the best first."""
    overrides: HoldoutOverrides
    fetcher: PictureFetcher | None
    """None where nothing may be downloaded."""
    previous: BenchmarkManifest | None = None
    """The manifest of an earlier run: a fetched picture is used again where its url is still the same."""
    per_label: int = 3
    max_pixels: int = MAX_PIXELS

    def build(self, labels: Sequence[str]) -> Holdout:
        """Collect up to ``per_label`` pictures of each label, in the order of the labels.

        A picture from a class folder is passed over where a row of the labeled CSV or a retraining sample is
        the same source or the same bytes; a manual override, which people chose, only where training has it.

        Raises:
            OutputError: the cache cannot be written.
            InputError: the class folders cannot be read.
        """
        done = Holdout()
        taken: set[str] = set()
        slugs = _unique_slugs(labels)
        for label in track(labels, total=len(labels), what="Holdout labels"):
            before = len(done.left_out)
            rows = self._from_folders(label, slugs[label], taken, done)
            rows += self._from_overrides(label, slugs[label], self.per_label - len(rows), taken, done)
            done.rows += rows
            if not rows:
                reason = self._why_none(label, len(done.left_out) - before)
                done.unsupported.append(UnsupportedLabel(label=label, reason=reason))
        return done

    def _from_folders(self, label: str, name: str, taken: set[str], done: Holdout) -> list[ManifestRow]:
        rows: list[ManifestRow] = []
        if self.folders is None:
            return rows
        for picture in self.folders.images(self.folder_names.get(label, ())):
            if len(rows) == self.per_label:
                break
            folder = self.folders.folder_of(picture)
            row = f"holdout_{name}_kaggle_v{len(rows) + 1}"
            reason = self._seen(picture, folder, taken)
            if reason is None:
                try:
                    place = copy_picture(picture, self.cache_dir / safe_stem(row), max_pixels=self.max_pixels)
                except InputError as error:
                    reason = error.message
            if reason is not None:
                done.left_out.append(_left_out(label, f"{folder}/{picture.name}", reason))
                continue
            notes = f"supported-holdout; source={KAGGLE}; folder={folder}; source_image={picture.name}"
            rows.append(self._row(row, place, label, f"holdout-{name}-v{len(rows) + 1}", notes))
        return rows

    def _seen(self, picture: Path, folder: str, taken: set[str]) -> str | None:
        if self.used.has_folder_source(folder, picture.name):
            return "the same source as a labeled or retraining row"
        return self._bytes_seen(picture, taken, training_only=False)

    def _from_overrides(
        self, label: str, name: str, wanted: int, taken: set[str], done: Holdout
    ) -> list[ManifestRow]:
        rows: list[ManifestRow] = []
        for number, url in enumerate(self.overrides.labels.get(label, []), start=1):
            if len(rows) >= wanted:
                break
            row = f"holdout_{name}_manual_v{number}"
            place = self._fetched(row, url)
            reason = place if isinstance(place, str) else self._bytes_seen(place, taken, training_only=True)
            if isinstance(place, str) or reason is not None:
                done.left_out.append(_left_out(label, url, reason or ""))
                continue
            notes = f"supported-holdout; source={MANUAL}; source_url={url}"
            rows.append(self._row(row, place, label, f"holdout-{name}-manual-v{number}", notes))
        return rows

    def _fetched(self, row: str, url: str) -> Path | str:
        """Return the picture of a manual override, or why there is none."""
        if self.used.has_url(url):
            return "the same source as a retraining row"
        stem = self.cache_dir / safe_stem(row)
        there = cached_picture(stem) if self._same_source(row, url) else None
        if there is not None:
            return there
        if self.fetcher is None:
            return "download_disabled"
        try:
            return self.fetcher.fetch(url, stem, refresh=True)
        except (DownloadError, ImageError) as error:
            return f"download_failed: {error.message.removeprefix(f'{url}: ')}"

    def _same_source(self, name: str, url: str) -> bool:
        rows = self.previous.images if self.previous else []
        note = f"source_url={url}"
        return any(row.name == name and (row.notes or "").endswith(note) for row in rows)

    def _bytes_seen(self, place: Path, taken: set[str], *, training_only: bool) -> str | None:
        digest, owner = self.used.same_bytes(place, training_only=training_only)
        if owner:
            return f"the same bytes as {owner}"
        if digest in taken:
            return "the same bytes as another holdout picture"
        taken.add(digest)
        return None

    def _row(self, name: str, place: Path, label: str, item_id: str, notes: str) -> ManifestRow:
        return ManifestRow(
            name=name,
            url=display_path(place, self.base),
            expected_any=[label],
            expected_all=[],
            item_id=item_id,
            required=False,
            status="ready",
            notes=notes,
        )

    def _why_none(self, label: str, left_out: int) -> str:
        names = self.folder_names.get(label)
        reasons = []
        if not names:
            reasons.append("no class folder is mapped to it")
        elif self.folders is None:
            reasons.append("no folder of classes was given")
        elif not any(self.folders.has(name) for name in names):
            reasons.append(f"none of its class folders is there ({', '.join(names)})")
        if not self.overrides.labels.get(label):
            reasons.append("no manual override names it")
        if left_out:
            reasons.append(f"{left_out} pictures were passed over")
        return "; ".join(reasons) or "its class folders hold no picture"


def holdout_manifest(
    holdout: Holdout, labels: Sequence[str], *, source: dict[str, Any], generated_at: str
) -> BenchmarkManifest:
    """Put a holdout into a manifest; its ``left_out`` names each picture that was passed over, and why."""
    covered = {label for row in holdout.rows for label in row.expected_any}
    summary: dict[str, Any] = {
        "rows": len(holdout.rows),
        "labels_requested": len(labels),
        "labels_with_rows": len(covered),
        "unsupported_labels": len(holdout.unsupported),
        "left_out": len(holdout.left_out),
    }
    manifest = BenchmarkManifest(
        name=MANIFEST_NAME,
        generated_at=generated_at,
        source=source,
        summary=summary,
        unsupported=list(holdout.unsupported),
        images=holdout.rows,
    )
    return manifest.replace(left_out=holdout.left_out) if holdout.left_out else manifest


def _left_out(label: str, source: str, reason: str) -> dict[str, str]:
    return {"label": label, "source": source, "reason": reason}


def _unique_slugs(labels: Sequence[str]) -> dict[str, str]:
    """Return a slug for each label; of labels with the same slug the later ones get a number."""
    slugs: dict[str, str] = {}
    met: set[str] = set()
    for label in labels:
        base = slug(label) or "label"
        name, number = base, 1
        while name in met:
            number += 1
            name = f"{base}-{number}"
        met.add(name)
        slugs[label] = name
    return slugs
