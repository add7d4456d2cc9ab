"""Whether a candidate is better, worse, as good, or whether the benchmark cannot tell.

A figure has improved or regressed where its test says so at 5% and its 95% interval leaves out zero: exact
McNemar for figures that are right or wrong on each picture, a randomisation test for ratios. It is equivalent
where the whole 90% interval lies within the margin. The whole is judged after Holm's correction over all
figures, so that equal models are called different at most once in twenty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline.contracts.comparison import (
    Discordant,
    FigureVerdict,
    LabelChange,
    Method,
    Statistics,
    Verdict,
)
from pipeline.evaluation import statistics as stats
from pipeline.evaluation.outcomes import RATIOS, SWAPPED, Kinds, cases_of, discordant, figures_of_side
from pipeline.evaluation.statistics import Bootstrap, Outcomes

DEFAULT_MARGIN = 0.05
"""How much a figure may change and still be called equivalent, where ``[gate.margin]`` gives none."""
WORDS = {
    "micro_precision": "precision",
    "micro_recall": "recall",
    "any_hit_rate": "any-hit rate",
    "negative_clean_rate": "negative-clean rate",
    "map50": "mAP50",
    "map50_95": "mAP50-95",
}
ALPHA = 1 - stats.LEVEL
_COUNTED = {"any_hit_rate": "hit", "negative_clean_rate": "clean"}
"""Figures that are right or wrong on each picture, and the column that counts them."""


def figure_verdicts(
    outcomes: Outcomes, *, margins: Mapping[str, float], seed: int, resamples: int
) -> list[FigureVerdict]:
    """Judge precision, recall, any-hit and negative-clean over paired pictures."""
    names = list(RATIOS)
    ratios = list(RATIOS.values())
    found = stats.bootstrap(outcomes, ratios, seed=seed, resamples=resamples)
    p_values = dict(
        zip(
            names,
            stats.permutation_p(outcomes, SWAPPED, ratios, seed=seed, resamples=resamples),
            strict=True,
        )
    )
    sides = [figures_of_side(outcomes, side) for side in (0, 1)]
    cases = cases_of(outcomes)
    verdicts = []
    for name, drawn in zip(names, found, strict=True):
        counts = discordant(outcomes, _COUNTED[name]) if name in _COUNTED else None
        rates = [getattr(side, name) for side in sides]
        p_value = p_values[name]
        if counts is not None and None not in rates:
            p_value = stats.mcnemar_p(*counts)
        verdicts.append(
            judged(
                name,
                cases=cases[name],
                rates=(rates[0], rates[1]),
                found=drawn,
                p_value=p_value,
                counts=counts,
                margin=margins.get(name, DEFAULT_MARGIN),
                seed=seed,
            )
        )
    return verdicts


def judged(
    name: str,
    *,
    cases: int,
    rates: tuple[float | None, float | None],
    found: Bootstrap,
    p_value: float | None,
    counts: tuple[int, int] | None,
    margin: float,
    seed: int,
) -> FigureVerdict:
    """Judge one figure from its bootstrap and its test."""
    before, after = rates
    delta = None if before is None or after is None else round(after - before, 4)
    interval = found.interval() if delta is not None else None
    equivalence = stats.equivalence_interval(found, cases, seed=seed) if interval else None
    spread = found.standard_error
    shown = interval is not None
    return FigureVerdict(
        figure=name,
        cases=cases,
        baseline=before,
        candidate=after,
        delta=delta,
        interval=_four(interval),
        equivalence_interval=_four(equivalence),
        test="exact McNemar" if counts is not None else "paired randomisation",
        p_value=_significant(p_value),
        discordant=None if counts is None else Discordant(gained=counts[0], lost=counts[1]),
        margin=margin,
        verdict=_verdict(interval, equivalence, p_value, margin),
        smallest_detectable=_round(stats.smallest_detectable(spread, cases)) if shown else None,
        more_pictures=stats.more_pictures(delta or 0.0, spread, cases) if shown else None,
    )


def label_changes(kinds: Kinds) -> list[LabelChange]:
    """Count for each expected label how often each model found it; p-values with Holm's correction."""
    cases: Counter[str] = Counter()
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    gained: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for kind, count in kinds.items():
        for label in set(kind.scored):
            cases[label] += count
            was, now = label in kind.baseline, label in kind.candidate
            before[label] += was * count
            after[label] += now * count
            gained[label] += (now and not was) * count
            lost[label] += (was and not now) * count
    labels = sorted(cases)
    p_values = [stats.mcnemar_p(gained[label], lost[label]) for label in labels]
    changes = []
    for label, p_value, corrected in zip(labels, p_values, stats.holm(p_values), strict=True):
        verdict: Verdict = "cannot tell"
        if corrected <= ALPHA:
            verdict = "improved" if gained[label] > lost[label] else "regressed"
        changes.append(
            LabelChange(
                label=label,
                cases=cases[label],
                baseline_hits=before[label],
                candidate_hits=after[label],
                gained=gained[label],
                lost=lost[label],
                p_value=_significant(p_value),
                p_holm=_significant(corrected),
                verdict=verdict,
            )
        )
    return changes


