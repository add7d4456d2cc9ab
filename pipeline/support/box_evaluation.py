"""Known boxes against detections, by hotcoco: COCO's evaluation, and annotations that are likely wrong.

Source: https://cocodataset.org/#detection-eval. hotcoco gives pycocotools' numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from pipeline.contracts.results import Detection, ResultRow
from pipeline.support.errors import MissingExtraError


def require_hotcoco() -> None:
    """Check that hotcoco is installed, without importing it.

    Raises:
        MissingExtraError: it is not.
    """
    from importlib.util import find_spec

    if find_spec("hotcoco") is None:
        raise MissingExtraError("hotcoco", "bench", why="mAP over known boxes")


def coco_evaluation(
    rows: Sequence[ResultRow], labels: Sequence[str], *, below_threshold: bool = True
) -> Any | None:
    """Return hotcoco's ``COCOeval`` of the rows, evaluated; None where nothing was detected.

    Ids count from 1: of images the rows, of categories the labels, of detections `located_detections`.

    Args:
        rows: pictures whose boxes are known.
        labels: every label of their boxes and detections.
        below_threshold: count the detections below the threshold as well, as average precision does.

    Raises:
        MissingExtraError: hotcoco is not installed.
    """
    require_hotcoco()
    import hotcoco

    ids = {label: index for index, label in enumerate(labels, start=1)}
    truth = hotcoco.COCO(_ground_truth(rows, ids))
    found = _coco_detections(rows, ids, below_threshold=below_threshold)
    if not found:
        return None
    evaluation = hotcoco.COCOeval(truth, truth.load_res(found), "bbox")
    evaluation.evaluate()
    return evaluation


def box_labels(rows: Sequence[ResultRow]) -> list[str]:
    """Return every label of the rows' boxes and detections, sorted."""
    return sorted(
        {box.label for row in rows for box in row.expected_boxes or []}
        | {detection.label for row in rows for detection in _all(row)}
    )


def located_detections(
    rows: Sequence[ResultRow], *, below_threshold: bool = True
) -> list[tuple[int, Detection]]:
    """Return the detections that have a box, each with the index of its row."""
    return [
        (index, detection)
        for index, row in enumerate(rows)
        for detection in (_all(row) if below_threshold else row.detections)
        if detection.box is not None
    ]


@dataclass(frozen=True, slots=True)
class LabelError:
    """A sure detection that the annotations contradict: either it is wrong, or they are."""

    row: int
    """Index of the picture's row."""
    detection: Detection
    annotated: str | None
    """The label of the annotation in that place; None where there is no annotation."""
    box: int | None
    """Index of that annotation among its row's boxes."""

    @property
    def question(self) -> str:
        """What a person should look for."""
        return "Is a box missing here?" if self.annotated is None else "Is this box's label wrong?"

    @property
    def words(self) -> str:
        """What the detector says, and the annotation."""
        words = f"{self.detection.label} with score {self.detection.score:.2f}"
        return words if self.annotated is None else f"{words}, where the annotation says {self.annotated}"


def likely_label_errors(rows: Sequence[ResultRow], *, at_least: float) -> list[LabelError]:
    """Return the detections that nothing explains but an error in the annotations, the surest first.

    Args:
        rows: pictures whose boxes are known.
        at_least: score from which a detection is sure.

    Raises:
        MissingExtraError: hotcoco is not installed.
    """
    evaluation = coco_evaluation(rows, box_labels(rows), below_threshold=False)
    if evaluation is None:
        return []
    found = evaluation.image_diagnostics(score_thr=at_least)["label_errors"]
    found.sort(key=lambda error: (-error["dt_score"], error["image_id"], error["dt_id"]))
    detections = located_detections(rows, below_threshold=False)
    starts = [0, *accumulate(len(row.expected_boxes or []) for row in rows)]
    errors = []
    for error in found:
        row, detection = detections[int(error["dt_id"]) - 1]
        box = None if error["gt_id"] is None else int(error["gt_id"]) - 1 - starts[row]
        errors.append(LabelError(row, detection, error["gt_category"], box))
    return errors


def _all(row: ResultRow) -> list[Detection]:
    return [*row.detections, *(row.below_threshold or [])]


def _ground_truth(rows: Sequence[ResultRow], ids: dict[str, int]) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for index, row in enumerate(rows, start=1):
        for box in row.expected_boxes or []:
            x, y, width, height = _xywh(box.box)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index,
                    "category_id": ids[box.label],
                    "bbox": [x, y, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                }
            )
    return {
        "images": [{"id": index, **_size(row)} for index, row in enumerate(rows, start=1)],
        "categories": [{"id": index, "name": label} for label, index in ids.items()],
        "annotations": annotations,
    }


def _size(row: ResultRow) -> dict[str, int]:
    width, height = row.size or (0, 0)
    return {"width": width, "height": height}


def _coco_detections(
    rows: Sequence[ResultRow], ids: dict[str, int], *, below_threshold: bool
) -> list[dict[str, Any]]:
    return [
        {
            "image_id": index + 1,
            "category_id": ids[detection.label],
            "bbox": _xywh(detection.box or []),
            "score": detection.score,
        }
        for index, detection in located_detections(rows, below_threshold=below_threshold)
    ]


def _xywh(corners: Sequence[float]) -> list[float]:
    x1, y1, x2, y2 = corners
    return [x1, y1, x2 - x1, y2 - y1]
