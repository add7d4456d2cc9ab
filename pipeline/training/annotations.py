"""Boxes that were drawn elsewhere, brought into a bundle's class ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.contracts.bundle import CLASSES_FILE, BundleClasses
from pipeline.support.documents import read_json, read_text
from pipeline.support.errors import ContractError, Fault, InputError
from pipeline.support.files import is_within
from pipeline.support.yolo_labels import YoloBox, read_labels

CLASSES_TEXT = "classes.txt"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A box under its label instead of a class id."""

    label: str
    box: YoloBox


def annotation_classes(folder: Path) -> list[str] | None:
    """Return what the class ids of a folder of label files mean, or None where the folder does not say.

    Looked for in the folder, then in the one above it (a bundle's own ``labels/``): ``classes.json`` as a
    bundle has it, then ``classes.txt`` with one label a line.

    Raises:
        InputError: ``folder`` is no folder, or the file is not what it should be.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", hint="--annotations takes a folder of <id>.txt files.")
    for place in (folder, folder.resolve().parent):
        if (place / CLASSES_FILE).is_file():
            return read_json(place / CLASSES_FILE, BundleClasses).labels
        if (place / CLASSES_TEXT).is_file():
            return _classes_text(place / CLASSES_TEXT)
    return None


def read_drawn(
    folder: Path, stems: Mapping[str, str], classes: Sequence[str], *, negatives: frozenset[str]
) -> dict[str, list[Drawn]]:
    """Read the boxes of the samples that have a ``<stem>.txt`` in ``folder``.

    Args:
        folder: the folder of label files.
        stems: sample id to file stem.
        classes: what the folder's class ids mean.
        negatives: ids of samples that show no item: they stay without boxes.

    Returns:
        Sample id to boxes, for every sample that has a file; an empty file gives an empty list.

    Raises:
        ContractError: lines that are no boxes, each with file and line, or boxes on a negative.
    """
    drawn: dict[str, list[Drawn]] = {}
    faults: list[Fault] = []
    for sample_id, stem in stems.items():
        path = folder / f"{stem}.txt"
        if not path.is_file():
            continue
        if not is_within(path, folder):
            faults.append(Fault(path.name, "is a link that leaves the folder"))
            continue
        boxes, bad = read_labels(path, class_count=len(classes))
        faults += [
            Fault(f"{path.name}, line {fault.line}" if fault.line else path.name, fault.reason)
            for fault in bad
        ]
        if boxes and sample_id in negatives:
            faults.append(Fault(path.name, f"{len(boxes)} boxes on a negative, which shows no item"))
        drawn[sample_id] = [Drawn(classes[box.class_id], box) for box in boxes]
    if faults:
        raise ContractError(str(folder), faults, hint="Nothing was written. Correct the label files.")
    return drawn


def in_classes(drawn: Sequence[Drawn], classes: Sequence[str]) -> list[YoloBox]:
    """Return the boxes under the class ids that their labels have in ``classes``."""
    ids = {label: index for index, label in enumerate(classes)}
    return [replace(item.box, class_id=ids[item.label]) for item in drawn]


def _classes_text(path: Path) -> list[str]:
    labels = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if not labels or len(set(labels)) != len(labels):
        raise InputError(f"{path}: must name every class once, one a line, in the order of the class ids")
    return labels
