from __future__ import annotations

import numpy as np
import pytest

from pipeline.contracts.results import ResultRow
from pipeline.evaluation.paired_boxes import map_verdicts

LABELS = ["Can", "Foil", "Tin"]


def rows(seed: int, pictures: int, jitter: float) -> list[ResultRow]:
    """Pictures with the same boxes, and a model that finds them the less exactly the larger ``jitter``."""
    truth, rng = np.random.default_rng(0), np.random.default_rng(seed)
    made = []
    for index in range(pictures):
        boxes, found = [], []
        for _ in range(int(truth.integers(0, 4))):
            corner, size = truth.uniform(0, 60, 2), truth.uniform(15, 40, 2)
            box = [*corner, *(corner + size)]
            label = LABELS[int(truth.integers(3))]
            boxes.append({"label": label, "box": [float(edge) for edge in box]})
            for _ in range(int(rng.integers(0, 3))):
                moved = [float(edge + rng.normal(0, jitter)) for edge in box]
                found.append({"label": label, "score": float(rng.random()), "box": moved})
        if rng.random() < 0.3:
            found.append({"label": "Can", "score": float(rng.random()), "box": [1.0, 1.0, 20.0, 20.0]})
        found.sort(key=lambda item: -item["score"])
        made.append(
            ResultRow.model_validate(
                {
                    "name": f"p{index}",
                    "url": "",
                    "expected_any": [],
                    "expected_all": [],
                    "predicted_labels": [],
                    "detections": found,
                    "precision": None,
                    "recall": None,
                    "any_hit": None,
                    "size": [100, 100],
                    "expected_boxes": boxes,
                }
            )
        )
    return made


def test_map_agrees_with_hotcoco() -> None:
    pytest.importorskip("hotcoco")
    from pipeline.evaluation.box_metrics import box_figures

    before, after = rows(1, 80, 4.0), rows(2, 80, 2.0)
    found = {
        figure.figure: figure
        for figure in map_verdicts(list(zip(before, after, strict=True)), margins={}, seed=0, resamples=50)
    }
    for side, measured in (("baseline", before), ("candidate", after)):
        figures = box_figures(measured)
        assert figures is not None
        assert getattr(found["map50"], side) == pytest.approx(figures.map50, abs=2e-4)
        assert getattr(found["map50_95"], side) == pytest.approx(figures.map50_95, abs=2e-4)


def test_a_model_whose_boxes_fit_better_has_improved_in_map() -> None:
    pairs = list(zip(rows(1, 120, 8.0), rows(2, 120, 1.0), strict=True))
    found = {figure.figure: figure for figure in map_verdicts(pairs, margins={}, seed=0, resamples=400)}
    assert found["map50_95"].verdict == "improved"
    assert found["map50_95"].interval is not None
    assert found["map50_95"].interval[0] > 0


def test_equal_models_are_rarely_called_different_in_map() -> None:
    wrong = 0
    for run in range(60):
        pairs = list(zip(rows(100 + run, 30, 4.0), rows(900 + run, 30, 4.0), strict=True))
        verdicts = map_verdicts(pairs, margins={}, seed=run, resamples=200)
        wrong += verdicts[0].verdict in {"improved", "regressed"}
    assert wrong / 60 <= 0.05


def test_pictures_without_known_boxes_give_no_map() -> None:
    bare = [row.replace(expected_boxes=None) for row in rows(1, 5, 1.0)]
    assert map_verdicts(list(zip(bare, bare, strict=True)), margins={}, seed=0) == []
