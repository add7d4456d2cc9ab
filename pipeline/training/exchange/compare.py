"""Boxes of a picture before and after: which are the same, moved, relabelled, new or gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.runtime.decode import iou_matrix
from pipeline.support.yolo_labels import YoloBox
from pipeline.training.exchange import SAME
from pipeline.training.exchange.model import Corners

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAME_THING = 0.5
"""Overlap (IoU) from which a box that came back is a box that was there, corrected."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A box with its corners in pixels of its picture."""

    box: YoloBox
    corners: Corners


@dataclass(frozen=True, slots=True)
class Compared:
    """What became of a picture's boxes.

    ``boxes`` are those it has now: each in the place of the one that it was, new ones last.
    """

    boxes: list[YoloBox]
    kept: int
    moved: int
    relabelled: int
    added: int
    removed: int

    @property
    def changed(self) -> bool:
        """Whether anything is not as it was."""
        return bool(self.moved or self.relabelled or self.added or self.removed)


def compare_boxes(before: Sequence[Placed], after: Sequence[Placed]) -> Compared:
    """Match the boxes of one picture: first those that stayed, then by overlap, the greatest first.

    A box that stayed is kept as it was, to its last digit.
    """
    import numpy as np

    came_from: dict[int, int] = {}
    open_before, open_after = set(range(len(before))), set(range(len(after)))
    if before and after:
        corners = [np.asarray([each.corners for each in side], np.float64) for side in (before, after)]
        labels = [np.asarray([each.box.class_id for each in side]) for side in (before, after)]
        same_label = labels[0][:, None] == labels[1][None]
        apart = np.abs(corners[0][:, None] - corners[1][None]).max(axis=2)
        overlap = iou_matrix(corners[0].astype(np.float32), corners[1].astype(np.float32))
        steps: tuple[tuple[NDArray[Any], float], ...] = (
            (np.where(same_label, SAME - apart, -1.0), 0.0),
            (np.where(same_label, overlap, -1.0), SAME_THING),
            (overlap, SAME_THING),
        )
        for score, least in steps:
            for old, new in _pairs(score, least):
                if old in open_before and new in open_after:
                    open_before.remove(old)
                    open_after.remove(new)
                    came_from[old] = new
    boxes: list[YoloBox] = []
    counts = {"kept": 0, "moved": 0, "relabelled": 0}
    for index, old_box in enumerate(before):
        if index not in came_from:
            continue
        new_box = after[came_from[index]]
        kind = _kind(old_box, new_box)
        counts[kind] += 1
        boxes.append(old_box.box if kind == "kept" else new_box.box)
    boxes += [after[index].box for index in sorted(open_after)]
    return Compared(boxes, **counts, added=len(open_after), removed=len(open_before))


def _kind(old: Placed, new: Placed) -> str:
    if old.box.class_id != new.box.class_id:
        return "relabelled"
    apart = max(abs(a - b) for a, b in zip(old.corners, new.corners, strict=True))
    return "kept" if apart <= SAME else "moved"


def _pairs(score: NDArray[Any], least: float) -> list[tuple[int, int]]:
    """Return the pairs whose score reaches ``least``, the best first, then by place."""
    import numpy as np

    old, new = np.nonzero(score >= least)
    best_first = np.lexsort((new, old, -score[old, new]))
    return [(int(old[index]), int(new[index])) for index in best_first]
