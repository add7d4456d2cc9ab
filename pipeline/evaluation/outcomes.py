"""What two models made of the same pictures, counted by kind of picture.

Pictures with the same expected labels and the same predictions of both models are one kind: a hundred
thousand pictures have a few hundred kinds, and everything is computed on these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.metrics import Figures, Verdict, judge
from pipeline.evaluation.pairing import Pair
from pipeline.evaluation.statistics import Outcomes, Ratio


@dataclass(frozen=True, slots=True)
class Kind:
    """Expected labels, and what each model predicted."""

    expected_any: tuple[str, ...]
    expected_all: tuple[str, ...]
    baseline: tuple[str, ...]
    candidate: tuple[str, ...]

    @property
    def scored(self) -> tuple[str, ...]:
        """The labels that are scored: ``expected_all`` if not empty, else ``expected_any``."""
        return self.expected_all or self.expected_any


Kinds = Mapping[Kind, int]
"""How many pictures are of each kind."""

COLUMNS = ("tp", "fp", "fn", "hit", "asked", "clean", "negative")
"""Counts of one model on one picture; the baseline's stand first, then the candidate's."""
SWAPPED = (*range(len(COLUMNS), 2 * len(COLUMNS)), *range(len(COLUMNS)))
"""For each column, that of the other model."""


def _ratio(top: Sequence[str], bottom: Sequence[str]) -> Ratio:
    tops = [COLUMNS.index(name) for name in top]
    bottoms = [COLUMNS.index(name) for name in bottom]
    width = len(COLUMNS)
    return Ratio(tops, bottoms, [at + width for at in tops], [at + width for at in bottoms])


RATIOS = {
    "micro_precision": _ratio(["tp"], ["tp", "fp"]),
    "micro_recall": _ratio(["tp"], ["tp", "fn"]),
    "any_hit_rate": _ratio(["hit"], ["asked"]),
    "negative_clean_rate": _ratio(["clean"], ["negative"]),
}
"""The figures of FORMATS.md as ratios of sums over pictures."""


def kinds_of(pairs: Sequence[Pair]) -> dict[Kind, int]:
    """Count the kinds of paired rows."""
    counted = Counter(
        (
            tuple(before.expected_any),
            tuple(before.expected_all),
            tuple(before.predicted_labels),
            tuple(after.predicted_labels),
        )
        for before, after in pairs
    )
    return {Kind(*parts): count for parts, count in counted.items()}


def outcomes_of(kinds: Kinds) -> Outcomes:
    """Return the counts of both models for each kind; negatives are a stratum of their own."""
    rows = [[*_row(kind, kind.baseline), *_row(kind, kind.candidate)] for kind in kinds]
    values = np.asarray(rows, dtype=np.int64).reshape(len(kinds), 2 * len(COLUMNS))
    strata = values[:, COLUMNS.index("negative")]
    return Outcomes(values, strata, np.fromiter(kinds.values(), dtype=np.int64, count=len(kinds)))


def figures_of_side(outcomes: Outcomes, side: int) -> Figures:
    """Return the figures of the baseline (side 0) or the candidate (side 1) over all pictures."""
    width = len(COLUMNS)
    totals = outcomes.counts @ outcomes.values[:, side * width : (side + 1) * width]
    tp, fp, fn, hit, asked, clean, negative = (int(total) for total in totals)
    return Figures(
        images=int(outcomes.counts.sum()),
        tp=tp,
        fp=fp,
        fn=fn,
        any_hit_count=hit,
        any_hit_images=asked,
        negative_clean_count=clean,
        negative_images=negative,
    )


def cases_of(outcomes: Outcomes) -> dict[str, int]:
    """Return the pictures that each figure is measured on: those that its denominator counts."""
    cases = {}
    for name, ratio in RATIOS.items():
        bottoms = outcomes.values[:, [*ratio.baseline_bottom, *ratio.candidate_bottom]]
        cases[name] = int(outcomes.counts[bottoms.sum(axis=1) > 0].sum())
    return cases


def discordant(outcomes: Outcomes, name: str) -> tuple[int, int]:
    """Return on how many pictures the candidate gained and lost what ``hit`` or ``clean`` counts."""
    before = outcomes.values[:, COLUMNS.index(name)]
    after = outcomes.values[:, COLUMNS.index(name) + len(COLUMNS)]
    return int(outcomes.counts[after > before].sum()), int(outcomes.counts[after < before].sum())


def _row(kind: Kind, predicted: Sequence[str]) -> tuple[int, ...]:
    verdict: Verdict = judge(kind.expected_any, kind.expected_all, predicted)
    asked = int(bool(kind.expected_any))
    negative = int(verdict.any_hit is None)
    clean = int(bool(negative) and not predicted)
    return verdict.tp, verdict.fp, verdict.fn, int(bool(asked and verdict.any_hit)), asked, clean, negative
