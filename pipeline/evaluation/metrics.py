"""The figures of a benchmark, each a function of its rows alone: a merge of shards gives the same.

Per picture the set of predicted labels is held against the set of expected ones (``expected_all`` if not
empty, else ``expected_any``); micro figures sum over pictures. A rate over no cases is None. Rates have four
decimals.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.contracts.results import Detection, LabelFigures, Percentiles, ResultRow, Sweep, SweepPoint

SWEEP_FLOOR = 0.05
"""The lowest threshold of the sweep; scores below it are not kept where boxes are unknown."""
_STEPS = 19


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts over pictures, and the rates that follow from them."""

    images: int = 0
    tp: int = 0
    fp: int = 0
    fn: int = 0
    any_hit_count: int = 0
    any_hit_images: int = 0
    negative_clean_count: int = 0
    negative_images: int = 0

    @property
    def micro_precision(self) -> float | None:
        """tp / (tp + fp)."""
        return rate(self.tp, self.tp + self.fp)

    @property
    def micro_recall(self) -> float | None:
        """tp / (tp + fn)."""
        return rate(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall: 2 tp / (2 tp + fp + fn)."""
        return rate(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def any_hit_rate(self) -> float | None:
        """Share of the ``expected_any`` pictures on which an expected label was predicted."""
        return rate(self.any_hit_count, self.any_hit_images)

    @property
    def negative_clean_rate(self) -> float | None:
        """Share of the negatives on which nothing was predicted."""
        return rate(self.negative_clean_count, self.negative_images)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What predicted labels are worth against what a picture is expected to show."""

    tp: int
    fp: int
    fn: int
    any_hit: bool | None
    """Whether an expected label was predicted; None for a negative."""


def rate(count: int, cases: int) -> float | None:
    """Return a share with four decimals; None over no cases."""
    return round(count / cases, 4) if cases else None


def predicted_labels(detections: Iterable[Detection], *, threshold: float, topk: int) -> list[str]:
    """Return the labels of the detections that reach the threshold: unique, by score, at most ``topk``."""
    reaching = sorted((d for d in detections if d.score >= threshold), key=lambda d: -d.score)
    return list(dict.fromkeys(d.label for d in reaching))[:topk]


def judge(expected_any: Sequence[str], expected_all: Sequence[str], predicted: Sequence[str]) -> Verdict:
    """Hold the predicted labels of one picture against the expected ones."""
    expected = set(expected_all) or set(expected_any)
    found = set(predicted)
    tp = len(expected & found)
    any_hit = bool((set(expected_any) or expected) & found) if expected else None
    return Verdict(tp, len(found) - tp, len(expected) - tp, any_hit)


def figures_of(
    rows: Iterable[ResultRow], *, threshold: float | None = None, topk: int | None = None
) -> Figures:
    """Sum the figures of rows.

    Args:
        rows: the pictures that were evaluated.
        threshold: judge by this threshold instead of the rows' own ``predicted_labels``; then ``topk`` is
            needed as well.
        topk: labels that one picture may be given.
    """
    total: Counter[str] = Counter()
    for row in rows:
        predicted = row.predicted_labels
        if threshold is not None and topk is not None:
            kept = [*row.detections, *(row.below_threshold or [])]
            predicted = predicted_labels(kept, threshold=threshold, topk=topk)
        verdict = judge(row.expected_any, row.expected_all, predicted)
        total.update(images=1, tp=verdict.tp, fp=verdict.fp, fn=verdict.fn)
        if verdict.any_hit is None:
            total.update(negative_images=1, negative_clean_count=int(not predicted))
        elif row.expected_any:
            total.update(any_hit_images=1, any_hit_count=int(verdict.any_hit))
    return Figures(**total)


def figures_per_label(rows: Iterable[ResultRow]) -> list[LabelFigures]:
    """Count for each label that is expected or predicted anywhere, in the order of the alphabet."""
    expected: Counter[str] = Counter()
    predicted: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    for row in rows:
        asked = set(row.expected_all) or set(row.expected_any)
        found = set(row.predicted_labels)
        expected.update(asked)
        predicted.update(found)
        hits.update(asked & found)
    return [
        LabelFigures(
            label=label,
            expected=expected[label],
            predicted=predicted[label],
            tp=hits[label],
            fp=predicted[label] - hits[label],
            fn=expected[label] - hits[label],
            precision=rate(hits[label], predicted[label]),
            recall=rate(hits[label], expected[label]),
        )
        for label in sorted(expected.keys() | predicted.keys())
    ]


def sweep(rows: Sequence[ResultRow], *, threshold: float, topk: int, min_negative_clean_rate: float) -> Sweep:
    """Judge the rows at every threshold from 0.05 to 0.95 in steps of 0.05, and at their own.

    The best threshold is the one with the highest F1 (the lowest of equals) among those that keep the rate of
    clean negatives at the floor or above; where there are no negatives, among all.
    """
    steps = {round(SWEEP_FLOOR * step, 2) for step in range(1, _STEPS + 1)} | {threshold}
    points = []
    for step in sorted(steps):
        figures = figures_of(rows, threshold=step, topk=topk)
        points.append(
            SweepPoint(
                threshold=step,
                micro_precision=figures.micro_precision,
                micro_recall=figures.micro_recall,
                f1=figures.f1,
                any_hit_rate=figures.any_hit_rate,
                negative_clean_rate=figures.negative_clean_rate,
            )
        )
    clean = [
        point
        for point in points
        if point.f1 is not None
        and (point.negative_clean_rate is None or point.negative_clean_rate >= min_negative_clean_rate)
    ]
    best = max(clean, key=lambda point: (point.f1 or 0.0, -point.threshold), default=None)
    return Sweep(
        min_negative_clean_rate=min_negative_clean_rate,
        best_threshold=best.threshold if best else None,
        points=points,
    )


def percentiles(values: Sequence[float]) -> Percentiles:
    """Return median and 95th percentile by the nearest rank; None over no values."""
    ordered = sorted(values)

    def at(share: float) -> float | None:
        return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None

    return Percentiles(p50=at(0.5), p95=at(0.95))
