"""The annotation bundle: pictures, YOLO label files, and the tables that tell what each is."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.contracts.base import Contract, Line, Name, Sha256

IMAGES = "images"
LABELS = "labels"
TEMPLATE_FILE = "annotations-template.csv"
CLASSES_FILE = "classes.json"
DATASET_FILE = "dataset.yaml"
SPLIT_FILE = "split.json"
INSTRUCTIONS_FILE = "INSTRUCTIONS.md"
METADATA_FILE = "bundle-metadata.json"
"""Written last: a bundle without it was not finished."""
REPORT_FILE = "validation-report.json"

TEMPLATE_COLUMNS = (
    "id", "image_file", "label_file", "is_negative", "class_label", "class_id", "status", "annotator",
    "notes",
)  # fmt: skip

IssueKind = Literal[
    "missing_image_file",
    "missing_label_file",
    "invalid_yolo_line",
    "bbox_out_of_range",
    "unknown_class_id",
    "negative_has_boxes",
    "positive_missing_boxes",
]

Subset = Literal["train", "val", "test"]


class BundleClass(Contract):
    """One class of the bundle; ``id`` is its index in YOLO label files and in the model's output."""

    id: int = Field(ge=0)
    label: Name


class BundleClasses(Contract):
    """``classes.json``: the classes of a bundle, by class id."""

    classes: list[BundleClass]

    @model_validator(mode="after")
    def _dense_and_unique(self) -> BundleClasses:
        if [c.id for c in self.classes] != list(range(len(self.classes))):
            raise ValueError("class ids must be 0, 1, 2, … in order")
        if len({c.label for c in self.classes}) != len(self.classes):
            raise ValueError("a class label stands twice")
        return self

    @property
    def labels(self) -> list[str]:
        """The labels; the index is the class id."""
        return [c.label for c in self.classes]


class TemplateRow(Contract):
    """A row of ``annotations-template.csv``; every column is text, as people edit it in a table."""

    id: Name
    image_file: Line
    label_file: Line
    is_negative: Line
    class_label: Line
    class_id: Line
    status: Line
    annotator: Line
    notes: str


class ValidationIssue(Contract):
    """One thing wrong with one sample; ``line`` is that of the label file, ``reason`` says it in words."""

    id: Line
    issue: IssueKind
    path: Line
    line: int | None = None
    reason: str | None = None


class ValidationSummary(Contract):
    """Counts over the bundle."""

    rows: int
    positives: int
    negatives: int
    positives_with_boxes: int
    negatives_with_boxes: int
    total_boxes: int
    issue_count: int
    unconfirmed_proposals: int | None = None
    """Pictures whose boxes a detector proposed and no person has confirmed; training stops at them."""


class ValidationReport(Contract):
    """``validation-report.json``: every issue that was found in a bundle."""

    bundle_dir: Line
    generated_at: Line | None = None
    summary: ValidationSummary
    issues: list[ValidationIssue]


class SplitEntry(Contract):
    """Where one sample went, and the group whose members must stay on one side."""

    id: Name
    subset: Subset
    group: Line


class Split(Contract):
    """``split.json``: which pictures train, validate and test, and the digest that names this division."""

    seed: int
    val_fraction: float | None = None
    test_fraction: float | None = None
    method: Line
    digest: Sha256
    counts: dict[str, int]
    warnings: list[str]
    entries: list[SplitEntry]


class BundlePicture(Contract):
    """A picture of the bundle: its bytes, and where they came from (``url`` as the manifest names it)."""

    id: Name
    image_file: Line
    sha256: Sha256
    url: Line
    sources: list[str]
    """Keys of the sources that url and notes name; the same for all urls of one source."""


class MissingPicture(Contract):
    """A sample whose picture could not be had, and why."""

    id: Name
    url: Line
    reason: str


class BundleMetadata(Contract):
    """``bundle-metadata.json``: what a bundle was made of, and what could not be had."""

    run_id: Name
    generated_at: Line
    source_manifest: Line
    source_manifest_sha256: Sha256 | None = None
    summary: dict[str, Any]
    sources: dict[str, int] | None = None
    """How many pictures were found where; ``remote`` counts those that were fetched."""
    split: dict[str, Any] | None = None
    """Seed, fractions, digest and counts of ``split.json``, and whether ``val`` is only the training list."""
    pictures: list[BundlePicture] | None = None
    missing: list[MissingPicture] | None = None


class DatasetYaml(Contract):
    """``dataset.yaml`` as Ultralytics reads it: https://docs.ultralytics.com/datasets/detect/."""

    path: str | None = None
    train: str
    val: str
    test: str | None = None
    names: dict[int, str]
