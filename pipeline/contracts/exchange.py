"""What came back from an annotation tool: ``import-report.json`` in the bundle."""

from __future__ import annotations

from typing import Literal

from pipeline.contracts.base import Contract, Line, Name, Sha256

IMPORT_REPORT_FILE = "import-report.json"
BACKUPS = "backups"
"""Under the bundle: label files and template as they were before an import replaced them."""

Tool = Literal["cvat", "label-studio", "coco", "yolo"]

ProblemKind = Literal[
    "extra_picture",
    "picture_twice",
    "no_picture",
    "other_size",
    "not_annotated",
    "emptied",
    "negative_has_boxes",
    "unknown_label",
    "unsupported_shape",
    "rotated_box",
    "invalid_box",
    "cut_off",
    "several_annotations",
    "proposals_unchanged",
    "ignored",
]


class ImportProblem(Contract):
    """Something that did not come back as it should; ``held_back`` where the picture was left as it was."""

    kind: ProblemKind
    picture: Line
    """The picture as the tool names it."""
    id: Line | None
    """The bundle's row, where there is one."""
    reason: str
    held_back: bool


class PictureChange(Contract):
    """What became of the boxes of a picture that came back changed."""

    id: Name
    before: int
    after: int
    kept: int
    moved: int
    relabelled: int
    added: int
    removed: int
    status: Line


class ImportSummary(Contract):
    """Counts over an import."""

    pictures_in_file: int
    pictures_unchanged: int
    pictures_changed: int
    pictures_held_back: int
    pictures_not_returned: int
    boxes_kept: int
    boxes_moved: int
    boxes_relabelled: int
    boxes_added: int
    boxes_removed: int
    problems: int


class ImportReport(Contract):
    """``import-report.json``."""

    generated_at: Line
    source: Line
    source_sha256: Sha256 | None
    """The digest of the file; None for a folder."""
    format: Tool
    bundle_dir: Line
    backup: Line | None
    """Where what was replaced lies, relative to the bundle."""
    summary: ImportSummary
    changes: list[PictureChange]
    not_returned: list[str]
    """Rows with a picture of which the tool's file says nothing."""
    problems: list[ImportProblem]
