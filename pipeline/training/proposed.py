"""Which boxes of a bundle are a detector's proposals that no person has changed or confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pipeline.contracts.bundle import TemplateRow
from pipeline.contracts.proposals import PROPOSALS_FILE, BoxProposals, ProposedPicture
from pipeline.support.documents import read_json
from pipeline.support.errors import TrainingError
from pipeline.support.files import sha256_file
from pipeline.training.bundle_files import PROPOSED

if TYPE_CHECKING:
    from pipeline.training.validate import BundleRow

_NOTE = "boxes proposed by a detector"
_BY = "detector "


def read_proposals(bundle_dir: Path) -> BoxProposals | None:
    """Read what was proposed for a bundle; None where nothing was.

    Raises:
        InputError: ``box-proposals.json`` is not JSON.
        ContractError: it has another shape.
    """
    path = bundle_dir / PROPOSALS_FILE
    return read_json(path, BoxProposals) if path.is_file() else None


def is_unconfirmed(status: str, label_sha256: str | None, record: ProposedPicture | None) -> bool:
    """Tell whether a label file holds proposals and nothing that a person did.

    A person confirms by another status in the template, or by changing the file. Without a record the status
    alone is believed.

    Args:
        status: what the template says.
        label_sha256: the digest of the label file; None where there is none.
        record: what was proposed for the picture, where it was recorded.
    """
    if status.strip().lower() != PROPOSED or label_sha256 is None:
        return False
    return record is None or label_sha256 in {record.label_sha256, record.replaces_sha256}


def unconfirmed_rows(bundle_dir: Path, rows: Sequence[BundleRow]) -> list[str]:
    """Return the ids of the rows whose boxes are unconfirmed proposals.

    Raises:
        InputError: ``box-proposals.json`` or a label file cannot be read.
        ContractError: ``box-proposals.json`` has another shape.
    """
    marked = [row for row in rows if row.status.strip().lower() == PROPOSED and row.labels.is_file()]
    if not marked:
        return []
    proposals = read_proposals(bundle_dir)
    records = {picture.id: picture for picture in proposals.pictures} if proposals else {}
    return [
        row.id
        for row in marked
        if row.labels.stat().st_size
        and is_unconfirmed(row.status, sha256_file(row.labels), records.get(row.id))
    ]


def require_confirmed(bundle_dir: Path, rows: Sequence[BundleRow]) -> None:
    """Check that a person has seen every box that training would learn from.

    Raises:
        TrainingError: boxes are unconfirmed proposals of a detector.
    """
    unconfirmed = unconfirmed_rows(bundle_dir, rows)
    if unconfirmed:
        raise TrainingError(
            f"{bundle_dir}: the boxes of {len(unconfirmed)} pictures are a detector's proposals that no "
            f"person has confirmed; the first: {unconfirmed[0]}",
            hint="Look at them (repath training review-annotations), correct them, and set their status in "
            "annotations-template.csv to done; or go on with --accept-proposals (in repath.toml: "
            "accept_proposals = true under [training]).",
        )


def marked(template: TemplateRow, *, model: str, threshold: float, own_found: bool) -> TemplateRow:
    """Return a row that says that its boxes are proposals; a person's name and notes stay."""
    words = f"{_NOTE}, score {threshold:g} and up"
    if not own_found:
        words += ", the row's own label was not found"
    clean = unmarked(template)
    return clean.replace(
        status=PROPOSED,
        annotator=clean.annotator if clean.annotator.strip() else f"{_BY}{PurePosixPath(model).name}",
        notes=f"{clean.notes}; {words}" if clean.notes else words,
    )


def unmarked(template: TemplateRow) -> TemplateRow:
    """Return a row without what `marked` wrote under ``annotator`` and at the end of ``notes``."""
    at = template.notes.find(_NOTE)
    notes = template.notes if at < 0 else template.notes[:at].rstrip().rstrip(";").rstrip()
    return template.replace(
        annotator="" if template.annotator.startswith(_BY) else template.annotator, notes=notes
    )
