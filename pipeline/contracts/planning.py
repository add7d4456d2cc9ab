"""Plans and lists of the retraining loop: what to look for, what people fill, and what was done with it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.contracts.base import Contract, Line, Name
from pipeline.contracts.labeled import LABELED_COLUMNS

Band = Literal["urgent", "high", "medium", "low"]

EXPANSION_COLUMNS = (
    *LABELED_COLUMNS, "current_ready_count", "target_ready_count", "needed_for_target",
)  # fmt: skip
UNRESOLVED_COLUMNS = (
    *LABELED_COLUMNS, "current_source", "current_notes", "wikimedia_search_url", "google_images_search_url",
)  # fmt: skip


class ExpansionRow(Contract):
    """A row of the coverage-expansion template: a labeled row to fill, and how many its label still needs."""

    name: Line
    url: Line
    item_id: Line
    canonical_label: Line
    source: Line
    notes: str
    current_ready_count: Line
    target_ready_count: Line
    needed_for_target: Line


class UnresolvedRow(Contract):
    """A labeled row without a picture: ``url``, ``source`` and ``notes`` are to be filled by a person."""

    name: Line
    url: Line
    item_id: Line
    canonical_label: Line
    source: Line
    notes: str
    current_source: Line
    current_notes: str
    wikimedia_search_url: Line
    google_images_search_url: Line


class PriorityCandidate(Contract):
    """A todo row of the manifest, how urgent its picture is (0..100), and the reasons with their points."""

    name: Name
    item_id: Line | None
    canonical_label: Line | None
    """Null for a negative."""
    primary_outcome: Line | None
    outcomes: list[str]
    required: bool
    status: Literal["todo", "unmapped"]
    """``unmapped``: the taxonomy lacks the label."""
    priority_score: int = Field(ge=0, le=100)
    priority_band: Band
    reasons: list[str]


class PrioritySummary(Contract):
    """How many rows wait, and how many of them in each band."""

    todo_candidates: int
    requested_top_n: int
    priority_band_counts: dict[Band, int]


class PriorityPlan(Contract):
    """Output of ``evaluation plan-benchmark-priority``."""

    generated_at: Line
    inputs: dict[str, Line | None]
    summary: PrioritySummary
    top_candidates: list[PriorityCandidate]
    all_candidates: list[PriorityCandidate]


class LabelDepth(Contract):
    """How many ready pictures a label has, how many it should have, and how many rows wait for one."""

    canonical_label: Line
    ready_count: int
    target_ready_count: int
    deficit: int
    todo_candidates: int


class ExpansionSummary(Contract):
    """The plan in numbers."""

    taxonomy_label_count: int
    labels_under_target: int
    labels_with_zero_ready: int
    labels_without_todo_candidates: int
    template_rows: int


class UnknownLabels(Contract):
    """Labels of the manifest that the taxonomy lacks, sorted."""

    ready: list[Line]
    todo: list[Line]


class ExpansionPlan(Contract):
    """Output of ``evaluation plan-benchmark-coverage-expansion``."""

    generated_at: Line
    inputs: dict[str, Line | int]
    summary: ExpansionSummary
    labels_under_target: list[LabelDepth]
    labels_without_todo_candidates: list[LabelDepth]
    unknown_labels: UnknownLabels


class RowCounts(Contract):
    """Rows of a manifest by state."""

    total: int
    ready: int
    todo: int
    missing_url: int


class RowChange(Contract):
    """A field of a manifest row before and after."""

    name: Line
    field: Line
    before: str
    after: str


class LeftRow(Contract):
    """A row that was left as it is, and why."""

    name: Line
    reason: str


class ProgressSummary(Contract):
    """What one sync did."""

    completed_rows: int
    rows_filled: int
    rows_cleared: int
    changes: int
    kept_by_hand: int
    conflicts: int
    counts: RowCounts


class ProgressReport(Contract):
    """Output of ``evaluation sync-benchmark-progress``."""

    generated_at: Line
    inputs: dict[str, Line | bool]
    summary: ProgressSummary
    changes: list[RowChange]
    kept_by_hand: list[LeftRow]
    """Rows whose url a person set in the manifest."""
    conflicts: list[LeftRow]
    """Rows of which one side expects nothing and the other something, or another label."""
    repeated_pictures: list[LeftRow]
    """Rows that would show a picture which another row shows."""
    unknown_names: list[Line]
    without_url: list[Line]


class RepeatedPicture(Contract):
    """Rows of a manifest that showed one picture."""

    url: Line
    keep_name: Line
    duplicate_names: list[Line]
    same_expectation: bool
    """False where the rows expect different labels of it: a person should look which is right."""


class DedupeSummary(Contract):
    """What one dedupe did."""

    duplicate_url_groups: int
    entries_changed: int
    before: RowCounts
    after: RowCounts


class DedupeReport(Contract):
    """Output of ``evaluation dedupe-benchmark-manifest``."""

    generated_at: Line
    inputs: dict[str, Line | bool]
    summary: DedupeSummary
    duplicate_groups: list[RepeatedPicture]
    changes: list[RowChange]
