"""The figures of FORMATS.md: label sets held against label sets, summed over pictures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.results import Detection, ResultRow
from pipeline.evaluation.metrics import (
    figures_of,
    figures_per_label,
    judge,
    percentiles,
    predicted_labels,
    rate,
    sweep,
)

LABEL = st.sampled_from(["can", "foil", "jar", "box"])


def row(
    *scores: tuple[str, float],
    any_of: tuple[str, ...] = (),
    all_of: tuple[str, ...] = (),
    threshold: float = 0.35,
    topk: int = 5,
) -> ResultRow:
    found = [Detection(label=label, score=score) for label, score in sorted(scores, key=lambda s: -s[1])]
    predicted = predicted_labels(found, threshold=threshold, topk=topk)
    verdict = judge(any_of, all_of, predicted)
    return ResultRow(
        name="picture",
        url="a.jpg",
        expected_any=list(any_of),
        expected_all=list(all_of),
        predicted_labels=predicted,
        detections=[d for d in found if d.score >= threshold],
        precision=rate(verdict.tp, verdict.tp + verdict.fp),
        recall=rate(verdict.tp, verdict.tp + verdict.fn),
        any_hit=verdict.any_hit,
        below_threshold=[d for d in found if d.score < threshold],
    )


def test_predicted_labels_are_unique_by_score_and_at_most_topk() -> None:
    found = row(("can", 0.5), ("jar", 0.9), ("can", 0.8), ("foil", 0.7), ("box", 0.3)).detections
    assert predicted_labels(found, threshold=0.35, topk=5) == ["jar", "can", "foil"]
    assert predicted_labels(found, threshold=0.35, topk=2) == ["jar", "can"]
    assert predicted_labels(found, threshold=0.8, topk=5) == ["jar", "can"]


def test_micro_figures_sum_over_pictures_and_hits_count_any_expected_label() -> None:
    rows = [
        row(("can", 0.9), ("foil", 0.8), any_of=("can", "jar")),  # tp 1, fp 1, fn 1, hit
        row(("foil", 0.9), any_of=("box",)),  # fp 1, fn 1, missed
        row(("can", 0.9), ("jar", 0.9), all_of=("can", "jar", "box")),  # tp 2, fn 1, no expected_any
        row(),  # a clean negative
        row(("can", 0.4)),  # a negative with a false alarm
    ]
    figures = figures_of(rows)
    assert (figures.images, figures.tp, figures.fp, figures.fn) == (5, 3, 3, 3)
    assert (figures.micro_precision, figures.micro_recall) == (0.5, 0.5)
    assert (figures.any_hit_count, figures.any_hit_images, figures.any_hit_rate) == (1, 2, 0.5)
    assert (figures.negative_clean_count, figures.negative_images) == (1, 2)
    assert [r.any_hit for r in rows] == [True, False, True, None, None]
    assert [(r.precision, r.recall) for r in rows[2:4]] == [(1.0, 0.6667), (None, None)]


def test_expected_all_decides_where_both_lists_are_given() -> None:
    verdict = judge(["can"], ["can", "jar"], ["can"])
    assert (verdict.tp, verdict.fp, verdict.fn, verdict.any_hit) == (1, 0, 1, True)


def test_a_rate_over_no_cases_is_null() -> None:
    figures = figures_of([])
    assert (
        figures.micro_precision is figures.any_hit_rate is figures.negative_clean_rate is figures.f1 is None
    )
    assert percentiles([]).p50 is None


def test_figures_of_each_label_are_counted_apart() -> None:
    rows = [row(("can", 0.9), any_of=("can", "jar")), row(("can", 0.9), any_of=("jar",))]
    can, jar = figures_per_label(rows)
    assert (can.label, can.expected, can.predicted, can.tp, can.fp, can.fn) == ("can", 1, 2, 1, 1, 0)
    assert (can.precision, can.recall) == (0.5, 1.0)
    assert (jar.label, jar.expected, jar.precision, jar.recall) == ("jar", 2, None, 0.0)


def test_the_best_threshold_keeps_negatives_clean() -> None:
    rows = [row(("can", 0.6), any_of=("can",)), row(("can", 0.45), any_of=("can",)), row(("jar", 0.5))]
    strict = sweep(rows, threshold=0.35, topk=5, min_negative_clean_rate=1.0)
    loose = sweep(rows, threshold=0.35, topk=5, min_negative_clean_rate=0.0)
    assert strict.best_threshold == 0.55
    assert loose.best_threshold == 0.05
    assert (
        sweep([row(("can", 0.99))], threshold=0.35, topk=5, min_negative_clean_rate=1).best_threshold is None
    )


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(LABEL, st.floats(0.05, 1)), max_size=6),
            st.lists(LABEL, max_size=2, unique=True),
            st.lists(LABEL, max_size=2, unique=True),
        ),
        max_size=8,
    ),
    st.sampled_from([0.05, 0.35, 0.37, 0.9]),
    st.integers(1, 3),
)
def test_the_sweep_at_the_own_threshold_says_what_the_summary_says(
    pictures: list[tuple[list[tuple[str, float]], list[str], list[str]]], threshold: float, topk: int
) -> None:
    rows = [
        row(*scores, any_of=tuple(any_of), all_of=tuple(all_of), threshold=threshold, topk=topk)
        for scores, any_of, all_of in pictures
    ]
    figures = figures_of(rows)
    swept = sweep(rows, threshold=threshold, topk=topk, min_negative_clean_rate=0.0)
    point = next(point for point in swept.points if point.threshold == threshold)
    assert point.micro_precision == figures.micro_precision
    assert point.micro_recall == figures.micro_recall
    assert point.any_hit_rate == figures.any_hit_rate
    assert point.negative_clean_rate == figures.negative_clean_rate
    assert [p.threshold for p in swept.points] == sorted({p.threshold for p in swept.points})


@pytest.mark.parametrize(("count", "p50", "p95"), [(1, 1, 1), (20, 10, 19), (100, 50, 95)])
def test_percentiles_are_values_that_were_measured(count: int, p50: float, p95: float) -> None:
    found = percentiles([float(value) for value in range(count, 0, -1)])
    assert (found.p50, found.p95) == (p50, p95)
