"""Compare 100,000 rows with 10,000 resamples, beside scipy.stats.bootstrap on one figure of them.

Ours is the whole comparison: pairing, four figures with interval and test, labels, changed pictures. scipy
holds all resamples of all pictures, or works in batches; it is given 100 resamples and its time is scaled.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

from pipeline.contracts.results import BenchmarkResults, Detection, ResultRow, ResultsSummary
from pipeline.evaluation.compare import compare_results

ROWS = 100_000
RESAMPLES = 10_000
SCIPY_RESAMPLES = 100
SECONDS = 1.0
MEGABYTES = 500
TURNS = 5
NAMES: dict[type, set[str]] = {}
LABELS = [f"Label {index}" for index in range(20)]


def main() -> int:
    baseline, candidate = results(1, 0.70), results(2, 0.72)
    held = megabytes()
    best = processor = float("inf")
    for _ in range(TURNS):
        started, used = time.perf_counter(), time.process_time()
        compared = compare_results(
            baseline, candidate, baseline_path="b.json", candidate_path="c.json", resamples=RESAMPLES
        )
        best = min(best, time.perf_counter() - started)
        processor = min(processor, time.process_time() - used)
    peak = megabytes()
    assert compared.statistics is not None
    hit = compared.statistics.figures[2]
    scipys, interval = scipy_seconds(baseline, candidate)
    changed = len(compared.changes or [])
    print(f"pictures {compared.overlap.rows:,}, resamples {RESAMPLES:,}, changed {changed:,}")
    print(f"repath   {best:7.2f} s ({processor:.2f} s of processor), the whole comparison")
    print(f"memory   {peak:7.0f} MB in all, {held:.0f} MB of it before: Python, numpy and both sides' rows")
    print(f"scipy    {scipys:7.2f} s, any-hit alone ({SCIPY_RESAMPLES} resamples measured, scaled)")
    print(f"any-hit  {hit.interval} ours, [{interval[0]:.4f}, {interval[1]:.4f}] scipy's")
    print(f"limits   {SECONDS} s, {MEGABYTES} MB")
    return 0 if best <= SECONDS and peak <= MEGABYTES else 1


def results(seed: int, skill: float) -> BenchmarkResults:
    hard = np.random.default_rng(0).random(ROWS)
    rng = np.random.default_rng(seed)
    draws = rng.random((ROWS, 3))
    rows = []
    for index in range(ROWS):
        label = LABELS[index % len(LABELS)]
        found = (hard[index] if draws[index, 0] < 0.9 else draws[index, 1]) < skill
        predicted = [label] if found and index % 10 else []
        if draws[index, 2] < 0.05:
            predicted = [*predicted, LABELS[(index + 1) % len(LABELS)]]
        row = ResultRow.model_construct(
            name=f"picture-{index}",
            url=f"images/{index}.jpg",
            expected_any=[label] if index % 10 else [],
            expected_all=[],
            predicted_labels=predicted,
            detections=[Detection.model_construct(label=name, score=0.9, box=None) for name in predicted],
            precision=None,
            recall=None,
            any_hit=None,
        )
        # As rows that were read from a file have it.
        for one in (row, *row.detections):
            names = NAMES.setdefault(type(one), one.__pydantic_fields_set__)
            object.__setattr__(one, "__pydantic_fields_set__", names)
        rows.append(row)
    summary = ResultsSummary(
        model="m", labels="l", manifest="x", threshold=0.35, topk=5, images_evaluated=ROWS,
        micro_precision=None, micro_recall=None, any_hit_rate=None, negative_clean_rate=None, tp=0, fp=0,
        fn=0, supported_only=False, skipped_unsupported_entries=0,
    )  # fmt: skip
    return BenchmarkResults(summary=summary, results=rows)


def scipy_seconds(
    baseline: BenchmarkResults, candidate: BenchmarkResults
) -> tuple[float, tuple[float, float]]:
    # Imported late: its own memory is no part of ours.
    from scipy.stats import bootstrap

    hits = [
        np.array(
            [row.expected_any == row.predicted_labels[:1] for row in side.results if row.expected_any], float
        )
        for side in (baseline, candidate)
    ]
    started = time.perf_counter()
    found = bootstrap(
        tuple(hits),
        lambda b, c, axis: c.mean(axis=axis) - b.mean(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=SCIPY_RESAMPLES,
        batch=10,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    taken = (time.perf_counter() - started) * RESAMPLES / SCIPY_RESAMPLES
    return taken, (found.confidence_interval.low, found.confidence_interval.high)


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
