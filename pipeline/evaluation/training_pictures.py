"""What a training bundle holds: pictures that a benchmark must not contain, and test pictures with boxes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contracts.bundle import (
    CLASSES_FILE,
    IMAGES,
    LABELS,
    METADATA_FILE,
    SPLIT_FILE,
    TEMPLATE_COLUMNS,
    TEMPLATE_FILE,
    BundleClasses,
    BundleMetadata,
    Split,
    TemplateRow,
)
from pipeline.support.commons_urls import source_key
from pipeline.support.documents import read_csv, read_json
from pipeline.support.errors import ContractError, Fault
from pipeline.support.files import confined, sha256_file
from pipeline.support.row_sources import row_sources
from pipeline.support.yolo_labels import YoloBox, read_labels


@dataclass(frozen=True, slots=True)
class HeldBackPicture:
    """A picture that training held back for the test, with its boxes as shares of its sides."""

    id: str
    image_file: str
    """Relative to the bundle."""
    path: Path
    boxes: tuple[tuple[str, YoloBox], ...]
    """Label and box."""


@dataclass(slots=True)
class TrainingPictures:
    """The pictures that training and validation see, by digest and by source, and those held back."""

    by_digest: dict[str, str] = field(default_factory=dict)
    """SHA-256 to sample id."""
    by_source: dict[str, str] = field(default_factory=dict)
    test: list[HeldBackPicture] = field(default_factory=list)

    def seen(self, digest: str | None, urls: Iterable[str | None]) -> tuple[str, str] | None:
        """Return ``bytes`` or ``source`` and the sample that shares it with a picture, or None."""
        if digest in self.by_digest:
            return "bytes", self.by_digest[digest or ""]
        for url in urls:
            key = source_key(url) if url else ""
            if key in self.by_source:
                return "source", self.by_source[key]
        return None


def read_bundle_pictures(bundle: Path) -> TrainingPictures:
    """Read which pictures a bundle trains on and which it holds back.

    A bundle without ``split.json`` trains on all of its pictures.

    Raises:
        InputError: a file of the bundle is missing.
        ContractError: one breaks its contract, or a label file does.
        PathEscapeError: a path in the bundle leaves it.
    """
    rows = read_csv(bundle / TEMPLATE_FILE, TemplateRow, TEMPLATE_COLUMNS)
    classes = [entry.label for entry in read_json(bundle / CLASSES_FILE, BundleClasses).classes]
    held_back = _held_back(bundle)
    found = TrainingPictures()
    recorded = _recorded(bundle)
    for row in rows:
        if not row.image_file:
            continue
        path = confined(
            bundle, _in_folder(row.image_file, IMAGES), source=f"{bundle / TEMPLATE_FILE}: {row.id}"
        )
        if row.id in held_back:
            if path.is_file():
                found.test.append(HeldBackPicture(row.id, row.image_file, path, _boxes(bundle, row, classes)))
            continue
        if path.is_file():
            found.by_digest.setdefault(sha256_file(path), row.id)
        for key in recorded.get(row.id) or row_sources("", "", row.notes):
            found.by_source.setdefault(key, row.id)
    return found


def _held_back(bundle: Path) -> frozenset[str]:
    path = bundle / SPLIT_FILE
    if not path.is_file():
        return frozenset()
    return frozenset(entry.id for entry in read_json(path, Split).entries if entry.subset == "test")


def _recorded(bundle: Path) -> dict[str, list[str]]:
    """Return the source keys that the bundle's own metadata names by sample."""
    path = bundle / METADATA_FILE
    if not path.is_file():
        return {}
    return {picture.id: picture.sources for picture in read_json(path, BundleMetadata).pictures or []}


def _boxes(bundle: Path, row: TemplateRow, classes: Sequence[str]) -> tuple[tuple[str, YoloBox], ...]:
    where = f"{bundle / TEMPLATE_FILE}: {row.id}"
    path = confined(bundle, _in_folder(row.label_file, LABELS), source=where)
    boxes, faults = read_labels(path, class_count=len(classes))
    if faults:
        raise ContractError(str(path), [Fault(f"line {fault.line}", fault.reason) for fault in faults])
    return tuple((classes[box.class_id], box) for box in boxes)


def _in_folder(name: str, folder: str) -> str:
    """Return a path relative to the bundle; older templates name the bare file."""
    return name if "/" in name else f"{folder}/{name}"
