"""Boxes that a detector proposed for a bundle: ``box-proposals.json``; the template marks their rows."""

from __future__ import annotations

from pydantic import Field

from pipeline.contracts.base import Contract, Line, Name, Sha256

PROPOSALS_FILE = "box-proposals.json"


class ProposedBox(Contract):
    """A box of the label file, in the order of its lines: the bundle's label, and the detector's score."""

    label: Name
    score: float = Field(ge=0, le=1)


class ProposedPicture(Contract):
    """The proposals of one picture; its label file holds them for as long as its digest is this one."""

    id: Name
    label_sha256: Sha256
    own_label_found: bool
    """Whether one of the boxes has the label of the picture's own row."""
    replaces_sha256: Sha256 | None = None
    """Only while proposals are being written: the digest of the label file with the earlier ones."""
    boxes: list[ProposedBox]


class NegativeDetection(Contract):
    """What the detector saw on a negative. No box is written: either it is wrong, or the row is."""

    id: Name
    label: Name
    score: float = Field(ge=0, le=1)
    box: list[float]
    """``x1, y1, x2, y2`` in pixels of the upright picture."""


class BoxProposals(Contract):
    """``box-proposals.json``: what was proposed by which detector, and is not confirmed yet."""

    model: Line
    model_sha256: Sha256
    threshold: float
    labels: dict[str, str]
    """The detector's labels that are classes of the bundle, each with the bundle's name for it."""
    unmapped: dict[str, int]
    """Detections of labels that are no class of the bundle, which were left out."""
    pictures: list[ProposedPicture]
    on_negatives: list[NegativeDetection]
