"""Every head decodes to the same detections; NMS keeps what the plain greedy loop keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.runtime.decode import coordinates_of, decode, dequantized, iou_matrix, nms
from pipeline.runtime.heads import Head
from pipeline.support.errors import ModelError

SIZE = (64, 64)
ROWS = np.array([[8, 8, 40, 24, 0.9, 1], [2, 4, 30, 60, 0.5, 0], [0, 0, 0, 0, 0, 0]], np.float32)


def plain_nms(boxes: np.ndarray, ids: np.ndarray, iou: float) -> list[int]:
    kept: list[int] = []
    for index in range(len(boxes)):
        if all(
            ids[index] != ids[other] or iou_matrix(boxes[[index]], boxes[[other]])[0, 0] <= iou
            for other in kept
        ):
            kept.append(index)
    return kept


def raw_of(rows: np.ndarray, classes: int, anchors: int) -> np.ndarray:
    output = np.zeros((1, 4 + classes, anchors), np.float32)
    for index, (x1, y1, x2, y2, score, class_id) in enumerate(rows):
        output[0, :4, index] = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
        output[0, 4 + int(class_id), index] = score
    return output


def heads() -> list[tuple[str, np.ndarray, Head]]:
    raw = raw_of(ROWS, 2, 84)
    unit = raw.copy()
    unit[0, :4] /= 64
    normal = ROWS.copy()
    normal[:, :4] /= 64
    return [
        ("[1,N,6] pixels", ROWS[None], Head("end_to_end", 3)),
        ("[1,N,6] normalised", normal[None], Head("end_to_end", 3)),
        ("[N,6]", ROWS, Head("end_to_end", 3)),
        ("flat", ROWS.reshape(-1), Head("end_to_end", 3)),
        ("[1,flat]", ROWS.reshape(1, -1), Head("end_to_end", 3)),
        ("raw pixels", raw, Head("raw", 84, 2)),
        ("raw normalised", unit, Head("raw", 84, 2)),
        ("raw transposed", raw.transpose(0, 2, 1), Head("raw", 84, 2, transposed=True)),
    ]


@pytest.mark.parametrize(("name", "output", "head"), heads(), ids=[head[0] for head in heads()])
def test_every_head_gives_the_same_detections(name: str, output: np.ndarray, head: Head) -> None:
    found = decode(output, head, classes=2, size=SIZE, conf=0.25, picture="a.jpg")
    np.testing.assert_allclose(found.boxes, ROWS[:2, :4], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.9, 0.5])
    assert found.class_ids.tolist() == [1, 0]


def test_coordinates_are_told_from_the_output() -> None:
    told = {name: coordinates_of(output, head) for name, output, head in heads()}
    assert told.pop("[1,N,6] normalised") == told.pop("raw normalised") == "normalised"
    assert set(told.values()) == {"pixels"}
    assert coordinates_of(np.zeros((1, 3, 6), np.float32), Head("end_to_end", 3)) is None


@given(
    arrays.arrays(np.float32, (12, 4), elements=st.floats(0, 60, width=32)),
    arrays.arrays(np.int64, 12, elements=st.integers(0, 2)),
    st.floats(0.1, 0.9),
)
def test_nms_keeps_what_the_plain_greedy_loop_keeps(corners: np.ndarray, ids: np.ndarray, iou: float) -> None:
    boxes = np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:]], axis=1)
    scores = np.linspace(1, 0.1, 12, dtype=np.float32)
    kept = nms(boxes, scores, ids, iou=iou, limit=300)
    assert kept.tolist() == plain_nms(boxes, ids, iou)


def test_nms_over_many_blocks_keeps_what_the_plain_greedy_loop_keeps() -> None:
    rng = np.random.default_rng(1)
    low = rng.uniform(0, 200, (600, 2)).astype(np.float32)
    boxes = np.concatenate([low, low + rng.uniform(20, 90, (600, 2)).astype(np.float32)], axis=1)
    ids = rng.integers(0, 3, 600)
    kept = nms(boxes, np.linspace(1, 0, 600, dtype=np.float32), ids, iou=0.5, limit=1000)
    assert kept.tolist() == plain_nms(boxes, ids, 0.5)
    assert nms(boxes, np.linspace(1, 0, 600, dtype=np.float32), ids, iou=0.5, limit=7).tolist() == (
        kept[:7].tolist()
    )


def test_equal_scores_keep_the_order_of_the_output() -> None:
    rows = np.array([[0, 0, 9, 9, 0.5, 0], [20, 20, 40, 40, 0.5, 1], [9, 9, 20, 20, 0.5, 0]], np.float32)
    found = decode(rows[None], Head("end_to_end", 3), classes=2, size=SIZE, conf=0.1, picture="a")
    assert found.boxes.tolist() == rows[:, :4].tolist()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 4, 5])
def test_values_that_are_no_numbers_are_told_with_the_picture(value: float, column: int) -> None:
    rows = ROWS.copy()
    rows[0, column] = value
    with pytest.raises(ModelError, match=r"shelf/a\.jpg: .*NaN or infinite"):
        decode(rows[None], Head("end_to_end", 3), classes=2, size=SIZE, conf=0.25, picture="shelf/a.jpg")


@pytest.mark.parametrize("class_id", [2, 7, -1])
def test_a_class_beyond_the_labels_is_told_with_the_picture(class_id: int) -> None:
    rows = ROWS.copy()
    rows[0, 5] = class_id
    with pytest.raises(ModelError, match=rf"a\.jpg: .*class id {class_id}, and there are 2 labels"):
        decode(rows[None], Head("end_to_end", 3), classes=2, size=SIZE, conf=0.25, picture="a.jpg")


def test_scores_far_beyond_one_are_no_scores() -> None:
    rows = ROWS.copy()
    rows[0, 4] = 7.5
    with pytest.raises(ModelError, match=r"score 7\.5"):
        decode(rows[None], Head("end_to_end", 3), classes=2, size=SIZE, conf=0.25, picture="a.jpg")
    rows[0, 4] = 1.0008  # the last step of an int8 scale
    found = decode(rows[None], Head("end_to_end", 3), classes=2, size=SIZE, conf=0.25, picture="a.jpg")
    assert found.scores[0] == 1.0


@given(
    arrays.arrays(np.float32, (1, 12, 6), elements=st.floats(width=32, allow_nan=True, allow_infinity=True))
)
def test_any_output_is_decoded_or_refused(output: np.ndarray) -> None:
    try:
        found = decode(output, Head("end_to_end", 12), classes=3, size=SIZE, conf=0.05, picture="a")
    except ModelError:
        return
    assert np.all((found.scores > 0) & (found.scores <= 1))
    assert np.all((found.class_ids >= 0) & (found.class_ids < 3))
    assert np.all(np.diff(found.scores) <= 0)


def test_stored_integers_become_real_values() -> None:
    stored = np.array([-124, 127], np.int8)
    np.testing.assert_allclose(dequantized(stored, 0.003987, -124), [0.0, 251 * 0.003987], rtol=1e-6)
