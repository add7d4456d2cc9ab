"""From a model's first output to detections: dequantise, find the rows, suppress doubles, check sanity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.runtime.heads import Head
from pipeline.support.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Boxes = NDArray[np.float32]
    Scores = NDArray[np.float32]
    Classes = NDArray[np.int64]

MAX_DETECTIONS = 300
NMS_IOU = 0.7
"""The overlap above which Ultralytics takes two boxes of one class for the same thing."""
_MAX_CANDIDATES = 30_000
_BLOCK = 256
_PIXELS_FROM = 2.0
"""Normalised corners stay near 0..1; a model in pixels of its input goes far beyond on any real box."""
_SCORE_SLACK = 0.02
"""How far a score may leave 0..1 by quantisation: two steps of an int8 scale."""


@dataclass(frozen=True, slots=True)
class RawDetections:
    """Detections by score, best first: corners in canvas pixels ``[N,4]``, scores ``[N]``, ids ``[N]``."""

    boxes: Boxes
    scores: Scores
    class_ids: Classes


def dequantized(output: NDArray[Any], scale: float | None, zero_point: int | None) -> NDArray[np.float32]:
    """Return real values: ``scale * (stored - zero_point)``, or what is stored where it is not quantised."""
    import numpy as np

    if scale is None or output.dtype == np.float32:
        return output.astype(np.float32, copy=False)
    shifted = output.astype(np.float32) - np.float32(zero_point or 0)
    return shifted * np.float32(scale)


def decode(
    output: NDArray[np.float32],
    head: Head,
    *,
    classes: int,
    size: tuple[int, int],
    conf: float,
    iou: float = NMS_IOU,
    max_detections: int = MAX_DETECTIONS,
    picture: str,
) -> RawDetections:
    """Decode one picture's output.

    Args:
        output: the first output as real values, of the shape that ``head`` was told from.
        head: the kind of the head.
        classes: how many labels there are.
        size: height and width of the model's input in pixels.
        conf: detections with a lower score are left out.
        iou: overlap above which the lower-scored box of one class is suppressed (raw heads only).
        max_detections: no more than these, the best.
        picture: its path or url, for errors.

    Raises:
        ModelError: values that are NaN or infinite, scores outside 0..1, a class id beyond the labels.
    """
    import numpy as np

    if not np.isfinite(output).all():
        raise ModelError(f"{picture}: the model gave NaN or infinite values")
    if head.kind == "raw":
        boxes, scores, ids = _raw_rows(output, head, conf)
    else:
        boxes, scores, ids = _end_to_end_rows(output, conf, classes, picture)
    if scores.size and scores.max() > 1 + _SCORE_SLACK:
        raise ModelError(
            f"{picture}: the model gave the score {scores.max():.6g}; scores are within 0..1",
            hint="The head gives logits or another order of columns; it cannot be read.",
        )
    boxes = in_canvas_pixels(boxes, size, normalised=not _in_pixels(output, head, boxes))
    order = np.argsort(-scores, kind="stable")
    boxes, scores, ids = boxes[order], np.minimum(scores[order], np.float32(1.0)), ids[order]
    if head.kind == "raw":
        kept = nms(boxes, scores, ids, iou=iou, limit=max_detections)
        boxes, scores, ids = boxes[kept], scores[kept], ids[kept]
    return RawDetections(boxes[:max_detections], scores[:max_detections], ids[:max_detections])


def in_canvas_pixels(boxes: Boxes, size: tuple[int, int], *, normalised: bool) -> Boxes:
    """Scale corners from 0..1 to pixels of the model's input, where they are normalised."""
    import numpy as np

    if not normalised:
        return boxes
    height, width = size
    return boxes * np.array([width, height, width, height], np.float32)


def coordinates_of(output: NDArray[np.float32], head: Head) -> str | None:
    """Tell from an output whether its boxes are in ``pixels`` or ``normalised``; None where it has none."""
    import numpy as np

    if head.kind == "raw":
        return "pixels" if _in_pixels(output, head, np.empty((0, 4), np.float32)) else "normalised"
    rows = output.reshape(-1, 6)
    boxes = rows[rows[:, 4] > 0, :4]
    if not boxes.size or not boxes.any():
        return None
    return "pixels" if boxes.max() > _PIXELS_FROM else "normalised"