def whole_verdict(figures: Sequence[FigureVerdict]) -> Verdict:
    """Judge the whole: one figure proven worse is a regression, whatever else improved."""
    tested = [figure for figure in figures if figure.p_value is not None]
    corrected = stats.holm([figure.p_value or 0.0 for figure in tested])
    proven = {figure.verdict for figure, p in zip(tested, corrected, strict=True) if p <= ALPHA}
    alone = {figure.verdict for figure in figures}
    if "regressed" in proven:
        return "regressed"
    if "improved" in proven and "regressed" not in alone:
        return "improved"
    if tested and {figure.verdict for figure in tested} == {"equivalent"}:
        return "equivalent"
    return "cannot tell"


def statistics_of(
    figures: list[FigureVerdict], labels: list[LabelChange], *, seed: int, resamples: int
) -> Statistics:
    """Put figures and labels together under one verdict and one sentence."""
    verdict = whole_verdict(figures)
    return Statistics(
        verdict=verdict,
        sentence=sentence_of(verdict, figures),
        method=Method(resamples=resamples, seed=seed, level=stats.LEVEL, power=stats.POWER),
        figures=figures,
        labels=labels,
    )


def in_words(figure: FigureVerdict) -> str:
    """Return a figure's change in words: ``recall 0.50 → 0.70 (+0.20, 95% interval +0.08 to +0.31)``."""
    if figure.interval is None or None in (figure.baseline, figure.candidate, figure.delta):
        return f"{name_of(figure)} has no cases to compare"
    low, high = figure.interval
    change = f"{figure.delta:+.2f}, 95% interval {low:+.2f} to {high:+.2f}"
    return f"{name_of(figure)} {figure.baseline:.2f} → {figure.candidate:.2f} ({change})"


def name_of(figure: FigureVerdict) -> str:
    """Return a figure's name in words; a figure that is none of ours has no name."""
    return WORDS.get(figure.figure, "another figure")


def sentence_of(verdict: Verdict, figures: Sequence[FigureVerdict]) -> str:
    """Return the verdict in a sentence, made of figures and numbers alone."""
    worse = [in_words(figure) for figure in figures if figure.verdict == "regressed"]
    better = [in_words(figure) for figure in figures if figure.verdict == "improved"]
    moved = "; ".join([*worse, *better])
    if verdict == "regressed":
        return f"The candidate is worse: {'; '.join(worse)}" + (
            f". Better: {'; '.join(better)}." if better else "."
        )
    if verdict == "improved":
        return f"The candidate is better: {'; '.join(better)}."
    if verdict == "equivalent":
        return "The candidate is as good as the baseline, within the margin of every figure."
    if moved:
        return f"Cannot tell: {moved}; looked at beside the other figures that may be chance."
    return f"Cannot tell: {_what_is_missing(figures)}"


def _verdict(
    interval: tuple[float, float] | None,
    equivalence: tuple[float, float] | None,
    p_value: float | None,
    margin: float,
) -> Verdict:
    if interval is None or p_value is None:
        return "cannot tell"
    if p_value <= ALPHA and interval[0] > 0:
        return "improved"
    if p_value <= ALPHA and interval[1] < 0:
        return "regressed"
    if equivalence is not None and -margin < equivalence[0] and equivalence[1] < margin:
        return "equivalent"
    return "cannot tell"


def _what_is_missing(figures: Sequence[FigureVerdict]) -> str:
    open_figures = [figure for figure in figures if figure.smallest_detectable is not None]
    undecided = [figure for figure in open_figures if figure.verdict == "cannot tell"]
    if not undecided:
        return "the two results have too few pictures in common."
    figure = max(undecided, key=lambda item: abs(item.delta or 0.0))
    words = f"{in_words(figure)}; these {figure.cases} pictures show a change of "
    words += f"{figure.smallest_detectable:.2f} or more"
    if figure.more_pictures:
        return f"{words}, and {figure.more_pictures:,} more would show this one."
    return f"{words}."


def _four(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [round(edge, 4) + 0.0 for edge in interval]


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _significant(p_value: float | None) -> float | None:
    """Six significant digits: a p-value of 1e-9 is not 0."""
    return None if p_value is None else float(f"{p_value:.6g}")
