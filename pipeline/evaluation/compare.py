"""The comparison of a candidate's results with a baseline's: figures, overlap, statistics, changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pipeline.contracts.comparison import (
    COMPARED_FIELDS,
    ComparedFigure,
    Comparison,
    Difference,
    Overlap,
)
from pipeline.contracts.results import BenchmarkResults
from pipeline.evaluation.changes import picture_changes
from pipeline.evaluation.metrics import Figures
from pipeline.evaluation.outcomes import figures_of_side, kinds_of, outcomes_of
from pipeline.evaluation.paired_boxes import MAP_RESAMPLES, map_verdicts
from pipeline.evaluation.pairing import check_comparable, check_digests, other_bytes, paired_rows
from pipeline.evaluation.statistics import RESAMPLES
from pipeline.evaluation.verdict import figure_verdicts, label_changes, statistics_of
from pipeline.support.clock import timestamp
from pipeline.support.documents import without_gc

_SUMMED = COMPARED_FIELDS[:-1]
"""The fields that rows tell; which entries were skipped is known to the whole results alone."""


def compare_results(
    baseline: BenchmarkResults | None,
    candidate: BenchmarkResults,
    *,
    baseline_path: str | None,
    candidate_path: str,
    allowed: Collection[Difference] = (),
    margins: Mapping[str, float] | None = None,
    root: Path | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare two results; statistics are made on the rows that both measured alike.

    Args:
        baseline: None before the first release: then there are figures and no verdict.
        candidate: the results to judge.
        baseline_path: where the baseline was read from, as it is recorded.
        candidate_path: the same of the candidate.
        allowed: what the two may differ in.
        margins: by how much a figure may change and still be equivalent.
        root: the workspace; the files that the results name are held to their digests where they are in it.
        seed: of the resamples.
        resamples: of the bootstrap and of the randomisation test.

    Raises:
        InputError: the two have no picture in common, or differ in threshold, topk or resize, unless allowed.
        DigestMismatchError: results are not of the model or labels file that they name, unless allowed.
    """
    notes: list[str] = []
    for results, path in ((baseline, baseline_path), (candidate, candidate_path)):
        if results is not None and root is not None:
            notes += check_digests(results, str(path), root=root, allowed=allowed)
    if baseline is None:
        return _without_baseline(candidate, candidate_path, notes, allowed)
    with without_gc():
        return _with_baseline(
            baseline, candidate, baseline_path, candidate_path, notes, allowed, margins or {}, seed, resamples
        )


def _with_baseline(
    baseline: BenchmarkResults,
    candidate: BenchmarkResults,
    baseline_path: str | None,
    candidate_path: str,
    notes: list[str],
    allowed: Collection[Difference],
    margins: Mapping[str, float],
    seed: int,
    resamples: int,
) -> Comparison:
    pairs = paired_rows(baseline.results, candidate.results)
    notes = notes + check_comparable(baseline, candidate, overlap=len(pairs), allowed=allowed)
    notes += other_bytes(pairs)
    kinds = kinds_of(pairs)
    outcomes = outcomes_of(kinds)
    sides = [_summary_of(figures_of_side(outcomes, side)) for side in (0, 1)]
    statistics = None
    if pairs:
        figures = figure_verdicts(outcomes, margins=margins, seed=seed, resamples=resamples)
        box_pairs = paired_rows(baseline.box_pictures or [], candidate.box_pictures or [])
        figures += map_verdicts(
            [*pairs, *box_pairs], margins=margins, seed=seed, resamples=min(resamples, MAP_RESAMPLES)
        )
        statistics = statistics_of(figures, label_changes(kinds), seed=seed, resamples=resamples)
    return Comparison(
        generated_at=timestamp(),
        baseline=baseline_path,
        candidate=candidate_path,
        comparison=_compared(_summary(baseline), _summary(candidate)),
        overlap=Overlap(
            rows=len(pairs),
            baseline_summary=sides[0],
            candidate_summary=sides[1],
            comparison=_compared(sides[0], sides[1]),
        ),
        notes=notes,
        allowed_differences=sorted(allowed),
        digests={"baseline": _digests(baseline), "candidate": _digests(candidate)},
        statistics=statistics,
        changes=picture_changes(pairs),
        gate=None,
    )


def _without_baseline(
    candidate: BenchmarkResults, path: str, notes: list[str], allowed: Collection[Difference]
) -> Comparison:
    nothing: dict[str, Any] = dict.fromkeys(COMPARED_FIELDS)
    return Comparison(
        generated_at=timestamp(),
        baseline=None,
        candidate=path,
        comparison=_compared(nothing, _summary(candidate)),
        overlap=Overlap(
            rows=0, baseline_summary={}, candidate_summary={}, comparison=_compared(nothing, nothing)
        ),
        notes=[*notes, "there is no baseline: this is a first release"],
        allowed_differences=sorted(allowed),
        digests={"candidate": _digests(candidate)},
        statistics=None,
        changes=None,
        gate=None,
    )


def _summary(results: BenchmarkResults) -> dict[str, Any]:
    return {field: getattr(results.summary, field) for field in COMPARED_FIELDS}


def _summary_of(figures: Figures) -> dict[str, Any]:
    return {
        field: figures.images if field == "images_evaluated" else getattr(figures, field) for field in _SUMMED
    }


def _compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, ComparedFigure]:
    return {field: _figure(before.get(field), after.get(field)) for field in COMPARED_FIELDS}


def _figure(before: float | None, after: float | None) -> ComparedFigure:
    delta = None if before is None or after is None else round(after - before, 4)
    return ComparedFigure(baseline=before, candidate=after, delta=delta)


def _digests(results: BenchmarkResults) -> dict[str, str | None]:
    summary = results.summary
    return {
        "model": summary.model_sha256,
        "labels": summary.labels_sha256,
        "manifest": summary.manifest_sha256,
    }
