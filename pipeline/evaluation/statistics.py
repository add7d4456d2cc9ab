"""Paired statistics on pictures that two models were both measured on.

Pictures with equal outcomes are drawn together: a bootstrap over n pictures in few groups is one multinomial
draw of the groups' counts, exactly, and costs the same for a hundred pictures and for a hundred thousand.
Numbers are float64; a *figure* is a ratio of two sums over pictures (hits over cases, tp over tp + fp).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RESAMPLES = 10_000
LEVEL = 0.95
POWER = 0.8
_BLOCK = 1 << 22
"""Draws held at once: bounds the memory, not the result."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure as columns of the outcomes: the sum of ``top`` over the sum of ``bottom``, on each side."""

    baseline_top: Sequence[int]
    baseline_bottom: Sequence[int]
    candidate_top: Sequence[int]
    candidate_bottom: Sequence[int]


@dataclass(frozen=True)
class Outcomes:
    """What two models made of each picture.

    Attributes:
        values: one row a kind of picture, one column a count, shape ``[n, k]``.
        strata: the stratum of each kind (positive or negative), shape ``[n]``; its size is held fixed.
        counts: how many pictures are of each kind, shape ``[n]``.
    """

    values: Ints
    strata: Ints
    counts: Ints

    @cached_property
    def groups(self) -> tuple[Ints, Ints, Ints]:
        """Return unique outcomes ``[g, k]``, the stratum of each and how many pictures have it."""
        rows = np.column_stack([self.strata, self.values])
        unique, inverse = np.unique(rows, axis=0, return_inverse=True)
        counts = np.zeros(len(unique), dtype=np.int64)
        np.add.at(counts, inverse.reshape(-1), self.counts)
        return unique[:, 1:], unique[:, 0], counts


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Resampled differences of one figure; NaN where a resample left a side without cases."""

    differences: Floats

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """Return the percentile interval (Efron and Tibshirani 1993, *Introduction to the Bootstrap*, 13.3).

        None where half of the resamples have no figure.
        """
        known = self.differences[~np.isnan(self.differences)]
        if 2 * known.size < self.differences.size or not known.size:
            return None
        tail = (1 - level) / 2
        low, high = np.quantile(known, [tail, 1 - tail])
        return float(low), float(high)

    @property
    def standard_error(self) -> float:
        """Return the standard deviation of the differences (Efron and Tibshirani 1993, 6.2)."""
        known = self.differences[~np.isnan(self.differences)]
        return float(np.std(known, ddof=1)) if known.size > 1 else 0.0


def difference(values: Ints, weights: Ints, ratio: Ratio) -> Floats:
    """Return candidate minus baseline for each row of weights.

    Args:
        values: outcomes of the groups, shape ``[g, k]``.
        weights: how many pictures of each group there are, shape ``[b, g]``.
        ratio: the figure.
    """

    def side(top: Sequence[int], bottom: Sequence[int]) -> Floats:
        over = weights @ values[:, list(top)].sum(axis=1)
        under = weights @ values[:, list(bottom)].sum(axis=1)
        rate = np.full(len(weights), np.nan)
        np.divide(over, under, out=rate, where=under > 0)
        return rate

    return side(ratio.candidate_top, ratio.candidate_bottom) - side(ratio.baseline_top, ratio.baseline_bottom)


def bootstrap(
    outcomes: Outcomes, ratios: Sequence[Ratio], *, seed: int, resamples: int = RESAMPLES
) -> list[Bootstrap]:
    """Resample pictures with replacement, within strata, and take both models' figures from each resample.

    Source: Efron and Tibshirani 1993, *An Introduction to the Bootstrap*, chapters 8 and 13. The models stay
    paired, since a picture is drawn with what both made of it.

    Returns:
        One set of ``resamples`` differences for each ratio.
    """
    values, strata, counts = outcomes.groups
    rng = np.random.default_rng(seed)
    drawn: list[list[Floats]] = [[] for _ in ratios]
    for size in _blocks(resamples, len(counts)):
        weights = np.empty((size, len(counts)), dtype=np.int64)
        for stratum in np.unique(strata):
            members = strata == stratum
            total = int(counts[members].sum())
            weights[:, members] = rng.multinomial(total, counts[members] / total, size=size)
        for differences, ratio in zip(drawn, ratios, strict=True):
            differences.append(difference(values, weights, ratio))
    return [Bootstrap(np.concatenate(parts)) for parts in drawn]


def permutation_p(
    outcomes: Outcomes,
    swapped: Sequence[int],
    ratios: Sequence[Ratio],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> list[float | None]:
    """Test each figure by swapping the two models on pictures at random: exact under equal models.

    Source: the paired randomisation test of Fisher 1935, *The Design of Experiments*, 21; with one added to
    both counts, so that the level holds with any number of resamples (Phipson and Smyth 2010).

    Args:
        outcomes: what the models made of each picture.
        swapped: for each column, the column of the other model.
        ratios: the figures.
        seed: of the random swaps.
        resamples: how many.

    Returns:
        A two-sided p-value for each figure; None where a side has no cases.
    """
    values, _, counts = outcomes.groups
    other = values[:, list(swapped)]
    both = np.concatenate([values, other])
    changed = np.flatnonzero((values != other).any(axis=1))
    as_it_is = np.concatenate([counts, np.zeros_like(counts)])[None, :]
    observed = [float(difference(both, as_it_is, ratio)[0]) for ratio in ratios]
    extreme = [0] * len(ratios)
    rng = np.random.default_rng(seed)
    for size in _blocks(resamples, 2 * len(counts)):
        weights = np.repeat(as_it_is, size, axis=0)
        turned = rng.binomial(counts[changed], 0.5, size=(size, len(changed)))
        weights[:, changed] -= turned
        weights[:, changed + len(counts)] = turned
        for index, ratio in enumerate(ratios):
            differences = np.abs(difference(both, weights, ratio))
            # A swap that leaves a side without cases counts against the finding.
            as_large = ~(differences < abs(observed[index]) - 1e-12)
            extreme[index] += int(as_large.sum())
    return [
        None if math.isnan(seen) else (more + 1) / (resamples + 1)
        for seen, more in zip(observed, extreme, strict=True)
    ]


def mcnemar_p(gained: int, lost: int) -> float:
    """Return the exact two-sided p-value of McNemar's test from the two discordant counts.

    Source: McNemar 1947, *Note on the sampling error of the difference between correlated proportions*; the
    discordant pairs are binomial with one half under equal models.
    """
    total, fewer = gained + lost, min(gained, lost)
    if total == 0:
        return 1.0
    # log C(total, i) for i = 0..fewer, as sums of logs: C(100000, 50000) has 30,000 digits.
    steps = np.arange(fewer, dtype=np.float64)
    logs = np.concatenate([[0.0], np.cumsum(np.log((total - steps) / (steps + 1)))])
    tail = float(np.exp(logs - total * math.log(2)).sum())
    return min(1.0, 2 * tail)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected so that one false finding among all of them stays as rare as promised.

    Source: Holm 1979, *A simple sequentially rejective multiple test procedure*.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def equivalence_interval(
    found: Bootstrap, cases: int, *, seed: int, level: float = LEVEL
) -> tuple[float, float] | None:
    """Return the interval that must lie within the margin for equivalence or non-inferiority.

    Two one-sided tests at 5% are a 90% interval (Schuirmann 1987). A bootstrap cannot draw a change that it
    has not seen: where all pictures came out alike it has no width, although a tenth of 30 pictures may still
    change. So each side counts one more picture that changed against the claim, as the exact bound of Clopper
    and Pearson 1934 does; with no change seen that gives the rule of three (Hanley and Lippman-Hand 1983).

    Args:
        found: the bootstrap of the figure.
        cases: pictures that the figure is measured on.
        seed: of the random numbers.
        level: one minus the error of each one-sided test.
    """
    if cases == 0 or found.interval() is None:
        return None
    known = found.differences[~np.isnan(found.differences)]
    one_more = np.random.default_rng([seed, 1]).poisson(1.0, known.size) / cases
    low, high = np.quantile(known - one_more, 1 - level), np.quantile(known + one_more, level)
    return float(low), float(high)


def smallest_detectable(standard_error: float, cases: int) -> float | None:
    """Return the true change that these pictures would show with 80% power at the 5% level.

    Normal approximation (Cohen 1988, *Statistical Power Analysis*, 2.1); never less than six pictures that
    all change one way: with fewer, neither McNemar's test nor the randomisation test can reach 5%. None for
    fewer than six pictures.
    """
    if cases < _FEWEST_ONE_WAY:
        return None
    return max(_power_factor() * standard_error, _FEWEST_ONE_WAY / cases)


def more_pictures(observed: float, standard_error: float, cases: int) -> int | None:
    """Return how many more pictures of the same kind would show the observed change with 80% power.

    None where no change was observed.
    """
    if observed == 0:
        return None
    by_spread = cases * (_power_factor() * standard_error / abs(observed)) ** 2
    needed = max(by_spread, _FEWEST_ONE_WAY / abs(observed))
    return max(0, math.ceil(needed - 1e-9) - cases)


_FEWEST_ONE_WAY = 6
"""2 · 0.5^6 = 0.031 is the first below 0.05."""


def _power_factor() -> float:
    normal = NormalDist()
    return normal.inv_cdf((1 + LEVEL) / 2) + normal.inv_cdf(POWER)


def _blocks(resamples: int, width: int) -> list[int]:
    size = max(1, min(resamples, _BLOCK // max(1, width)))
    whole, rest = divmod(resamples, size)
    return [size] * whole + ([rest] if rest else [])
