"""What may be wrong with boxes that are drawn: hints from their geometry, and from a detector that looks too.

A hint is no fault: a person looks, and leaves what is right.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.contracts.manifest import ManifestBox
from pipeline.contracts.results import Detection, ResultRow
from pipeline.support.box_evaluation import likely_label_errors
from pipeline.support.yolo_labels import corners_of
from pipeline.training.bundle_rows import AnnotatedRow, BundleView
from pipeline.training.exchange.outgoing import corners_within

WORDS = {
    "wrong_label": "label may be wrong",
    "missing_box": "a box may be missing",
    "seen_on_negative": "an item on a negative?",
    "invalid_yolo_line": "line is no box",
    "bbox_out_of_range": "box out of range",
    "unknown_class_id": "unknown class",
    "negative_has_boxes": "negative has boxes",
    "positive_missing_boxes": "no box yet",
    "missing_image_file": "no picture",
    "missing_label_file": "no label file",
    "two_labels": "one thing, two labels",
    "own_label_missing": "own label missing",
    "doubled": "box drawn twice",
    "tiny": "very small box",
    "unusual": "unusual size or shape",
    "whole_picture": "box is the whole picture",
}
"""Kinds of doubt, the likeliest errors first, in the order in which pictures are shown."""

SURE = 0.5
"""Score from which a detection that nothing matches may be right and the annotation wrong."""
ONE_THING = 0.8
"""Overlap (IoU) from which two boxes are taken for the same thing."""
TINY = 6.0
"""Pixels of the shorter side below which a detector learns nothing from a box."""
WHOLE = 0.98
"""Share of the picture from which a box says no more than that the picture shows the item."""
ODD = 4.5
"""Robust standard deviations (1.4826 times the median deviation) from the class's median, of logarithms."""
ENOUGH = 10
"""Boxes of a class below which none of them is called unusual."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something about a picture that a person should look at."""

    kind: str
    words: str
    box: int | None = None
    """Index of the box that is meant."""
    detection: Detection | None = None
    """What a detector sees instead."""
    weight: float = 0.0
    """How sure, 0 to 1, among doubts of one kind."""

    @property
    def rank(self) -> tuple[int, float]:
        """The likeliest errors come first."""
        return list(WORDS).index(self.kind), -self.weight


def geometric_doubts(
    bundle: BundleView, sizes: Mapping[str, tuple[int, int] | str]
) -> dict[str, list[Doubt]]:
    """Return what the boxes alone tell, by row."""
    odd = _unusual(bundle, sizes)
    found: dict[str, list[Doubt]] = {}
    for row in bundle.rows:
        size = sizes[row.id]
        if isinstance(size, str) or not row.boxes:
            continue
        doubts = [*_alone(row, size), *_pairs(row, size, bundle.classes), *odd.get(row.id, [])]
        own = row.row.class_label
        if own and not row.row.is_negative and own not in {bundle.classes[box.class_id] for box in row.boxes}:
            doubts.append(Doubt("own_label_missing", f"no box has the row's own label, {own}"))
        if doubts:
            found[row.id] = doubts
    return found


def detector_doubts(
    bundle: BundleView,
    sizes: Mapping[str, tuple[int, int] | str],
    detections: Mapping[str, Sequence[Detection]],
    *,
    at_least: float = SURE,
) -> dict[str, list[Doubt]]:
    """Return what a detector contradicts, by row; pictures without any box yet are passed over.

    Args:
        bundle: the bundle.
        sizes: row id to the picture's size.
        detections: row id to what was seen, under the bundle's class names.
        at_least: the score from which a detection is sure.

    Raises:
        MissingExtraError: hotcoco is not installed.
    """
    looked_at = [
        row
        for row in bundle.rows
        if row.id in detections and not isinstance(sizes[row.id], str) and (row.boxes or row.row.is_negative)
    ]
    rows = [_result_row(row, sizes[row.id], detections[row.id], bundle.classes) for row in looked_at]
    found: dict[str, list[Doubt]] = defaultdict(list)
    for error in likely_label_errors(rows, at_least=at_least):
        row = looked_at[error.row]
        kind = "missing_box" if error.annotated is None else "wrong_label"
        kind = "seen_on_negative" if row.row.is_negative else kind
        found[row.id].append(
            Doubt(kind, error.words, error.box, error.detection, weight=error.detection.score)
        )
    return dict(found)


def _alone(row: AnnotatedRow, size: tuple[int, int]) -> list[Doubt]:
    doubts = []
    for index, box in enumerate(row.boxes):
        shorter = min(box.width * size[0], box.height * size[1])
        if shorter < TINY:
            doubts.append(Doubt("tiny", f"box {index + 1} is {shorter:.1f} pixels thin", index))
        if box.width * box.height >= WHOLE:
            doubts.append(Doubt("whole_picture", f"box {index + 1} is the whole picture", index))
    return doubts


def _pairs(row: AnnotatedRow, size: tuple[int, int], classes: Sequence[str]) -> list[Doubt]:
    import numpy as np

    from pipeline.runtime.decode import iou_matrix

    corners = np.asarray([corners_of(box, size) for box in row.boxes], np.float32)
    doubts = []
    for one, two in np.argwhere(np.triu(iou_matrix(corners, corners), 1) >= ONE_THING).tolist():
        labels = [classes[row.boxes[index].class_id] for index in (one, two)]
        if labels[0] == labels[1]:
            doubts.append(Doubt("doubled", f"boxes {one + 1} and {two + 1} are one {labels[0]}", two))
        else:
            doubts.append(Doubt("two_labels", f"one thing is {labels[0]} and {labels[1]}", two))
    return doubts


def _unusual(bundle: BundleView, sizes: Mapping[str, tuple[int, int] | str]) -> dict[str, list[Doubt]]:
    """Return the boxes whose size or proportions are far from those of their class."""
    measured: dict[tuple[int, str], list[tuple[float, str, int]]] = defaultdict(list)
    for row in bundle.rows:
        size = sizes[row.id]
        if isinstance(size, str):
            continue
        for index, box in enumerate(row.boxes):
            width, height = box.width * size[0], box.height * size[1]
            measured[box.class_id, "proportions"].append((math.log(width / height), row.id, index))
            measured[box.class_id, "size"].append((math.log(box.width * box.height), row.id, index))
    found: dict[str, list[Doubt]] = defaultdict(list)
    for (class_id, what), values in measured.items():
        if len(values) < ENOUGH:
            continue
        middle = statistics.median(value for value, _, _ in values)
        spread = 1.4826 * statistics.median(abs(value - middle) for value, _, _ in values)
        for value, row_id, index in values:
            far = abs(value - middle)
            if spread > 0 and far > ODD * spread:
                words = f"the {what} of box {index + 1} is unlike that of other {bundle.classes[class_id]}"
                found[row_id].append(Doubt("unusual", words, index, weight=1 - 1 / (1 + far)))
    return dict(found)


def _result_row(
    row: AnnotatedRow, size: tuple[int, int] | str, found: Sequence[Detection], classes: Sequence[str]
) -> ResultRow:
    assert not isinstance(size, str)
    boxes = [
        ManifestBox(label=classes[box.class_id], box=list(corners_within(box, size))) for box in row.boxes
    ]
    return ResultRow(
        name=row.id,
        url=row.row.image_file,
        expected_any=[],
        expected_all=[],
        predicted_labels=[],
        detections=list(found),
        precision=None,
        recall=None,
        any_hit=None,
        size=list(size),
        expected_boxes=boxes,
        below_threshold=[],
    )
