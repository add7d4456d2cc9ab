"""Figures over boxes: mAP as COCO defines it, by hotcoco, and precision and recall at the threshold.

Source: https://cocodataset.org/#detection-eval (101 recall points, IoU 0.50 to 0.95, at most 100 detections a
picture). hotcoco gives pycocotools' numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.contracts.results import BoxFigures, BoxLabelFigures, ResultRow
from pipeline.evaluation.metrics import rate
from pipeline.runtime.decode import iou_matrix
from pipeline.support.box_evaluation import box_labels, coco_evaluation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MATCH_IOU = 0.5
BOX_FLOOR = 0.001
"""Average precision looks at detections down to here, as Ultralytics' ``val`` does."""
MAX_DETECTIONS = 100
"""Detections of one picture that COCO's definition looks at."""


def box_figures(rows: Sequence[ResultRow]) -> BoxFigures | None:
    """Return the figures over the rows whose boxes are known; None where there are none.

    Raises:
        MissingExtraError: hotcoco is not installed.
    """
    known = [row for row in rows if row.expected_boxes is not None]
    if not known:
        return None
    labels = box_labels(known)
    average = _average_precision(known, labels)
    tp, fp, fn = _matches(known)
    boxes = Counter(box.label for row in known for box in row.expected_boxes or [])
    per_label = [
        BoxLabelFigures(
            label=label,
            boxes=boxes[label],
            ap50=average[label][0],
            ap50_95=average[label][1],
            precision=rate(tp[label], tp[label] + fp[label]),
            recall=rate(tp[label], boxes[label]),
        )
        for label in labels
        if boxes[label] or tp[label] + fp[label]
    ]
    return BoxFigures(
        pictures=len(known),
        boxes=boxes.total(),
        map50=_mean([entry.ap50 for entry in per_label]),
        map50_95=_mean([entry.ap50_95 for entry in per_label]),
        precision=rate(tp.total(), tp.total() + fp.total()),
        recall=rate(tp.total(), boxes.total()),
        tp=tp.total(),
        fp=fp.total(),
        fn=fn.total(),
        per_label=[_rounded(entry) for entry in per_label],
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 4) if known else None


def _rounded(entry: BoxLabelFigures) -> BoxLabelFigures:
    return entry.replace(
        ap50=None if entry.ap50 is None else round(entry.ap50, 4),
        ap50_95=None if entry.ap50_95 is None else round(entry.ap50_95, 4),
    )


def _average_precision(
    rows: Sequence[ResultRow], labels: Sequence[str]
) -> dict[str, tuple[float | None, float | None]]:
    """Return AP at IoU 0.5 and over 0.5 to 0.95 of each label; None where it has no box to find."""
    evaluation = coco_evaluation(rows, labels)
    if evaluation is None:
        with_boxes = {box.label for row in rows for box in row.expected_boxes or []}
        return {label: (0.0, 0.0) if label in with_boxes else (None, None) for label in labels}
    evaluation.accumulate()
    # [IoU thresholds, recall points, categories, areas (all first), detections a picture (100 last)]
    curves: Any = evaluation.eval
    precision: NDArray[np.float64] = curves["precision"][:, :, :, 0, -1]
    return {label: _ap(precision[:, :, index]) for index, label in enumerate(labels)}


def _ap(precision: NDArray[np.float64]) -> tuple[float | None, float | None]:
    if precision.min() < 0:  # -1 stands for a category without ground truth
        return None, None
    return float(precision[0].mean()), float(precision.mean())


def _matches(rows: Sequence[ResultRow]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Match detections at the threshold to boxes of their label, best score first, each box once."""
    tp: Counter[str] = Counter()
    fp: Counter[str] = Counter()
    fn: Counter[str] = Counter()
    for row in rows:
        expected = row.expected_boxes or []
        detections = [d for d in row.detections if d.box is not None]
        for label in sorted({b.label for b in expected} | {d.label for d in detections}):
            boxes = [b.box for b in expected if b.label == label]
            found = [d for d in detections if d.label == label]
            hits = _hits([d.box or [] for d in sorted(found, key=lambda d: -d.score)], boxes)
            tp[label] += hits
            fp[label] += len(found) - hits
            fn[label] += len(boxes) - hits
    return tp, fp, fn


def _hits(found: Sequence[Sequence[float]], boxes: Sequence[Sequence[float]]) -> int:
    import numpy as np

    if not found or not boxes:
        return 0
    overlap = iou_matrix(np.asarray(found, np.float32), np.asarray(boxes, np.float32))
    hits = 0
    for row in overlap:
        best = int(row.argmax())
        if row[best] >= MATCH_IOU:
            hits += 1
            overlap[:, best] = -1.0
    return hits
