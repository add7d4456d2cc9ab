"""mAP is pycocotools' own number; precision and recall match boxes by label and IoU."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from pipeline.contracts.manifest import ManifestBox
from pipeline.contracts.results import Detection, ResultRow
from pipeline.evaluation.box_metrics import box_figures

pytest.importorskip("hotcoco")


def row(
    found: list[tuple[str, float, list[float]]], boxes: list[tuple[str, list[float]]] | None
) -> ResultRow:
    detections = [Detection(label=label, score=score, box=box) for label, score, box in found]
    return ResultRow(
        name="p",
        url="p.jpg",
        expected_any=[],
        expected_all=[],
        predicted_labels=[],
        detections=[d for d in detections if d.score >= 0.35],
        precision=None,
        recall=None,
        any_hit=None,
        size=[200, 200],
        expected_boxes=None if boxes is None else [ManifestBox(label=lab, box=box) for lab, box in boxes],
        below_threshold=[d for d in detections if d.score < 0.35],
    )


def pycocotools_map(rows: list[ResultRow]) -> tuple[float, float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    labels = sorted({box.label for r in rows for box in r.expected_boxes or []} | {"c"})
    annotations, found = [], []
    for image, r in enumerate(rows, start=1):
        for box in r.expected_boxes or []:
            x1, y1, x2, y2 = box.box
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": labels.index(box.label) + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": 0,
                }
            )
        for d in [*r.detections, *(r.below_threshold or [])]:
            x1, y1, x2, y2 = d.box or []
            found.append(
                {
                    "image_id": image,
                    "category_id": labels.index(d.label) + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": d.score,
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": i} for i in range(1, len(rows) + 1)],
            "categories": [{"id": i + 1, "name": label} for i, label in enumerate(labels)],
            "annotations": annotations,
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[1], evaluation.stats[0]


@pytest.mark.parametrize("seed", range(5))
def test_map_is_the_number_of_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(12):
        boxes, found = [], []
        for _ in range(rng.integers(0, 4)):
            low = rng.uniform(0, 100, 2)
            box = [*low, *(low + rng.uniform(10, 90, 2))]
            label = str(rng.choice(["a", "b"]))
            boxes.append((label, box))
            if rng.random() < 0.8:
                moved = [value + float(rng.normal(0, 5)) for value in box]
                found.append((label, float(rng.uniform(0.05, 1)), moved))
        found.append((str(rng.choice(["a", "b", "c"])), float(rng.uniform(0.05, 1)), [0, 0, 30, 30]))
        rows.append(row(found, boxes))
    figures = box_figures(rows)
    assert figures is not None
    map50, map50_95 = pycocotools_map(rows)
    assert figures.map50 == pytest.approx(map50, abs=5e-5)
    assert figures.map50_95 == pytest.approx(map50_95, abs=5e-5)


def test_a_match_has_the_label_and_half_of_the_union_and_each_box_is_found_once() -> None:
    box = [10.0, 10.0, 50.0, 50.0]
    figures = box_figures(
        [
            row([("a", 0.9, box), ("a", 0.8, box), ("b", 0.9, box)], [("a", box)]),
            row([("a", 0.9, [10, 10, 50, 29])], [("a", box)]),
            row([("a", 0.34, box)], [("a", box)]),
            row([("a", 0.9, box)], None),
        ]
    )
    assert figures is not None
    assert (figures.pictures, figures.boxes) == (3, 3)
    assert (figures.tp, figures.fp, figures.fn) == (1, 3, 2)
    assert (figures.precision, figures.recall) == (0.25, 0.3333)


def test_no_known_boxes_give_no_figures() -> None:
    assert box_figures([row([("a", 0.9, [0, 0, 9, 9])], None)]) is None


def test_a_model_that_finds_nothing_has_a_map_of_zero() -> None:
    figures = box_figures([row([], [("a", [0, 0, 9, 9])]), row([], [])])
    assert figures is not None
    assert (figures.map50, figures.map50_95, figures.precision, figures.recall) == (0.0, 0.0, None, 0.0)


def test_pictures_without_any_box_have_no_map() -> None:
    figures = box_figures([row([("a", 0.9, [0, 0, 9, 9])], [])])
    assert figures is not None
    assert (figures.map50, figures.precision, figures.fp) == (None, 0.0, 1)
