"""Results put together from rows: the same whether they come from one run or from shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.contracts.results import (
    BenchmarkResults,
    ResultRow,
    ResultsSummary,
    Shard,
    Timing,
    TrainingOverlap,
    UnreadablePicture,
)
from pipeline.evaluation.box_metrics import box_figures
from pipeline.evaluation.metrics import figures_of, figures_per_label, percentiles, sweep
from pipeline.support.errors import InputError

SETTINGS = (
    "model", "labels", "manifest", "threshold", "topk", "supported_only", "skipped_unsupported_entries",
    "todo_entries", "model_sha256", "labels_sha256", "manifest_sha256", "resize", "filter", "input_size",
    "reduced_decode", "runtime", "versions",
)  # fmt: skip
"""What the summary says of how was measured; the same in all shards of one run."""


@dataclass(slots=True)
class Measured:
    """Everything that was measured, and how; the order of the rows means nothing."""

    settings: dict[str, Any]
    """The fields of the summary that `SETTINGS` names."""
    min_negative_clean_rate: float
    sources: dict[str, int]
    rows: list[ResultRow] = field(default_factory=list)
    box_pictures: list[ResultRow] = field(default_factory=list)
    unreadable: list[UnreadablePicture] = field(default_factory=list)
    overlap: list[TrainingOverlap] | None = None
    shard: Shard | None = None


def require_readable(
    unreadable: Sequence[UnreadablePicture], pictures: int, *, limit: float, source: str
) -> None:
    """Refuse a run in which too many pictures could not be read.

    Args:
        unreadable: those pictures.
        pictures: how many there are in all.
        limit: the share of them, 0..1, that may be unreadable.
        source: the manifest, for the error.

    Raises:
        InputError: there are more.
    """
    if not unreadable or len(unreadable) <= limit * pictures:
        return
    shown = [f"  {entry.name}: {entry.reason}" for entry in unreadable[:10]]
    if len(unreadable) > len(shown):
        shown.append(f"  … and {len(unreadable) - len(shown)} more")
    head = (
        f"{source}: {len(unreadable)} of {pictures} pictures could not be read, more than --max-unreadable "
        f"{limit:g} allows"
    )
    raise InputError("\n".join([head, *shown]), hint="Mend or replace them, or raise --max-unreadable.")


def assemble(measured: Measured, *, generated_at: str, wall_s: float, workers: int) -> BenchmarkResults:
    """Return the results file of what was measured.

    Raises:
        MissingExtraError: boxes are known and hotcoco is not installed.
    """
    rows = sorted(measured.rows, key=_by_row)
    box_pictures = sorted(measured.box_pictures, key=_by_row)
    figures = figures_of(rows)
    threshold, topk = measured.settings["threshold"], measured.settings["topk"]
    boxes = box_figures([*rows, *box_pictures])
    summary = ResultsSummary(
        **measured.settings,
        images_evaluated=figures.images,
        micro_precision=figures.micro_precision,
        micro_recall=figures.micro_recall,
        any_hit_rate=figures.any_hit_rate,
        negative_clean_rate=figures.negative_clean_rate,
        tp=figures.tp,
        fp=figures.fp,
        fn=figures.fn,
        any_hit_count=figures.any_hit_count,
        any_hit_images=figures.any_hit_images,
        negative_clean_count=figures.negative_clean_count,
        negative_images=figures.negative_images,
        unreadable_entries=len(measured.unreadable),
        map50=boxes.map50 if boxes else None,
        map50_95=boxes.map50_95 if boxes else None,
    )
    return BenchmarkResults(
        generated_at=generated_at,
        summary=summary,
        shard=measured.shard,
        sources=measured.sources,
        training_overlap=_sorted_overlap(measured.overlap),
        per_label=figures_per_label(rows),
        sweep=sweep(
            rows, threshold=threshold, topk=topk, min_negative_clean_rate=measured.min_negative_clean_rate
        ),
        boxes=boxes,
        timing=_timing([*rows, *box_pictures], wall_s, workers),
        unreadable=sorted(
            measured.unreadable,
            key=lambda entry: (entry.manifest_row is None, entry.manifest_row or 0, entry.name),
        ),
        results=rows,
        box_pictures=box_pictures,
    )


def _by_row(row: ResultRow) -> int:
    return row.manifest_row or 0


def _sorted_overlap(overlap: Sequence[TrainingOverlap] | None) -> list[TrainingOverlap] | None:
    return None if overlap is None else sorted(overlap, key=lambda entry: entry.manifest_row)


def _timing(rows: Sequence[ResultRow], wall_s: float, workers: int) -> Timing:
    return Timing(
        wall_s=round(wall_s, 3),
        pictures_per_s=round(len(rows) / wall_s, 2) if wall_s > 0 and rows else None,
        workers=workers,
        latency_ms=percentiles([row.latency_ms for row in rows if row.latency_ms is not None]),
        inference_ms=percentiles([row.inference_ms for row in rows if row.inference_ms is not None]),
    )