def nms(boxes: Boxes, scores: Scores, ids: Classes, *, iou: float, limit: int) -> NDArray[np.int64]:
    """Return which of the detections, sorted by score, greedy class-aware suppression keeps.

    A detection is dropped if one that was kept before it has the same class and overlaps it by more than
    ``iou``. The candidates go through in blocks, so that the overlaps of thousands need little memory.
    """
    import numpy as np

    kept = np.empty(0, np.int64)
    for start in range(0, min(len(scores), _MAX_CANDIDATES), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(scores), _MAX_CANDIDATES))
        if kept.size:
            block = block[~_suppressed(boxes, ids, block, kept, iou).any(axis=1)]
        doubles = _suppressed(boxes, ids, block, block, iou)
        alive = np.ones(len(block), np.bool_)
        for index in range(len(block)):
            if alive[index]:
                alive[index + 1 :] &= ~doubles[index + 1 :, index]
        kept = np.concatenate([kept, block[alive]])
        if len(kept) >= limit:
            break
    return kept[:limit]


def _suppressed(
    boxes: Boxes, ids: Classes, some: NDArray[np.int64], others: NDArray[np.int64], iou: float
) -> NDArray[np.bool_]:
    """Tell for each pair whether they share a class and overlap by more than ``iou``: ``[some, others]``."""
    overlaps: NDArray[np.bool_] = iou_matrix(boxes[some], boxes[others]) > iou
    overlaps &= ids[some][:, None] == ids[others][None, :]
    return overlaps


def iou_matrix(some: Boxes, others: Boxes) -> NDArray[np.float32]:
    """Return intersection over union of corner boxes, ``[N,4]`` with ``[M,4]``: ``[N,M]``; empty ones: 0."""
    import numpy as np

    low = np.maximum(some[:, None, :2], others[None, :, :2])
    high = np.minimum(some[:, None, 2:], others[None, :, 2:])
    sides = np.clip(high - low, 0, None)
    shared = sides[..., 0] * sides[..., 1]
    union = _areas(some)[:, None] + _areas(others)[None, :] - shared
    ratio: NDArray[np.float32] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


def _areas(boxes: Boxes) -> NDArray[np.float32]:
    import numpy as np

    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    areas: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return areas


def _columns(output: NDArray[np.float32], head: Head) -> NDArray[np.float32]:
    """Return a raw head's output as ``[4 + classes, anchors]``."""
    columns: NDArray[np.float32] = output[0].T if head.transposed else output[0]
    return columns


def _raw_rows(output: NDArray[np.float32], head: Head, conf: float) -> tuple[Boxes, Scores, Classes]:
    import numpy as np

    columns = _columns(output, head)
    best = columns[4:].max(axis=0)
    chosen = np.flatnonzero(best >= conf)
    centre, half = columns[:2, chosen], columns[2:4, chosen] / 2
    boxes = np.concatenate([centre - half, centre + half]).T
    return np.ascontiguousarray(boxes), best[chosen], columns[4:, chosen].argmax(axis=0)


def _end_to_end_rows(
    output: NDArray[np.float32], conf: float, classes: int, picture: str
) -> tuple[Boxes, Scores, Classes]:
    import numpy as np

    rows = output.reshape(-1, 6)
    # A row with score 0 is padding, whatever the threshold.
    rows = rows[(rows[:, 4] >= conf) & (rows[:, 4] > 0)]
    ids = np.rint(rows[:, 5])
    wrong = (ids < 0) | (ids >= classes)
    if wrong.any():
        raise ModelError(
            f"{picture}: the model gave the class id {ids[wrong][0]:.6g}, and there are {classes} labels "
            f"(0 to {classes - 1})",
            hint="The labels file is of another model, or the head is none of x1,y1,x2,y2,score,class_id.",
        )
    return rows[:, :4], rows[:, 4], ids.astype(np.int64)


def _in_pixels(output: NDArray[np.float32], head: Head, boxes: Boxes) -> bool:
    if head.kind == "raw":
        # All anchors tell, not only those above the threshold: some reach the far side on any picture.
        return bool(_columns(output, head)[:4].max() > _PIXELS_FROM)
    return bool(boxes.size and boxes.max() > _PIXELS_FROM)
