"""The report's verdict, gate, figures and labels: what is said and drawn of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from pipeline.contracts.comparison import Comparison, FigureVerdict, LabelChange
from pipeline.contracts.results import BenchmarkResults, LabelFigures, ResultRow
from pipeline.evaluation import report_charts as charts
from pipeline.evaluation.metrics import Figures, figures_of, figures_per_label
from pipeline.evaluation.outcomes import RATIOS
from pipeline.evaluation.pairing import Pair
from pipeline.evaluation.statistics import LEVEL
from pipeline.evaluation.verdict import WORDS, name_of

SYMBOLS = {"improved": "▲", "regressed": "▼", "equivalent": "=", "cannot tell": "?", "none": "–"}
_TITLES = {
    "improved": "Improved",
    "regressed": "Regressed",
    "equivalent": "Equivalent",
    "cannot tell": "Cannot tell",
    "none": "No verdict",
}
"""The words of the verdict as a headline; the sentence below says what of."""


@dataclass(frozen=True, slots=True)
class Head:
    """The verdict, in a word and in a sentence."""

    verdict: str
    symbol: str
    title: str
    sentence: str


@dataclass(frozen=True, slots=True)
class OwnRate:
    """What one model reaches on a figure; the interval is None where its cases are not counts."""

    side: str
    value: float | None
    interval: charts.Interval | None
    words: str


@dataclass(frozen=True, slots=True)
class FigureView:
    """A figure of both models and its change."""

    name: str
    rates: list[OwnRate]
    verdict: str | None
    symbol: str
    change: charts.Change | None
    change_words: str
    detail: str


@dataclass(frozen=True, slots=True)
class LabelSide:
    """How many of a label's pictures one model finds, and of its predictions how many are right."""

    side: str
    hits: int
    cases: int
    recall: float | None
    precision: float | None
    predicted: int

    @property
    def width(self) -> float:
        """Length of the recall's bar on a track."""
        return charts.share(self.recall or 0.0)


@dataclass(frozen=True, slots=True)
class LabelView:
    """A label with both models' counts; the change is over the pictures that both were measured on."""

    label: str
    sides: list[LabelSide]
    gained: int | None
    lost: int | None
    p_holm: float | None
    verdict: str | None


def head_of(comparison: Comparison) -> Head:
    """Return the verdict of a comparison; without a baseline the gate's floors speak alone."""
    judged = comparison.statistics
    if judged is not None:
        verdict = judged.verdict
        return Head(verdict, SYMBOLS[verdict], _TITLES[verdict], judged.sentence)
    if comparison.baseline is not None:
        words = "The two results have no picture in common, so nothing can be said of a change."
        return Head("none", SYMBOLS["none"], _TITLES["none"], words)
    return _first_release(comparison)


def _first_release(comparison: Comparison) -> Head:
    words = "There is no baseline to compare with: this is a first release, and the floors alone apply."
    gate = comparison.gate
    if gate is None or not gate.reasons:
        return Head("none", SYMBOLS["none"], "A first release", f"{words} The gate sets none.")
    met = sum(reason.outcome == "met" for reason in gate.reasons)
    return Head(
        "none",
        SYMBOLS["none"],
        "A first release that reaches its floors" if gate.passed else "A first release below its floors",
        f"{words} {met} of {len(gate.reasons)} are met.",
    )


def wilson(hits: int, cases: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the score interval of a share; cases must be at least one.

    Source: Wilson 1927, *Probable Inference, the Law of Succession, and Statistical Inference*, JASA 22. It
    takes cases as independent, and does not shrink to a point where all or none are hits.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = hits / cases
    middle = (share + z * z / (2 * cases)) / (1 + z * z / cases)
    reach = z / (1 + z * z / cases) * math.sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases))
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def figure_views(
    comparison: Comparison, pairs: Sequence[Pair], candidate: BenchmarkResults
) -> list[FigureView]:
    """Return the figures over the pictures that both measured; without a baseline the candidate's own."""
    judged = comparison.statistics
    if judged is None:
        own = figures_of(candidate.results)
        views = [
            FigureView(WORDS[name], [_own("candidate", name, own)], None, "", None, "", "") for name in RATIOS
        ]
        return [*views, *_boxes_alone(candidate)]
    sides = {
        "baseline": figures_of(before for before, _ in pairs),
        "candidate": figures_of(after for _, after in pairs),
    }
    scale = scale_of(judged.figures)
    return [_view(figure, sides, scale) for figure in judged.figures]


