"""How much of a taxonomy a benchmark manifest covers, and what is missing."""

from __future__ import annotations

from collections import Counter

from pipeline.contracts.coverage import Coverage, CoverageReport, DuplicateName, Entries, Gaps
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.support.errors import GateError


def check_coverage(
    taxonomy: Taxonomy, manifest: BenchmarkManifest, *, inputs: dict[str, str], generated_at: str
) -> CoverageReport:
    """Count rows by state and compare the labels of the manifest with those of the taxonomy.

    A row is ready where it has a picture and is not marked ``todo``. Shares are of the taxonomy's labels;
    labels that only the manifest has do not raise them.

    Args:
        taxonomy: the labels that should be covered.
        manifest: the rows that may cover them.
        inputs: what the report records as its input files.
        generated_at: ISO 8601 UTC.
    """
    wanted = {entry.canonical_label for entry in taxonomy.vision_classes}
    named: set[str] = set()
    named_ready: set[str] = set()
    ready = missing_url = 0
    for row in manifest.images:
        labels = row.expected_any + row.expected_all
        if row.is_ready:
            ready += 1
            named_ready.update(labels)
        else:
            named.update(labels)
            missing_url += not row.url
    named |= named_ready
    total = len(manifest.images)
    return CoverageReport(
        generated_at=generated_at,
        inputs=dict(inputs),
        entries=Entries(total=total, ready=ready, todo=total - ready, missing_url=missing_url),
        coverage=Coverage(
            taxonomy_label_count=len(wanted),
            manifest_label_count_all=len(named),
            manifest_label_count_ready=len(named_ready),
            coverage_all=_share(len(wanted & named), len(wanted)),
            coverage_ready=_share(len(wanted & named_ready), len(wanted)),
        ),
        gaps=Gaps(
            taxonomy_labels_missing_in_manifest=sorted(wanted - named),
            taxonomy_labels_missing_in_ready_entries=sorted(wanted - named_ready),
            manifest_labels_not_in_taxonomy=sorted(named - wanted),
        ),
        duplicate_names=_duplicate_names(manifest),
    )


def require_coverage(report: CoverageReport, minimum: float) -> None:
    """Hold a report to a minimum share of labels with a ready picture.

    Raises:
        GateError: it is below, or there is no share because the taxonomy has no label.
    """
    share = report.coverage.coverage_ready
    if share is None:
        raise GateError("coverage cannot be told: the taxonomy has no label")
    if share < minimum:
        missing = len(report.gaps.taxonomy_labels_missing_in_ready_entries)
        raise GateError(
            f"coverage of ready entries is {share:.4f}, below {minimum:g}",
            hint=f"{missing} labels have no ready picture; the report lists them under gaps.",
        )


def _duplicate_names(manifest: BenchmarkManifest) -> list[DuplicateName]:
    counts = Counter(row.name for row in manifest.images)
    if len(counts) == len(manifest.images):
        return []
    items: dict[str, list[str | None]] = {name: [] for name, count in counts.items() if count > 1}
    for row in manifest.images:
        if row.name in items:
            items[row.name].append(row.item_id)
    return [DuplicateName(name=name, count=len(ids), item_ids=ids) for name, ids in items.items()]


def _share(count: int, total: int) -> float | None:
    return round(count / total, 4) if total else None
