"""The report: one HTML file that holds all it shows; how it is written is told in `pipeline.support.page`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

from pipeline.contracts.comparison import Comparison
from pipeline.contracts.coverage import CoverageReport
from pipeline.contracts.leakage import LeakageReport
from pipeline.contracts.results import BenchmarkResults
from pipeline.evaluation import report_charts as charts
from pipeline.evaluation.pairing import Pair, paired_rows
from pipeline.evaluation.report_boxes import BoxReport, box_report, with_cards
from pipeline.evaluation.report_cards import KINDS, Card, Cards, cards_of
from pipeline.evaluation.report_figures import figure_views, head_of, label_views, scale_of
from pipeline.evaluation.report_pictures import PictureFolders, thumbnails
from pipeline.evaluation.report_tables import facts_of, leak_views, picture_matrix
from pipeline.support.errors import DigestMismatchError, InputError
from pipeline.support.page import render_page

MOST_BYTES = 15_000_000
"""What a report with 500 pictures stays below."""
_ASSETS = "report_assets"


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """What a report is made of; ``baseline`` is None before a first release."""

    comparison: Comparison
    baseline: BenchmarkResults | None
    candidate: BenchmarkResults
    coverage: CoverageReport | None
    leakage: LeakageReport | None
    folders: PictureFolders
    title: str
    generated_at: str


@dataclass(frozen=True, slots=True)
class Report:
    """The page, and how many pictures it holds and lacks."""

    html: str
    pictures: int
    pictures_missing: int
    changed: int


def build_report(inputs: ReportInputs) -> Report:
    """Return the report as HTML.

    The same inputs and pictures give the same bytes.

    Raises:
        DigestMismatchError: the comparison was not made of these results.
        InputError: the comparison names pictures that the results do not have.
    """
    _require_compared(inputs)
    comparison, baseline, candidate = inputs.comparison, inputs.baseline, inputs.candidate
    pairs: list[Pair] = paired_rows(baseline.results, candidate.results) if baseline else []
    if len(pairs) != comparison.overlap.rows:
        raise InputError(
            f"the comparison is of other results: it has {comparison.overlap.rows} pictures of both sides, "
            f"these have {len(pairs)}",
            hint="Compare again with: repath evaluation compare-benchmark-results",
        )
    cards = cards_of(comparison, pairs, candidate)
    boxes = box_report(baseline, candidate) if find_spec("hotcoco") else None
    cards, boxes, shown = _with_pictures(cards, boxes, inputs.folders)
    judged = comparison.statistics
    html = render_page(
        "pipeline.evaluation",
        _ASSETS,
        "report",
        {
            "title": inputs.title,
            "generated_at": inputs.generated_at,
            "comparison": comparison,
            "head": head_of(comparison),
            "sides": ["candidate"] if baseline is None else ["baseline", "candidate"],
            "warnings": _warnings(inputs),
            "figures": figure_views(comparison, pairs, candidate),
            "scale": scale_of(judged.figures) if judged else None,
            "cards": cards,
            "kind_words": KINDS,
            "label_numbers": {label: number for number, (label, _) in enumerate(cards.labels, start=1)},
            "labels": label_views(comparison, baseline, candidate),
            "curves": _curves(inputs),
            "points": candidate.sweep.points if candidate.sweep else [],
            "best_threshold": _best(candidate),
            "threshold": candidate.summary.threshold,
            "matrices": _matrices(inputs),
            "boxes": boxes,
            "boxes_need": _boxes_known(candidate) and boxes is None,
            "coverage": inputs.coverage,
            "leakage": inputs.leakage,
            "leaks": leak_views(inputs.leakage),
            "facts": facts_of(comparison, baseline, candidate),
            "track": charts.TRACK,
        },
    )
    every = [*cards.large, *cards.small]
    missing = sum(card.thumbnail.uri is None for card in every)
    return Report(html, shown, missing, len(comparison.changes or []))


def _require_compared(inputs: ReportInputs) -> None:
    comparison = inputs.comparison
    if (comparison.baseline is None) != (inputs.baseline is None):
        needs = "without a baseline" if comparison.baseline is None else "with a baseline, whose results lack"
        raise InputError(f"the comparison was made {needs}", hint="Give the results that were compared.")
    for side, results in (("baseline", inputs.baseline), ("candidate", inputs.candidate)):
        compared = (comparison.digests or {}).get(side, {}).get("model")
        measured = results.summary.model_sha256 if results else None
        if compared and measured and compared != measured:
            raise DigestMismatchError(
                f"the comparison was made of another {side} (model {compared[:12]}…, not {measured[:12]}…)",
                hint="Compare again with: repath evaluation compare-benchmark-results",
            )


def _with_pictures(
    cards: Cards, boxes: BoxReport | None, folders: PictureFolders
) -> tuple[Cards, BoxReport | None, int]:
    errors = [error.card for error in boxes.label_errors] if boxes else []
    every: list[Card] = [*cards.large, *cards.small, *errors]
    made = thumbnails([card.wanted for card in every], folders)
    filled = [card.with_thumbnail(thumbnail) for card, thumbnail in zip(every, made, strict=True)]
    large, small = len(cards.large), len(cards.large) + len(cards.small)
    cards = replace(cards, large=filled[:large], small=filled[large:small])
    shown = sum(card.thumbnail.uri is not None for card in filled)
    return cards, with_cards(boxes, filled[small:]) if boxes else None, shown


def _warnings(inputs: ReportInputs) -> list[str]:
    words = list(inputs.comparison.notes) if inputs.baseline is not None else []
    leakage, candidate = inputs.leakage, inputs.candidate
    if leakage is not None and leakage.summary.leaked_pictures:
        words.append(
            f"Training has seen {leakage.summary.leaked_pictures} of the benchmark's pictures: the figures "
            "are too good."
        )
    if leakage is not None and candidate.summary.leakage_digest not in {None, leakage.digest}:
        words.append("The leakage report is another than the one that the candidate's results name.")
    if candidate.unreadable:
        words.append(f"{len(candidate.unreadable)} pictures could not be read and take no part in the rates.")
    return words


def _curves(inputs: ReportInputs) -> list[charts.Curve]:
    candidate, baseline = inputs.candidate, inputs.baseline
    if candidate.sweep is None:
        return []
    other = baseline.sweep if baseline is not None else None
    return charts.curves(other, candidate.sweep, threshold=candidate.summary.threshold)


def _best(candidate: BenchmarkResults) -> tuple[float, float] | None:
    swept = candidate.sweep
    if swept is None or swept.best_threshold is None:
        return None
    return swept.best_threshold, swept.min_negative_clean_rate


def _matrices(inputs: ReportInputs) -> list[tuple[str, Any]]:
    sides = [("Candidate", inputs.candidate), ("Baseline", inputs.baseline)]
    return [(side, picture_matrix(results.results)) for side, results in sides if results is not None]


def _boxes_known(results: BenchmarkResults) -> bool:
    return any(row.expected_boxes for row in results.results)
