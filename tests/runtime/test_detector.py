"""Real models: both interpreters agree, every form of input and head is read, PyTorch is matched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import tiny_model

from pipeline.runtime.detector import Detection, load_model, open_detector
from pipeline.runtime.inspect import inspect_model
from pipeline.support.errors import ModelError, UsageError
from pipeline.support.images import decode_rgb

pytest.importorskip("ai_edge_litert")

LABELS = [
    "Aluminum Can", "Tin Can", "Aluminum Foil", "Cardboard", "Glass Bottle or Jar", "Plastic Bottle",
    "Plastic Container",
]  # fmt: skip
DEV = "dev-finetuned-yolo26n-320_litert_"
FOUND = (
    "tflite_found/yolo26n_dynint8_640_e2e_1x300x6", "tflite_found/yolov8n_int8_320_1x84x2100",
    "tflite_found/yolov8n_dynint8_640_1x84x8400", "tflite_found/yolo11n_intquant_640_1x84x8400_f32io",
    "tflite_found/yolo11n_dynint8_640_1x84x8400", "tflite_found/yolo11n_fullint8_640_1x84x8400",
)  # fmt: skip
OUTPUT = np.zeros((1, 10, 6), np.float32)
OUTPUT[0, 0] = [4, 8, 16, 24, 0.9, 1]


@pytest.fixture(scope="module")
def photos(real: Path) -> list[np.ndarray]:
    paths = sorted((real / "photos/images/val").iterdir())[:6]
    return [decode_rgb(path.read_bytes(), source=str(path)) for path in paths]


def close(some: list[Detection], others: list[Detection], *, atol: float) -> None:
    assert [d.class_id for d in some] == [d.class_id for d in others]
    np.testing.assert_allclose([d.score for d in some], [d.score for d in others], atol=atol)
    np.testing.assert_allclose([d.box for d in some], [d.box for d in others], atol=atol)


@pytest.mark.parametrize("name", [f"{DEV}default", f"{DEV}e2e", *FOUND])
def test_both_interpreters_find_the_same_on_the_same_file(
    real: Path, photos: list[np.ndarray], name: str
) -> None:
    pytest.importorskip("tensorflow")
    path = real / "weights" / f"{name}.tflite"
    labels = inspect_model(path).names or ()
    one = open_detector(path, labels, conf=0.01)
    other = open_detector(path, labels, conf=0.01, runtime="tensorflow", trial=False)
    for photo in photos[:2]:
        found = one.detect(photo)
        assert found
        close(found, other.detect(photo), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "layout", "kind", "coordinates"),
    [
        (f"{DEV}default", "NCHW", "raw", "normalised"),
        (f"{DEV}e2e", "NCHW", "end_to_end", "pixels"),
        (FOUND[0], "NHWC", "end_to_end", "normalised"),
        (FOUND[1], "NHWC", "raw", "normalised"),
        (FOUND[5], "NHWC", "raw", "normalised"),
    ],
)
def test_a_real_model_tells_layout_head_and_coordinates(
    real: Path, name: str, layout: str, kind: str, coordinates: str
) -> None:
    io = inspect_model(real / "weights" / f"{name}.tflite")
    assert (io.form.layout, io.head.kind, io.coordinates) == (layout, kind, coordinates)
    assert io.classes == (7 if "dev" in name else 80)


def test_a_fine_tuned_model_finds_what_is_on_the_photos(real: Path) -> None:
    detector = open_detector(real / "weights" / f"{DEV}default.tflite", LABELS)
    hits = 0
    paths = sorted((real / "photos/images/val").iterdir())
    for path in paths:
        label_file = real / "photos/labels/val" / f"{path.stem}.txt"
        wanted = {LABELS[int(line.split()[0])] for line in label_file.read_text().splitlines() if line}
        found = detector.detect(decode_rgb(path.read_bytes(), source=str(path)), conf=0.35)
        hits += bool(wanted & {detection.label for detection in found})
    assert hits / len(paths) > 0.6


def test_the_exported_file_finds_what_its_pytorch_model_finds(real: Path, photos: list[np.ndarray]) -> None:
    pytest.importorskip("ultralytics")
    exported = open_detector(real / "weights" / f"{DEV}default.tflite", LABELS)
    model = open_detector(real / "weights/dev-finetuned-yolo26n-320.pt", LABELS, runtime="pytorch", conf=0.2)
    for photo in photos[:3]:
        for mine, theirs in zip(exported.detect(photo, conf=0.2), model.detect(photo), strict=True):
            assert mine.class_id == theirs.class_id
            assert mine.score == pytest.approx(theirs.score, abs=0.01)
            np.testing.assert_allclose(mine.box, theirs.box, atol=2)


def test_letterboxed_boxes_lie_where_stretched_ones_lie(real: Path, photos: list[np.ndarray]) -> None:
    path = real / "weights" / f"{DEV}default.tflite"
    stretched = open_detector(path, LABELS).detect(photos[3])[0]
    boxed = open_detector(path, LABELS, resize="letterbox").detect(photos[3])[0]
    np.testing.assert_allclose(stretched.box, boxed.box, atol=0.1 * max(photos[3].shape))


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"input_shape": (1, 3, 32, 32)},
        {"input_int8": (1 / 255, -128)},
        {"output_int8": (0.1, -20)},
    ],
    ids=["NHWC", "NCHW", "int8 in", "int8 out"],
)
def test_every_form_of_input_and_output_is_read(tmp_path: Path, form: dict[str, Any]) -> None:
    path = tiny_model(tmp_path / "m.tflite", OUTPUT[:, :, :] / (2 if "output_int8" in form else 1), **form)
    found = open_detector(path, ["a", "b"]).detect(np.zeros((64, 128, 3), np.uint8))
    if "output_int8" in form:  # halved to fit the scale: the class id 0.5 rounds to an even number
        assert found[0].box == pytest.approx((8, 8, 32, 24), abs=0.5)
        assert found[0].score == pytest.approx(0.45, abs=0.06)
    else:
        assert found == [Detection("b", 1, pytest.approx(0.9), pytest.approx((16, 16, 64, 48)))]


@pytest.mark.parametrize("shape", [(1, 10, 6), (10, 6), (60,), (1, 60)])
def test_rows_of_six_are_read_in_every_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tiny_model(tmp_path / "m.tflite", OUTPUT.reshape(shape))
    found = open_detector(path, ["a", "b"]).detect(np.zeros((32, 32, 3), np.uint8))
    assert [(d.label, d.box) for d in found] == [("b", (4, 8, 16, 24))]


def test_an_int8_input_gets_the_nearest_stored_value(tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "m.tflite", OUTPUT, input_int8=(1 / 255, -128))
    detector = open_detector(path, ["a", "b"])
    canvas = np.arange(32 * 32 * 3, dtype=np.int64).reshape(32, 32, 3).astype(np.uint8)
    np.testing.assert_array_equal(detector.load(canvas)[0], canvas.astype(np.int16) - 128)


def test_a_float_input_gets_bytes_divided_by_255_in_the_layout_of_the_model(tmp_path: Path) -> None:
    canvas = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    last = open_detector(tiny_model(tmp_path / "a.tflite", OUTPUT), ["a", "b"])
    first = open_detector(tiny_model(tmp_path / "b.tflite", OUTPUT, input_shape=(1, 3, 32, 32)), ["a", "b"])
    expected = canvas.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(last.load(canvas)[0], expected)
    np.testing.assert_array_equal(first.load(canvas)[0], expected.transpose(2, 0, 1))


def test_labels_of_another_length_are_refused_before_any_work(real: Path) -> None:
    path = real / "weights" / f"{DEV}default.tflite"
    with pytest.raises(ModelError, match="tells 7 classes apart, and the labels file names 6"):
        load_model(path, LABELS[:6])
    with pytest.raises(ModelError, match="names no label"):
        load_model(path, [])


def test_a_gpu_that_is_not_there_is_told(real: Path) -> None:
    pytest.importorskip("ultralytics")
    with pytest.raises(UsageError, match="CPU alone"):
        load_model(real / "weights" / f"{DEV}default.tflite", LABELS, device="cuda:0")
    path = real / "weights/dev-finetuned-yolo26n-320.pt"
    with pytest.raises(UsageError, match=r"'99' was asked for, and PyTorch finds \d+ GPUs"):
        load_model(path, LABELS, runtime="pytorch", device="99")
    with pytest.raises(UsageError, match="no device 'gpu'"):
        load_model(path, LABELS, runtime="pytorch", device="gpu")