def scale_of(figures: Sequence[FigureVerdict]) -> float:
    """Return the change at the ends of the track that all figures are drawn on."""
    edges = [edge for figure in figures for edge in figure.interval or []]
    return charts.scale_of([*edges, *(figure.margin for figure in figures)])


def _boxes_alone(candidate: BenchmarkResults) -> list[FigureView]:
    views = []
    for name in ("map50", "map50_95"):
        value: float | None = getattr(candidate.summary, name)
        if value is not None:
            views.append(FigureView(WORDS[name], [_rate("candidate", value)], None, "", None, "", ""))
    return views


def _view(figure: FigureVerdict, sides: Mapping[str, Figures], scale: float) -> FigureView:
    if figure.figure in RATIOS:
        rates = [_own(side, figure.figure, own) for side, own in sides.items()]
    else:
        rates = [_rate("baseline", figure.baseline), _rate("candidate", figure.candidate)]
    drawn, words = None, "no cases to compare"
    if figure.interval is not None and figure.delta is not None:
        low, high = figure.interval
        drawn = charts.change(figure.delta, figure.interval, figure.margin, scale=scale)
        words = f"{figure.delta:+.3f} ({low:+.3f} to {high:+.3f})"
    return FigureView(
        name_of(figure), rates, figure.verdict, SYMBOLS[figure.verdict], drawn, words, _detail(figure)
    )


def _detail(figure: FigureVerdict) -> str:
    words = [f"{figure.cases:,} pictures"]
    if figure.p_value is not None:
        words.append(f"p = {figure.p_value:.2g} ({figure.test})")
    if figure.discordant is not None:
        words.append(f"{figure.discordant.gained} gained, {figure.discordant.lost} lost")
    if figure.smallest_detectable is not None:
        words.append(f"smallest change they can show {figure.smallest_detectable:.2f}")
    if figure.verdict == "cannot tell" and figure.more_pictures:
        words.append(f"{figure.more_pictures:,} more would show this one")
    return "; ".join(words)


def _rate(side: str, value: float | None) -> OwnRate:
    words = "no cases" if value is None else f"{value:.3f}"
    interval = None if value is None else charts.share_interval(value, value, value)
    return OwnRate(side, value, interval, words)


def _own(side: str, name: str, own: Figures) -> OwnRate:
    hits, cases = {
        "micro_precision": (own.tp, own.tp + own.fp),
        "micro_recall": (own.tp, own.tp + own.fn),
        "any_hit_rate": (own.any_hit_count, own.any_hit_images),
        "negative_clean_rate": (own.negative_clean_count, own.negative_images),
    }[name]
    if not cases:
        return _rate(side, None)
    low, high = wilson(hits, cases)
    words = f"{hits / cases:.3f} ({low:.3f} to {high:.3f}), {hits} of {cases}"
    return OwnRate(side, hits / cases, charts.share_interval(low, hits / cases, high), words)


def label_views(
    comparison: Comparison, baseline: BenchmarkResults | None, candidate: BenchmarkResults
) -> list[LabelView]:
    """Return every label that is expected or predicted: those that lost most first, then by name."""
    judged = comparison.statistics
    changes = {change.label: change for change in (judged.labels if judged is not None else [])}
    sides = [("baseline", baseline)] if baseline is not None else []
    counted = [
        (side, {each.label: each for each in _per_label(results.results)})
        for side, results in [*sides, ("candidate", candidate)]
        if results is not None
    ]
    labels = sorted({label for _, figures in counted for label in figures})
    views = [
        LabelView(
            label,
            [_label_side(side, figures.get(label)) for side, figures in counted],
            *_moved(changes.get(label)),
        )
        for label in labels
    ]
    return sorted(views, key=_order)


def _order(view: LabelView) -> tuple[float, float, str]:
    last = view.sides[-1]
    moved = (view.gained or 0) - (view.lost or 0)
    return moved, 2.0 if last.recall is None else last.recall, view.label


def _per_label(rows: Sequence[ResultRow]) -> list[LabelFigures]:
    return figures_per_label(rows)


def _label_side(side: str, figures: LabelFigures | None) -> LabelSide:
    if figures is None:
        return LabelSide(side, 0, 0, None, None, 0)
    return LabelSide(side, figures.tp, figures.expected, figures.recall, figures.precision, figures.predicted)


def _moved(change: LabelChange | None) -> tuple[int | None, int | None, float | None, str | None]:
    if change is None:
        return None, None, None, None
    return change.gained, change.lost, change.p_holm, change.verdict
