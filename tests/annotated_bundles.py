"""Small annotation bundles, drawn or of the real photos, for the tests of annotators' commands."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

COLUMNS = [
    "id", "image_file", "label_file", "is_negative", "class_label", "class_id", "status", "annotator",
    "notes",
]  # fmt: skip
CLASSES = ("Aluminum Can", "Glass Bottle", "Card <Board> & Co")
PHOTO_CLASSES = (
    "Aluminum Can", "Tin Can", "Aluminum Foil", "Cardboard", "Glass Bottle or Jar", "Plastic Bottle",
    "Plastic Container",
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """A row of a bundle that a test wants."""

    id: str
    label: str | None = None
    """None for a negative."""
    boxes: str = ""
    size: tuple[int, int] = (120, 90)
    status: str = "todo"
    annotator: str = ""
    notes: str = ""
    image: bool = True


DRAWN = (
    Sample("can-1", "Aluminum Can", "0 0.500000 0.500000 0.250000 0.400000\n", status="annotated"),
    Sample(
        "can-2",
        "Aluminum Can",
        "0 0.312345 0.400001 0.123457 0.333333\n1 0.700000 0.600000 0.300000 0.200000\n",
        (321, 243),
        "done",
        "Ana",
    ),
    Sample("bottle-1", "Glass Bottle", size=(90, 160)),
    Sample("street", size=(200, 100), status="negative"),
)


def write_bundle(folder: Path, samples: Sequence[Sample] = DRAWN, classes: Sequence[str] = CLASSES) -> Path:
    """Write a bundle of drawn pictures and return its folder."""
    (folder / "labels").mkdir(parents=True)
    (folder / "images").mkdir()
    for seed, sample in enumerate(samples):
        if sample.image:
            pixels = np.random.default_rng(seed).integers(60, 190, (3, 4, 3), dtype=np.uint8)
            picture = Image.fromarray(pixels).resize(sample.size, Image.Resampling.BICUBIC)
            picture.save(folder / "images" / f"{sample.id}.png")
        (folder / "labels" / f"{sample.id}.txt").write_text(sample.boxes)
    write_tables(folder, samples, {sample.id: f"images/{sample.id}.png" for sample in samples}, classes)
    return folder


def write_tables(
    folder: Path, samples: Sequence[Sample], images: Mapping[str, str], classes: Sequence[str]
) -> None:
    """Write template, classes, split and metadata."""
    with (folder / "annotations-template.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for sample in samples:
            negative = sample.label is None
            writer.writerow(
                [
                    sample.id, images[sample.id] if sample.image else "", f"labels/{sample.id}.txt",
                    str(negative).lower(), sample.label or "",
                    "" if sample.label is None else classes.index(sample.label),
                    sample.status, sample.annotator, sample.notes,
                ]
            )  # fmt: skip
    listed = [{"id": index, "label": label} for index, label in enumerate(classes)]
    (folder / "classes.json").write_text(json.dumps({"classes": listed}))
    subsets = ["train" if index % 4 else "val" for index in range(len(samples))]
    split = {
        "seed": 0, "method": "by hand", "digest": "ab" * 32, "warnings": [],
        "counts": {"train": subsets.count("train"), "val": subsets.count("val"), "test": 0},
        "entries": [
            {"id": sample.id, "subset": subset, "group": sample.id}
            for sample, subset in zip(samples, subsets, strict=True)
        ],
    }  # fmt: skip
    (folder / "split.json").write_text(json.dumps(split))
    metadata = {"run_id": folder.name, "generated_at": "x", "source_manifest": "x", "summary": {}}
    (folder / "bundle-metadata.json").write_text(json.dumps(metadata))


def photo_bundle(real: Path, folder: Path, *, count: int = 12) -> Path:
    """Write a bundle of the real photos with their boxes; every eleventh or so shows no item."""
    photos = real / "photos"
    labels = sorted((photos / "labels" / "val").glob("*.txt"))
    empty = [path for path in labels if not path.read_text().strip()][:2]
    chosen = [*[path for path in labels if path.read_text().strip()][: count - len(empty)], *empty]
    (folder / "labels").mkdir(parents=True)
    (folder / "images").mkdir()
    samples = []
    for path in chosen:
        text = path.read_text()
        shutil.copy(photos / "images" / "val" / f"{path.stem}.jpg", folder / "images")
        (folder / "labels" / path.name).write_text(text)
        label = PHOTO_CLASSES[int(text.split()[0])] if text.strip() else None
        samples.append(Sample(path.stem, label, text, status="annotated" if label else "negative"))
    images = {sample.id: f"images/{sample.id}.jpg" for sample in samples}
    write_tables(folder, samples, images, PHOTO_CLASSES)
    return folder


def template(folder: Path) -> dict[str, dict[str, str]]:
    """Return the rows of a bundle's template by id."""
    with (folder / "annotations-template.csv").open(newline="", encoding="utf-8") as stream:
        return {row["id"]: row for row in csv.DictReader(stream)}


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def set_status(folder: Path, row_id: str, status: str, annotator: str = "") -> None:
    """Write what a person would into a row."""
    rows = template(folder)
    rows[row_id] |= {"status": status, "annotator": annotator}
    with (folder / "annotations-template.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())
