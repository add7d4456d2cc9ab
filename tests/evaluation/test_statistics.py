"""Our numbers beside scipy's and statsmodels', and the promise of 5% on simulated models."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.outcomes import COLUMNS, RATIOS, SWAPPED
from pipeline.evaluation.statistics import (
    Outcomes,
    Ratio,
    bootstrap,
    equivalence_interval,
    holm,
    mcnemar_p,
    more_pictures,
    permutation_p,
    smallest_detectable,
)

HIT = Ratio([0], [2], [1], [2])


def hits(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> Outcomes:
    """Outcomes of one figure that is right or wrong on each picture."""
    ones = np.ones(len(before), dtype=np.int64)
    return Outcomes(np.column_stack([before, after, ones]).astype(np.int64), ones * 0, ones)


def equal_models(rng: np.random.Generator, positives: int, negatives: int) -> Outcomes:
    """Two models with the same rates, which find the same pictures hard."""
    total = positives + negatives

    def flips(chance: float, shared: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
        return np.where(rng.random(count) < 0.6, shared, rng.random(count)) < chance

    hard, busy = rng.random(positives), rng.random(total)
    sides = []
    for _ in range(2):
        side = np.zeros((total, len(COLUMNS)), dtype=np.int64)
        found = flips(0.7, hard, positives)
        alarms = flips(0.2, busy, total)
        side[:positives, 0] = side[:positives, 3] = found
        side[:positives, 2] = ~found
        side[:positives, 4] = 1
        side[:, 1] = alarms
        side[positives:, 5] = ~alarms[positives:]
        side[positives:, 6] = 1
        sides.append(side)
    strata = (np.arange(total) >= positives).astype(np.int64)
    return Outcomes(np.column_stack(sides), strata, np.ones(total, dtype=np.int64))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_agrees_with_statsmodels(gained: int, lost: int) -> None:
    from statsmodels.stats.contingency_tables import mcnemar

    if gained + lost:
        expected = mcnemar([[10, gained], [lost, 10]], exact=True).pvalue
        assert mcnemar_p(gained, lost) == pytest.approx(min(1.0, expected), rel=1e-9)


def test_mcnemar_of_a_hundred_thousand_pictures_agrees_with_scipy() -> None:
    from scipy.stats import binomtest

    assert mcnemar_p(20_300, 19_700) == pytest.approx(binomtest(19_700, 40_000).pvalue, rel=1e-8)
    assert mcnemar_p(0, 0) == 1.0


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    expected = multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(list(expected))


def test_the_interval_of_a_rate_agrees_with_scipys_paired_bootstrap() -> None:
    from scipy.stats import bootstrap as scipy_bootstrap

    rng = np.random.default_rng(7)
    before, after = rng.random(200) < 0.5, rng.random(200) < 0.6
    ours = bootstrap(hits(before, after), [HIT], seed=1, resamples=50_000)[0]
    theirs = scipy_bootstrap(
        (before.astype(float), after.astype(float)),
        lambda b, a, axis: a.mean(axis=axis) - b.mean(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=50_000,
        method="percentile",
        rng=np.random.default_rng(2),
    )
    interval = ours.interval()
    assert interval is not None
    assert interval == pytest.approx(tuple(theirs.confidence_interval), abs=0.006)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=0.02)


def test_the_interval_of_a_ratio_within_strata_agrees_with_a_plain_loop() -> None:
    outcomes = equal_models(np.random.default_rng(3), 60, 20)
    ours = bootstrap(outcomes, [RATIOS["micro_precision"]], seed=1, resamples=20_000)[0]
    rng = np.random.default_rng(2)
    looped = []
    members = [np.flatnonzero(outcomes.strata == stratum) for stratum in (0, 1)]
    for _ in range(20_000):
        drawn = outcomes.values[np.concatenate([rng.choice(part, len(part)) for part in members])].sum(axis=0)
        looped.append(drawn[7] / (drawn[7] + drawn[8]) - drawn[0] / (drawn[0] + drawn[1]))
    assert ours.interval() == pytest.approx(tuple(np.quantile(looped, [0.025, 0.975])), abs=0.006)
    assert ours.standard_error == pytest.approx(float(np.std(looped)), rel=0.03)


def test_the_randomisation_test_agrees_with_scipys() -> None:
    from scipy.stats import permutation_test

    rng = np.random.default_rng(11)
    before, after = rng.random(40) < 0.4, rng.random(40) < 0.7
    ours = permutation_p(hits(before, after), [1, 0, 2], [HIT], seed=1, resamples=50_000)[0]
    theirs = permutation_test(
        (before.astype(float), after.astype(float)),
        lambda b, a, axis: a.mean(axis=axis) - b.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=50_000,
        rng=np.random.default_rng(2),
    ).pvalue
    assert ours == pytest.approx(theirs, abs=0.005)


def test_equal_pictures_drawn_together_give_what_single_ones_give() -> None:
    single = equal_models(np.random.default_rng(5), 40, 10)
    values, strata, counts = single.groups
    together = Outcomes(values, strata, counts)
    ratios = list(RATIOS.values())
    for one, other in zip(
        bootstrap(single, ratios, seed=4), bootstrap(together, ratios, seed=4), strict=True
    ):
        np.testing.assert_array_equal(one.differences, other.differences)


def test_a_figure_without_cases_has_no_interval_and_no_p_value() -> None:
    outcomes = equal_models(np.random.default_rng(5), 40, 0)
    ratio = RATIOS["negative_clean_rate"]
    assert bootstrap(outcomes, [ratio], seed=1)[0].interval() is None
    assert permutation_p(outcomes, SWAPPED, [ratio], seed=1) == [None]


def test_pictures_that_all_came_out_alike_do_not_prove_equivalence() -> None:
    def interval(cases: int) -> tuple[float, float]:
        right = np.ones(cases, dtype=bool)
        found = bootstrap(hits(right, right), [HIT], seed=1)[0]
        assert found.interval() == (0.0, 0.0)
        edges = equivalence_interval(found, cases, seed=1)
        assert edges is not None
        return edges

    assert interval(30) == pytest.approx((-0.1, 0.1), abs=0.001)  # the rule of three
    assert interval(300) == pytest.approx((-0.01, 0.01), abs=0.001)


def test_the_pictures_needed_agree_with_statsmodels_power() -> None:
    from statsmodels.stats.power import NormalIndPower

    spread, cases, observed = 0.05, 100, 0.07
    deviation = spread * np.sqrt(cases)
    # ratio=0 makes it the power of one sample: here, of paired differences.
    power = NormalIndPower()
    needed = power.solve_power(effect_size=observed / deviation, alpha=0.05, power=0.8, ratio=0)
    assert more_pictures(observed, spread, cases) == int(np.ceil(needed)) - cases
    effect = power.solve_power(nobs1=cases, alpha=0.05, power=0.8, ratio=0)
    assert smallest_detectable(spread, cases) == pytest.approx(effect * deviation, rel=1e-3)


def test_fewer_than_six_pictures_can_show_nothing() -> None:
    assert smallest_detectable(0.0, 5) is None
    assert smallest_detectable(0.0, 6) == 1.0
    assert mcnemar_p(5, 0) > 0.05 > mcnemar_p(6, 0)
    assert more_pictures(0.0, 0.1, 30) is None


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(0, 10))
def test_no_outcome_gives_a_warning_or_a_p_value_out_of_range(
    seed: int, positives: int, negatives: int
) -> None:
    outcomes = equal_models(np.random.default_rng(seed), positives, negatives)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for found in bootstrap(outcomes, list(RATIOS.values()), seed=seed, resamples=200):
            interval = found.interval()
            assert interval is None or -1 <= interval[0] <= interval[1] <= 1
        for p in permutation_p(outcomes, SWAPPED, list(RATIOS.values()), seed=seed, resamples=200):
            assert p is None or 0 < p <= 1


def test_memory_is_bounded_by_blocks_without_changing_what_is_drawn_on_few_kinds() -> None:
    values = np.arange(9000).reshape(3000, 3) % 7
    outcomes = Outcomes(values, np.zeros(3000, dtype=np.int64), np.ones(3000, dtype=np.int64))
    drawn = bootstrap(outcomes, [Ratio([0], [0, 2], [1], [1, 2])], seed=1, resamples=3000)[0]
    assert drawn.differences.shape == (3000,)


def test_a_change_as_large_as_the_margin_is_called_equivalent_at_most_once_in_twenty() -> None:
    from scipy.stats import multinomial

    margin = 0.05
    for cases, differing in ((60, 0.05), (150, 0.06), (400, 0.06)):
        # The answer depends on two counts alone: summed over them, the chance is exact and not simulated.
        chances = [(differing + margin) / 2, (differing - margin) / 2, 1 - differing]
        wrong = 0.0
        for lost in range(int(cases * chances[0]) + 10):
            for gained in range(12):
                chance = multinomial.pmf([lost, gained, cases - lost - gained], cases, chances)
                if chance > 1e-6 and equivalent(cases, lost, gained, margin):
                    wrong += chance
        assert wrong <= 0.05, (cases, differing, wrong)


def equivalent(cases: int, lost: int, gained: int, margin: float) -> bool:
    before, after = np.ones(cases, dtype=bool), np.ones(cases, dtype=bool)
    after[:lost] = False
    before[lost : lost + gained] = False
    found = bootstrap(hits(before, after), [HIT], seed=1, resamples=4000)[0]
    interval = equivalence_interval(found, cases, seed=1)
    assert interval is not None
    return -margin < interval[0] and interval[1] < margin
