"""Validation of an annotation bundle: every picture and every line of its label files."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contracts.bundle import (
    CLASSES_FILE,
    TEMPLATE_COLUMNS,
    TEMPLATE_FILE,
    BundleClasses,
    TemplateRow,
    ValidationIssue,
    ValidationReport,
    ValidationSummary,
)
from pipeline.contracts.proposals import ProposedPicture
from pipeline.support.documents import read_csv_lines, read_json
from pipeline.support.errors import ContractError, Fault, ImageError, InputError
from pipeline.support.files import confined, sha256_file
from pipeline.support.images import MAX_PIXELS, inspect_image, read_image_bytes
from pipeline.support.pool import cores
from pipeline.support.progress import track
from pipeline.support.yolo_labels import read_labels
from pipeline.training.bundle_files import PROPOSED
from pipeline.training.proposed import is_unconfirmed, read_proposals

LINES_NAMED = 20
"""Bad lines of one label file that are named; the rest are counted in the last one."""

_YES = frozenset({"true", "1", "yes", "y"})
_NO = frozenset({"false", "0", "no", "n", ""})


@dataclass(frozen=True, slots=True)
class BundleRow:
    """A row of the template with its files found, inside the bundle."""

    id: str
    is_negative: bool
    class_label: str
    image_file: str
    image: Path
    label_file: str
    labels: Path
    status: str = ""


@dataclass(slots=True)
class _Checked:
    boxes: int = 0
    unconfirmed: bool = False
    issues: list[ValidationIssue] = field(default_factory=list)


def read_bundle_rows(bundle_dir: Path) -> list[BundleRow]:
    """Read ``annotations-template.csv``, each of its paths confined to the bundle.

    Raises:
        InputError: it is missing or not a CSV.
        ContractError: a column is missing, ``is_negative`` is neither true nor false, or an id stands twice.
        PathEscapeError: a path leaves the bundle by ``..``, by being absolute or by a link.
    """
    path = bundle_dir / TEMPLATE_FILE
    rows, lines = read_csv_lines(path, TemplateRow, TEMPLATE_COLUMNS)
    faults: list[Fault] = []
    first_line: dict[str, int] = {}
    made = []
    for line, row in zip(lines, rows, strict=True):
        where = f"line {line} ({row.id})"
        if row.id in first_line:
            faults.append(
                Fault(f"{where}, column id", f"this id stands on line {first_line[row.id]} already")
            )
        first_line.setdefault(row.id, line)
        negative = row.is_negative.strip().lower()
        if negative not in _YES | _NO:
            faults.append(
                Fault(f"{where}, column is_negative", f"must be true or false, not {row.is_negative!r}")
            )
        made.append(
            BundleRow(
                id=row.id,
                is_negative=negative in _YES,
                class_label=row.class_label.strip(),
                image_file=row.image_file,
                image=confined(bundle_dir, row.image_file, source=f"{path}: {where}, column image_file"),
                label_file=row.label_file,
                labels=confined(bundle_dir, row.label_file, source=f"{path}: {where}, column label_file"),
                status=row.status,
            )
        )
    if faults:
        raise ContractError(str(path), faults)
    return made


def validate_bundle(
    bundle_dir: Path,
    *,
    shown_as: str | None = None,
    generated_at: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> ValidationReport:
    """Look at every row of a bundle: its picture, decoded whole, and its boxes, line by line.

    Args:
        bundle_dir: the folder of one run.
        shown_as: the folder as the report records it.
        generated_at: ISO 8601 UTC.
        max_pixels: a picture with more is one that cannot be used.

    Raises:
        InputError: the template, ``classes.json`` or ``box-proposals.json`` is not what it should be.
        ContractError: they break their contract.
        PathEscapeError: a path of the template leaves the bundle.
    """
    classes = read_json(bundle_dir / CLASSES_FILE, BundleClasses).labels
    rows = read_bundle_rows(bundle_dir)
    proposals = read_proposals(bundle_dir)
    records = {picture.id: picture for picture in proposals.pictures} if proposals else {}
    with ThreadPoolExecutor(max_workers=cores()) as pool:
        checks = pool.map(lambda row: _check(row, classes, max_pixels, records.get(row.id)), rows)
        checked = list(track(checks, total=len(rows), what="Validating"))
    issues = [issue for check in checked for issue in check.issues]
    both = list(zip(rows, checked, strict=True))
    unconfirmed = sum(check.unconfirmed for check in checked)
    return ValidationReport(
        bundle_dir=shown_as or str(bundle_dir),
        generated_at=generated_at,
        summary=ValidationSummary(
            rows=len(rows),
            positives=sum(not row.is_negative for row in rows),
            negatives=sum(row.is_negative for row in rows),
            positives_with_boxes=sum(check.boxes > 0 and not row.is_negative for row, check in both),
            negatives_with_boxes=sum(check.boxes > 0 and row.is_negative for row, check in both),
            total_boxes=sum(check.boxes for check in checked),
            issue_count=len(issues),
            **({"unconfirmed_proposals": unconfirmed} if unconfirmed else {}),
        ),
        issues=issues,
    )


def _check(
    row: BundleRow, classes: Sequence[str], max_pixels: int, record: ProposedPicture | None
) -> _Checked:
    checked = _Checked()
    missing = _picture_fault(row, max_pixels)
    if missing:
        checked.issues.append(
            ValidationIssue(id=row.id, issue="missing_image_file", path=row.image_file, reason=missing)
        )
    if row.class_label and row.class_label not in classes:
        reason = f"the class_label {row.class_label!r} of the template is not in {CLASSES_FILE}"
        checked.issues.append(
            ValidationIssue(id=row.id, issue="unknown_class_id", path=TEMPLATE_FILE, reason=reason)
        )
    if not row.label_file or not _is_file(row.labels):
        checked.issues.append(
            ValidationIssue(
                id=row.id, issue="missing_label_file", path=row.label_file, reason="there is no such file"
            )
        )
        return checked
    _check_boxes(row, classes, checked)
    if checked.boxes and row.status.strip().lower() == PROPOSED:
        checked.unconfirmed = is_unconfirmed(row.status, sha256_file(row.labels), record)
    return checked


def _check_boxes(row: BundleRow, classes: Sequence[str], checked: _Checked) -> None:
    boxes, faults = read_labels(row.labels, class_count=len(classes))
    checked.boxes = len(boxes)
    for fault in faults[:LINES_NAMED]:
        checked.issues.append(
            ValidationIssue(
                id=row.id, issue=fault.kind, path=row.label_file, line=fault.line, reason=fault.reason
            )
        )
    rest = len(faults) - LINES_NAMED
    if rest > 0:
        last = checked.issues[-1]
        checked.issues[-1] = last.replace(reason=f"{last.reason}; and {rest} more lines like it")
    if row.is_negative and boxes:
        reason = f"{len(boxes)} boxes on a picture that shows no item"
        checked.issues.append(
            ValidationIssue(id=row.id, issue="negative_has_boxes", path=row.label_file, reason=reason)
        )
    if not row.is_negative and not boxes:
        reason = f"no box is drawn on this picture of {row.class_label or 'an item'}"
        checked.issues.append(
            ValidationIssue(id=row.id, issue="positive_missing_boxes", path=row.label_file, reason=reason)
        )


def _picture_fault(row: BundleRow, max_pixels: int) -> str:
    if not row.image_file or not _is_file(row.image):
        return "there is no such file"
    try:
        inspect_image(read_image_bytes(row.image), source=row.image_file, max_pixels=max_pixels)
    except (ImageError, InputError) as error:
        return error.message
    return ""


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the file system allows
        return False
