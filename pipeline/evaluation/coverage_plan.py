"""Which labels have fewer pictures than they should, and the rows of the manifest to fill for that."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.contracts.planning import (
    EXPANSION_COLUMNS,
    ExpansionPlan,
    ExpansionRow,
    ExpansionSummary,
    LabelDepth,
    UnknownLabels,
)
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.evaluation.depth import depths, todo_by_label

_NOTES = re.compile(r"coverage-expansion target=\d+ needed=\d+")
_COUNTS = EXPANSION_COLUMNS[-3:]


@dataclass(frozen=True, slots=True)
class CoveragePlan:
    """The report, and the template to fill."""

    report: ExpansionPlan
    template: list[ExpansionRow]


def plan_expansion(
    taxonomy: Taxonomy,
    manifest: BenchmarkManifest,
    *,
    target: int,
    max_rows: int,
    inputs: dict[str, str],
    generated_at: str,
) -> CoveragePlan:
    """Find the labels with fewer than ``target`` ready pictures, those that lack most first.

    Args:
        taxonomy: the labels that should be covered.
        manifest: its todo rows are what the template asks people to fill.
        target: pictures that each label should have.
        max_rows: the most rows of the template.
        inputs: what the report records as its input files.
        generated_at: ISO 8601 UTC.
    """
    known = sorted({entry.canonical_label for entry in taxonomy.vision_classes})
    ready, todo = depths(manifest.images), todo_by_label(manifest.images)
    under = [
        LabelDepth(
            canonical_label=label,
            ready_count=ready.get(label, 0),
            target_ready_count=target,
            deficit=target - ready.get(label, 0),
            todo_candidates=len(todo.get(label, ())),
        )
        for label in known
        if ready.get(label, 0) < target
    ]
    under.sort(key=lambda depth: (-depth.deficit, depth.canonical_label))
    template: dict[str, ExpansionRow] = {}
    for depth in under:
        for row in todo.get(depth.canonical_label, ())[: depth.deficit]:
            if len(template) < max_rows:
                template.setdefault(row.name, _asked(row, depth))
    without = [depth for depth in under if not depth.todo_candidates]
    unknown = set(ready) - set(known)
    report = ExpansionPlan(
        generated_at=generated_at,
        inputs={**inputs, "target_ready_per_label": target, "max_rows": max_rows},
        summary=ExpansionSummary(
            taxonomy_label_count=len(known),
            labels_under_target=len(under),
            labels_with_zero_ready=sum(not depth.ready_count for depth in under),
            labels_without_todo_candidates=len(without),
            template_rows=len(template),
        ),
        labels_under_target=under,
        labels_without_todo_candidates=without,
        unknown_labels=UnknownLabels(
            ready=sorted(label for label in unknown if ready[label]),
            todo=sorted(label for label in unknown if label in todo),
        ),
    )
    return CoveragePlan(report, list(template.values()))


def is_as_planned(row: ExpansionRow) -> bool:
    """Tell whether a row of the template is as it was written: nothing filled in, and no note of a person."""
    return (
        not row.url.strip()
        and not row.source.strip()
        and _NOTES.fullmatch(row.notes) is not None
        and row.notes == _told(row.target_ready_count, row.needed_for_target)
        and all(getattr(row, column).isdigit() for column in _COUNTS)
    )


def _asked(row: ManifestRow, depth: LabelDepth) -> ExpansionRow:
    target, needed = str(depth.target_ready_count), str(depth.deficit)
    return ExpansionRow(
        name=row.name,
        url="",
        item_id=row.item_id or "",
        canonical_label=depth.canonical_label,
        source="",
        notes=_told(target, needed),
        current_ready_count=str(depth.ready_count),
        target_ready_count=target,
        needed_for_target=needed,
    )


def _told(target: str, needed: str) -> str:
    return f"coverage-expansion target={target} needed={needed}"
