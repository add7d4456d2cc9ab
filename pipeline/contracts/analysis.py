"""The analysis of benchmark results, its priority table, and the audit of a manifest."""

from __future__ import annotations

from typing import Literal

from pipeline.contracts.base import Contract, Line, Name, Sha256

PRIORITY_COLUMNS = (
    "rank", "label", "priority_score", "expected_count", "miss_count", "hit_count", "false_positive_count",
    "hit_rate", "recommended_action", "notes",
)  # fmt: skip

Action = Literal["collect_more_positives", "add_hard_negatives"]


class PriorityEntry(Contract):
    """One label that needs work. Counts are of pictures; ``hit_rate`` is null where no picture expects it."""

    rank: int
    label: Line
    priority_score: float
    expected_count: int
    miss_count: int
    hit_count: int
    false_positive_count: int
    hit_rate: float | None
    recommended_action: Action
    notes: str


class PriorityRow(Contract):
    """A row of ``….priority.csv``; every column is text, and an absent rate is empty."""

    rank: Line
    label: Line
    priority_score: Line
    expected_count: Line
    miss_count: Line
    hit_count: Line
    false_positive_count: Line
    hit_rate: Line
    recommended_action: Line
    notes: str


class LabelPictures(Contract):
    """A label and the pictures on which it was missed, or predicted where it is not expected."""

    label: Line
    count: int
    on_negatives: int
    """How many of them expect nothing at all."""
    pictures: list[Line]


class ConfusionPair(Contract):
    """How many pictures lack ``expected`` and have ``predicted``, which they do not expect, in its place."""

    expected: Line
    predicted: Line
    count: int
    pictures: list[Line]


class AnalysisSummary(Contract):
    """What was measured, as the results name it, and the counts of the analysis."""

    results: Line
    results_sha256: Sha256 | None
    model: Line
    model_sha256: Sha256 | None
    labels: Line
    labels_sha256: Sha256 | None
    manifest: Line
    manifest_sha256: Sha256 | None
    threshold: float
    images_evaluated: int
    negative_images: int
    labels_expected: int
    labels_never_hit: int
    missed: int
    """Labels missed, over all pictures."""
    false_alarms: int
    """Labels predicted and not expected, over all pictures."""
    labels_in_need: int
    """Length of the priority table before ``--top``."""


class Analysis(Contract):
    """``….analysis.json``: output of ``evaluation analyze-benchmark-results``."""

    generated_at: Line
    summary: AnalysisSummary
    priority: list[PriorityEntry]
    missed_labels: list[LabelPictures]
    false_alarms: list[LabelPictures]
    confusion_pairs: list[ConfusionPair]


class AuditCounts(Contract):
    """Rows of a manifest by state."""

    rows: int
    ready: int
    todo: int
    missing_url: int
    ready_positives: int
    ready_negatives: int
    with_boxes: int


class RepeatedName(Contract):
    """A name that several rows have."""

    name: Name
    count: int
    rows: list[int]


class RepeatedSource(Contract):
    """A picture that several rows show, under one url or several forms of it."""

    source: Line
    count: int
    rows: list[int]
    names: list[Line]
    urls: list[Line]
    same_expectation: bool
    """False where the rows expect different labels of this one picture."""


class UnknownLabel(Contract):
    """A label that the taxonomy lacks, and the nearest that it has."""

    label: Line
    rows: list[int]
    nearest: list[Line]


class Balance(Contract):
    """Ready pictures a label, over all labels of the taxonomy."""

    labels: int
    labels_without_picture: int
    labels_with_one_picture: int
    pictures_per_label_mean: float | None
    pictures_per_label_max: int
    largest: list[Line]
    """The labels with the most ready pictures."""
    negative_share: float | None
    """Negatives among ready rows."""


class Distributions(Contract):
    """Ready rows by what they show and where they come from; keys sorted by their count."""

    pictures_per_label: dict[str, int]
    """Number of ready pictures to number of labels that have so many."""
    labels_per_picture: dict[str, int]
    by_place: dict[str, int]
    """Host of the url, or ``local``."""
    by_source: dict[str, int]
    """``source=`` of the notes."""


class Audit(Contract):
    """Output of ``evaluation audit-benchmark-dataset``."""

    generated_at: Line
    inputs: dict[str, str]
    counts: AuditCounts
    duplicate_names: list[RepeatedName]
    duplicate_sources: list[RepeatedSource]
    unknown_labels: list[UnknownLabel]
    balance: Balance
    distributions: Distributions
    labels_without_picture: list[Line]
    recommendations: list[Line]
