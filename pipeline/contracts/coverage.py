"""The coverage report: how much of a taxonomy a benchmark manifest asks for."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.contracts.base import Contract, Line


class Entries(Contract):
    """Rows of the manifest by state."""

    total: int
    ready: int
    todo: int
    missing_url: int


class Coverage(Contract):
    """Shares of the taxonomy's labels, 0..1, four decimals; null where the taxonomy has no label."""

    taxonomy_label_count: int
    manifest_label_count_all: int
    manifest_label_count_ready: int
    coverage_all: float | None
    coverage_ready: float | None


class Gaps(Contract):
    """Labels on one side only, sorted."""

    taxonomy_labels_missing_in_manifest: list[str]
    taxonomy_labels_missing_in_ready_entries: list[str]
    manifest_labels_not_in_taxonomy: list[str]


class DuplicateName(Contract):
    """A name that several rows of the manifest have, and their items in order."""

    name: Line
    count: int
    item_ids: list[str | None]


class CoverageReport(Contract):
    """Output of ``evaluation check-benchmark-coverage``."""

    generated_at: Line
    inputs: dict[str, Any]
    entries: Entries
    coverage: Coverage
    gaps: Gaps
    duplicate_names: list[DuplicateName] = Field(default_factory=list)
