"""A bundle as an annotator's commands see it: every row with its boxes, and who drew them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from pipeline.contracts.bundle import (
    CLASSES_FILE,
    LABELS,
    SPLIT_FILE,
    TEMPLATE_COLUMNS,
    TEMPLATE_FILE,
    BundleClasses,
    Split,
    Subset,
    TemplateRow,
)
from pipeline.contracts.proposals import BoxProposals, ProposedPicture
from pipeline.support.documents import read_csv, read_json
from pipeline.support.errors import ContractError, Fault, ImageError, InputError
from pipeline.support.files import open_input
from pipeline.support.images import MAX_PIXELS, inspect_image, read_image_bytes
from pipeline.support.yolo_labels import MAX_BYTES, LineFault, YoloBox, parse_labels
from pipeline.training.bundle_files import ANNOTATED, PROPOSED, TODO
from pipeline.training.proposed import is_unconfirmed, read_proposals
from pipeline.training.validate import BundleRow, read_bundle_rows

State = Literal["negative", "no_picture", "open", "proposed", "drawn", "done"]
"""What a row is: ``open`` has no box yet, ``proposed`` only boxes of a detector, ``drawn`` boxes of a person,
and ``done`` none although a person's status says that the picture is finished."""
_OPEN = frozenset({"", TODO, ANNOTATED, PROPOSED})


@dataclass(frozen=True, slots=True)
class AnnotatedRow:
    """A row of the template with what its label file says now."""

    row: BundleRow
    template: TemplateRow
    boxes: tuple[YoloBox, ...]
    faults: tuple[LineFault, ...]
    digest: str | None
    """SHA-256 of the label file; None where there is none."""
    record: ProposedPicture | None
    """What a detector proposed for it, whatever became of that."""

    @property
    def id(self) -> str:
        """The row's id."""
        return self.row.id

    @property
    def status(self) -> str:
        """What stands under ``status``, in lower case."""
        return self.template.status.strip().lower()

    @property
    def state(self) -> State:
        """What the row is."""
        if self.row.is_negative:
            return "negative"
        if not self.row.image_file or not self.row.image.is_file():
            return "no_picture"
        if self.boxes or self.faults:
            return "proposed" if self.is_proposed else "drawn"
        return "open" if self.status in _OPEN else "done"

    @property
    def is_proposed(self) -> bool:
        """Whether its boxes are a detector's, and no person has changed or confirmed them."""
        return bool(self.boxes) and is_unconfirmed(self.status, self.digest, self.record)

    @property
    def scores(self) -> list[float] | None:
        """The detector's scores of the boxes that it proposed; None where the boxes are others."""
        if not self.is_proposed or self.record is None or len(self.record.boxes) != len(self.boxes):
            return None
        return [box.score for box in self.record.boxes]


@dataclass(frozen=True, slots=True)
class BundleView:
    """The rows of a bundle in the template's order."""

    directory: Path
    classes: list[str]
    rows: list[AnnotatedRow]
    proposals: BoxProposals | None
    subsets: dict[str, Subset] = field(default_factory=dict)


def read_bundle(bundle_dir: Path) -> BundleView:
    """Read the rows of a bundle with their boxes.

    Raises:
        InputError: a table is missing or not what it should be.
        ContractError: a table breaks its contract, or a label file is none: outside ``labels/``, or that of
            two rows.
        PathEscapeError: a path of the template leaves the bundle.
    """
    classes = read_json(bundle_dir / CLASSES_FILE, BundleClasses).labels
    rows = read_bundle_rows(bundle_dir)
    templates = read_csv(bundle_dir / TEMPLATE_FILE, TemplateRow, TEMPLATE_COLUMNS)
    _require_label_files(bundle_dir, rows)
    proposals = read_proposals(bundle_dir)
    proposed = {each.id: each for each in proposals.pictures} if proposals else {}
    split = bundle_dir / SPLIT_FILE
    entries = read_json(split, Split).entries if split.is_file() else []
    return BundleView(
        bundle_dir,
        classes,
        [
            _annotated(row, template, proposed.get(row.id), len(classes))
            for row, template in zip(rows, templates, strict=True)
        ],
        proposals,
        {entry.id: entry.subset for entry in entries},
    )


def picture_size(row: BundleRow, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Return width and height of a row's picture, upright, decoded whole.

    Raises:
        InputError: it is missing.
        ImageError: it cannot be used.
    """
    data = read_image_bytes(row.image, source=row.image_file)
    info = inspect_image(data, source=row.image_file, max_pixels=max_pixels)
    return info.width, info.height


def size_or_reason(row: BundleRow, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int] | str:
    """Return the size of a row's picture, or in words why there is none."""
    if not row.image_file:
        return "the bundle has no picture of this row"
    try:
        return picture_size(row, max_pixels=max_pixels)
    except (InputError, ImageError) as error:
        return error.message


def _require_label_files(bundle_dir: Path, rows: Sequence[BundleRow]) -> None:
    """Check that what these commands may write are label files, each of one row."""
    faults = []
    holders: dict[Path, str] = {}
    for row in rows:
        path = PurePosixPath(row.label_file)
        where = f"{row.id}, column label_file"
        if path.parts[:1] != (LABELS,) or path.suffix != ".txt":
            faults.append(Fault(where, f"must be {LABELS}/<name>.txt, not {row.label_file!r}"))
            continue
        holder = holders.setdefault(row.labels.resolve(), row.id)
        if holder != row.id:
            faults.append(Fault(where, f"{row.label_file} is the label file of {holder} already"))
    if faults:
        raise ContractError(str(bundle_dir / TEMPLATE_FILE), faults)


def _annotated(
    row: BundleRow, template: TemplateRow, record: ProposedPicture | None, class_count: int
) -> AnnotatedRow:
    if not row.labels.is_file():
        return AnnotatedRow(row, template, (), (), None, record)
    with open_input(row.labels) as stream:
        data = stream.read(MAX_BYTES + 1)
    boxes, faults = parse_labels(data, class_count=class_count)
    digest = hashlib.sha256(data).hexdigest()
    return AnnotatedRow(row, template, tuple(boxes), tuple(faults), digest, record)
