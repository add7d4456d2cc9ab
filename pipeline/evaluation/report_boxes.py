"""What the known boxes tell beside mAP: TIDE's error types, confusion, and likely label errors, by hotcoco.

Source of the error types: Bolya et al. 2020, *TIDE: A General Toolbox for Identifying Object Detection
Errors* (match at IoU 0.5, background below IoU 0.1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.contracts.results import BenchmarkResults, Detection, ResultRow
from pipeline.evaluation.report_cards import Card, Panel, located
from pipeline.evaluation.report_pictures import Wanted
from pipeline.evaluation.report_tables import Matrix, matrix_of
from pipeline.support.box_evaluation import box_labels, coco_evaluation, likely_label_errors
from pipeline.support.drawn_boxes import Box, box_of, short

SURE = 0.5
"""Score from which a detection that nothing matches may be right and the annotation wrong."""
MOST_ERRORS = 40
_TYPES = {
    "Cls": "right place, wrong label",
    "Loc": "right label, box too far off",
    "Both": "wrong label and box too far off",
    "Dupe": "a second box on the same thing",
    "Bkg": "a box where nothing is",
    "Miss": "a thing that nothing was found for",
}


@dataclass(frozen=True, slots=True)
class ErrorType:
    """How often one of TIDE's errors is made at the threshold, and what AP50 would gain without it."""

    words: str
    counts: list[int]
    gains: list[float]


@dataclass(frozen=True, slots=True)
class LabelError:
    """An annotation that a sure detection contradicts."""

    question: str
    words: str
    card: Card


@dataclass(frozen=True, slots=True)
class BoxReport:
    """What the known boxes tell; of each error one value a side, the candidate's last."""

    pictures: int
    boxes: int
    types: list[ErrorType]
    confusion: Matrix
    label_errors: list[LabelError]
    errors_left: int


@dataclass(frozen=True, slots=True)
class _Known:
    """The rows of one side whose boxes are known; those from ``bundle_from`` on lie in the bundle."""

    rows: list[ResultRow]
    bundle_from: int

    @staticmethod
    def of(results: BenchmarkResults) -> _Known:
        measured = [row for row in results.results if row.expected_boxes is not None]
        held_back = [row for row in results.box_pictures or [] if row.expected_boxes is not None]
        return _Known([*measured, *held_back], len(measured))


def box_report(baseline: BenchmarkResults | None, candidate: BenchmarkResults) -> BoxReport | None:
    """Return what the known boxes tell; None where none are known.

    Raises:
        MissingExtraError: hotcoco is not installed.
    """
    known = _Known.of(candidate)
    if not any(row.expected_boxes for row in known.rows):
        return None
    sides = [known] if baseline is None else [_Known.of(baseline), known]
    errors, left = _label_errors(known, at_least=max(SURE, candidate.summary.threshold))
    return BoxReport(
        pictures=len(known.rows),
        boxes=sum(len(row.expected_boxes or []) for row in known.rows),
        types=_error_types([side.rows for side in sides]),
        confusion=_confusion(known.rows),
        label_errors=errors,
        errors_left=left,
    )


def _error_types(sides: Sequence[Sequence[ResultRow]]) -> list[ErrorType]:
    counted = [_tide(rows, below_threshold=False) for rows in sides]
    gained = [_tide(rows, below_threshold=True) for rows in sides]
    return [
        ErrorType(
            words,
            [int(tide["counts"][kind]) for tide in counted],
            [round(float(tide["delta_ap"][kind]), 4) for tide in gained],
        )
        for kind, words in _TYPES.items()
    ]


def _tide(rows: Sequence[ResultRow], *, below_threshold: bool) -> dict[str, Any]:
    evaluation = coco_evaluation(rows, box_labels(rows), below_threshold=below_threshold)
    if evaluation is None:  # nothing was detected: every box is missed
        missed = {"Miss": sum(len(row.expected_boxes or []) for row in rows)}
        return {"counts": dict.fromkeys(_TYPES, 0) | missed, "delta_ap": dict.fromkeys(_TYPES, 0.0)}
    tide: dict[str, Any] = evaluation.tide_errors()
    return tide


def _confusion(rows: Sequence[ResultRow]) -> Matrix:
    labels = box_labels(rows)
    evaluation = coco_evaluation(rows, labels, below_threshold=False)
    counts: Counter[tuple[str | None, str | None]] = Counter()
    if evaluation is None:
        counts.update((box.label, None) for row in rows for box in row.expected_boxes or [])
        return matrix_of(counts)
    axis: list[str | None] = [*labels, None]
    for expected, cells in zip(axis, evaluation.confusion_matrix()["matrix"].tolist(), strict=True):
        counts.update({(expected, found): count for found, count in zip(axis, cells, strict=True) if count})
    return matrix_of(counts)


def _label_errors(known: _Known, *, at_least: float) -> tuple[list[LabelError], int]:
    found = likely_label_errors(known.rows, at_least=at_least)
    errors = []
    for number, error in enumerate(found[:MOST_ERRORS], start=1):
        in_bundle = error.row >= known.bundle_from
        card = _error_card(number, known.rows[error.row], error.detection, in_bundle=in_bundle)
        errors.append(LabelError(error.question, error.words, card))
    return errors, max(len(found) - MOST_ERRORS, 0)


def _error_card(number: int, row: ResultRow, detection: Detection, *, in_bundle: bool) -> Card:
    size = located(row)
    drawn = [box_of(box.box, "expected", size, short(box.label)) for box in row.expected_boxes or []]
    drawn.append(box_of(detection.box, "wrong", size, short(detection.label)))
    boxes: list[Box] = [box for box in drawn if box is not None]
    return Card(
        number=number,
        name=row.name,
        kinds=[],
        expected=[box.label for box in row.expected_boxes or []],
        any_of=False,
        labels=[],
        panels=[Panel("Candidate", boxes, [], [])],
        wanted=Wanted(row, large=False, in_bundle=in_bundle),
        width=size[0],
        height=size[1],
    )


def with_cards(report: BoxReport, cards: Sequence[Card]) -> BoxReport:
    """Return the report with these cards, which hold their pictures, in place of its own."""
    errors = [replace(error, card=card) for error, card in zip(report.label_errors, cards, strict=True)]
    return replace(report, label_errors=errors)
